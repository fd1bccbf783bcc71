"""What every engine's script parser and linter speak in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a script.

    Attributes:
        text: the statement as written, without its terminator.
        line: 1-based line of its first token in the file.
        data: what follows the statement in the script for it to read, as the rows of `COPY … FROM stdin`; or None.
        before: the comments and blanks before it that the server is sent with it; empty where the engine sends none.
        behind: so those behind it.
    """

    text: str
    line: int
    data: str | None = None
    before: str = ""
    behind: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a linter says about one place in a script.

    Attributes:
        rule: the rule's stable name, as `allow=RULE` takes it.
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


class Language(Protocol):
    """How an engine's scripts are read; a module is one."""

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
        """Tell whether a statement sets what ends with the session, and is to be run again on a new one."""


class Lint(Protocol):
    """An engine's linter."""

    def __call__(self, statements: Sequence[Statement], *, transaction: bool) -> list[Finding]:
        """Return what locks or destroys in a script, or does nothing inside a transaction where it has one."""
