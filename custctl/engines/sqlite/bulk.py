"""Bulk merge on SQLite: look the keys up in one query, then one `executemany` for each kind of write."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from custctl.engines.base import Merge


def merge(
    driver: sqlite3.Connection,
    table: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    key: str,
    insert: bool,
    update: bool,
) -> Merge:
    """Insert or update a batch inside the open write transaction; see `Database.merge`.

    The transaction holds the only write lock, so what the look-up saw stays true.
    """
    key_at = columns.index(key)
    names = [_quote(column) for column in columns]
    known = _look_up(driver, table, names, key, [row[key_at] for row in rows], whole=update)
    if not known and insert:
        return Merge(inserted=_insert(driver, table, names, rows))
    fresh: list[Sequence[Any]] = []
    taken: list[int] = []
    absent: list[int] = []
    changed: list[tuple[Any, ...]] = []
    unchanged = 0
    for position, row in enumerate(rows):
        held = known.get(row[key_at])
        if held is None:
            fresh.append(row) if insert else absent.append(position)
        elif not update:
            taken.append(position)
        elif held[1:] == tuple(row):
            unchanged += 1
        else:
            changed.append((*row, held[0]))
    if changed:
        assignments = ", ".join(f"{name} = ?" for name in names)
        driver.executemany(f"UPDATE {_quote(table)} SET {assignments} WHERE id = ?", changed)
    return Merge(
        inserted=_insert(driver, table, names, fresh) if fresh else (),
        updated=sorted(row[-1] for row in changed),
        unchanged=unchanged,
        taken=taken,
        absent=absent,
    )


def _look_up(
    driver: sqlite3.Connection, table: str, names: Sequence[str], key: str, keys: list[Any], *, whole: bool
) -> dict[Any, tuple[Any, ...]]:
    """Return the rows that hold one of the keys: id alone, or id and all columns."""
    wanted = ", ".join(f"held.{name}" for name in ("id", *(names if whole else ())))
    query = (
        f"SELECT wanted.value, {wanted} FROM json_each(?) AS wanted"
        f" CROSS JOIN {_quote(table)} AS held ON held.{_quote(key)} = wanted.value"
    )
    return {row[0]: row[1:] for row in driver.execute(query, (json.dumps(keys),))}


def _insert(driver: sqlite3.Connection, table: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> range:
    places = ", ".join("?" for _ in names)
    last = _last_id(driver, table)
    driver.executemany(f"INSERT INTO {_quote(table)} ({', '.join(names)}) VALUES ({places})", rows)
    return range(last + 1, _last_id(driver, table) + 1)


def _last_id(driver: sqlite3.Connection, table: str) -> int:
    row = driver.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return int(row[0]) if row else 0


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
