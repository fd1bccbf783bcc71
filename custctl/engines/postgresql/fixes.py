"""Statements for psql that repair the shape of a PostgreSQL schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from custctl.engines.filling import checked_column, fill, note, tidied
from custctl.engines.postgresql.names import quoted
from custctl.engines.postgresql.obstacles import Obstacle, around
from custctl.engines.shaping import Fix
from custctl.schema.shape import (
    CHECK,
    COLUMN,
    FOREIGN_KEY,
    FUNCTION,
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

_NUMBER = "gen_random_uuid()"
_OF_TEXT = ("character varying", "character", "text", "citext", "name")
_ORDER = ("smallint", "integer", "bigint")
_ENABLE = {"always": "ENABLE ALWAYS", "on replicas": "ENABLE REPLICA", "no": "DISABLE"}


def fixes(
    differences: Sequence[Difference], expected: Shape, found: Shape, in_the_way: Mapping[str, list[Obstacle]]
) -> list[Fix]:
    """Return a repair for each difference, in order.

    Args:
        in_the_way: what is in the way of a change of type in each table, in the order in which it can be made.
    """
    told = [_fix(each, expected, found) for each in differences]
    for table, here in in_the_way.items():
        typed = [at for at, each in enumerate(differences) if each.key.table == table and _changes_type(each)]
        # One repair for all columns whose values fit, so that what is in the way is dropped once.
        fit = [at for at in typed if not told[at].loses]
        statements = tuple(statement for at in fit for statement in told[at].statements)
        together = Fix(
            around(here, [differences[at].key.name for at in fit], statements),
            tuple(line for at in fit for line in told[at].notes),
        )
        for at in typed:
            told[at] = (
                together
                if at in fit
                else told[at]._replace(statements=around(here, [differences[at].key.name], told[at].statements))
            )
    return told


def _changes_type(each: Difference) -> bool:
    return each.key.kind == COLUMN and bool({"type", "collation"} & set(each.facts))


def _fix(each: Difference, expected: Shape, found: Shape) -> Fix:
    key, facts = each.key, each.expected
    if key.kind == TABLE:
        return Fix(tuple(_table(key.table, expected)))
    if key.kind == COLUMN:
        return _column(each)
    if key.kind == FUNCTION:
        text = facts["_sql"]
        return Fix((text.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1),))
    if key.kind == INDEX:
        if each.facts == ("valid",):
            return Fix((f"REINDEX INDEX {quoted(key.name)}",))
        gone = (f"DROP INDEX {quoted(key.name)}",) if each.fault == "different" else ()
        return Fix((*gone, _index(facts)))
    if key.kind == TRIGGER:
        if each.facts == ("enabled",):
            return Fix((_enable(key, facts),))
        gone = (f"DROP TRIGGER {quoted(key.name)} ON {quoted(key.table)}",) if each.fault == "different" else ()
        return Fix((*gone, *_trigger(key, facts)))
    table = f"ALTER TABLE {quoted(key.table)}"
    if each.facts == ("validated",):
        return Fix((f"{table} VALIDATE CONSTRAINT {quoted(key.name)}",))
    if key.kind == PRIMARY_KEY:
        # A table has only one primary key, and other tables may refer to it.
        other = Key(PRIMARY_KEY, key.table, "") in found
        return Fix((f"{table} ADD {_key(key, facts, unique=other)}",))
    gone = (f"{table} DROP CONSTRAINT {quoted(key.name)}",) if each.fault == "different" else ()
    tidy = _tidy(key, found) if key.kind == CHECK else ()
    return Fix((*gone, *tidy, f"{table} ADD {_constraint(key, facts)}"))


def _tidy(key: Key, found: Shape) -> Iterator[str]:
    """Yield the statement by which the rows that are there pass one of our checks."""
    column = checked_column(key.table, key.name)
    there = found.get(Key(COLUMN, key.table, column), {})
    name = quoted(column)
    value = tidied(key.table, column, name, _NUMBER)
    if value is not None and there.get("type", "").partition("(")[0] in _OF_TEXT:
        yield f"UPDATE {quoted(key.table)} SET {name} = {value} WHERE {name} IS DISTINCT FROM {value}"


def _column(each: Difference) -> Fix:
    table, name = quoted(each.key.table), quoted(each.key.name)
    alter, facts = f"ALTER TABLE {table}", each.expected
    required = facts.get("nullable") == "no"
    if each.fault == "renamed":
        return Fix((f"{alter} RENAME COLUMN {quoted(each.instead or '')} TO {name}",))
    if each.fault == "missing":
        notes = []
        if each.instead:
            rename = f"{alter} RENAME COLUMN {quoted(each.instead)} TO {name};"
            notes.append(f"{each.instead} may be {each.key.name}: if so, run this instead of what follows: {rename}")
        if not required or any(facts.get(name) for name in ("default", "identity", "generated")):
            return Fix((f"{alter} ADD COLUMN {_definition(each.key, facts)}",), tuple(notes))
        notes.append(note(each.key.table, each.key.name, each.instead))
        optional = {**facts, "nullable": "yes"}
        return Fix(
            (
                f"{alter} ADD COLUMN {_definition(each.key, optional)}",
                *_fill(each),
                f"{alter} ALTER {name} SET NOT NULL",
            ),
            tuple(notes),
        )
    statements: list[str] = []
    loses = False
    if _changes_type(each):
        collation = f" COLLATE {quoted(facts['collation'])}" if facts.get("collation") else ""
        loses = not _keeps(each.found.get("type", ""), facts["type"])
        using = f" USING {name}::{facts['type']}" if loses else ""
        if "default" in each.facts and each.found.get("default"):
            # It may not fit the new type.
            statements.append(f"{alter} ALTER {name} DROP DEFAULT")
        statements.append(f"{alter} ALTER {name} TYPE {facts['type']}{collation}{using}")
    if "generated" in each.facts:
        return Fix(notes=("drop the column and add it again as a generated one",))
    if "identity" in each.facts:
        if each.found.get("identity"):
            statements.append(f"{alter} ALTER {name} SET GENERATED {facts['identity'].upper()}")
        else:
            if each.found.get("default"):
                statements.append(f"{alter} ALTER {name} DROP DEFAULT")
            statements.append(f"{alter} ALTER {name} ADD GENERATED {facts['identity'].upper()} AS IDENTITY")
            sequence = f"pg_get_serial_sequence('{table.replace(chr(39), chr(39) * 2)}', '{each.key.name}')"
            statements.append(f"SELECT setval({sequence}, coalesce(max({name}), 0) + 1, false) FROM {table}")
    if "default" in each.facts:
        statements.append(f"{alter} ALTER {name} SET DEFAULT {facts['default']}")
    if "nullable" in each.facts:
        statements += (
            [*_fill(each), f"{alter} ALTER {name} SET NOT NULL"]
            if required
            else [f"{alter} ALTER {name} DROP NOT NULL"]
        )
    return Fix(tuple(statements), loses=loses)


def _fill(each: Difference) -> Iterator[str]:
    value = each.expected.get("default") or fill(each.key.table, each.key.name, _NUMBER)
    if value is not None:
        table, name = quoted(each.key.table), quoted(each.key.name)
        yield f"UPDATE {table} SET {name} = {value} WHERE {name} IS NULL"


def _keeps(found: str, wanted: str) -> bool:
    """Tell whether every value of the found type is also a value of the wanted type."""
    bare = found.partition("(")[0]
    if found in _ORDER and wanted in _ORDER:
        return _ORDER.index(found) <= _ORDER.index(wanted)
    return found == wanted or (bare in _OF_TEXT and wanted == "text") or (found in _ORDER and wanted == "text")


def _table(table: str, expected: Shape) -> Iterator[str]:
    """Yield the statements that create a table and everything on it."""
    things = {key: facts for key, facts in expected.items() if key.table == table}
    items = [_definition(key, facts) for key, facts in things.items() if key.kind == COLUMN]
    items += [_key(key, facts, unique=False) for key, facts in things.items() if key.kind == PRIMARY_KEY]
    items += [_constraint(key, facts) for key, facts in things.items() if key.kind in (CHECK, UNIQUE, FOREIGN_KEY)]
    yield f"CREATE TABLE {quoted(table)} (\n  " + ",\n  ".join(items) + "\n)"
    yield from (_index(facts) for key, facts in things.items() if key.kind == INDEX)
    for key, facts in things.items():
        if key.kind == TRIGGER:
            yield from _trigger(key, facts)


def _definition(key: Key, facts: Facts) -> str:
    words = [quoted(key.name), facts["type"]]
    if facts.get("collation"):
        words.append(f"COLLATE {quoted(facts['collation'])}")
    if facts.get("generated"):
        words.append(f"GENERATED ALWAYS AS ({facts['generated']}) STORED")
    if facts.get("identity"):
        words.append(f"GENERATED {facts['identity'].upper()} AS IDENTITY")
    if facts.get("default"):
        words.append(f"DEFAULT {facts['default']}")
    if facts.get("nullable") == "no":
        words.append("NOT NULL")
    return " ".join(words)


def _key(key: Key, facts: Facts, *, unique: bool) -> str:
    columns = facts["columns"].replace(", ", "_").replace('"', "")
    name = f"{key.table}_{columns}_unique" if unique else facts.get("_name") or f"{key.table}_pk"
    return f"CONSTRAINT {quoted(name)} {'UNIQUE' if unique else 'PRIMARY KEY'} ({facts['columns']})"


def _constraint(key: Key, facts: Facts) -> str:
    told = f"UNIQUE ({facts['columns']})" if key.kind == UNIQUE else facts["definition"]
    return f"CONSTRAINT {quoted(key.name)} {told}"


def _index(facts: Facts) -> str:
    # The script that closes a gap runs in one transaction.
    return facts["_sql"].replace(" CONCURRENTLY", "", 1)


def _trigger(key: Key, facts: Facts) -> Iterator[str]:
    yield facts["_sql"]
    if facts.get("enabled") != "yes":
        yield _enable(key, facts)


def _enable(key: Key, facts: Facts) -> str:
    how = _ENABLE.get(facts.get("enabled", ""), "ENABLE")
    return f"ALTER TABLE {quoted(key.table)} {how} TRIGGER {quoted(key.name)}"
