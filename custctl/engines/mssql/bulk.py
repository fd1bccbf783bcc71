"""Bulk merge on SQL Server: arrays of rows go into a staging table, and from there set by set."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyodbc

from custctl.engines.model import Merge
from custctl.engines.mssql.names import quote
from custctl.engines.server import GivenUpError
from custctl.support.errors import UnavailableError

if TYPE_CHECKING:
    from custctl.engines.mssql.supervised import Connection, Cursor

_KEY_LENGTH = 36


def merge(
    driver: Connection,
    schema: str,
    table: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    key: str,
    insert: bool,
    update: bool,
) -> Merge:
    """Insert or update a batch inside the open transaction; see `Database.merge`.

    Raises:
        GivenUpError: another transaction has written a row of the batch while this one merged it.
    """
    stage = _Stage(driver, schema, table, columns, key)
    try:
        stage.fill(rows)
        known = stage.known(update=update)
        changed = [row_id for _, row_id, differs in known if differs] if update else []
        written = not changed or stage.update() == len(changed)
        inserted: list[int] = []
        if insert and len(known) < len(rows):
            count = stage.insert()
            there = {row_id for _, row_id, _ in known}
            inserted = [row_id for row_id in stage.held() if row_id not in there]
            # A key that another transaction commits after `known` has looked is neither known nor inserted.
            written = written and count == len(inserted) == len(rows) - len(known)
        if not written:
            raise GivenUpError(
                UnavailableError(
                    "other transactions are writing the same rows; none of this batch was written",
                    hint="try again in a moment",
                )
            )
        stage.empty()
    finally:
        stage.close()
    taken = {at for at, _, _ in known}
    return Merge(
        inserted=sorted(inserted),
        updated=sorted(changed),
        unchanged=len(known) - len(changed) if update else 0,
        taken=[] if update else sorted(taken),
        absent=[] if insert else [at for at in range(len(rows)) if at not in taken],
    )


class _Stage:
    """The rows of one batch in the staging table: a table of the schema, as the driver asks the server to describe it.

    Not a temporary one: the server cannot describe those, and says so by an error that would end the transaction.
    """

    def __init__(self, driver: Connection, schema: str, table: str, columns: Sequence[str], key: str) -> None:
        self._cursor: Cursor = driver.cursor()
        self._table = f"{quote(schema)}.{quote(table)}"
        self._stage = f"{quote(schema)}.{quote(f'{table}_import_row')}"
        self._columns = [quote(column) for column in columns]
        self._key = quote(key)
        self._batch = str(uuid.uuid4())

    def fill(self, rows: Sequence[Sequence[Any]]) -> None:
        """Put the batch in."""
        widths = (
            max((len(value) for value in values if value is not None), default=1) for values in zip(*rows, strict=True)
        )
        self._cursor.setinputsizes(
            [
                (pyodbc.SQL_WVARCHAR, _KEY_LENGTH, 0),
                (pyodbc.SQL_INTEGER, 0, 0),
                # A character outside the basic plane counts twice; by powers of two, so that few plans are made.
                *((pyodbc.SQL_WVARCHAR, 2 << width.bit_length(), 0) for width in widths),
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

    @property
    def _differs(self) -> str:
        """The condition that a row in the table differs from the staged one.

        INTERSECT takes two NULLs for the same. The mark behind each text keeps trailing blanks from being ignored.
        """
        held = ", ".join(f"held.{column} + N'.'" for column in self._columns)
        staged = ", ".join(f"s.{column} + N'.'" for column in self._columns)
        return f"NOT EXISTS (SELECT {held} INTERSECT SELECT {staged})"

    def known(self, *, update: bool) -> list[tuple[int, int, bool]]:
        """Return position, id and whether they differ of the rows that hold a key of the batch, locked for an update."""
        hint = " WITH (UPDLOCK)" if update else ""
        rows = self._run(
            f"SELECT s.[position], held.[id], CASE WHEN {self._differs} THEN 1 ELSE 0 END"
            f" FROM {self._stage} AS s INNER JOIN {self._table} AS held{hint} ON held.{self._key} = s.{self._key}"
            f" WHERE s.[batch] = ? ORDER BY held.[id]"
        ).fetchall()
        return [(int(at), int(row_id), bool(differs)) for at, row_id, differs in rows]

    def update(self) -> int:
        """Write the rows that differ, and return how many there were."""
        assignments = ", ".join(f"{column} = s.{column}" for column in self._columns)
        return self._run(
            f"UPDATE held SET {assignments}, [updated_at] = CAST(SYSUTCDATETIME() AS DATETIME2(3))"
            f" FROM {self._table} AS held INNER JOIN {self._stage} AS s ON s.{self._key} = held.{self._key}"
            f" WHERE s.[batch] = ? AND {self._differs}"
        ).rowcount

    def insert(self) -> int:
        """Insert the rows whose key is new, and return how many there were.

        Ids follow the order of the file: that is guaranteed where ORDER BY belongs to INSERT … SELECT itself, and not
        beside an OUTPUT.

        Source: https://learn.microsoft.com/sql/t-sql/statements/insert-transact-sql, "Remarks"
        """
        columns = ", ".join(self._columns)
        staged = ", ".join(f"s.{column}" for column in self._columns)
        return self._run(
            f"INSERT INTO {self._table} ({columns}) SELECT {staged} FROM {self._stage} AS s"
            f" WHERE s.[batch] = ? AND NOT EXISTS"
            f" (SELECT 1 FROM {self._table} AS held WHERE held.{self._key} = s.{self._key}) ORDER BY s.[position]"
        ).rowcount

    def held(self) -> list[int]:
        """Return the ids of all rows that hold a key of the batch."""
        rows = self._run(
            f"SELECT held.[id] FROM {self._stage} AS s INNER JOIN {self._table} AS held"
            f" ON held.{self._key} = s.{self._key} WHERE s.[batch] = ?"
        ).fetchall()
        return [int(row_id) for (row_id,) in rows]

    def empty(self) -> None:
        """Take the batch out again."""
        self._run(f"DELETE FROM {self._stage} WHERE [batch] = ?")

    def close(self) -> None:
        """Let the cursor go."""
        self._cursor.close()
