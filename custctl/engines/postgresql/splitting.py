"""Splits a PostgreSQL script into statements, as psql does."""

from __future__ import annotations

import re

from custctl.engines.postgresql.reader import Reader
from custctl.engines.postgresql.tokens import (
    BLANKS,
    DOLLAR,
    ESCAPED_STRING,
    FLAT_COMMENT,
    LINE_COMMENT,
    QUOTED_NAME,
    STRING,
    TAG,
    WORD,
    dollar_end,
    tokenise,
)
from custctl.engines.scripts import ScriptSyntaxError, Statement, line_at, normalised, skip
from custctl.engines.tokens import Kind, comment_end
from custctl.support.patterns import compiled

# Patterns match whole runs, so that the loop takes a step per statement or parenthesis, not per character.
_BETWEEN = compiled(rf"(?:[ \t\n\r\f\v;]++|{LINE_COMMENT}|{FLAT_COMMENT})*+")
_RUN = compiled(
    rf"""(?:
        [\x00-!#%&*-,.0-:<-@\[\]^`\x7b-\x7f]++
      | {WORD}
      | {STRING}
      | {QUOTED_NAME}
      | {ESCAPED_STRING}
      | \$(?!{TAG})
      | -(?!-)
      | /(?!\*)
    )*+""",
    re.VERBOSE,
)
_COMMENT = compiled(rf"{LINE_COMMENT}|{FLAT_COMMENT}")
_DOLLAR = compiled(DOLLAR)
# pg_dump writes these two around a dump; they only guard psql against other backslash commands in it.
_RESTRICT = compiled(r"\\(?:un)?restrict[ \t]++[^\s\\]++[ \t]*+(?=\n|\Z)")
_META = compiled(r"\\[^\s\\;]*+")
_REST_OF_LINE = compiled(r"(?:[ \t\f\v]++|/\*[^*/\n]*+\*/)*+(?:--[^\n]*+)?\n")

_BINARY = compiled(r"\bFORMAT '?BINARY\b|^(?:WITH )?BINARY\b", re.ASCII | re.IGNORECASE)


def split(text: str) -> list[Statement]:
    r"""Split a script into its statements, in one pass.

    A statement ends at a semicolon outside strings, quoted names, comments and parentheses, and outside the body that
    `BEGIN ATOMIC` opens in a function. Its text runs from its first token to its last: comments and blanks around it
    are dropped, those inside it are kept. The last one needs no semicolon; empty ones are dropped. A BOM is skipped
    and line endings become LF, so that a file does the same however it was checked out.

    The output of pg_dump runs unchanged: the rows after `COPY … FROM stdin` become that statement's data, and the
    `\restrict` and `\unrestrict` around a dump are skipped. Any other backslash command belongs to psql and is refused,
    and so is a COPY to or from the client that a script cannot express.

    Args:
        text: the script.

    Returns:
        The statements in the order of the script, each with the 1-based line of its first token.

    Raises:
        ScriptSyntaxError: something is never closed (with the line where it opens), rows of COPY have no end, there is
            a psql command, or a NUL.

    Source: `psqlscan.l` and `copy.c` of psql, PostgreSQL 18. It differs where psql disagrees with the server: in a
        function, a mere name `begin`, `case` or `end` opens and closes nothing, and an `E'…'` string that continues on
        the next line keeps its backslash escapes there.
    """
    text = normalised(text)

    statements: list[Statement] = []
    line, counted = 1, 0
    position = _between(text, 0)
    while position < len(text):
        line += text.count("\n", counted, position)
        counted = position
        end, position = _routine(text, position) if _is_routine(text, position) else _plain(text, position)
        statement = Statement(text[counted:end], line)
        if _copies(statement.text, line):
            data, position = _rows(text, position, line)
            statement = Statement(statement.text, line, data)
        statements.append(statement)
        position = _between(text, position)
    return statements


def _plain(text: str, start: int) -> tuple[int, int]:
    """Return the end of the statement at `start` (after its last token), and where to continue reading."""
    end = position = start
    open_: list[int] = []
    while True:
        stop = skip(_RUN, text, position)
        run = text[position:stop].rstrip(BLANKS)
        if run:
            end = position + len(run)
        if stop == len(text):
            if open_:
                raise _unclosed(text, open_[-1])
            return end, stop
        match text[stop]:
            case ";" if not open_:
                return end, stop + 1
            case "-" | "/":
                position = _comment(text, stop)
                continue
            case "(":
                open_.append(stop)
                position = stop + 1
            case ")":
                # If there is one too many, let the server refuse it.
                del open_[-1:]
                position = stop + 1
            case ";":
                position = stop + 1
            case "$":
                position = _dollar_quoted(text, stop)
            case "\\":
                raise _psql_command(text, stop)
            case _:
                raise _unclosed(text, stop)
        end = position


def _is_routine(text: str, start: int) -> bool:
    """Whether CREATE FUNCTION or CREATE PROCEDURE starts here, whose body may be unquoted SQL."""
    if text[start] not in "Cc":
        return False
    reader = Reader(tokenise(text, start))
    if not reader.accept("CREATE"):
        return False
    reader.phrase("OR", "REPLACE")
    return bool(reader.accept("FUNCTION", "PROCEDURE"))


def _routine(text: str, start: int) -> tuple[int, int]:
    """Like `_plain`, for functions and procedures: the semicolons between BEGIN ATOMIC and its END do not end them."""
    end = start
    open_: list[int] = []
    begin = body = None
    before = ""
    for token in tokenise(text, start):
        if token.kind is Kind.OPEN:
            raise _unclosed(text, token.start)
        mark, word = token.mark, token.keyword
        if mark == "(":
            open_.append(token.start)
        elif mark == ")":
            del open_[-1:]
        elif mark == "\\":
            raise _psql_command(text, token.start)
        elif open_:
            pass
        elif mark == ";" and body is None:
            return end, token.end
        elif word == "BEGIN":
            begin = token.start
        elif word == "ATOMIC" and before == "BEGIN" and body is None:
            body, before = begin, ";"
            continue
        elif word == "END" and before == ";":
            # END closes the body only at the start of a statement; elsewhere it ends a CASE or is a name.
            body = None
        before = word or mark
        end = token.end
    if open_:
        raise _unclosed(text, open_[-1])
    if body is not None:
        raise ScriptSyntaxError("the function body that opens here is never closed by `END`", line_at(text, body))
    return end, len(text)


def _between(text: str, position: int) -> int:
    """Return where the next statement starts, after blanks, comments, semicolons and pg_dump's own commands."""
    while True:
        position = skip(_BETWEEN, text, position)
        if text.startswith("/*", position):
            position = _comment(text, position)
        elif text.startswith("\\", position):
            restrict = _RESTRICT.match(text, position)
            if restrict is None:
                raise _psql_command(text, position)
            position = restrict.end()
        else:
            return position


def _comment(text: str, position: int) -> int:
    flat = _COMMENT.match(text, position)
    if flat is not None:
        return flat.end()
    end = comment_end(text, position)
    if end < 0:
        raise _unclosed(text, position)
    return end


def _dollar_quoted(text: str, position: int) -> int:
    opening = _DOLLAR.match(text, position)
    end = dollar_end(text, position, opening[0]) if opening else -1
    if end < 0:
        raise _unclosed(text, position)
    return end


def _copies(statement: str, line: int) -> bool:
    """Whether the rows of a COPY follow in the script.

    Raises:
        ScriptSyntaxError: it exchanges rows with its client in a way that a script cannot express.
    """
    if statement[:4].upper() != "COPY":
        return False
    reader = Reader(tokenise(statement))
    reader.take()
    is_binary = bool(reader.accept("BINARY"))
    direction = reader.skip_to("FROM", "TO")
    # PostgreSQL treats STDIN and STDOUT alike: FROM and TO give the direction.
    if not reader.accept("STDIN", "STDOUT"):
        return False
    if direction == "TO":
        raise ScriptSyntaxError("`COPY … TO STDOUT` writes rows to its client, and a script cannot receive them", line)
    if is_binary or _BINARY.search(" ".join(token.text for token in iter(reader.take, None))):
        raise ScriptSyntaxError("rows in the binary format cannot follow in a script, which is text", line)
    return True


def _rows(text: str, position: int, line: int) -> tuple[str, int]:
    r"""Return the rows that follow a COPY, from the next line up to `\.`, and where to continue reading."""
    first = _REST_OF_LINE.match(text, position)
    if first is None and text[position:].strip(BLANKS):
        raise ScriptSyntaxError("the rows of this COPY must begin on a line of their own", line)
    start = first.end() if first else len(text)
    # Search from the line break before the first row, because there may be no rows.
    close = text.find("\n\\.\n", start - 1)
    if close < 0 and text.endswith("\n\\."):
        close = len(text) - 3
    if close < 0:
        raise ScriptSyntaxError("the rows of this COPY are not followed by a line `\\.`", line)
    return text[start : close + 1], close + 3


def _unclosed(text: str, position: int) -> ScriptSyntaxError:
    match text[position]:
        case '"':
            what = "quoted name"
        case "(":
            what = "parenthesis"
        case "/":
            what = "comment"
        case "$":
            what = "dollar-quoted string"
        case _:
            what = "string"
    return ScriptSyntaxError(f"the {what} that starts here is never closed", line_at(text, position))


def _psql_command(text: str, position: int) -> ScriptSyntaxError:
    command = _META.match(text, position)
    name = command[0] if command else "\\"
    if name == "\\.":
        message = "`\\.` ends the rows of `COPY … FROM stdin;`, but none is open here"
    else:
        message = f"`{name}` is a psql command, not SQL: remove it, or run the script with psql"
    return ScriptSyntaxError(message, line_at(text, position))
