"""Scripts that add a column to `customer` on SQL Server."""

from __future__ import annotations

from custctl.engines.adding import ColumnScripts, NewColumn, Written
from custctl.engines.mssql.dialect import MssqlDialect
from custctl.engines.mssql.names import COLLATION, literal

_TYPES = {
    "integer": "INT",
    "float": "FLOAT(53)",
    "boolean": "BIT",
    "timestamp": "DATETIME2(3)",
    "uuid": "UNIQUEIDENTIFIER",
    "json": f"NVARCHAR(MAX) COLLATE {COLLATION}",
}
_LONGEST = 4000  # maximum UTF-16 units of NVARCHAR(n)
# Editions with online index builds: Enterprise and Developer, Azure SQL Database, Managed Instance.
_ONLINE = "CAST(SERVERPROPERTY('EngineEdition') AS INT) IN (3, 5, 8)"


class MssqlColumnScripts(ColumnScripts):
    """Writes scripts for SQL Server 2017 or newer."""

    dialect = MssqlDialect("dbo")

    def string(self, text: str) -> str:
        return literal(text)

    def write(self, column: NewColumn) -> Written:
        name, kind = self.quote(column.name), column.type
        declared, check = _TYPES.get(kind.name, kind.name.upper()), ""
        if kind.name == "text":
            # The length is in UTF-16 units; a character outside the basic plane takes two.
            size = 2 * kind.size
            declared = f"NVARCHAR({size if size <= _LONGEST else 'MAX'}) COLLATE {COLLATION}"
            check = f"CONSTRAINT customer_{column.name}_length CHECK (LEN({name}) BETWEEN 1 AND {kind.size})"
        elif kind.name == "decimal":
            declared = f"DECIMAL({kind.size}, {kind.scale})"
        elif kind.name == "json":
            check = f"CONSTRAINT customer_{column.name}_json CHECK (ISJSON({name}) = 1)"
        lines = [f"ALTER TABLE customer ADD {name} {declared} {'NULL' if column.default is None else 'NOT NULL'}"]
        if column.default is not None:
            default = self.default(column)
            if kind.name == "timestamp":
                # DATETIME2 accepts a time without a zone, in any session language.
                default = default.removesuffix("Z'") + "'"
            lines.append(f"  CONSTRAINT customer_{column.name}_default DEFAULT {default}")
        if check:
            lines.append(f"  {check}")
        lines[-1] += ";"
        if not column.index:
            return Written("\n".join(lines) + "\n")
        index = f"CREATE INDEX customer_by_{column.name} ON customer ({name}, id)"
        second = [
            "-- custctl: allow=create-index-locks editions without online index operations build it under a lock",
            "",
            f"IF {_ONLINE}",
            f"  {index} WITH (ONLINE = ON);",
            "ELSE",
            f"  {index};",
        ]
        return Written("\n".join(lines) + "\n", "\n".join(second) + "\n")
