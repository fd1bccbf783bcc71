"""The values and interfaces that every engine's script parser and linter share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Statement(NamedTuple):
    """One statement of a script.

    Attributes:
        text: the statement as written, without its terminator.
        line: 1-based line of its first token in the file.
        data: input for the statement that follows it in the script, such as the rows of `COPY … FROM stdin`; or None.
        before: the comments and blanks before it that are sent with it; empty if the engine sends none.
        behind: likewise, those after it.
    """

    text: str
    line: int
    data: str | None = None
    before: str = ""
    behind: str = ""


class Finding(NamedTuple):
    """What a linter reports about one place in a script.

    Attributes:
        rule: the rule's stable name, as used in `allow=RULE`.
        message: what would happen.
        line: 1-based line in the file.
        hint: the safer way.
    """

    rule: str
    message: str
    line: int
    hint: str


class ScriptSyntaxError(Exception):
    """A script that cannot be split into statements; `line` is 1-based."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


def normalised(text: str) -> str:
    """Return a script without its byte order mark, and with line feeds as line ends.

    Raises:
        ScriptSyntaxError: it contains a NUL.
    """
    text = text.removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    nul = text.find("\0")
    if nul >= 0:
        raise ScriptSyntaxError("the script contains a NUL character", line_at(text, nul))
    return text


def line_at(text: str, position: int) -> int:
    """Return the 1-based line of an offset."""
    return text.count("\n", 0, position) + 1


def skip(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Return the offset after what matches at a position, or the position itself if nothing does."""
    match = pattern.match(text, position)
    return position if match is None else match.end()


class Language(Protocol):
    """How to read an engine's scripts; implemented by a module."""

    def split(self, text: str) -> list[Statement]:
        """Split a script into statements.

        Raises:
            ScriptSyntaxError: the script cannot be split.
        """

    def transaction_control(self, statement: Statement) -> str | None:
        """Return the keyword of a statement that would end the script's transaction, or None."""

    def needs_autocommit(self, statement: Statement) -> bool:
        """Tell whether a statement cannot run inside a transaction on this engine."""

    def restores_session(self, statement: Statement) -> bool:
        """Tell whether a statement sets session state, and so must run again on a new session."""


class Lint(Protocol):
    """An engine's linter."""

    def __call__(self, statements: Sequence[Statement], *, transaction: bool) -> list[Finding]:
        """Return what in a script locks, destroys data, or has no effect, by line, even if the script allows it.

        Args:
            transaction: whether the script runs in one transaction (not with `-- custctl: transaction=off`).
        """
