"""Splits a script for SQL Server into batches, as sqlcmd does, and tells how a batch affects its transaction."""

from __future__ import annotations

import re

from custctl.engines.mssql.reader import Code, Reader, is_on, statements
from custctl.engines.mssql.tokens import LINE_COMMENT, QUOTED_NAME, STRING, tokenise
from custctl.engines.scripts import ScriptSyntaxError, Statement, normalised, skip
from custctl.engines.tokens import comment_end
from custctl.support.patterns import compiled

_MOST_REPEATS = 10_000
# Blanks within a line.
_GAP = r"[^\S\n]*+"
# Both cases spelled out: a case-insensitive pattern would match a dotless i as I.
_GO = r"[Gg][Oo](?=[\s;]|--|/\*|\Z)"
_LEAVE = rf"(?:[Ee][Xx][Ii][Tt]|[Qq][Uu][Ii][Tt])(?={_GAP}(?:--|\n|\Z))"
_COMMAND = rf"{_GAP}(?:{_GO}|:?!!|:[A-Za-z]|{_LEAVE})"
# Matches whole runs, so that the loop takes one step per batch or comment instead of one per character.
_RUN = compiled(rf"(?:[^\n'\"\[/\-]++|{STRING}|{QUOTED_NAME}|-(?!-)|/(?!\*)|\n(?!{_COMMAND}))*+")
_COMMAND_LINE = compiled(rf"{_GAP}(?:(?P<go>{_GO}){_GAP}(?P<count>[0-9]++)?|(?P<other>:?!!|:?[A-Za-z]++))")
_END_OF_LINE = compiled(rf"{_GAP}(?:--|\n|\Z)")
_LINE_COMMENT = compiled(LINE_COMMENT)
_COMMAND_AT = compiled(_COMMAND)
_BLANKS = compiled(_GAP)
_LINE = compiled(r"[^\n]*+")

_WAYS_OUT = {
    ":R": "copy the text of that file into this script",
    ":SETVAR": "for external values use `-- custctl: substitute` and `${NAME}`",
    ":ON": "remove it: a script stops at its first error",
    ":CONNECT": "the profile names the server",
}
_CONTROL_WORDS = compiled(
    r"(?<![A-Z_])(?:COMMIT|ROLLBACK|USE|TRAN|TRANSACTION|IMPLICIT_TRANSACTIONS|ANSI_DEFAULTS)\b", re.IGNORECASE
)
_OUTSIDE_WORDS = (
    *("DATABASE", "FULLTEXT", "BACKUP", "RESTORE", "RECONFIGURE", "RESOURCE", "EVENT", "ENDPOINT", "KILL"),
    *("SHRINK", "INDEXDEFRAG", "RESUMABLE", "MEMORY_OPTIMIZED"),
)
# ALTER DATABASE followed by these changes something inside the database.
_INSIDE_DATABASE = (
    ("SCOPED", "CONFIGURATION"),
    ("SCOPED", "CREDENTIAL"),
    ("AUDIT", "SPECIFICATION"),
    ("ENCRYPTION", "KEY"),
)


def split(text: str) -> list[Statement]:
    """Split a script into its batches, in one pass.

    A batch ends at a line that contains only `GO`, in any case, outside strings, quoted and bracketed names and
    comments. As in sqlcmd's manual, blanks and comments may share that line, before and after GO. `GO 5` runs the
    batch five times. A batch's text extends from its first token to its last. The comments and blanks around it, up to
    the lines of GO, are stored separately and sent with it, as sqlcmd does: they are part of a procedure's or view's
    definition. Batches without a token are dropped. A BOM is skipped and line endings become LF.

    As in sqlcmd, `GO` followed by a semicolon, an invalid count, or a blank and anything else is an error: write a name
    at the start of a line as `[GO]`. `go, …`, `go.…` and similar are code. The other commands of sqlcmd (`:r`,
    `:setvar`, `!!`, a lone `EXIT`) are refused: if they were ignored, the script would do something else.

    Args:
        text: the script.

    Returns:
        The batches in script order, each with the 1-based line of its first token; a batch that GO repeats is included
        once per run, as the same object.

    Raises:
        ScriptSyntaxError: something that is never closed (with the line where it opens), an invalid GO, another command
            of sqlcmd, or a NUL.

    Source: the GO and sqlcmd pages of SQL Server's documentation; microsoft/go-sqlcmd for what they do not specify.
    """
    # With a leading line feed, the first line begins like all others, and counting line feeds gives its number.
    text = "\n" + normalised(text)

    batches: list[Statement] = []
    position, counted, line = 0, 0, 0
    opened = 1  # where the batch begins
    first = last = -1  # the batch so far, from its first token to after its last
    fresh = False  # only comments on this line so far
    while True:
        stop = skip(_RUN, text, position)
        run = text[position:stop]
        if code := run.strip():
            begin = position + len(run) - len(run.lstrip())
            first = begin if first < 0 else first
            last = begin + len(code)
        fresh = not run[run.rfind("\n") + 1 :].strip() if "\n" in run else fresh and not code
        at_end, character = stop == len(text), text[stop : stop + 1]
        position = stop
        if character == "-":
            position = skip(_LINE_COMMENT, text, stop)
            continue
        if character == "/":
            position = comment_end(text, stop)
            if position < 0:
                raise ScriptSyntaxError("the comment that starts here is never closed", _line(text, stop))
            fresh = fresh or "\n" in text[stop:position]
            if not (fresh and _COMMAND_AT.match(text, position)):
                continue
        elif not at_end and character != "\n":
            what = "string" if character == "'" else "quoted name"
            raise ScriptSyntaxError(f"the {what} that starts here is never closed", _line(text, stop))
        times, closed = 1, position
        if not at_end:
            times, position = _command(text, position + (character == "\n"))
        elif text[opened:].endswith("\n"):
            closed -= 1
        if first >= 0:
            line += text.count("\n", counted, first)
            counted = first
            around = text[opened:first], text[last:closed]
            batches += [Statement(text[first:last], line, before=around[0], behind=around[1])] * times
        if at_end:
            return batches
        first, opened = -1, position
        if _END_OF_LINE.match(text, position):
            opened = skip(_LINE, text, position) + 1


def _command(text: str, start: int) -> tuple[int, int]:
    """Parse the GO at `start`; return how often the batch runs, and where to continue."""
    match = _COMMAND_LINE.match(text, start)
    assert match is not None
    if match["other"] is not None:
        command = match["other"]
        way_out = _WAYS_OUT.get(command.upper(), "leave it out")
        message = f"`{command}` is a sqlcmd command, not T-SQL: {way_out}"
        raise ScriptSyntaxError(message, _line(text, match.start("other")))
    position = match.end()
    while not _END_OF_LINE.match(text, position):
        opening = skip(_BLANKS, text, position)
        closing = comment_end(text, opening) if text.startswith("/*", opening) else -1
        if closing < 0:
            raise ScriptSyntaxError(_wrong_go(text, match.start("go"), opening), _line(text, match.start("go")))
        if "\n" in text[opening:closing]:
            break  # only its first line is GO's, so it is read like any other comment
        position = closing
    if match["count"] is None:
        return 1, position
    digits = match["count"].lstrip("0")
    if not digits or len(digits) > len(str(_MOST_REPEATS)) or int(digits) > _MOST_REPEATS:
        message = f"`GO` repeats a batch from 1 to {_MOST_REPEATS:,} times"
        raise ScriptSyntaxError(message, _line(text, match.start("go")))
    return int(digits), position


def _wrong_go(text: str, start: int, wrong: int) -> str:
    if text.startswith("/*", wrong):
        return "the comment that starts after `GO` is never closed"
    shown = text[start : skip(_LINE, text, wrong)].rstrip()
    shown = shown if len(shown) <= 40 else shown[:39] + "…"
    why = (
        "it is a sqlcmd command and does not take a semicolon" if text[wrong] == ";" else "it must be alone on its line"
    )
    return f"`{shown}` does not end a batch as `GO` does: {why}, but for a count; a name is written `[GO]`"


def transaction_control(statement: Statement) -> str | None:
    """Return the keywords with which a batch would begin or end a transaction, or change the database.

    Code in blocks and under conditions counts; the body of a procedure, function, trigger or view and the content of
    strings do not. Rolling back to a savepoint that the batch has set does not end the transaction.

    Returns:
        `BEGIN TRANSACTION`, `COMMIT`, `ROLLBACK`, `USE` or `SET IMPLICIT_TRANSACTIONS`, the first in the batch, or None.
    """
    # A quick search avoids parsing large batches of rows.
    if not _CONTROL_WORDS.search(statement.text):
        return None
    saved: set[str] = set()
    for code in statements(statement.text):
        keyword = control(code, saved)
        if keyword:
            return keyword
    return None


def control(code: Code, saved: set[str]) -> str | None:
    """Like `transaction_control`, for one statement.

    Args:
        code: the statement.
        saved: the savepoints so far; a new one is added.
    """
    reader = Reader(code.tokens)
    reader.take()
    match code.keyword:
        case "COMMIT" | "USE":
            return code.keyword
        case "BEGIN":
            reader.accept("DISTRIBUTED")
            return "BEGIN TRANSACTION" if reader.accept("TRAN", "TRANSACTION") else None
        case "SAVE" if reader.accept("TRAN", "TRANSACTION") and (token := reader.take()):
            saved.add(token.text)
        case "ROLLBACK":
            reader.accept("TRAN", "TRANSACTION")
            token = reader.take()
            return None if token is not None and token.text in saved else "ROLLBACK"
        case "SET":
            words = [token.keyword for token in reader.rest()]
            # ANSI_DEFAULTS includes IMPLICIT_TRANSACTIONS.
            if words[-1:] == ["ON"] and not {"IMPLICIT_TRANSACTIONS", "ANSI_DEFAULTS"}.isdisjoint(words):
                return "SET IMPLICIT_TRANSACTIONS"
    return None


def needs_autocommit(statement: Statement) -> bool:
    """Tell whether a batch contains a statement that SQL Server refuses inside a transaction."""
    text = statement.text.upper()
    return any(word in text for word in _OUTSIDE_WORDS) and any(map(outside_only, statements(statement.text)))


def outside_only(code: Code) -> str:
    """Return the name of a statement that SQL Server refuses inside a transaction; otherwise an empty string.

    Source: "Transact-SQL statements allowed in transactions"; the remarks on CREATE INDEX (RESUMABLE), on ENDPOINT and
    on RESOURCE GOVERNOR; the errors 574 (full-text, event sessions), 6115 (KILL), 8920 (DBCC) and 12331
    (memory-optimised tables).
    """
    first, second, third, fourth = ([token.keyword for token in code.tokens[:4]] + [""] * 4)[:4]
    name = ""
    match first:
        case "CREATE" | "ALTER" | "DROP":
            if (
                (second == "DATABASE" and (third, fourth) not in _INSIDE_DATABASE)
                or (second, third) in (("FULLTEXT", "CATALOG"), ("FULLTEXT", "INDEX"), ("RESOURCE", "GOVERNOR"))
                or (second, third) == ("EVENT", "SESSION")
                or second == "ENDPOINT"
            ):
                name = f"{first} {second}" + (f" {third}" if second not in ("DATABASE", "ENDPOINT") else "")
            elif is_on(code.tokens, "MEMORY_OPTIMIZED"):
                name = "MEMORY_OPTIMIZED = ON"
            elif is_on(code.tokens, "RESUMABLE"):
                name = "RESUMABLE = ON"
        case "BACKUP" | "RESTORE" if second not in ("CERTIFICATE", "MASTER", "SERVICE", "SYMMETRIC"):
            name = f"{first} {second}".strip()
        case "RECONFIGURE" | "KILL":
            name = first
        case "DBCC" if second in ("SHRINKDATABASE", "SHRINKFILE", "INDEXDEFRAG"):
            name = f"{first} {second}"
        case "EXEC" | "EXECUTE":
            name = next((t.value for t in code.tokens[1:8] if (t.identifier or "").startswith("sp_fulltext_")), "")
    return name


def restores_session(statement: Statement) -> bool:
    """Tell whether a batch only sets session options, which end with the session; variables are not options."""
    head = next(tokenise(statement.text), None)
    if head is None or head.keyword != "SET":
        return False
    return all(
        code.keyword == "SET" and len(code.tokens) > 1 and not code.tokens[1].text.startswith("@")
        for code in statements(statement.text)
    )


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position)
