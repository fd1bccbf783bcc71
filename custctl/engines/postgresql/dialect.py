"""PostgreSQL's SQL, built with SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql.functions import Function

from custctl.engines.dialect import Dialect, Native
from custctl.schema.sqltypes import Timestamp
from custctl.schema.times import MILLISECONDS
from custctl.support.letters import spellings

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.sql.base import Executable


_TEXT_TIME = """'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'"""


class PostgresqlDialect(Dialect):
    """PostgreSQL 15 or newer."""

    def make_sql(self) -> PGDialect_psycopg:
        dialect = PGDialect_psycopg(use_native_hstore=False)  # type: ignore[no-untyped-call]
        # The dialect would query the server for this; all supported releases are at least this version.
        dialect.server_version_info = (15, 0)
        dialect.default_schema_name = self.schema
        dialect.timestamp_type = TIMESTAMP(timezone=True, precision=MILLISECONDS)  # type: ignore[attr-defined]
        return dialect

    def compiled(self, statement: Executable, **options: Any) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        text, parameters, values = super().compiled(statement, **options)
        # SQLAlchemy doubles each percent sign; the driver undoes that only if there are parameters.
        return text if parameters else text.replace("%%", "%"), parameters, values

    def now(self) -> ColumnElement[str]:
        return sa.func.date_trunc(sa.literal_column("'milliseconds'"), sa.func.clock_timestamp(), type_=Timestamp)

    def login(self) -> ColumnElement[str]:
        return sa.cast(sa.literal_column("session_user"), sa.Text)

    def read_only(self) -> ColumnElement[str]:
        # A fenced primary refuses writes like a standby.
        recovers = sa.func.pg_catalog.pg_is_in_recovery(type_=sa.Boolean)
        setting = sa.func.pg_catalog.current_setting(sa.literal_column("'default_transaction_read_only'"))
        refused = sa.or_(recovers, setting == sa.literal_column("'on'"))
        return sa.case((refused, sa.literal_column("'yes'")), else_=sa.literal_column("'no'"))

    def joined(self, statement: Select[Any], size: sa.BindParameter[int]) -> Executable:
        """Return a query for COPY in which the server converts times to text."""
        return statement.with_only_columns(*map(self._as_text, statement.selected_columns))

    def _as_text(self, cell: ColumnElement[Any]) -> ColumnElement[Any]:
        if not isinstance(cell.type, Timestamp):
            return cell
        utc = sa.func.timezone(sa.literal_column("'UTC'"), cell, type_=sa.DateTime)
        return sa.func.to_char(utc, sa.literal_column(_TEXT_TIME)).label(cell.name)

    def _fold(self, value: ColumnElement[Any] | str) -> ColumnElement[Any]:
        # SQLAlchemy builds a function's text by formatting, which halves percent signs again.
        schema = self.schema.replace("%", "%%")
        return Function("custctl_fold", value, type_=sa.Text(), packagenames=(schema,))

    def typed(self, value: ColumnElement[Any], native: str) -> ColumnElement[Any]:
        return sa.cast(value, Native(native))

    def fold_key(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        # An email is stored in lower case, so its unique index serves directly.
        return column if column.name == "email" else self._fold(column)

    def starts_with(self, column: ColumnElement[Any], text: str) -> list[ColumnElement[bool]]:
        key = self.fold_key(column)
        low = self._fold(text)
        return [sa.and_(key >= low, key < low.concat("\U0010ffff"), sa.func.starts_with(key, low))]

    def holds(self, value: ColumnElement[Any], text: str) -> ColumnElement[bool]:
        # Compare by code point: the column's collation may not support patterns.
        pattern = "".join(_one_of(chars) for chars in spellings(text))
        return sa.collate(sa.cast(value, sa.Text), "C").op("~", is_comparison=True)(pattern)


def _one_of(chars: Sequence[str]) -> str:
    """Return a pattern that matches one of these characters."""
    if len(chars) > 1:
        return f"[{''.join(chars)}]"
    return chars[0] if chars[0].isalnum() or not chars[0].isascii() else f"\\{chars[0]}"
