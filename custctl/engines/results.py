"""What a statement returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from custctl.support.errors import other_shape


class Row(tuple[Any, ...]):
    """A row, with its columns as attributes."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


@cache
def row_type(names: tuple[str, ...]) -> Callable[[Sequence[Any]], Row]:
    """Return what makes a `Row` with columns of these names."""
    places = {name: property(itemgetter(at)) for at, name in enumerate(names)}
    return type("Row", (Row,), {"__slots__": (), **places})


class Result:
    """The whole result of a statement.

    Attributes:
        rowcount: the number of rows written.
        lastrowid: the id of the inserted row, if the driver provides it.
    """

    __slots__ = ("_rows", "lastrowid", "rowcount")

    def __init__(self, rows: Sequence[Row], rowcount: int, lastrowid: int | None = None) -> None:
        self._rows = rows
        self.rowcount = rowcount
        self.lastrowid = lastrowid

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def all(self) -> Sequence[Row]:
        """Return the rows."""
        return self._rows

    def first(self) -> Row | None:
        """Return the first row, if any."""
        return self._rows[0] if self._rows else None

    def one_or_none(self) -> Row | None:
        """Return the one row, if any.

        Raises:
            PendingError: there are more.
        """
        if len(self._rows) > 1:
            # A unique index is missing, or another table inherits from this one.
            raise other_shape("the database", f"{len(self._rows)} rows were found where there can be only one")
        return self.first()

    def one(self) -> Row:
        """Return the one row."""
        row = self.one_or_none()
        if row is None:
            raise ValueError("no row instead of one")
        return row

    def scalar(self) -> Any:
        """Return the first column of the first row; None if there is no row."""
        return self._rows[0][0] if self._rows else None

    def scalars(self) -> list[Any]:
        """Return the first column of each row."""
        return [row[0] for row in self._rows]


CELL_END = "\x1f"
"""Separates the cells of a `Joined` row: U+001F, the unit separator."""


# Each is one byte in UTF-8 and never part of another character.
_CONTROLS = bytes([*range(0x20), 0x7F])


class Joined(NamedTuple):
    """Rows as one UTF-8 text: cells separated by `CELL_END`, rows by a line feed; NULL is empty.

    No cell contains a C0 control character or DEL.
    """

    data: bytes
    rows: int


def joined_rows(data: bytes, rows: int, width: int) -> Joined | None:
    """Return rows that an engine has joined; None if a cell contains a control character.

    Args:
        width: how many cells a row has.
    """
    dividers = rows * width - 1
    return Joined(data, rows) if len(data) - len(data.translate(None, _CONTROLS)) == dividers else None
