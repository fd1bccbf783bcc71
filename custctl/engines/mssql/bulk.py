"""Bulk merge on SQL Server: arrays of rows go into a staging table, and from there set by set."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyodbc

from custctl.engines.base import Merge
from custctl.engines.mssql.names import quote

if TYPE_CHECKING:
    from sqlalchemy import Table

    from custctl.engines.mssql.supervised import Connection, Cursor

_KEY_LENGTH = 36


def merge(
    driver: Connection,
    schema: str,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    key: str,
    insert: bool,
    update: bool,
) -> Merge:
    """Insert or update a batch inside the open transaction; see `Database.merge`.

    Another transaction may insert a key after it was looked for: the server then refuses the whole set, the
    transaction is run again, and finds it.
    """
    stage = _Stage(driver, schema, table, columns, key)
    try:
        stage.fill(rows)
        known = stage.known(update=update)
        changed = [row_id for _, row_id, differs in known if differs] if update else []
        if changed:
            stage.update()
        inserted = stage.insert() if insert and len(known) < len(rows) else []
        stage.empty()
    finally:
        stage.close()
    there = {at for at, _, _ in known}
    return Merge(
        inserted=sorted(inserted),
        updated=sorted(changed),
        unchanged=len(known) - len(changed) if update else 0,
        taken=[] if update else sorted(there),
        absent=[] if insert else [at for at in range(len(rows)) if at not in there],
    )


class _Stage:
    """The rows of one batch in the staging table: a table of the schema, as the driver asks the server to describe it.

    Not a temporary one: the server cannot describe those, and says so by an error that would end the transaction.
    """

    def __init__(self, driver: Connection, schema: str, table: Table, columns: Sequence[str], key: str) -> None:
        self._cursor: Cursor = driver.cursor()
        self._table = f"{quote(schema)}.{quote(table.name)}"
        self._stage = f"{quote(schema)}.{quote(f'{table.name}_import_row')}"
        self._columns = [quote(column) for column in columns]
        # A character outside the basic plane counts twice.
        self._widths = [2 * getattr(table.c[column].type, "length", 0) for column in columns]
        self._key = quote(key)
        self._batch = str(uuid.uuid4())

    def fill(self, rows: Sequence[Sequence[Any]]) -> None:
        """Put the batch in."""
        self._cursor.setinputsizes(
            [
                (pyodbc.SQL_WVARCHAR, _KEY_LENGTH, 0),
                (pyodbc.SQL_INTEGER, 0, 0),
                *((pyodbc.SQL_WVARCHAR, width, 0) for width in self._widths),
            ]
        )
        places = ", ".join("?" for _ in range(len(self._columns) + 2))
        self._cursor.execute_array(
            f"INSERT INTO {self._stage} ([batch], [position], {', '.join(self._columns)}) VALUES ({places})",
            [(self._batch, at, *row) for at, row in enumerate(rows)],
        )
        # What was said of this statement's parameters does not hold for the next one.
        self._cursor.setinputsizes([])

    def _run(self, statement: str) -> Cursor:
        return self._cursor.execute(statement, (self._batch,))

    def known(self, *, update: bool) -> list[tuple[int, int, bool]]:
        """Return position, id and whether they differ of the rows that hold a key of the batch, locked for an update."""
        held = ", ".join(f"held.{column}" for column in self._columns)
        staged = ", ".join(f"s.{column}" for column in self._columns)
        hint = " WITH (UPDLOCK)" if update else ""
        # INTERSECT takes two NULLs for the same.
        rows = self._run(
            f"SELECT s.[position], held.[id],"
            f" CASE WHEN EXISTS (SELECT {held} INTERSECT SELECT {staged}) THEN 0 ELSE 1 END"
            f" FROM {self._stage} AS s INNER JOIN {self._table} AS held{hint} ON held.{self._key} = s.{self._key}"
            f" WHERE s.[batch] = ? ORDER BY held.[id]"
        ).fetchall()
        return [(int(at), int(row_id), bool(differs)) for at, row_id, differs in rows]

    def update(self) -> None:
        """Write the rows that differ."""
        held = ", ".join(f"held.{column}" for column in self._columns)
        staged = ", ".join(f"s.{column}" for column in self._columns)
        assignments = ", ".join(f"{column} = s.{column}" for column in self._columns)
        self._run(
            f"UPDATE held SET {assignments}, [updated_at] = CAST(SYSUTCDATETIME() AS DATETIME2(3))"
            f" FROM {self._table} AS held INNER JOIN {self._stage} AS s ON s.{self._key} = held.{self._key}"
            f" WHERE s.[batch] = ? AND NOT EXISTS (SELECT {held} INTERSECT SELECT {staged})"
        )

    def insert(self) -> list[int]:
        """Insert the rows whose key is new, in their order, and return their ids."""
        columns = ", ".join(self._columns)
        staged = ", ".join(f"s.{column}" for column in self._columns)
        rows = self._run(
            f"INSERT INTO {self._table} ({columns}) OUTPUT inserted.[id] SELECT {staged} FROM {self._stage} AS s"
            f" WHERE s.[batch] = ? AND NOT EXISTS"
            f" (SELECT 1 FROM {self._table} AS held WHERE held.{self._key} = s.{self._key}) ORDER BY s.[position]"
        ).fetchall()
        return [int(row_id) for (row_id,) in rows]

    def empty(self) -> None:
        """Take the batch out again."""
        self._run(f"DELETE FROM {self._stage} WHERE [batch] = ?")

    def close(self) -> None:
        """Let the cursor go."""
        self._cursor.close()
