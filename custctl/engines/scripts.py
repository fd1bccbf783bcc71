"""What every engine's script parser and linter speak in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a script.

    Attributes:
        text: the statement as written, without its terminator.
        line: 1-based line of its first token in the file.
        data: what follows the statement in the script for it to read, as the rows of `COPY … FROM stdin`; or None.
    """

    text: str
    line: int
    data: str | None = None


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
