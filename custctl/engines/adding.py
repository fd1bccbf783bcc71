"""Columns that a company adds to `customer`: the types they may have, and the scripts that add them.

A type has the same name for all engines; each engine maps it to a native type.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from custctl.support.text import nearest

if TYPE_CHECKING:
    from custctl.engines.dialect import Dialect

TYPES: Final[Mapping[str, str]] = {
    "text": "text(N)",
    "integer": "integer",
    "bigint": "bigint",
    "smallint": "smallint",
    "decimal": "decimal(P,S)",
    "float": "float",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "uuid": "uuid",
    "json": "json",
}
"""The types by name, and how to write them."""

INTEGERS: Final[Mapping[str, int]] = {"smallint": 16, "integer": 32, "bigint": 64}
"""The size of each integer type in bits."""

LONGEST_TEXT: Final = 100_000
LONGEST_INDEXED: Final = 400
"""The longest text that every engine can index, in characters."""

_MOST_DIGITS: Final = 38
_WRITTEN: Final = re.compile(r"([a-z]+)(?: ?\( ?([0-9]{1,9})(?: ?, ?([0-9]{1,9}))? ?\))?")


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column type.

    Attributes:
        name: one of the keys of `TYPES`.
        size: for a text, the maximum number of characters; for a decimal, of digits.
        scale: for a decimal, how many of the digits are after the point.
    """

    name: str
    size: int = 0
    scale: int = 0


@dataclass(frozen=True, slots=True)
class NewColumn:
    """A column to be added.

    Attributes:
        default: the value for existing rows and for rows that give none, in its stored form; the column is then NOT
            NULL. None means that the column may be empty.
        index: whether to create an index on it.
    """

    name: str
    type: ColumnType
    default: str | None = None
    index: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """The scripts that add a column.

    Attributes:
        first: the script that adds it.
        second: the script that must run after the first one is committed; None if there is none.
    """

    first: str
    second: str | None = None


class ColumnScripts(ABC):
    """Writes the scripts of one engine."""

    dialect: ClassVar[Dialect]

    booleans: ClassVar[Mapping[str, str]] = {"true": "1", "false": "0"}
    """The engine's words for `true` and `false`."""

    most_digits: int = _MOST_DIGITS
    """The most digits of a decimal that the engine stores exactly."""

    @abstractmethod
    def write(self, column: NewColumn) -> Written:
        """Return the scripts that add a column."""

    def quote(self, name: str) -> str:
        """Return a name as the engine's scripts write it: quoted if it is a reserved word."""
        return str(self.dialect.sql.identifier_preparer.quote(name))

    def string(self, text: str) -> str:
        """Return a text as a literal."""
        return "'" + text.replace("'", "''") + "'"

    def default(self, column: NewColumn) -> str:
        """Return a column's default as a literal."""
        value = column.default or ""
        if column.type.name == "boolean":
            return self.booleans[value]
        return value if column.type.name in (*INTEGERS, "decimal", "float") else self.string(value)


def parse_type(text: str) -> ColumnType:
    """Parse a type.

    Raises:
        ValueError: it is not a valid type; the message names the nearest one.
    """
    match = _WRITTEN.fullmatch(" ".join(text.lower().split()))
    name = match[1] if match else text.strip().lower()
    if match is None or name not in TYPES:
        close = nearest(re.split(r"\W", name)[0], tuple(TYPES))
        meant = f"did you mean `{TYPES[close]}`? " if close else ""
        raise ValueError(f"unknown type `{text}`: {meant}types: {', '.join(f'`{form}`' for form in TYPES.values())}")
    size, scale = int(match[2] or 0), int(match[3] or 0)
    given = (match[2] is not None) + (match[3] is not None)
    if given != TYPES[name].count("N") + 2 * TYPES[name].count("P"):
        raise ValueError(f"the type `{text}` must be written `{TYPES[name]}`")
    if name == "text" and not 1 <= size <= LONGEST_TEXT:
        raise ValueError(f"the type `{text}` must have a length from 1 to {LONGEST_TEXT}")
    if name == "decimal" and not (1 <= size <= _MOST_DIGITS and scale <= size):
        raise ValueError(f"the type `{text}` must have from 1 to {_MOST_DIGITS} digits, and no more after the point")
    return ColumnType(name, size, scale)
