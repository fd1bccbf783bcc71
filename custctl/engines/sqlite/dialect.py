"""SQLite's SQL, built with SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from custctl.engines.dialect import Dialect
from custctl.engines.results import CELL_END
from custctl.engines.sqlite import folding
from custctl.schema.sqltypes import Timestamp
from custctl.support import letters

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Delete, Insert, Select, Update
    from sqlalchemy.sql.base import Executable


class SqliteDialect(Dialect):
    """SQLite 3.34 or newer."""

    def make_sql(self) -> SQLiteDialect_pysqlite:
        dialect = SQLiteDialect_pysqlite()
        # Only an INTEGER PRIMARY KEY is an alias of the rowid.
        dialect.row_id_type = sa.Integer()  # type: ignore[attr-defined]
        return dialect

    def now(self) -> ColumnElement[str]:
        return sa.func.strftime(*map(sa.literal_column, ("'%Y-%m-%dT%H:%M:%fZ'", "'now'")), type_=Timestamp)

    def read_only(self) -> ColumnElement[str]:
        return sa.literal_column("'no'")  # a file is never a standby

    def login(self) -> ColumnElement[str]:
        return sa.func.custctl_login()

    def returning(self, statement: Insert | Update | Delete, columns: Sequence[ColumnElement[Any]]) -> Executable:
        # RETURNING shows the row before the trigger that increments the version.
        return statement if isinstance(statement, sa.Insert) else statement.returning(columns[0])

    def starts_with(self, column: ColumnElement[Any], text: str) -> list[ColumnElement[bool]]:
        needle, order = folding.fold(text), self.fold_order(self.fold_key(column))
        # In the order of the index, which compares non-ASCII letters by code point.
        ranges = [sa.and_(order >= low, order < high) for low, high in sorted(folding.prefix_ranges(needle))]
        if needle.isascii():
            return ranges
        checked = sa.func.custctl_starts_with(needle, column) == 1
        return [sa.and_(one, checked) for one in ranges]

    def holds(self, value: ColumnElement[Any], text: str) -> ColumnElement[bool]:
        return sa.func.custctl_holds(letters.plain(text), value) == 1

    def fold_order(self, key: ColumnElement[Any]) -> ColumnElement[Any]:
        # An email is stored in lower case, so its unique index serves directly.
        return key if getattr(key, "name", "") == "email" else sa.collate(key, "NOCASE")

    def joined(self, statement: Select[Any], size: sa.BindParameter[int]) -> Executable:
        """Return a query of one row: the last key, the number of rows, how many are in the text, and the text."""
        key, *cells = list(statement.selected_columns)
        pattern: ColumnElement[str] = sa.literal_column(f"'{CELL_END.join(['%s'] * (len(cells) + 1))}'")
        # printf ends a text at its first NUL, so such a row gets no text. Comparing with NULL is harmless here.
        nul: ColumnElement[str] = sa.literal_column("char(0)")
        nowhere: ColumnElement[int] = sa.literal_column("0")
        texts = [cell for cell in cells if isinstance(cell, sa.Column) and not isinstance(cell.type, Timestamp)]
        holds_nul = sa.or_(*(sa.func.instr(cell, nul) > nowhere for cell in texts))
        line = sa.case((holds_nul, sa.null()), else_=sa.func.printf(pattern, key, *cells)).label("line")
        lines = statement.with_only_columns(key, line).limit(size).offset(sa.literal_column("0")).subquery()
        # As bytes: a text would be decoded and encoded again. The rows come in the order of the subquery.
        whole = sa.func.group_concat(lines.c.line, sa.literal_column("char(10)"))
        return sa.select(
            sa.func.max(lines.c.id).label("last"),
            sa.func.count().label("rows"),
            sa.func.count(lines.c.line).label("joined"),
            sa.cast(whole, sa.LargeBinary).label("data"),
        ).select_from(lines)
