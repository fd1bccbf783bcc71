"""Reads the shape of a schema of SQL Server, from catalog views that compatible servers also have."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from custctl.schema import names
from custctl.schema.shape import (
    CHECK,
    COLUMN,
    FOREIGN_KEY,
    INDEX,
    PRIMARY_KEY,
    TABLE,
    TRIGGER,
    UNIQUE,
    Facts,
    Key,
    Shape,
    as_ours,
)

if TYPE_CHECKING:
    from custctl.engines.connection import Connection
    from custctl.engines.mssql.running import MssqlConnection
    from custctl.engines.results import Row

_OF = "FROM sys.tables AS t INNER JOIN sys.schemas AS s ON s.schema_id = t.schema_id"
_HERE = "WHERE s.name = ?"
# The last column tells whether the database ignores the case of names.
_COLUMNS = f"""
SELECT t.name, c.name, y.name, c.max_length, c.precision, c.scale, c.is_nullable, c.is_identity, c.is_computed,
       c.collation_name, c.default_object_id, CASE WHEN N'a' = N'A' THEN 1 ELSE 0 END
  {_OF}
 INNER JOIN sys.columns AS c ON c.object_id = t.object_id
 INNER JOIN sys.types AS y ON y.user_type_id = c.user_type_id {_HERE} ORDER BY t.name, c.column_id
"""
_INDEXES = f"""
SELECT t.name, i.name, i.is_unique, i.is_primary_key, i.is_unique_constraint, i.is_disabled, i.has_filter,
       c.name, k.is_descending_key, k.is_included_column
  {_OF}
 INNER JOIN sys.indexes AS i ON i.object_id = t.object_id
 INNER JOIN sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id
 INNER JOIN sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id
 {_HERE} ORDER BY t.name, i.name, k.is_included_column, k.key_ordinal, c.name
"""
# Not `definition`: each server spells it differently, and some do not return it.
_CHECKS = f"""
SELECT t.name, k.name, k.is_disabled, k.is_not_trusted
  {_OF}
 INNER JOIN sys.check_constraints AS k ON k.parent_object_id = t.object_id {_HERE}
"""
_FOREIGN_KEYS = f"""
SELECT t.name, k.name, k.is_disabled, k.is_not_trusted, k.delete_referential_action, OBJECT_NAME(k.referenced_object_id),
       c.name, r.name
  {_OF}
 INNER JOIN sys.foreign_keys AS k ON k.parent_object_id = t.object_id
 INNER JOIN sys.foreign_key_columns AS f ON f.constraint_object_id = k.object_id
 INNER JOIN sys.columns AS c ON c.object_id = f.parent_object_id AND c.column_id = f.parent_column_id
 INNER JOIN sys.columns AS r ON r.object_id = f.referenced_object_id AND r.column_id = f.referenced_column_id
 {_HERE} ORDER BY t.name, k.name, f.constraint_column_id
"""
_TRIGGERS = f"""
SELECT t.name, g.name, g.is_disabled, m.definition
  {_OF}
 INNER JOIN sys.triggers AS g ON g.parent_id = t.object_id
  LEFT JOIN sys.sql_modules AS m ON m.object_id = g.object_id {_HERE}
"""
_ON_DELETE = {1: " ON DELETE CASCADE", 2: " ON DELETE SET NULL", 3: " ON DELETE SET DEFAULT"}
_OF_TWO_BYTES = ("nchar", "nvarchar")
_OF_LENGTH = ("char", "varchar", "binary", "varbinary", *_OF_TWO_BYTES)


def sees_shape(connection: Connection) -> bool:
    """Tell whether the login may see the schema: the catalog hides objects on which it has no rights."""
    query = "SELECT HAS_PERMS_BY_NAME(?, N'SCHEMA', N'ALTER'), HAS_PERMS_BY_NAME(?, N'SCHEMA', N'VIEW DEFINITION')"
    values = {"schema": connection.quote(connection.schema)}
    return any(value == 1 for value in connection.send(query, ("schema:text", "schema:text"), values).one())


def read_shape(connection: MssqlConnection) -> Shape:
    """Return the shape of the connection's schema."""
    queries = (_COLUMNS, _INDEXES, _CHECKS, _FOREIGN_KEYS, _TRIGGERS)
    all_columns, key_columns, checks, foreign_keys, triggers = connection.send_together(
        queries, "schema:text", connection.schema
    )
    folds = any(row[-1] == 1 for row in all_columns)

    def rows(read: Sequence[Row], *columns: int) -> Iterator[tuple[Any, ...]]:
        """Yield rows of the catalog; `columns` are the places of the columns' names, after the table's."""
        for row in read:
            cells = list(row)
            if folds and as_ours(cells[0], (names.CUSTOMER,)) == names.CUSTOMER:
                cells[0] = names.CUSTOMER
                for at in columns:
                    cells[at] = as_ours(cells[at], names.COLUMNS)
            yield tuple(cells)

    found: dict[Key, Facts] = {}
    for table, name, kind, length, precision, scale, nullable, identity, computed, collation, default, _ in rows(
        all_columns, 1
    ):
        found[Key(TABLE, table, "")] = {}
        version = kind in ("timestamp", "rowversion")
        found[Key(COLUMN, table, name)] = {
            "type": "rowversion" if version else _type(kind, length, precision, scale),
            "nullable": "yes" if nullable else "no",
            # Servers name binary collations differently.
            "collation": "binary" if str(collation or "").lower().endswith("_bin2") else str(collation or ""),
            "default": "yes" if default and not (version or computed) else "",
            "identity": "yes" if identity else "",
            "computed": "yes" if computed else "",
        }
    indexes: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for table, name, unique, primary, constraint, disabled, filtered, column, descending, included in rows(
        key_columns, 7
    ):
        facts = (table, _own_name(name, table), unique, primary, constraint, disabled, filtered)
        indexes[facts].append(("+" if included else "") + column + (" DESC" if descending else ""))
    for (table, name, unique, primary, constraint, disabled, filtered), columns in indexes.items():
        keys = ", ".join(column for column in columns if not column.startswith("+"))
        if primary:
            found[Key(PRIMARY_KEY, table, "")] = {"columns": keys, "_name": name}
        elif constraint:
            found[Key(UNIQUE, table, name)] = {"columns": keys, "_name": name}
        else:
            more = ", ".join(column[1:] for column in columns if column.startswith("+"))
            found[Key(INDEX, table, name)] = {
                "columns": keys,
                "included": more,
                "unique": "yes" if unique else "no",
                "filtered": "yes" if filtered else "no",
                "valid": "no" if disabled else "yes",
            }
    for table, name, disabled, untrusted in rows(checks):
        found[Key(CHECK, table, name)] = _state(disabled, untrusted)
    keys_of: dict[tuple[Any, ...], list[tuple[str, str]]] = defaultdict(list)
    for table, name, disabled, untrusted, action, other, column, referred in rows(foreign_keys, 6):
        keys_of[table, name, disabled, untrusted, action, other].append((column, referred))
    for (table, name, disabled, untrusted, action, other), pairs in keys_of.items():
        own, others = (", ".join(column) for column in zip(*pairs, strict=True))
        told = f"FOREIGN KEY ({own}) REFERENCES {other} ({others}){_ON_DELETE.get(action, '')}"
        found[Key(FOREIGN_KEY, table, name)] = {"definition": told, **_state(disabled, untrusted)}
    for table, name, disabled, text in rows(triggers):
        body = re.sub(r"\s+", " ", text or "").strip()
        found[Key(TRIGGER, table, name)] = {"enabled": "no" if disabled else "yes", "body": body, "_sql": text or ""}
    return {
        key: {name: each for name, each in facts.items() if each}
        for key, facts in found.items()
        if key.table not in names.BOOTSTRAP
    }


def _state(disabled: Any, untrusted: Any) -> Facts:
    return {"enabled": "no" if disabled else "yes", "validated": "no" if untrusted else "yes"}


def _type(name: str, length: int, precision: int, scale: int) -> str:
    if name in _OF_LENGTH:
        units = length // 2 if name in _OF_TWO_BYTES else length
        return f"{name}({units if length > 0 else 'max'})"
    if name in ("decimal", "numeric"):
        return f"{name}({precision}, {scale})"
    if name in ("datetime2", "datetimeoffset", "time"):
        return f"{name}({scale})"
    return name


def _own_name(index: str | None, table: str) -> str:
    """Return an index's name as given: a compatible server appends the table's name and a hash."""
    return re.sub(rf"(?<=.){re.escape(table)}[0-9a-f]{{32}}$", "", index or "", flags=re.IGNORECASE)
