"""Scripts that add a column to `customer` on SQLite, whose columns accept any value: a CHECK enforces the type."""

from __future__ import annotations

from custctl.engines.adding import INTEGERS, ColumnScripts, NewColumn, Written
from custctl.engines.sqlite.dialect import SqliteDialect

_HEX = "[0-9a-f]"
_UUID = "-".join(_HEX * size for size in (8, 4, 4, 4, 12))
# A column's type determines how SQLite converts values, and tells custctl what the column holds.
_TYPES = {"smallint": "SMALLINT", "integer": "INT4", "bigint": "BIGINT", "float": "REAL", "timestamp": "TIMESTAMP(3)"}


class SqliteColumnScripts(ColumnScripts):
    """Writes scripts for SQLite 3.34 or newer."""

    most_digits = 15  # a number with a fraction keeps no more

    dialect = SqliteDialect("")

    def write(self, column: NewColumn) -> Written:
        name, kind = self.quote(column.name), column.type
        if kind.name == "text":
            declared = f"TEXT({kind.size})"
        elif kind.name == "decimal":
            declared = f"DECIMAL({kind.size},{kind.scale})"
        else:
            declared = _TYPES.get(kind.name, kind.name.upper())
        lines = [f"ALTER TABLE customer ADD COLUMN {name} {declared}"]
        if column.default is not None:
            lines.append(f"  NOT NULL DEFAULT {self.default(column)}")
        lines.append(f"  CONSTRAINT customer_{column.name}_valid CHECK ({_check(name, column)});")
        if column.index:
            lines += ["", f"CREATE INDEX customer_by_{column.name} ON customer ({name});"]
            lines.insert(0, "-- custctl: allow=create-index-locks SQLite builds an index under its write lock\n")
        return Written("\n".join(lines) + "\n")


def _check(name: str, column: NewColumn) -> str:
    kind = column.type
    if kind.name in INTEGERS:
        top = 1 << (INTEGERS[kind.name] - 1)
        within = f" AND ({name} IS NULL OR {name} BETWEEN {-top} AND {top - 1})" if kind.name != "bigint" else ""
        return f"typeof({name}) IN ('integer', 'null'){within}"
    if kind.name == "decimal":
        return (
            f"typeof({name}) IN ('integer', 'real', 'null')"
            f" AND ({name} IS NULL OR (abs({name}) < 1e{kind.size - kind.scale} AND round({name}, {kind.scale}) = {name}))"
        )
    # Without a modifier, 29 February of any year counts as a date.
    return {
        "text": f"typeof({name}) IN ('text', 'null') AND ({name} IS NULL OR length({name}) BETWEEN 1 AND {kind.size})",
        "float": f"typeof({name}) IN ('real', 'null') AND ({name} IS NULL OR abs({name}) < 9e999)",
        "boolean": f"{name} IS NULL OR {name} IN (0, 1)",
        "date": f"{name} IS date({name}, '+0 days')",
        "timestamp": f"{name} IS strftime('%Y-%m-%dT%H:%M:%fZ', {name}, '+0 days')",
        "uuid": f"{name} IS NULL OR {name} GLOB '{_UUID}'",
        "json": f"{name} IS NULL OR (typeof({name}) <> 'blob' AND json_valid({name}))",
    }[kind.name]
