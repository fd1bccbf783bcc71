"""Bulk merge on SQLite: a batch is loaded into a temporary table, and set-based statements merge it.

One INSERT … SELECT is not only shorter than an `executemany`: the full-text
index behind the triggers is flushed once per statement, not once per row, which
would take most of the time of an import.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from custctl.engines.constraints import withheld
from custctl.engines.model import Merge
from custctl.engines.sqlite.running import quote

if TYPE_CHECKING:
    from custctl.engines.connection import Compared


class OwnColumn(NamedTuple):
    """A column of the company's own.

    Attributes:
        stored: converts a text to the column's value.
        compared: returns the expression by which a column or a stored value is compared: other programs may have
            written the same value in another form, such as a time with a blank in place of the `T`.
    """

    stored: Callable[[str | None], Any]
    compared: Callable[[str], Compared]


def merge(
    driver: sqlite3.Connection,
    table: str,
    columns: Sequence[str],
    own: Mapping[str, OwnColumn],
    rows: Sequence[Sequence[Any]],
    *,
    key: str,
    insert: bool,
    update: bool,
) -> Merge:
    """Insert or update a batch inside the open transaction; see `Database.merge`.

    A write transaction holds the only write lock, so the result of the lookup stays valid.

    Args:
        own: the company's own columns by name; the other columns take the text itself.

    Raises:
        InvalidError: the database did not write a row.
    """
    staged = _Stage(driver, table, columns, own, key)
    typed = {at: own[name].stored for at, name in enumerate(columns) if name in own}
    if typed:
        rows = [[typed[at](cell) if at in typed else cell for at, cell in enumerate(row)] for row in rows]
    staged.fill(rows)
    changed: list[int] = []
    if update:
        found = staged.known_and_same()
        known = [at for at, _, _ in found]
        changed = [row_id for _, row_id, same in found if not same]
        if changed and staged.update() < len(changed):
            raise withheld()
    else:
        known = staged.known()
    inserted: Sequence[int] = ()
    if insert and len(known) < len(rows):
        inserted = staged.insert(some_known=bool(known))
        if len(inserted) < len(rows) - len(known):
            raise withheld()
    return Merge.of(len(rows), known=known, inserted=inserted, updated=changed, insert=insert, update=update)


class _Stage:
    """The temporary table of a batch; `position` starts at 1, the other columns are named by number."""

    def __init__(
        self, driver: sqlite3.Connection, table: str, columns: Sequence[str], own: Mapping[str, OwnColumn], key: str
    ) -> None:
        self._driver = driver
        self._name = table
        self._table = quote(table)
        self._columns = [quote(column) for column in columns]
        self._staged = [f"s.c{number}" for number in range(len(columns))]
        self._stage = f"temp.custctl_stage_{len(columns)}"
        self._match = f"held.{quote(key)} = {self._staged[columns.index(key)]}"
        self._compared = [
            (own[name].compared(f"held.{column}").rank, own[name].compared(staged).rank)
            if name in own
            else (f"held.{column} COLLATE BINARY", staged)
            for name, column, staged in zip(columns, self._columns, self._staged, strict=True)
        ]

    def fill(self, rows: Sequence[Sequence[Any]]) -> None:
        """Replace the contents of the table with this batch."""
        names = ", ".join(f"c{number}" for number in range(len(self._columns)))
        places = ", ".join("?" for _ in self._columns)
        self._driver.execute(f"CREATE TABLE IF NOT EXISTS {self._stage} (position INTEGER PRIMARY KEY, {names})")
        self._driver.execute(f"DELETE FROM {self._stage}")
        self._driver.executemany(f"INSERT INTO {self._stage} ({names}) VALUES ({places})", rows)

    def known(self) -> list[int]:
        """Return the 0-based positions whose key exists."""
        query = f"SELECT s.position - 1 FROM {self._stage} AS s CROSS JOIN {self._table} AS held ON {self._match}"
        return [at for (at,) in self._driver.execute(f"{query} ORDER BY 1")]

    def known_and_same(self) -> list[tuple[int, int, int]]:
        """Return position, id and whether the values are equal, for keys that exist."""
        same = " AND ".join(f"{held} IS {staged}" for held, staged in self._compared)
        query = f"SELECT s.position - 1, held.id, {same} FROM {self._stage} AS s CROSS JOIN {self._table} AS held"
        return self._driver.execute(f"{query} ON {self._match} ORDER BY 1").fetchall()

    def update(self) -> int:
        """Write the rows that differ, and return their number."""
        pairs = zip(self._columns, self._staged, strict=True)
        assignments = ", ".join(f"{column} = {staged}" for column, staged in pairs)
        differs = " OR ".join(f"{held} IS NOT {staged}" for held, staged in self._compared)
        return self._driver.execute(
            f"UPDATE {self._table} AS held SET {assignments} FROM {self._stage} AS s"
            f" WHERE {self._match} AND ({differs})"
        ).rowcount

    def insert(self, *, some_known: bool) -> range:
        """Insert the rows with a new key, in order, and return their ids."""
        fresh = f" WHERE NOT EXISTS (SELECT 1 FROM {self._table} AS held WHERE {self._match})" if some_known else ""
        last = self._last_id()
        self._driver.execute(
            f"INSERT INTO {self._table} ({', '.join(self._columns)})"
            f" SELECT {', '.join(self._staged)} FROM {self._stage} AS s{fresh} ORDER BY s.position"
        )
        return range(last + 1, self._last_id() + 1)

    def _last_id(self) -> int:
        row = self._driver.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (self._name,)).fetchone()
        return int(row[0]) if row else 0
