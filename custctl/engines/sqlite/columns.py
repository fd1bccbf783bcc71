"""Reads the company's own columns from SQLite's declarations.

Source: https://www.sqlite.org/pragma.html#pragma_table_xinfo, https://www.sqlite.org/datatype3.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from custctl.engines.constraints import longest, mentioned
from custctl.schema.names import COLUMNS, CUSTOMER
from custctl.schema.own import Field, Kind

if TYPE_CHECKING:
    from custctl.engines.connection import Connection

_TYPE: Final = r"([A-Z_ ]*[A-Z_][0-9]?)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?"
_BITS: Final = {
    "INT": 64,
    "INTEGER": 64,
    "BIGINT": 64,
    "INT8": 64,
    "INT4": 32,
    "MEDIUMINT": 24,
    "SMALLINT": 16,
    "INT2": 16,
}
_KINDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(_BITS, "integer"),
    **dict.fromkeys(("TEXT", "VARCHAR", "NVARCHAR", "CHAR", "NCHAR", "CHARACTER", "CHARACTER VARYING", "CLOB"), "text"),
    **dict.fromkeys(("DECIMAL", "NUMERIC"), "decimal"),
    **dict.fromkeys(("REAL", "FLOAT", "DOUBLE", "DOUBLE PRECISION"), "float"),
    **dict.fromkeys(("BOOLEAN", "BOOL"), "boolean"),
    "DATE": "date",
    **dict.fromkeys(("DATETIME", "TIMESTAMP", "TIMESTAMPTZ"), "timestamp"),
    **dict.fromkeys(("UUID", "GUID", "UNIQUEIDENTIFIER"), "uuid"),
    "JSON": "json",
}
_EXACT_DIGITS: Final = 15
"""The most digits that a number with a fraction keeps."""


def own_fields(connection: Connection) -> list[Field]:
    """Return the columns of `customer` that are not the product's."""
    query = (
        f"SELECT name, type, \"notnull\", dflt_value, hidden FROM pragma_table_xinfo('{CUSTOMER}', 'main') ORDER BY cid"
    )
    rows = [row for row in connection.send(query) if row[0].lower() not in COLUMNS]
    checks = _checks(connection) if rows else []
    return [
        _field(name, declared or "", bool(notnull), default, hidden != 0, checks)
        for name, declared, notnull, default, hidden in rows
    ]


def _checks(connection: Connection) -> list[str]:
    """Return the conditions of the table's checks."""
    from custctl.engines.sqlite.tabletext import TableText

    sql = connection.send(f"SELECT sql FROM sqlite_master WHERE type = 'table' AND lower(name) = '{CUSTOMER}'").scalar()
    text = TableText.of(sql or "")
    if text is None:
        return []
    parts = (*text.parts, *(part for column in text.columns for part in column.parts))
    return [part.text for part in parts if part.kind == "CHECK"]


def _field(
    name: str, declared: str, notnull: bool, default: str | None, computed: bool, checks: Sequence[str]
) -> Field:
    found = re.fullmatch(_TYPE, declared.strip(), re.IGNORECASE)
    word = " ".join(found[1].upper().split()) if found else ""
    numbers = [int(number) for number in found.groups()[1:] if number is not None] if found else []
    bits = _BITS.get(word)
    kind = _KINDS.get(word, "other")
    lengths = numbers[:1] if kind == "text" else []
    if kind == "text":
        lengths += [limit for check in checks if (limit := longest(check, name)) is not None]
    return Field(
        name,
        kind,
        declared,
        length=min(lengths, default=None),
        low=-(1 << (bits - 1)) if bits is not None else None,
        high=(1 << (bits - 1)) - 1 if bits is not None else None,
        precision=numbers[0] if numbers and kind in ("decimal", "timestamp") else None,
        scale=(numbers[1] if len(numbers) > 1 else 0) if kind == "decimal" and numbers else None,
        exact=_EXACT_DIGITS if kind in ("decimal", "json") else None,
        required=notnull and default is None,
        nullable=not notnull,
        settable=kind != "other" and not computed,
    )


_REFERRING: Final = """SELECT m.name, f."from", coalesce(f."to", 'id') FROM sqlite_master AS m
  JOIN pragma_foreign_key_list(m.name, 'main') AS f
 WHERE m.type = 'table' AND lower(f."table") = 'customer' AND f.on_delete IN ('NO ACTION', 'RESTRICT') AND f.seq = 0
 ORDER BY m.name"""


def constrained(connection: Connection, constraint: str | None) -> list[str]:
    """Return the columns of `customer` that a constraint applies to; its name may be the condition itself."""
    if constraint is None:
        # SQLite does not say which foreign key it was.
        return connection.send(
            f"SELECT \"from\" FROM pragma_foreign_key_list('{CUSTOMER}', 'main') ORDER BY 1"
        ).scalars()
    table = connection.send(
        f"SELECT sql FROM sqlite_master WHERE type = 'table' AND lower(name) = '{CUSTOMER}'"
    ).scalar()
    named = re.search(rf"CONSTRAINT\s+[\"\[`]?{re.escape(constraint)}\b[\"\]`]?\s+CHECK\s*", table or "", re.IGNORECASE)
    return mentioned(_bracketed(table[named.end() :]) if named else constraint, connection.own.names)


def _bracketed(text: str) -> str:
    """Return the contents of the parentheses that a text starts with."""
    depth = 0
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text[:at]
    return text


def referring(connection: Connection) -> list[tuple[str, str, str]]:
    """Return table, column and the column of `customer` for each foreign key that prevents deleting a customer."""
    return [(connection.quote(t), connection.quote(c), to) for t, c, to in connection.send(_REFERRING)]
