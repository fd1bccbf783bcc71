"""Splits an SQLite script into statements, as SQLite's own shell does."""

from __future__ import annotations

import re

from custctl.engines.scripts import ScriptSyntaxError, Statement, line_at, normalised, skip
from custctl.engines.sqlite.tokens import BLANK, BLANKS, COMMENT, QUOTED_NAME, STRING, WORD, first_word, tokenise
from custctl.engines.tokens import Kind
from custctl.support.patterns import compiled

_CONTROL = frozenset({"BEGIN", "COMMIT", "END", "ROLLBACK", "USE"})
# Patterns match whole runs, so that the loop takes a step per statement, not per character.
_BETWEEN = compiled(rf"(?:[ \t\n\f\r;]++|{COMMENT})*+")
_RUN = compiled(rf"(?:[^;'\"`\[/\-]++|{STRING}|{QUOTED_NAME}|-(?!-)|/(?!\*))*+")
_COMMENT = compiled(COMMENT)
_GAP = rf"(?:{BLANK}++|{COMMENT})++"
# re.ASCII: with Unicode folding, other letters, such as the long s, would match ASCII letters.
_TRIGGER = compiled(
    rf"(?:EXPLAIN{_GAP}(?:QUERY{_GAP}PLAN{_GAP})?)?CREATE{_GAP}(?:TEMP(?:ORARY)?{_GAP})*+TRIGGER(?!{WORD})",
    re.ASCII | re.IGNORECASE,
)


def split(text: str) -> list[Statement]:
    """Split a script into its statements, in one pass.

    A statement ends where `sqlite3_complete()` says: at a semicolon outside strings, quoted names and comments,
    and, for `CREATE TRIGGER`, only at `; END ;`. Its text runs from its first token to its last: comments and
    blanks around it are dropped, those inside it are kept. The last one needs no semicolon; empty ones are dropped.
    A BOM is skipped and line endings become LF, so that a file does the same however it was checked out.

    Args:
        text: the script.

    Returns:
        The statements in the order of the script, each with the 1-based line of its first token.

    Raises:
        ScriptSyntaxError: an unclosed string, quoted name, comment or trigger (with the line where it opens), or a NUL,
            at which SQLite would silently stop reading.

    Source: the state table in SQLite's `complete.c`.
    """
    text = normalised(text)

    statements: list[Statement] = []
    line, counted = 1, 0
    position = _between(text, 0)
    while position < len(text):
        line += text.count("\n", counted, position)
        counted = position
        end, position = _trigger(text, position) if _TRIGGER.match(text, position) else _plain(text, position)
        statements.append(Statement(text[counted:end], line))
        position = _between(text, position)
    return statements


def transaction_control(statement: Statement) -> str | None:
    """Return the keyword of a statement that would begin or end a transaction, or change the database.

    Returns:
        `BEGIN`, `COMMIT`, `END`, `ROLLBACK` or `USE`, or None. Savepoints, and rolling back to one, stay inside a
        transaction and do not count.
    """
    keyword = first_word(statement.text)
    if keyword == "ROLLBACK" and "TO" in [token.keyword for token in tokenise(statement.text)][1:3]:
        return None
    return keyword if keyword in _CONTROL else None


def needs_autocommit(statement: Statement) -> bool:
    """Tell whether a statement cannot run inside a transaction, or has no effect there."""
    return first_word(statement.text) == "VACUUM" or restores_session(statement)


def restores_session(statement: Statement) -> bool:
    """Tell whether a statement sets something that ends with the connection."""
    return first_word(statement.text) in ("PRAGMA", "ATTACH", "DETACH")


def _between(text: str, position: int) -> int:
    """Return where the next statement starts, after checking that the comments before it are closed."""
    stop = skip(_BETWEEN, text, position)
    if stop == len(text):
        _check_comments(text, position)
    return stop


def _check_comments(text: str, position: int) -> None:
    """Refuse an unclosed comment: SQLite accepts it, and skips everything up to the end of the script."""
    for match in _COMMENT.finditer(text, position):
        if match.end() == len(text) and match[0].startswith("/*") and (len(match[0]) < 4 or match[0][-2:] != "*/"):
            raise ScriptSyntaxError("the comment that starts here is never closed", line_at(text, match.start()))


def _plain(text: str, start: int) -> tuple[int, int]:
    """Return the end of the statement at `start` (after its last token), and where to continue reading."""
    end = position = start
    while True:
        stop = skip(_RUN, text, position)
        run = text[position:stop].rstrip(BLANKS)
        if run:
            end = position + len(run)
        if stop == len(text):
            return end, stop
        if text[stop] == ";":
            return end, stop + 1
        if text[stop] not in "-/":
            raise _unclosed(text, stop)
        position = skip(_COMMENT, text, stop)
        if position == len(text):
            _check_comments(text, stop)


def _trigger(text: str, start: int) -> tuple[int, int]:
    """Like `_plain`, for CREATE TRIGGER: the semicolons of its body do not end it."""
    end = start
    after_semicolon = after_end = False
    for token in tokenise(text, start):
        if token.kind is Kind.OPEN:
            raise _unclosed(text, token.start)
        if token.text == ";":
            if after_end:
                return end, token.end
            after_semicolon = True
        else:
            # END counts only as the first word of a statement; the END of a CASE, or a name, does not.
            after_end = after_semicolon and token.keyword == "END"
            after_semicolon = False
        end = token.end
    _check_comments(text, end)
    if after_end:
        return end, len(text)
    raise ScriptSyntaxError("the trigger that starts here is never closed by `; END;`", line_at(text, start))


def _unclosed(text: str, position: int) -> ScriptSyntaxError:
    what = "string" if text[position] == "'" else "quoted name"
    return ScriptSyntaxError(f"the {what} that starts here is never closed", line_at(text, position))
