"""The company's own columns, read from SQL Server's catalog.

Source: https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-columns-transact-sql
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from custctl.engines.constraints import mentioned
from custctl.engines.mssql.names import SEARCH_WORDS
from custctl.schema.names import COLUMNS, CUSTOMER
from custctl.schema.own import Field, Kind

if TYPE_CHECKING:
    from custctl.engines.connection import Connection

# An alias type is replaced by the system type it is based on.
_QUERY: Final = """SELECT c.name, COALESCE(b.name, t.name) AS word, c.max_length, c.[precision], c.[scale], c.is_nullable, c.is_computed,
       c.is_identity, c.default_object_id, CAST(COLLATIONPROPERTY(c.collation_name, 'CodePage') AS INT) AS code_page
  FROM sys.columns AS c
  JOIN sys.types AS t ON t.user_type_id = c.user_type_id
  LEFT JOIN sys.types AS b ON b.user_type_id = t.system_type_id AND t.is_user_defined = 1
 WHERE c.object_id = OBJECT_ID(?)
 ORDER BY c.column_id"""
_RANGES: Final = {
    "tinyint": (0, 255),
    "smallint": (-(1 << 15), (1 << 15) - 1),
    "int": (-(1 << 31), (1 << 31) - 1),
    "bigint": (-(1 << 63), (1 << 63) - 1),
}
_KINDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("nvarchar", "nchar", "varchar", "char", "text", "ntext"), "text"),
    **dict.fromkeys(_RANGES, "integer"),
    **dict.fromkeys(("decimal", "numeric", "money", "smallmoney"), "decimal"),
    **dict.fromkeys(("float", "real"), "float"),
    "bit": "boolean",
    "date": "date",
    **dict.fromkeys(("datetime2", "datetime", "smalldatetime", "datetimeoffset"), "timestamp"),
    "uniqueidentifier": "uuid",
    "json": "json",
}
_UTF8: Final = 65001
_MONEY: Final = {"money": 19, "smallmoney": 10}


def own_fields(connection: Connection) -> list[Field]:
    """Return the columns of `customer` that are not the product's."""
    found = connection.send(_QUERY, ("table:text",), {"table": connection.qualified(CUSTOMER)})
    return [_field(*row) for row in found if row[0] not in (*COLUMNS, SEARCH_WORDS)]


def _field(
    name: str, word: str, size: int, precision: int, scale: int, nullable: bool, computed: bool, counted: bool,
    default: int, page: int | None,
) -> Field:  # fmt: skip
    kind = _KINDS.get(word, "other")
    limits: dict[str, Any] = {}
    native = word
    if kind == "text":
        wide = word.startswith("n")
        if size > 0 and word not in ("text", "ntext"):
            limits["length"] = size // 2 if wide else size
            native = f"{word}({limits['length']})"
        limits["encoding"] = "utf-16" if wide else "utf-8" if page == _UTF8 else f"cp{page}" if page else "ascii"
    elif kind == "integer":
        limits["low"], limits["high"] = _RANGES[word]
    elif kind == "decimal":
        limits["precision"], limits["scale"] = _MONEY.get(word, precision), 4 if word in _MONEY else scale
        native = word if word in _MONEY else f"{word}({precision},{scale})"
    elif kind == "timestamp":
        limits["precision"] = scale
        native = f"{word}({scale})" if word in ("datetime2", "datetimeoffset") else word
    elif word == "real":
        limits["precision"] = 24
    return Field(
        name,
        kind,
        native,
        required=not nullable and not (default or computed or counted),
        nullable=bool(nullable),
        settable=kind != "other" and not (computed or counted),
        **limits,
    )


_CONSTRAINED: Final = """SELECT COL_NAME(k.parent_object_id, k.parent_column_id) FROM sys.foreign_keys AS f
  JOIN sys.foreign_key_columns AS k ON k.constraint_object_id = f.object_id
 WHERE f.parent_object_id = OBJECT_ID(?) AND f.name = ?
UNION
SELECT COL_NAME(c.object_id, c.column_id) FROM sys.indexes AS i
  JOIN sys.index_columns AS c ON c.object_id = i.object_id AND c.index_id = i.index_id
 WHERE i.object_id = OBJECT_ID(?) AND i.name = ?"""
_CHECKED: Final = "SELECT definition FROM sys.check_constraints WHERE parent_object_id = OBJECT_ID(?) AND name = ?"
_REFERRING: Final = """SELECT SCHEMA_NAME(t.schema_id), t.name, COL_NAME(k.parent_object_id, k.parent_column_id),
       COL_NAME(k.referenced_object_id, k.referenced_column_id)
  FROM sys.foreign_keys AS f
  JOIN sys.foreign_key_columns AS k ON k.constraint_object_id = f.object_id
  JOIN sys.tables AS t ON t.object_id = f.parent_object_id
 WHERE f.referenced_object_id = OBJECT_ID(?) AND f.delete_referential_action = 0 AND k.constraint_column_id = 1
 ORDER BY t.name"""


def constrained(connection: Connection, constraint: str | None) -> list[str]:
    """Return the columns of `customer` in a constraint or a unique index."""
    given = {"table": connection.qualified(CUSTOMER), "name": constraint}
    found = connection.send(_CONSTRAINED, ("table:text", "name:text") * 2, given).scalars()
    if found:
        return found
    text = connection.send(_CHECKED, ("table:text", "name:text"), given).scalar()
    return mentioned(text or "", connection.own.names)


def referring(connection: Connection) -> list[tuple[str, str, str]]:
    """Return table, column and referenced column of each foreign key that prevents deleting a customer."""
    found = connection.send(_REFERRING, ("table:text",), {"table": connection.qualified(CUSTOMER)})
    return [(f"{connection.quote(s)}.{connection.quote(t)}", connection.quote(c), to) for s, t, c, to in found]
