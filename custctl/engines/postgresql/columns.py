"""Reads the company's own columns from PostgreSQL's catalog.

Source: https://www.postgresql.org/docs/current/catalog-pg-attribute.html, catalog-pg-type.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from custctl.engines.constraints import longest
from custctl.schema.names import COLUMNS, CUSTOMER
from custctl.schema.own import Field, Kind

if TYPE_CHECKING:
    from custctl.engines.connection import Connection

# A domain is resolved to its base type; the domain may set the length, a default and NOT NULL.
_QUERY: Final = """
WITH RECURSIVE resolved AS (
  SELECT a.attnum, a.atttypid AS type, a.atttypmod AS modifier, a.attnotnull AS notnull, a.atthasdef AS has_default
    FROM pg_catalog.pg_attribute AS a
   WHERE a.attrelid = to_regclass(%(table)s) AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT r.attnum, t.typbasetype, CASE WHEN r.modifier = -1 THEN t.typtypmod ELSE r.modifier END,
         r.notnull OR t.typnotnull, r.has_default OR t.typdefault IS NOT NULL
    FROM resolved AS r JOIN pg_catalog.pg_type AS t ON t.oid = r.type AND t.typtype = 'd'
)
SELECT a.attname, t.typname, t.typcategory::text, r.modifier, pg_catalog.format_type(r.type, r.modifier), r.notnull,
       r.has_default AND a.attgenerated = '', a.attgenerated <> '' OR a.attidentity = 'a', a.attidentity <> '',
       ARRAY(SELECT pg_catalog.pg_get_constraintdef(k.oid, true) FROM pg_catalog.pg_constraint AS k
              WHERE k.conrelid = a.attrelid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum])
  FROM resolved AS r
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = to_regclass(%(table)s) AND a.attnum = r.attnum
  JOIN pg_catalog.pg_type AS t ON t.oid = r.type AND t.typtype <> 'd'
 ORDER BY a.attnum
"""
_BITS: Final = {"int2": 16, "int4": 32, "int8": 64}
_KINDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(_BITS, "integer"),
    **dict.fromkeys(("text", "varchar", "bpchar", "citext"), "text"),
    "numeric": "decimal",
    "float4": "float",
    "float8": "float",
    "bool": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "timestamp",
    "uuid": "uuid",
    "json": "json",
    "jsonb": "json",
}
_BEYOND: Final = ("decimal", "float", "date", "timestamp")
_MOST_DIGITS: Final = 6
"""Default number of fractional digits of seconds, if a time's type names no other."""
_HEAD: Final = 4
"""What a type's modifier contains besides the length."""


def own_fields(connection: Connection) -> list[Field]:
    """Return the columns of `customer` that are not the product's."""
    found = connection.send(_QUERY, ("table",), {"table": connection.qualified(CUSTOMER)})
    return [_field(*row) for row in found if row[0] not in COLUMNS]


def _field(
    name: str, word: str, category: str, modifier: int, native: str, notnull: bool, has_default: bool, computed: bool,
    counted: bool, checks: Sequence[str],
) -> Field:  # fmt: skip
    kind = _KINDS.get(word, "other")
    limits: dict[str, Any] = {}
    if kind == "text":
        lengths = [modifier - _HEAD] if modifier >= _HEAD else []
        lengths += [limit for check in checks if (limit := longest(check, name)) is not None]
        limits["length"] = min(lengths, default=None)
    elif kind == "integer":
        limits.update(low=-(1 << (_BITS[word] - 1)), high=(1 << (_BITS[word] - 1)) - 1)
    elif kind == "decimal" and modifier >= _HEAD:
        packed = modifier - _HEAD
        # The scale has eleven bits and is signed.
        limits.update(precision=packed >> 16, scale=((packed & 0x7FF) ^ 0x400) - 0x400)
    elif word == "float4":
        limits["precision"] = 24
    elif kind == "timestamp":
        limits["precision"] = modifier if modifier >= 0 else _MOST_DIGITS
    return Field(
        name,
        kind,
        native,
        required=notnull and not (has_default or computed or counted),
        nullable=not notnull,
        settable=kind != "other" and not computed,
        beyond=kind in _BEYOND,
        **limits,
    )


# A value can also break a rule of its column's domain, or of one that the domain is made of.
_CONSTRAINED: Final = """
WITH RECURSIVE types AS (
  SELECT attname, atttypid AS type FROM pg_catalog.pg_attribute
   WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped
  UNION
  SELECT o.attname, t.typbasetype FROM types AS o
    JOIN pg_catalog.pg_type AS t ON t.oid = o.type AND t.typtype = 'd'
)
SELECT o.attname FROM types AS o JOIN pg_catalog.pg_constraint AS c ON c.contypid = o.type AND c.conname = %(name)s
UNION
SELECT a.attname FROM pg_catalog.pg_constraint AS c
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
 WHERE c.conrelid = to_regclass(%(table)s) AND c.conname = %(name)s
UNION
SELECT a.attname FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS r ON r.oid = i.indexrelid
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
 WHERE i.indrelid = to_regclass(%(table)s) AND r.relname = %(name)s
"""
_REFERRING: Final = """
SELECT n.nspname, r.relname, a.attname, b.attname FROM pg_catalog.pg_constraint AS c
  JOIN pg_catalog.pg_class AS r ON r.oid = c.conrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
  JOIN pg_catalog.pg_attribute AS b ON b.attrelid = c.confrelid AND b.attnum = c.confkey[1]
 WHERE c.contype = 'f' AND c.confrelid = to_regclass(%(table)s) AND c.confdeltype IN ('a', 'r') AND c.conparentid = 0
 ORDER BY r.relname
"""


def constrained(connection: Connection, constraint: str | None) -> list[str]:
    """Return the columns of `customer` that a constraint or a unique index applies to."""
    given = {"table": connection.qualified(CUSTOMER), "name": constraint}
    return connection.send(_CONSTRAINED, ("table", "name"), given).scalars()


def referring(connection: Connection) -> list[tuple[str, str, str]]:
    """Return table, column and the column of `customer` for each foreign key that prevents deleting a customer."""
    found = connection.send(_REFERRING, ("table",), {"table": connection.qualified(CUSTOMER)})
    return [(f"{connection.quote(s)}.{connection.quote(t)}", connection.quote(c), to) for s, t, c, to in found]
