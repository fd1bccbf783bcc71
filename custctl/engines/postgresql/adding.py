"""Scripts that add a column to `customer` on PostgreSQL without rewriting or reading rows while others wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from custctl.engines.adding import ColumnScripts, NewColumn, Written
from custctl.engines.postgresql.dialect import PostgresqlDialect

_TYPES = {"float": "double precision", "timestamp": "timestamptz(3)", "json": "jsonb"}


class PostgresqlColumnScripts(ColumnScripts):
    """Writes scripts for PostgreSQL 15 or newer."""

    dialect = PostgresqlDialect("")
    booleans: ClassVar[Mapping[str, str]] = {"true": "true", "false": "false"}

    def write(self, column: NewColumn) -> Written:
        name, kind = self.quote(column.name), column.type
        declared = _TYPES.get(kind.name, kind.name)
        if kind.name == "text":
            # Text compares by code point, like in the other columns.
            declared = 'text COLLATE "C"'
        elif kind.name == "decimal":
            declared = f"numeric({kind.size},{kind.scale})"
        add = f"ALTER TABLE customer ADD COLUMN {name} {declared}"
        if column.default is not None:
            add += f" NOT NULL DEFAULT {self.default(column)}"
        first, second = [f"{add};"], []
        if kind.name == "text":
            # NOT VALID: the second script reads the rows later, without blocking anybody.
            constraint = f"customer_{column.name}_length"
            first += [
                f"ALTER TABLE customer ADD CONSTRAINT {constraint}",
                f"  CHECK (char_length({name}) BETWEEN 1 AND {kind.size}) NOT VALID;",
            ]
            second.append(f"ALTER TABLE customer VALIDATE CONSTRAINT {constraint};")
        if column.index:
            second.append(f"CREATE INDEX CONCURRENTLY customer_by_{column.name} ON customer ({name}, id);")
        if not second:
            return Written("\n".join(first) + "\n")
        return Written("\n".join(first) + "\n", "\n".join(["-- custctl: transaction=off", "", *second]) + "\n")
