"""Reads the shape of an SQLite file from its schema table, the text of its tables, and pragmas for its indexes."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from custctl.engines.sqlite.tabletext import Part, TableText, spelt
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

_MASTER = (
    "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
)
_PLAIN = "m.type = 'table' AND m.sql NOT LIKE 'CREATE VIRTUAL%'"
_COLUMNS = f"""
SELECT m.name AS owner, c.name, c.type, "notnull", dflt_value, pk, hidden
  FROM sqlite_master AS m, pragma_table_xinfo(m.name, 'main') AS c WHERE {_PLAIN}
"""
_UNIQUES = f"""
SELECT m.name AS owner, group_concat(i.name, ', ')
  FROM sqlite_master AS m, pragma_index_list(m.name, 'main') AS l, pragma_index_info(l.name, 'main') AS i
 WHERE {_PLAIN} AND l.origin = 'u' GROUP BY m.name, l.name
"""
_FOREIGN_KEYS = f"""
SELECT m.name AS owner, "table", group_concat("from", ', '), group_concat("to", ', '), on_delete
  FROM sqlite_master AS m, pragma_foreign_key_list(m.name, 'main') WHERE {_PLAIN} GROUP BY m.name, id
"""


def read_shape(connection: Connection) -> Shape:
    """Return the shape of the file."""
    ours = (names.CUSTOMER,)
    master = [(kind, name, as_ours(table, ours), sql) for kind, name, table, sql in connection.send(_MASTER)]
    virtual = [name for kind, name, _, sql in master if kind == "table" and sql.upper().startswith("CREATE VIRTUAL")]
    # A virtual table stores its data in its own shadow tables.
    shadow = re.compile(
        "|".join(f"{re.escape(name)}_(?:data|idx|content|docsize|config)" for name in virtual) or r"(?!)"
    )
    columns, uniques, foreign_keys = (_by_table(connection, each) for each in (_COLUMNS, _UNIQUES, _FOREIGN_KEYS))
    found: dict[Key, Facts] = {}
    for kind, name, table, sql in master:
        if table in names.BOOTSTRAP or shadow.fullmatch(table):
            continue
        if kind == "table":
            text = None if name in virtual else TableText.of(sql)
            if text is None:
                found[Key(TABLE, table, "")] = {"_sql": sql}
            else:
                found |= _table(table, text, columns[name], uniques[name], foreign_keys[name])
        elif kind == "index":
            found[Key(INDEX, table, name)] = {**_index(sql), "_sql": sql}
        elif kind == "trigger":
            behind = re.sub(r"^create (?:temp |temporary )?trigger (?:if not exists )?(?:\S+) ", "", spelt(sql))
            found[Key(TRIGGER, table, name)] = {"body": behind, "_sql": sql}
    return {key: {name: each for name, each in facts.items() if each} for key, facts in found.items()}


_Rows = list[tuple[str, ...]]


def _by_table(connection: Connection, query: str) -> dict[str, _Rows]:
    """Return the rows of a query by their first column, which is left out."""
    found: dict[str, _Rows] = defaultdict(list)
    for table, *row in connection.send(query):
        found[table].append(tuple(row))
    return found


def _table(table: str, text: TableText, columns: _Rows, uniques: _Rows, foreign_keys: _Rows) -> dict[Key, Facts]:
    found: dict[Key, Facts] = {Key(TABLE, table, ""): {"options": text.options}}
    known = names.COLUMNS if table == names.CUSTOMER else ()
    written = {column.name: column for column in text.columns}
    whole = {(part.kind, part.columns): part for part in text.parts}
    keys: list[tuple[int, str]] = []
    for spelling, kind, not_null, default, key, hidden in columns:
        column, name = written.get(spelling), as_ours(spelling, known)
        parts = {part.kind: part for part in column.parts} if column else {}
        if int(key):
            keys.append((int(key), name))
        found[Key(COLUMN, table, name)] = {
            "type": str(kind).lower(),
            "nullable": "no" if int(not_null) else "yes",
            "collation": spelt(parts["COLLATE"].text).removeprefix("collate ") if "COLLATE" in parts else "",
            "default": spelt(_bare(default or "")),
            "generated": "yes" if int(hidden) in (2, 3) else "",
            "_text": column.text if column else "",
        }
    if keys:
        counted = any("AUTOINCREMENT" in part.text.upper() for column in text.columns for part in column.parts)
        key_columns = ", ".join(name for _, name in sorted(keys))
        found[Key(PRIMARY_KEY, table, "")] = {
            "columns": key_columns,
            "autoincrement": "yes" if counted else "",
            "_sql": _whole(whole, "PRIMARY", key_columns),
        }
    for part in text.parts:
        if part.kind == "CHECK":
            found[Key(CHECK, table, part.name or part.inner)] = {"definition": part.inner, "_sql": part.whole}
    for column in text.columns:
        for part in column.parts:
            if part.kind == "CHECK":
                told = {"definition": part.inner, "_column": column.name, "_check": part.whole}
                found[Key(CHECK, table, part.name or part.inner)] = told
    for (unique,) in uniques:
        found[Key(UNIQUE, table, unique)] = {"columns": unique, "_sql": _whole(whole, "UNIQUE", unique)}
    named = {
        spelt(column.name): part.name
        for column in text.columns
        for part in column.parts
        if part.kind == "REFERENCES" and part.name
    } | {part.columns: part.name for part in text.parts if part.kind == "FOREIGN" and part.name}
    for other, own, theirs, action in foreign_keys:
        behind = f" ON DELETE {action}" if action != "NO ACTION" else ""
        told_key = f"FOREIGN KEY ({own}) REFERENCES {other}{f' ({theirs})' if theirs else ''}{behind}"
        found[Key(FOREIGN_KEY, table, named.get(spelt(own)) or told_key)] = {
            "definition": told_key,
            "_sql": _whole(whole, "FOREIGN", own),
        }
    return found


def _whole(parts: dict[tuple[str, str], Part], kind: str, columns: str) -> str:
    """Return the text of a table constraint; empty if a column has the constraint."""
    part = parts.get((kind, spelt(columns)))
    return part.whole if part is not None else ""


def _bare(default: str) -> str:
    """Return a default without its outer parentheses."""
    while default.startswith("(") and default.endswith(")"):
        default = default[1:-1].strip()
    return default


def _index(sql: str) -> Facts:
    unique = re.match(r"\s*CREATE\s+UNIQUE\b", sql, re.IGNORECASE) is not None
    _, opening, columns = spelt(sql).partition("(")
    return {"definition": opening + columns, "unique": "yes" if unique else "no"}
