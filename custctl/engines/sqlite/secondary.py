"""The indexes of a table that only speed up reads, including the full-text indexes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from custctl.engines.model import Index
from custctl.engines.sqlite.running import quote, value_of

WORDS, SEARCH = "customer_words", "customer_search"
FULL_TEXT = (WORDS, SEARCH)
"""The full-text indexes; they are dropped and created together, under the name of the second."""

FILL = f"INSERT INTO {WORDS} (rowid, texts, more) SELECT id, texts, more FROM custctl_searched"
"""Fills the index of words; the other one is then rebuilt from it."""

_REBUILD = f"INSERT INTO {SEARCH} ({SEARCH}) VALUES ('rebuild')"


def drop(driver: sqlite3.Connection, table: str, at_most: int) -> Sequence[Index]:
    """Drop them inside the open transaction; see `Database.drop_secondary_indexes`."""
    some = f"SELECT count(*) FROM (SELECT 1 FROM {quote(table)} LIMIT {at_most + 1})"
    if value_of(driver, some) > at_most:
        return ()
    dropped = []
    for index, drops in [*_plain(driver, table), *_full_text(driver, table)]:
        for statement in drops:
            driver.execute(statement)
        dropped.append(index)
    return dropped


def _plain(driver: sqlite3.Connection, table: str) -> list[tuple[Index, list[str]]]:
    listed = driver.execute(
        "SELECT name FROM pragma_index_list(?, 'main') WHERE origin = 'c' AND \"unique\" = 0", (table,)
    )
    plain = {name for (name,) in listed}
    query = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = ? ORDER BY rowid"
    )
    made = driver.execute(query, (table,)).fetchall()
    return [(Index(name, (sql,)), [f"DROP INDEX {quote(name)}"]) for name, sql in made if name in plain]


def _full_text(driver: sqlite3.Connection, table: str) -> Iterator[tuple[Index, list[str]]]:
    made = dict(driver.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND sql LIKE '%fts5%'"))
    if not made.keys() >= set(FULL_TEXT):
        return
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ? AND instr(lower(sql), ?)"
    triggers = driver.execute(f"{query} ORDER BY rowid", (table, WORDS)).fetchall()
    drops = [
        *(f"DROP TRIGGER {quote(name)}" for name, _ in triggers),
        *(f"DROP TABLE {name}" for name in reversed(FULL_TEXT)),
    ]
    yield Index(SEARCH, (*(made[name] for name in FULL_TEXT), *(text for _, text in triggers), FILL, _REBUILD)), drops
