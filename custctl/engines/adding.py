"""Columns that a company adds to `customer`: the types they may have, and the scripts that add them.

The types have one name for all engines; what a column of such a type is, each engine says for itself.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from custctl.support.text import nearest

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
"""The types by name, as they are written."""

INTEGERS: Final[Mapping[str, int]] = {"smallint": 16, "integer": 32, "bigint": 64}
"""The bits of the types of whole numbers."""

LONGEST_TEXT: Final = 100_000
LONGEST_INDEXED: Final = 400
"""The longest text that an index of every engine takes, in characters."""

_MOST_DIGITS: Final = 38
_WRITTEN: Final = re.compile(r"([a-z]+)(?: ?\( ?([0-9]{1,9})(?: ?, ?([0-9]{1,9}))? ?\))?")


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A type of the vocabulary.

    Attributes:
        name: the word in front, one of `TYPES`.
        size: of a text: the most characters; of a decimal: the most digits.
        scale: of a decimal: how many of the digits are behind the point.
    """

    name: str
    size: int = 0
    scale: int = 0


@dataclass(frozen=True, slots=True)
class NewColumn:
    """A column to be added.

    Attributes:
        default: what rows have that are there, and rows that say nothing, in the form in which it is kept; the column
            is then NOT NULL. None: the column may be empty.
        index: whether an index on it is wanted.
    """

    name: str
    type: ColumnType
    default: str | None = None
    index: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """The scripts that add a column.

    Attributes:
        first: the one that adds it.
        second: what must run after that one is committed; None where nothing must.
    """

    first: str
    second: str | None = None


class ColumnScripts(ABC):
    """Writes the scripts of one engine."""

    most_digits: int = _MOST_DIGITS
    """Of a decimal that is kept exactly."""

    @abstractmethod
    def write(self, column: NewColumn) -> Written:
        """Return the scripts that add a column."""

    @abstractmethod
    def quote(self, name: str) -> str:
        """Return a name as the engine's scripts write it: in quotes where it is a reserved word."""


def parse_type(text: str) -> ColumnType:
    """Read a type.

    Raises:
        ValueError: it is none; the text says so, and names the nearest one.
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
        raise ValueError(f"the type `{text}` must have from 1 to {_MOST_DIGITS} digits, and not more behind the point")
    return ColumnType(name, size, scale)


def literal(column: NewColumn, text: Callable[[str], str], boolean: Mapping[str, str]) -> str:
    """Return a column's default as SQL.

    Args:
        text: spells a string.
        boolean: spells `true` and `false`.
    """
    value = column.default or ""
    if column.type.name == "boolean":
        return boolean[value]
    return value if column.type.name in (*INTEGERS, "decimal", "float") else text(value)
