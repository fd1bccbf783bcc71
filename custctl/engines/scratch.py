"""A private copy of the rows that a merge touches; a dry run writes to it instead of the database.

It is an SQLite file for every engine, because Python includes SQLite, so that no table is created on a server.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from custctl.engines.connection import Compared
from custctl.engines.sqlite.bulk import OwnColumn, merge
from custctl.engines.sqlite.forms import json_form
from custctl.engines.sqlite.running import quote
from custctl.schema.own import OwnFields, field_text, from_cell

if TYPE_CHECKING:
    from custctl.engines.connection import Connection
    from custctl.engines.model import Merge

_KEYS = 1000  # keys looked up in one query: below every engine's limit of parameters


class Scratch:
    """Merges like `Database.merge`, into its own temporary file, which is gone when the process ends.

    A row is copied from the database when its key is first used, so that a later batch finds what an earlier batch
    would have left there.

    Args:
        columns: all of the product's columns that a row may have.
        own: the company's own fields; they are stored as text.
        defaults: the database's defaults for columns that a new row leaves out.
    """

    def __init__(
        self, table: str, columns: Sequence[str], own: OwnFields, *, key: str, defaults: dict[str, str]
    ) -> None:
        self._table = table
        self._own = own
        self._columns = columns
        self._key = key
        # With an empty name, SQLite uses a temporary file and a small cache, so memory use stays constant.
        self._driver = sqlite3.connect("", isolation_level=None)
        self._driver.execute("PRAGMA journal_mode = OFF")
        self._driver.create_function("custctl_json", 1, json_form, deterministic=True)
        # Every value is a text in one form, but that of JSON keeps the order of its keys.
        self._json = {
            field.name: OwnColumn(lambda text: text, lambda place: Compared(f"custctl_json({place})"))
            for field in own.fields
            if field.kind == "json"
        }
        declared = [
            f"{quote(name)}{' UNIQUE' if name == key else ''}"
            + (f" DEFAULT '{defaults[name]}'" if name in defaults else "")
            for name in (*columns, *own.names)
        ]
        self._driver.execute(f'CREATE TABLE "{table}" (id INTEGER PRIMARY KEY AUTOINCREMENT, {", ".join(declared)})')

    def merge(
        self,
        connection: Connection,
        table: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        *,
        key: str,
        insert: bool,
        update: bool,
    ) -> Merge:
        """Do to the copy what `Database.merge` would do; the connection is only used for reading."""
        key_at = columns.index(key)
        self._driver.execute("BEGIN")
        for held in self._look_up(connection, [row[key_at] for row in rows]):
            known = (*self._columns, *self._own.names)
            places = ", ".join("?" for _ in known)
            names = ", ".join(map(quote, known))
            self._driver.executemany(f'INSERT OR IGNORE INTO "{table}" ({names}) VALUES ({places})', held)
        merged = merge(self._driver, table, columns, self._json, rows, key=key, insert=insert, update=update)
        self._driver.execute("COMMIT")
        return merged

    def _look_up(self, connection: Connection, keys: Sequence[Any]) -> Iterator[list[tuple[Any, ...]]]:
        import sqlalchemy as sa

        from custctl.schema.tables import schema

        columns = schema.tables[self._table].c
        own: list[sa.ColumnElement[Any]] = [
            sa.literal_column(
                connection.own_cell(field, f"{connection.qualified(self._table)}.{connection.quote(field.name)}")
            ).label(f"own_{at}")
            for at, field in enumerate(self._own.fields)
        ]
        width = len(self._columns)
        selected = sa.select(*(columns[name] for name in self._columns), *own)
        for start in range(0, len(keys), _KEYS):
            wanted = columns[self._key].in_(keys[start : start + _KEYS])
            yield [
                (
                    *row[:width],
                    *(field_text(f, from_cell(f, cell)) for f, cell in zip(self._own.fields, row[width:], strict=True)),
                )
                for row in connection.execute(selected.where(wanted))
            ]

    def close(self) -> None:
        """Delete the copy."""
        self._driver.close()
