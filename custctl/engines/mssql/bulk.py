"""Bulk merge on SQL Server: arrays of rows go into a staging table, and set-based statements merge them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import pyodbc

from custctl.engines.model import Merge
from custctl.engines.mssql.names import quote
from custctl.engines.server import GivenUpError
from custctl.support.errors import UnavailableError

if TYPE_CHECKING:
    from custctl.engines.mssql.supervised import Connection, Cursor
    from custctl.schema.own import Field

_KEY_LENGTH = 36
_MOST_ROWS, _MOST_PARAMETERS = 1000, 2000  # per statement; the server accepts 2,100 parameters
_OWN: Final = "[#custctl_own]"
_BINARY: Final = "COLLATE Latin1_General_BIN2"
_TYPE: Final = re.compile(r"[a-z0-9]+(?:\(\d+(?:,\d+)?\))?")


def merge(
    driver: Connection,
    schema: str,
    table: str,
    columns: Sequence[str],
    own: Mapping[str, Field],
    rows: Sequence[Sequence[Any]],
    *,
    key: str,
    insert: bool,
    update: bool,
) -> Merge:
    """Insert or update a batch inside the open transaction; see `Database.merge`.

    Args:
        own: the company's own fields by name.

    Raises:
        GivenUpError: another transaction wrote a row of the batch during the merge.
    """
    stage = _Stage(driver, schema, table, columns, own, key)
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
            # A key that another transaction commits after `known` ran is neither known nor inserted.
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
    at_known = [at for at, _, _ in known]
    return Merge.of(len(rows), known=at_known, inserted=inserted, updated=changed, insert=insert, update=update)


class _Stage:
    """The rows of one batch in the staging table.

    It is a permanent table, because the driver asks the server to describe it: for a temporary table the server raises
    an error that would end the transaction. It has only the product's columns. The values of own fields go into a
    temporary table, many rows per statement.
    """

    def __init__(
        self, driver: Connection, schema: str, table: str, columns: Sequence[str], own: Mapping[str, Field], key: str
    ) -> None:
        self._cursor: Cursor = driver.cursor()
        self._table = f"{quote(schema)}.{quote(table)}"
        self._stage = f"{quote(schema)}.{quote(f'{table}_import_row')}"
        self._own = [(at, own[name]) for at, name in enumerate(columns) if name in own]
        self._ours = [at for at, name in enumerate(columns) if name not in own]
        ours = [quote(columns[at]) for at in self._ours]
        fields = [(quote(field.name), f"o.c{at}", field) for at, field in self._own]
        self._names = ours
        self._columns = [*ours, *(column for column, _, _ in fields)]
        self._values = [*(f"s.{column}" for column in ours), *(_cast(field, value) for _, value, field in fields)]
        # The dot appended to each text makes trailing blanks count.
        self._pairs = [(f"held.{column} + N'.'", f"s.{column} + N'.'") for column in ours]
        self._pairs += [(_compared(f, f"held.{c}"), _compared(f, _cast(f, value))) for c, value, f in fields]
        self._source = f"{self._stage} AS s" + (
            f" INNER JOIN {_OWN} AS o ON o.[position] = s.[position]" if fields else ""
        )
        self._key = quote(key)
        self._batch = str(uuid.uuid4())

    def fill(self, rows: Sequence[Sequence[Any]]) -> None:
        """Insert the batch."""
        if self._own:
            self._fill_own(rows)
            rows = [[row[at] for at in self._ours] for row in rows]
        widths = (
            max((len(value) for value in values if value is not None), default=1) for values in zip(*rows, strict=True)
        )
        self._cursor.setinputsizes(
            [
                (pyodbc.SQL_WVARCHAR, _KEY_LENGTH, 0),
                (pyodbc.SQL_INTEGER, 0, 0),
                # A character outside the basic plane counts twice; powers of two keep the number of plans low.
                *((pyodbc.SQL_WVARCHAR, 2 << width.bit_length(), 0) for width in widths),
            ]
        )
        places = ", ".join("?" for _ in range(len(self._names) + 2))
        self._cursor.execute_array(
            f"INSERT INTO {self._stage} ([batch], [position], {', '.join(self._names)}) VALUES ({places})",
            [(self._batch, at, *row) for at, row in enumerate(rows)],
        )
        # The sizes do not apply to the next statement.
        self._cursor.setinputsizes([])

    def _fill_own(self, rows: Sequence[Sequence[Any]]) -> None:
        columns = [f"c{at}" for at, _ in self._own]
        declared = ", ".join(f"{column} NVARCHAR(MAX) {_BINARY} NULL" for column in columns)
        # No parameters: a temporary table created by a statement with parameters ends with it.
        self._cursor.execute(f"DROP TABLE IF EXISTS {_OWN}")
        self._cursor.execute(f"CREATE TABLE {_OWN} ([position] INT NOT NULL PRIMARY KEY, {declared})")
        # Not as JSON: a compatible server does not decode its escapes, and truncates long texts.
        width = len(columns) + 1
        size = min(_MOST_ROWS, _MOST_PARAMETERS // width)
        sizes = [(pyodbc.SQL_INTEGER, 0, 0), *((pyodbc.SQL_WVARCHAR, 0, 0) for _ in columns)]
        one = f"({', '.join('?' * width)})"
        for start in range(0, len(rows), size):
            block = rows[start : start + size]
            values = [(start + at, *(row[number] for number, _ in self._own)) for at, row in enumerate(block)]
            self._cursor.setinputsizes(sizes * len(block))
            self._cursor.execute(
                f"INSERT INTO {_OWN} ([position], {', '.join(columns)}) VALUES {', '.join([one] * len(block))}",
                [value for row in values for value in row],
            )
        self._cursor.setinputsizes([])

    def _run(self, statement: str) -> Cursor:
        return self._cursor.execute(statement, (self._batch,))

    @property
    def _differs(self) -> str:
        """The condition that a row in the table differs from the staged one.

        INTERSECT treats two NULLs as equal.
        """
        held, staged = (", ".join(side) for side in zip(*self._pairs, strict=True))
        return f"NOT EXISTS (SELECT {held} INTERSECT SELECT {staged})"

    def known(self, *, update: bool) -> list[tuple[int, int, bool]]:
        """Return position, id and whether they differ for the existing rows of the batch; lock them for an update."""
        hint = " WITH (UPDLOCK)" if update else ""
        rows = self._run(
            f"SELECT s.[position], held.[id], CASE WHEN {self._differs} THEN 1 ELSE 0 END"
            f" FROM {self._source} INNER JOIN {self._table} AS held{hint} ON held.{self._key} = s.{self._key}"
            f" WHERE s.[batch] = ? ORDER BY held.[id]"
        ).fetchall()
        return [(int(at), int(row_id), bool(differs)) for at, row_id, differs in rows]

    def update(self) -> int:
        """Update the rows that differ, and return their number."""
        assignments = ", ".join(map(" = ".join, zip(self._columns, self._values, strict=True)))
        return self._run(
            f"UPDATE held SET {assignments}, [updated_at] = CAST(SYSUTCDATETIME() AS DATETIME2(3))"
            f" FROM {self._source} INNER JOIN {self._table} AS held ON held.{self._key} = s.{self._key}"
            f" WHERE s.[batch] = ? AND {self._differs}"
        ).rowcount

    def insert(self) -> int:
        """Insert the rows whose key is new, and return their number.

        Ids follow the order of the file: INSERT … SELECT guarantees this with ORDER BY, but not together with OUTPUT.

        Source: https://learn.microsoft.com/sql/t-sql/statements/insert-transact-sql, "Remarks"
        """
        columns = ", ".join(self._columns)
        return self._run(
            f"INSERT INTO {self._table} ({columns}) SELECT {', '.join(self._values)} FROM {self._source}"
            f" WHERE s.[batch] = ? AND NOT EXISTS"
            f" (SELECT 1 FROM {self._table} AS held WHERE held.{self._key} = s.{self._key}) ORDER BY s.[position]"
        ).rowcount

    def held(self) -> list[int]:
        """Return the ids of all rows whose key is in the batch."""
        rows = self._run(
            f"SELECT held.[id] FROM {self._stage} AS s INNER JOIN {self._table} AS held"
            f" ON held.{self._key} = s.{self._key} WHERE s.[batch] = ?"
        ).fetchall()
        return [int(row_id) for (row_id,) in rows]

    def empty(self) -> None:
        """Remove the batch from the staging table."""
        if self._own:
            self._cursor.execute(f"DROP TABLE {_OWN}")
        self._run(f"DELETE FROM {self._stage} WHERE [batch] = ?")

    def close(self) -> None:
        """Close the cursor."""
        self._cursor.close()


def _cast(field: Field, text: str) -> str:
    """Return an expression that converts the staged text to an own field's type."""
    if field.kind == "timestamp":
        # Every time type accepts it without a zone; it is in UTC.
        text = f"REPLACE({text}, N'Z', N'')"
    if field.kind in ("text", "json") or _TYPE.fullmatch(field.native) is None:
        return text
    return f"CAST({text} AS {field.native.upper()})"


def _compared(field: Field, value: str) -> str:
    """Return the expression to compare for a value; texts compare by character, regardless of type and collation."""
    if field.kind not in ("text", "json"):
        return value
    # The padding of a fixed-length type is not part of the value.
    whole = f"CAST({value} AS NVARCHAR(MAX))"
    whole = f"RTRIM({whole})" if field.native.startswith(("char", "nchar")) else whole
    return f"{whole} {_BINARY} + N'.'"
