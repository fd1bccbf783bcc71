"""Repairs differences in a schema of SQL Server, as batches for sqlcmd."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from custctl.engines.filling import checked_column, fill, note, tidied
from custctl.engines.mssql.names import COLLATION, literal, quote
from custctl.engines.shaping import Fix
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
)

if TYPE_CHECKING:
    from custctl.schema.shape import Difference, Shape

_ANY = "LOWER(CONVERT(NVARCHAR(36), NEWID()))"
_INTEGERS = ("tinyint", "smallint", "int", "bigint")


def fixes(differences: Sequence[Difference], expected: Shape, found: Shape) -> list[Fix]:
    """Return the repair of each difference, in order."""
    return [_fix(each, expected, found) for each in differences]


def _fix(each: Difference, expected: Shape, found: Shape) -> Fix:
    key, facts = each.key, each.expected
    table, name = quote(key.table), quote(key.name)
    if key.kind == TABLE:
        return Fix(tuple(_table(key.table, expected)))
    if key.kind == COLUMN:
        return _column(each, found)
    if key.kind == INDEX:
        if each.facts == ("valid",):
            return Fix((f"ALTER INDEX {name} ON {table} REBUILD",))
        gone = (f"DROP INDEX {name} ON {table}",) if each.fault == "different" else ()
        return Fix((*gone, _index(key, facts)))
    if key.kind == TRIGGER:
        if each.facts == ("enabled",):
            return Fix((f"ENABLE TRIGGER {name} ON {table}",))
        gone = (f"DROP TRIGGER {name}",) if each.fault == "different" else ()
        return Fix((*gone, facts["_sql"])) if facts.get("_sql") else _again(each)
    if key.kind == PRIMARY_KEY:
        # A table has only one primary key, and foreign keys may refer to it: add a unique constraint instead.
        other = Key(PRIMARY_KEY, key.table, "") in found
        return Fix((f"ALTER TABLE {table} ADD {_key(key, facts, unique=other)}",))
    validates = key.kind == UNIQUE or facts.get("validated") == "yes"
    if each.facts and set(each.facts) <= {"enabled", "validated"}:
        return Fix((f"ALTER TABLE {table} WITH {'CHECK' if validates else 'NOCHECK'} CHECK CONSTRAINT {name}",))
    constraint = _constraint(key, facts)
    if constraint is None:
        return _again(each)
    gone = (f"ALTER TABLE {table} DROP CONSTRAINT {name}",) if each.fault == "different" else ()
    tidy = _tidy(key, found) if key.kind == CHECK else ()
    return Fix((*gone, *tidy, f"ALTER TABLE {table} {'' if validates else 'WITH NOCHECK '}ADD {constraint}"))


def _tidy(key: Key, found: Shape) -> Iterator[str]:
    """Yield the statement by which the rows that are there pass one of our checks."""
    column = checked_column(key.table, key.name)
    name = quote(column)
    value = tidied(key.table, column, name, _ANY, "+")
    if value is not None and "char" in found.get(Key(COLUMN, key.table, column), {}).get("type", ""):
        differs = f"DATALENGTH({name}) <> COALESCE(DATALENGTH({value}), -1) OR {name} <> {value} COLLATE {COLLATION}"
        yield f"UPDATE {quote(key.table)} SET {name} = {value} WHERE {name} IS NOT NULL AND ({differs})"


def _again(each: Difference) -> Fix:
    return Fix(notes=(f"from your script, run again the statement that creates the {each.thing}",))


def _column(each: Difference, found: Shape) -> Fix:
    table, name, facts = quote(each.key.table), quote(each.key.name), each.expected
    required = facts.get("nullable") == "no"
    if each.fault == "renamed":
        return Fix((_rename(each),))
    if each.fault == "missing":
        if not _can_define(facts):
            return _again(each)
        notes = []
        if each.instead:
            notes.append(
                f"{each.instead} may be {each.key.name}: if so, run this instead of what follows: {_rename(each)};"
            )
        if facts.get("identity"):
            counted = [
                key.name
                for key, there in found.items()
                if key.kind == COLUMN and key.table == each.key.table and there.get("identity")
            ]
            if counted:
                other = Key(COLUMN, each.key.table, counted[0])
                return Fix(notes=(f"a table has one identity column: {_renamed(other, each.key.name)};",))
        filled = fill(each.key.table, each.key.name, _ANY, "+")
        if required and not facts.get("default") and filled is not None and not facts.get("identity"):
            notes.append(note(each.key.table, each.key.name, each.instead))
            default = f"{each.key.table}_{each.key.name}_placeholder"
            drop = f"ALTER TABLE {table} DROP CONSTRAINT {quote(default)}"
            return Fix(
                (
                    f"ALTER TABLE {table} ADD {_definition(each.key, facts)} CONSTRAINT {quote(default)} DEFAULT {filled}",
                    f"IF OBJECT_ID({literal(default)}) IS NOT NULL {drop}",
                ),
                tuple(notes),
            )
        return Fix((f"ALTER TABLE {table} ADD {_definition(each.key, facts)}",), tuple(notes))
    statements: list[str] = []
    loses = False
    if {"identity", "computed"} & set(each.facts) or "rowversion" in (facts["type"], each.found.get("type")):
        kind = "computed" if "computed" in each.facts else facts["type"]
        return Fix(notes=(f"only a new column can be {kind}: rename {name}, then run the baseline again",))
    if {"type", "collation", "nullable"} & set(each.facts) and not _is_key(each, found):
        return Fix(tuple(_replaced(each, found)), loses=not _keeps(each.found.get("type", ""), facts["type"]))
    if {"type", "collation", "nullable"} & set(each.facts):
        if required and "nullable" in each.facts:
            statements += _fill(each)
        null = "NOT NULL" if required else "NULL"
        # Include the collation only if necessary: not every server can change it in place.
        changed = {"type", "collation"} & set(each.facts)
        collation = _collation(facts) if changed else ""
        statements.append(f"ALTER TABLE {table} ALTER COLUMN {name} {facts['type'].upper()}{collation} {null}")
        loses = not _keeps(each.found.get("type", ""), facts["type"])
    if "default" in each.facts:
        statements.append(f"ALTER TABLE {table} ADD {_default(facts)} FOR {name}")
    return Fix(tuple(statements), loses=loses)


def _is_key(each: Difference, found: Shape) -> bool:
    """Tell whether a column is part of a key, and so cannot be replaced by a new column."""
    for key, facts in found.items():
        columns = facts.get("columns", facts.get("definition", ""))
        if key.kind in (PRIMARY_KEY, UNIQUE, FOREIGN_KEY) and re.search(rf"\b{re.escape(each.key.name)}\b", columns):
            return True
    return False


def _replaced(each: Difference, found: Shape) -> Iterator[str]:
    """Yield the statements that replace a column by a new one: not every server can change a collation in place."""
    table, name, facts = quote(each.key.table), quote(each.key.name), each.expected
    indexes = {
        key: there
        for key, there in found.items()
        if key.kind == INDEX and key.table == each.key.table and each.key.name in _names(there)
    }
    new = Key(COLUMN, each.key.table, f"{each.key.name}_in_shape")
    value = name
    default = ""
    placeholder = f"{each.key.table}_{each.key.name}_placeholder"
    if facts.get("nullable") == "no":
        filled = facts.get("_default") or fill(each.key.table, each.key.name, _ANY, "+")
        value = f"COALESCE({name}, {filled})" if filled else name
        default = "" if facts.get("_default") else f" CONSTRAINT {quote(placeholder)} DEFAULT N''"
    yield from (f"DROP INDEX {quote(key.name)} ON {table}" for key in indexes)
    yield f"ALTER TABLE {table} ADD {_definition(new, facts)}{default}"
    yield f"UPDATE {table} SET {quote(new.name)} = {value}"
    if default:
        yield f"IF OBJECT_ID({literal(placeholder)}) IS NOT NULL ALTER TABLE {table} DROP CONSTRAINT {quote(placeholder)}"
    yield f"ALTER TABLE {table} DROP COLUMN {name}"
    yield _renamed(new, each.key.name)
    yield from (_index(key, there) for key, there in indexes.items())


def _names(facts: Facts) -> list[str]:
    return [name.removesuffix(" DESC") for part in ("columns", "included") for name in facts.get(part, "").split(", ")]


def _rename(each: Difference) -> str:
    return _renamed(Key(COLUMN, each.key.table, each.instead or ""), each.key.name)


def _renamed(key: Key, name: str) -> str:
    return f"EXEC sp_rename {literal(f'{key.table}.{key.name}')}, {literal(name)}, N'COLUMN'"


def _fill(each: Difference) -> Iterator[str]:
    value = each.expected.get("_default") or fill(each.key.table, each.key.name, _ANY, "+")
    if value is not None:
        name = quote(each.key.name)
        yield f"UPDATE {quote(each.key.table)} SET {name} = {value} WHERE {name} IS NULL"


def _keeps(found: str, wanted: str) -> bool:
    """Tell whether every value of the found type is valid for the wanted type."""
    if found in _INTEGERS and wanted in _INTEGERS:
        return _INTEGERS.index(found) <= _INTEGERS.index(wanted)
    if found == wanted:
        return True
    had, has = found.partition("("), wanted.partition("(")
    if not had[0].endswith("char") or has[0] not in ("nvarchar", had[0]):
        return False
    before, after = had[2].rstrip(")"), has[2].rstrip(")")
    return after == "max" or (before.isdigit() and after.isdigit() and int(before) <= int(after))


def _table(table: str, expected: Shape) -> Iterator[str]:
    """Yield the statements that create a table with its constraints, indexes and triggers."""
    things = {key: facts for key, facts in expected.items() if key.table == table}
    items = [_definition(key, facts) for key, facts in things.items() if key.kind == COLUMN and _can_define(facts)]
    items += [_key(key, facts, unique=False) for key, facts in things.items() if key.kind == PRIMARY_KEY]
    constraints = [_constraint(key, facts) for key, facts in things.items() if key.kind in (CHECK, UNIQUE, FOREIGN_KEY)]
    items += [each for each in constraints if each is not None]
    yield f"CREATE TABLE {quote(table)} (\n  " + ",\n  ".join(items) + "\n)"
    yield from (_index(key, facts) for key, facts in things.items() if key.kind == INDEX)
    yield from (facts["_sql"] for key, facts in things.items() if key.kind == TRIGGER and facts.get("_sql"))


def _can_define(facts: Facts) -> bool:
    """Tell whether a column's definition is known; that of a computed one only if the product's scripts make it."""
    return not facts.get("computed") or "_computed" in facts


def _definition(key: Key, facts: Facts) -> str:
    if facts.get("computed"):
        return f"{quote(key.name)} {facts['_computed']}"
    words = f"{quote(key.name)} {facts['type'].upper()}{_collation(facts)}"
    words += " IDENTITY (1, 1)" if facts.get("identity") else ""
    words += " NOT NULL" if facts.get("nullable") == "no" else " NULL"
    return words + (f" {_default(facts)}" if facts.get("_default") else "")


def _collation(facts: Facts) -> str:
    collation = facts.get("collation")
    return f" COLLATE {COLLATION if collation == 'binary' else collation}" if collation else ""


def _default(facts: Facts) -> str:
    name = facts.get("_default_name")
    return (f"CONSTRAINT {quote(name)} " if name else "") + f"DEFAULT {facts.get('_default', 'NULL')}"


def _key(key: Key, facts: Facts, *, unique: bool) -> str:
    columns = facts["columns"].replace(", ", "_")
    name = f"{key.table}_{columns}_unique" if unique else facts.get("_name") or f"{key.table}_pk"
    return f"CONSTRAINT {quote(name)} {'UNIQUE' if unique else 'PRIMARY KEY'} ({_list(facts['columns'])})"


def _constraint(key: Key, facts: Facts) -> str | None:
    if key.kind == UNIQUE:
        told: str | None = f"UNIQUE ({_list(facts['columns'])})"
    else:
        told = facts.get("definition") or facts.get("_sql")
    return f"CONSTRAINT {quote(key.name)} {told}" if told else None


def _index(key: Key, facts: Facts) -> str:
    unique = "UNIQUE " if facts.get("unique") == "yes" else ""
    included = f" INCLUDE ({_list(facts['included'])})" if facts.get("included") else ""
    return f"CREATE {unique}INDEX {quote(key.name)} ON {quote(key.table)} ({_list(facts['columns'])}){included}"


def _list(columns: str) -> str:
    names = []
    for column in columns.split(", "):
        name, descending = column.removesuffix(" DESC"), column.endswith(" DESC")
        names.append(quote(name) + (" DESC" if descending else ""))
    return ", ".join(names)
