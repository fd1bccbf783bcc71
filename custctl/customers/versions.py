"""The opaque version of a row: the epoch of the database's history and the row's own counter."""

from __future__ import annotations

import re
from typing import NamedTuple

from custctl.support.errors import UsageError

# Begins with a letter, so that no spreadsheet reads it as a number, a date or a time.
_FORM = r"e([1-9][0-9]{0,17})-([0-9A-Za-z]{1,32})"


class Version(NamedTuple):
    """A version as clients see it.

    Attributes:
        epoch: the history of the database that the counter belongs to.
        row: the row's counter, as the engine writes it.
    """

    epoch: int
    row: str

    def __str__(self) -> str:
        return f"e{self.epoch}-{self.row}"

    @classmethod
    def parse(cls, text: str) -> Version:
        """Parse a version that was printed before.

        Raises:
            UsageError: not a version.
        """
        match = re.fullmatch(_FORM, text)
        if match is None:
            raise UsageError(
                f"`{text}` is not a version" if text else "an empty text is not a version",
                hint="use the customer's `version`, such as `e1-3`",
            )
        return cls(int(match[1]), match[2])


def parse_precondition(text: str | None, who: str) -> Version | None:
    """Parse the version that a customer must still have; None if any version will do.

    Raises:
        UsageError: not a version; the hint is a command that prints the customer's version.
    """
    if text is None:
        return None
    try:
        return Version.parse(text)
    except UsageError as error:
        import shlex

        unset = "" if text else "; a variable in your command may be unset"
        error.hint = f"`custctl customer get {shlex.quote(who)} --fields version` prints the version{unset}"
        raise
