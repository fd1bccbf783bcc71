"""Runs the program's own statements on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg
from psycopg.sql import Literal

from custctl.engines.connection import Compared, Connection, Prepared
from custctl.engines.postgresql import errors
from custctl.engines.postgresql.connection import LimitedConnection
from custctl.engines.results import CELL_END, Joined, Row

if TYPE_CHECKING:
    from custctl.engines.postgresql.dialect import PostgresqlDialect
    from custctl.engines.sought import Hits, Part, Sought
    from custctl.schema.own import Field

_TIMES = (1184, 1114)  # the OIDs of timestamptz and timestamp
_STREAM = "custctl"
# Formats that do not depend on the session's DateStyle and TimeZone.
_FORMS = {"date": "YYYY-MM-DD", "timestamp": 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'}


class PostgresqlConnection(Connection):
    """A connection to a server."""

    driver: LimitedConnection
    named: ClassVar[bool] = True
    driver_error = psycopg.Error
    dialect: PostgresqlDialect

    def statements(self) -> Mapping[str, Prepared]:
        from custctl.engines.postgresql.statements import STATEMENTS

        return STATEMENTS

    def make_dialect(self) -> PostgresqlDialect:
        from custctl.engines.postgresql.dialect import PostgresqlDialect

        return PostgresqlDialect(self.schema)

    def hits(self, sought: Sought) -> Hits:
        from custctl.engines.postgresql.searching import hits

        return hits(self, sought)

    def part_hits(self, part: Part) -> Hits:
        from custctl.engines.postgresql.searching import part_hits

        return part_hits(self, part)

    def run_found(self, found: Hits) -> Sequence[Row]:
        # A prepared statement's plan is the same for rare words and for frequent ones.
        before, self.driver.prepare_threshold = self.driver.prepare_threshold, None
        try:
            return super().run_found(found)
        finally:
            self.driver.prepare_threshold = before

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def own_cell(self, field: Field, column: str) -> str:
        form = _FORMS.get(field.kind)
        if form is None:
            return f"CAST({column} AS text)"
        moment = f"{column} AT TIME ZONE 'UTC'" if field.native.startswith("timestamp with time zone") else column
        # The form cannot show infinity, nor years before 1 or after 9999: these are written as text; see `Field.beyond`.
        plain = f"{column} >= '0001-01-01' AND {column} < '10000-01-01'"
        return f"CASE WHEN {plain} THEN to_char({moment}, '{form}') ELSE CAST({column} AS text) END"

    def own_compared(self, field: Field, column: str) -> Compared:
        if field.kind == "text":
            return Compared(f'CAST({column} AS text) COLLATE "C"', seek=field.native)
        if field.kind == "json":
            return Compared(f"CAST({column} AS jsonb)", "jsonb")
        if field.kind == "timestamp":
            # Leave out the precision, because a cast would round to it.
            return Compared(column, "timestamptz" if "with time zone" in field.native else "timestamp")
        return Compared(column, "numeric" if field.kind == "decimal" else field.native)

    def time_columns(self, description: Sequence[Any]) -> list[int]:
        return [at for at, column in enumerate(description) if column[1] in _TIMES]

    def is_lost(self, error: Any) -> bool:
        return errors.is_lost(error)

    def open_stream(self, text: str, parameters: Sequence[str], values: Mapping[str, Any]) -> Any:
        # A server-side cursor: without a name, all rows would arrive at once.
        cursor = self.driver.cursor(name=_STREAM)
        try:
            self._failing(text, lambda: cursor.execute(text, dict(values) if parameters else None))
        except BaseException:
            cursor.close()
            raise
        return cursor

    def run_joined(
        self, joined: str, rows: str, size: int, width: int, /, *, after: int, **values: Any
    ) -> Iterator[Joined | list[tuple[Any, ...]]]:
        from custctl.engines.postgresql.joined import copy_out

        # COPY takes no parameters.
        given = {name: Literal(value).as_string(self.driver) for name, value in ({"after": after, **values}).items()}
        yield from copy_out(self.driver, self.text(joined)[0] % given, CELL_END, width)
