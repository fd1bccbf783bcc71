"""Runs the program's own statements on SQL Server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyodbc

from custctl.engines.connection import Compared, Connection, Prepared
from custctl.engines.mssql import errors
from custctl.engines.mssql.names import COLLATION, quote
from custctl.engines.mssql.supervised import Connection as Supervised
from custctl.engines.results import Result, Row

if TYPE_CHECKING:
    from custctl.engines.mssql.dialect import MssqlDialect
    from custctl.engines.sought import Hits, Part, Sought
    from custctl.schema.own import Field

_UNKNOWN = (None, None, None)
# The type of a parameter for the driver; otherwise it sends a text in the database's code page.
_SIZES: Mapping[str, tuple[int | None, ...]] = {
    "text": (pyodbc.SQL_WVARCHAR, None, None),
    "long": (pyodbc.SQL_WVARCHAR, 0, 0),
}
_AS_TEXT = "CAST({} AS NVARCHAR(MAX))"
# How to select the columns of own fields: by type, otherwise by kind. The numbers are styles of CONVERT.
_CELLS: Mapping[str, str] = {
    "nvarchar": "{}",
    "nchar": "RTRIM({})",
    "char": "RTRIM({})",
    "money": "CONVERT(NVARCHAR(50), {}, 2)",
    "smallmoney": "CONVERT(NVARCHAR(50), {}, 2)",
    "datetimeoffset": "CONVERT(NVARCHAR(40), SWITCHOFFSET({}, '+00:00'), 126)",
    "binary": "CONVERT(NVARCHAR(MAX), {}, 2)",
    "varbinary": "CONVERT(NVARCHAR(MAX), {}, 2)",
    "image": "CONVERT(NVARCHAR(MAX), CAST({} AS VARBINARY(MAX)), 2)",
    "timestamp": "CONVERT(NVARCHAR(MAX), CAST({} AS VARBINARY(8)), 2)",
}
_KINDS: Mapping[str, str] = {
    "boolean": "CASE {} WHEN 1 THEN N'true' WHEN 0 THEN N'false' END",
    "integer": "{}",
    "float": "{}",
    "date": "CONVERT(NVARCHAR(10), {}, 23)",
    "timestamp": "CONVERT(NVARCHAR(40), {}, 126)",
    "uuid": "CAST({} AS NVARCHAR(36))",
}
_LONG = 2000  # characters from which a text is sent as long data


class MssqlConnection(Connection):
    """A connection to a server."""

    driver: Supervised
    driver_error = pyodbc.Error
    dialect: MssqlDialect

    def statements(self) -> Mapping[str, Prepared]:
        from custctl.engines.mssql.statements import STATEMENTS

        return STATEMENTS

    def make_dialect(self) -> MssqlDialect:
        from custctl.engines.mssql.dialect import MssqlDialect

        return MssqlDialect(self.schema)

    def hits(self, sought: Sought) -> Hits:
        from custctl.engines.mssql.searching import hits

        return hits(self, sought)

    def part_hits(self, part: Part) -> Hits:
        from custctl.engines.mssql.searching import part_hits

        return part_hits(self, part)

    def quote(self, name: str) -> str:
        return quote(name)

    def own_cell(self, field: Field, column: str) -> str:
        return _CELLS.get(field.native.partition("(")[0], _KINDS.get(field.kind, _AS_TEXT)).format(column)

    def own_compared(self, field: Field, column: str) -> Compared:
        word = field.native.partition("(")[0]
        if field.kind in ("text", "uuid", "json"):
            # A cast without a length would truncate a text to 30 characters.
            seek = field.native if field.kind == "uuid" or field.length is not None else None
            return Compared(f"{self.own_cell(field, column)} COLLATE {COLLATION}", seek=seek)
        if field.kind == "timestamp":
            if word == "datetime":
                # `datetime` stores 1/300 s; compare it as shown, in milliseconds.
                return Compared(f"CAST(CONVERT(NVARCHAR(40), {column}, 126) AS DATETIME2(7))", "DATETIME2(7)")
            return Compared(column, "DATETIMEOFFSET(7)" if word == "datetimeoffset" else "DATETIME2(7)")
        return Compared(column, field.native)

    def own_operand(self, field: Field, text: str) -> Any:
        return text.upper() if field.kind == "uuid" else super().own_operand(field, text)

    def own_value(self, field: Field, text: str | None) -> Any:
        # Every time type accepts it without a zone; it is in UTC.
        return text.removesuffix("Z") if text is not None and field.kind == "timestamp" else text

    def bind(self, value: Any, kind: str) -> Any:
        # Send times as text: how the driver sends a `datetime` depends on what the server reports about its types.
        return value.removesuffix("Z") if kind == "time" and value is not None else value

    def set_sizes(self, cursor: Any, kinds: Sequence[str], values: Sequence[Any]) -> None:
        sizes = [_SIZES.get(kind or _kind(value), _UNKNOWN) for kind, value in zip(kinds, values, strict=True)]
        if any(size is not _UNKNOWN for size in sizes):
            cursor.setinputsizes(sizes)

    def time_columns(self, description: Sequence[Any]) -> list[int]:
        return [at for at, column in enumerate(description) if column[1] is datetime]

    def is_lost(self, error: Exception) -> bool:
        return errors.is_lost(error)

    def run_and_select(self, name: str, columns: Mapping[str, Any], selecting: str, /, **values: Any) -> Row | None:
        """Run a statement that returns what it wrote, and then a query, in one round trip.

        Args:
            name: as for `run`, like `columns` and `values`; `values` includes the query's parameters.
            selecting: the name of the query.

        Returns:
            The query's row; None if the statement wrote no row.
        """
        written, parameters = self.text(name, list(columns))
        text, further = self.text(selecting)
        given = {**values, **self.given(columns)}
        cursor = self.open(f"{written};\n{text}", (*parameters, *further), given)
        try:
            if not self._failing(written, cursor.fetchall):
                return None
            # The number of rows written is a separate result.
            while self._failing(text, cursor.nextset) and cursor.description is None:
                pass
            return Result(self.made(cursor.description, self._failing(text, cursor.fetchall)), -1).one()
        finally:
            cursor.close()

    def send_together(self, texts: Sequence[str], parameter: str, value: Any) -> list[Sequence[Row]]:
        """Run queries in one round trip, and return the rows of each.

        Args:
            texts: the queries; each has `parameter` as its only parameter.
            parameter: its name and kind, as for `send`.
            value: its value.

        Raises:
            StatementError: one failed.
        """
        text = ";\n".join(texts)
        cursor = self.open(text, [parameter] * len(texts), {parameter.partition(":")[0]: value})
        try:
            results = [self.made(cursor.description, self._failing(text, cursor.fetchall))]
            while self._failing(text, cursor.nextset):
                results.append(self.made(cursor.description, self._failing(text, cursor.fetchall)))
            return list(results)
        finally:
            cursor.close()

    def run_stream(self, name: str, size: int, /, **values: Any) -> Iterator[list[tuple[Any, ...]]]:
        prefix = values.get("prefix", "")
        for rows in super().run_stream(name, size, **values):
            # Only the row's version is of bytes.
            at = next((at for at, cell in enumerate(rows[0]) if isinstance(cell, bytes)), None)
            yield rows if at is None else [(*row[:at], prefix + row[at].hex(), *row[at + 1 :]) for row in rows]


def _kind(value: Any) -> str:
    """Return the parameter kind of a value for a column."""
    if not isinstance(value, str):
        return ""
    return "text" if len(value) < _LONG else "long"
