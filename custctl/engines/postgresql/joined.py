"""Rows as one text, with COPY … TO STDOUT: the server joins the cells, and usually no row has to be split here."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import pq
from psycopg.waiting import Ready, Wait

from custctl.engines.results import Joined, joined_rows

if TYPE_CHECKING:
    from custctl.engines.postgresql.connection import LimitedConnection

_BLOCK = 1 << 18  # bytes per block
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def copy_out(
    driver: LimitedConnection, query: str, cell_end: str, width: int
) -> Iterator[Joined | list[tuple[Any, ...]]]:
    """Yield the rows of a query: joined if no cell had to be escaped, else as separate cells.

    Args:
        query: the query, without parameters.
        cell_end: the character that separates cells.
        width: how many cells a row has.
    """
    statement = f"COPY ({query}) TO STDOUT (FORMAT text, DELIMITER '{cell_end}', NULL '')"
    with driver.cursor() as cursor, cursor.copy(statement):
        # Do not read row by row through the cursor, which takes longer than everything else.
        ended = False
        while not ended:
            rows, ended = driver.wait(_rows(driver.pgconn))
            if rows:
                yield _block(rows, cell_end, width)


def _rows(pgconn: pq.abc.PGconn) -> Generator[Wait, Ready, tuple[list[Any], bool]]:
    """Return a block of a COPY's output, and whether it was the last; after the last, also take the result."""
    rows: list[Any] = []
    size = 0
    while size < _BLOCK:
        count, data = pgconn.get_copy_data(1)
        if count > 0:
            rows.append(data)
            size += count
        elif count < 0:
            yield from _end(pgconn)
            return rows, True
        else:
            while not (yield Wait.R):
                pass
            pgconn.consume_input()
    return rows, False


def _end(pgconn: pq.abc.PGconn) -> Generator[Wait, Ready, None]:
    while True:
        while pgconn.is_busy():
            while not (yield Wait.R):
                pass
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            return
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(result)


def _block(rows: list[Any], cell_end: str, width: int) -> Joined | list[tuple[Any, ...]]:
    # The server sends whole rows, each ending with a line feed.
    data = b"".join(rows)[:-1]
    joined = joined_rows(data, len(rows), width) if b"\\" not in data else None
    if joined is not None:
        return joined
    lines = (line.split(cell_end) for line in data.decode().split("\n"))
    return [tuple(_unescaped(cell) if "\\" in cell else cell or None for cell in line) for line in lines]


def _unescaped(cell: str) -> str:
    parts = iter(cell.split("\\"))
    found = [next(parts)]
    for part in parts:
        if part:
            found.append(_ESCAPES.get(part[0], part[0]) + part[1:])
        else:
            # Two backslashes in a row: the next part is plain text again.
            found.append("\\" + next(parts, ""))
    return "".join(found)
