"""Rows as one text, by COPY … TO STDOUT: the server joins the cells, and nothing is taken apart that is whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from custctl.engines.base import Joined

if TYPE_CHECKING:
    from custctl.engines.postgresql.connection import LimitedConnection

_BLOCK = 1 << 18  # bytes that are handed on at once
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def copy_out(
    driver: LimitedConnection, query: str, cell_end: str, width: int
) -> Iterator[Joined | list[tuple[Any, ...]]]:
    """Yield the rows of a query: joined where no cell had to be escaped, else cell by cell.

    Args:
        query: without parameters.
        cell_end: one character that divides cells.
        width: how many cells a row has.
    """
    statement = f"COPY ({query}) TO STDOUT (FORMAT text, DELIMITER '{cell_end}', NULL '')"
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        pending: list[bytes] = []
        size = 0
        for data in copy:
            pending.append(bytes(data))
            size += len(data)
            if size >= _BLOCK:
                yield _block(b"".join(pending), cell_end, width)
                pending, size = [], 0
        if pending:
            yield _block(b"".join(pending), cell_end, width)


def _block(data: bytes, cell_end: str, width: int) -> Joined | list[tuple[Any, ...]]:
    # The server sends whole rows, each ended by a line feed.
    text = data.decode("utf-8")
    if "\\" not in text:
        return Joined(text[:-1], text.count("\n"))
    rows = (line.split(cell_end) for line in text[:-1].split("\n"))
    return [tuple(_unescaped(cell) if "\\" in cell else cell or None for cell in row) for row in rows]


def _unescaped(cell: str) -> str:
    parts = iter(cell.split("\\"))
    found = [next(parts)]
    for part in parts:
        if part:
            found.append(_ESCAPES.get(part[0], part[0]) + part[1:])
        else:
            # Two in a row: the next part belongs to the text again.
            found.append("\\" + next(parts, ""))
    return "".join(found)
