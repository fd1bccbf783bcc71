"""SQLite's SQL, as SQLAlchemy Core says it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from custctl.engines.dialect import Dialect
from custctl.engines.sqlite import folding
from custctl.schema.sqltypes import Timestamp

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Delete, Insert, Select, Update
    from sqlalchemy.sql.base import Executable


class SqliteDialect(Dialect):
    """SQLite 3.34 or newer."""

    returns_inserted: ClassVar[bool] = False

    def make_sql(self) -> SQLiteDialect_pysqlite:
        dialect = SQLiteDialect_pysqlite()
        # Only an INTEGER PRIMARY KEY is the row's own number.
        dialect.row_id_type = sa.Integer()  # type: ignore[attr-defined]
        return dialect

    def now(self) -> ColumnElement[str]:
        return sa.func.strftime(*map(sa.literal_column, ("'%Y-%m-%dT%H:%M:%fZ'", "'now'")), type_=Timestamp)

    def read_only(self) -> ColumnElement[str]:
        return sa.literal_column("'no'")  # a file follows no other

    def returning(self, statement: Insert | Update | Delete, columns: Sequence[ColumnElement[Any]]) -> Executable:
        # RETURNING shows the row before the trigger that raises the version.
        return statement if isinstance(statement, sa.Insert) else statement.returning(columns[0])

    def starts_with(self, column: ColumnElement[Any], text: str) -> list[ColumnElement[bool]]:
        needle, order = folding.fold(text), self.fold_order(self.fold_key(column))
        # Of the order of the index: other letters than ASCII are told apart by their code.
        ranges = [sa.and_(order >= low, order < high) for low, high in sorted(folding.prefix_ranges(needle))]
        if needle.isascii():
            return ranges
        checked = sa.func.custctl_starts_with(needle, column) == 1
        return [sa.and_(one, checked) for one in ranges]

    def fold_order(self, key: ColumnElement[Any]) -> ColumnElement[Any]:
        # An email is stored in lower case: its unique index serves as it is.
        return key if getattr(key, "name", "") == "email" else sa.collate(key, "NOCASE")

    def contains(
        self, statement: Select[Any], columns: Sequence[ColumnElement[Any]], text: str, *, indexed: bool
    ) -> tuple[Select[Any], ColumnElement[Any]]:
        identity: ColumnElement[Any] = columns[0].table.c.id
        checked = statement.where(sa.func.custctl_contains(folding.fold(text), *columns) == 1)
        query = folding.trigram_query(text)
        if query is None or not indexed:
            return checked, identity
        # The index yields its hits in the order of their rowid, and no more of them than are asked for.
        hits = sa.table("customer_search", sa.column("rowid"))
        matching = sa.literal_column("customer_search").op("MATCH")(query)
        return checked.join(hits, hits.c.rowid == identity).where(matching), hits.c.rowid


def joined_text(statement: Select[Any], cell_end: str) -> Select[Any]:
    """Return a query of each row's key and of its cells as one text; NULL in place of a text that is not exact."""
    key, *cells = list(statement.selected_columns)
    pattern = cell_end.join(["%s"] * (len(cells) + 1))
    # printf stops at NUL: a row that holds one is told apart.
    nul = sa.literal("\0")
    holes: list[ColumnElement[Any]] = [sa.func.coalesce(sa.func.instr(cell, nul), 0) for cell in cells]
    text = sa.case((sum(holes[1:], holes[0]) > 0, None), else_=sa.func.printf(pattern, key, *cells))
    return statement.with_only_columns(key, text)
