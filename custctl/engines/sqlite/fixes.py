"""Statements for the sqlite3 shell that repair the shape of an SQLite file.

ALTER TABLE can add and rename columns. For other changes a table is rebuilt, as SQLite's documentation describes; parts
of it that belong to others are kept.

Source: https://www.sqlite.org/lang_altertable.html#otheralter
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from custctl.engines.filling import fill, note, tidied
from custctl.engines.shaping import Fix
from custctl.engines.sqlite.running import quote
from custctl.engines.sqlite.tabletext import without_primary_key
from custctl.schema.shape import CHECK, COLUMN, FOREIGN_KEY, INDEX, PRIMARY_KEY, TABLE, TRIGGER, UNIQUE, Facts, Key

if TYPE_CHECKING:
    from custctl.schema.shape import Difference, Shape

_NUMBER = "lower(hex(randomblob(8)))"
_CONSTANT = re.compile(r"'[^']*'|[+-]?[0-9.]+", re.ASCII)


def fixes(differences: Sequence[Difference], expected: Shape, found: Shape) -> list[Fix]:
    """Return a repair for each difference, in order."""
    rebuilt: dict[str, Fix] = {}
    for table in {each.key.table for each in differences}:
        here = [each for each in differences if each.key.table == table]
        if any(_needs_rebuild(each, here) for each in here):
            rebuilt[table] = _rebuild(table, here, expected, found)
    return [rebuilt.get(each.key.table) or _fix(each, differences, expected) for each in differences]


def _needs_rebuild(each: Difference, here: Sequence[Difference]) -> bool:
    key = each.key
    if key.kind in (TABLE, INDEX, TRIGGER) or each.fault == "renamed":
        return False
    if key.kind == COLUMN and each.fault == "missing":
        return not _can_be_added(each.expected) or each.instead is not None
    # A constraint that comes with an added column needs no rebuild.
    brings = {other.key.name for other in here if other.key.kind == COLUMN and other.fault == "missing"}
    return each.expected.get("_column") not in brings


def _can_be_added(facts: Facts) -> bool:
    default = facts.get("default", "")
    text = facts.get("_text", "").upper()
    if "PRIMARY KEY" in text or "UNIQUE" in text or facts.get("generated"):
        return False
    return bool(_CONSTANT.fullmatch(default)) if facts.get("nullable") == "no" or default else True


def _fix(each: Difference, differences: Sequence[Difference], expected: Shape) -> Fix:
    key, facts = each.key, each.expected
    table = quote(key.table)
    if key.kind == TABLE:
        return Fix(tuple(_table(key.table, expected)))
    if key.kind in (INDEX, TRIGGER):
        gone = (f"DROP {key.kind.upper()} {quote(key.name)}",) if each.fault == "different" else ()
        return Fix((*gone, facts["_sql"]))
    if key.kind == COLUMN and each.fault == "renamed":
        return Fix((f"ALTER TABLE {table} RENAME COLUMN {quote(each.instead or '')} TO {quote(key.name)}",))
    if key.kind == COLUMN:
        return Fix((f"ALTER TABLE {table} ADD COLUMN {facts['_text']}",))
    [brought] = [
        other
        for other in differences
        if other.key.table == key.table and other.key.kind == COLUMN and other.key.name == facts.get("_column")
    ]
    return _fix(brought, differences, expected)


def _table(table: str, expected: Shape) -> Iterator[str]:
    """Yield the statements that create a table and everything on it."""
    whole = expected[Key(TABLE, table, "")]
    if "_sql" in whole:
        yield whole["_sql"]
        if "fts5" in whole["_sql"].lower():
            yield f"INSERT INTO {quote(table)} ({quote(table)}) VALUES ('rebuild')"
        return
    things = {key: facts for key, facts in expected.items() if key.table == table}
    yield _create(table, [*_columns(things), *_constraints(things)], whole)
    yield from (facts["_sql"] for key, facts in things.items() if key.kind in (INDEX, TRIGGER))


def _create(name: str, items: Sequence[str], whole: Facts) -> str:
    options = f" {whole['options'].upper()}" if whole.get("options") else ""
    return f"CREATE TABLE {quote(name)} (\n  " + ",\n  ".join(items) + f"\n){options}"


def _columns(things: Shape) -> list[str]:
    return [facts["_text"] for key, facts in things.items() if key.kind == COLUMN]


def _constraints(things: Shape) -> list[str]:
    kinds = (PRIMARY_KEY, UNIQUE, CHECK, FOREIGN_KEY)
    return [facts["_sql"] for key, facts in things.items() if key.kind in kinds and facts.get("_sql")]


def _rebuild(table: str, here: Sequence[Difference], expected: Shape, found: Shape) -> Fix:
    """Rebuild a table: our columns as they should be, then other owners' columns with their constraints."""
    ours = {key: facts for key, facts in expected.items() if key.table == table}
    theirs = {key: facts for key, facts in found.items() if key.table == table and key not in ours}
    renamed = {each.key.name: str(each.instead) for each in here if each.fault == "renamed"}
    extra = {
        key: facts for key, facts in theirs.items() if key.kind == COLUMN and key.name not in set(renamed.values())
    }
    items = [*_columns(ours), *(without_primary_key(facts["_text"]) for facts in extra.values()), *_constraints(ours)]
    items += _kept(theirs, {key.name for key in extra})
    their_key = found.get(Key(PRIMARY_KEY, table, ""))
    if (
        their_key is not None
        and their_key.get("_sql")
        and their_key["columns"] != ours[Key(PRIMARY_KEY, table, "")]["columns"]
    ):
        items.append(f"UNIQUE ({their_key['columns']})")
    new = f"{table}_in_shape"
    names, values, notes = _copied(table, ours, extra, renamed, here, found)
    rows = f"INSERT INTO {quote(new)} ({', '.join(map(quote, names))}) SELECT {', '.join(values)} FROM {quote(table)}"
    after = [facts["_sql"] for key, facts in ours.items() if key.kind in (INDEX, TRIGGER)]
    after += [facts["_sql"] for key, facts in theirs.items() if key.kind in (INDEX, TRIGGER)]
    return Fix(
        (
            "PRAGMA foreign_keys = OFF",
            "PRAGMA legacy_alter_table = ON",
            "BEGIN IMMEDIATE",
            _create(new, items, ours[Key(TABLE, table, "")]),
            rows,
            f"DROP TABLE {quote(table)}",
            f"ALTER TABLE {quote(new)} RENAME TO {quote(table)}",
            *after,
            "COMMIT",
            "PRAGMA legacy_alter_table = OFF",
            "PRAGMA foreign_keys = ON",
        ),
        tuple(notes),
    )


def _kept(theirs: Shape, extra: set[str]) -> Iterator[str]:
    """Yield other owners' constraints on the table and on our columns; their own columns' are already copied."""
    for key, facts in theirs.items():
        if facts.get("_sql") and key.kind in (UNIQUE, CHECK, FOREIGN_KEY):
            yield facts["_sql"]
        elif key.kind == CHECK and facts.get("_column") not in extra:
            yield facts["_check"]
        elif key.kind == UNIQUE and not {facts["columns"]} & extra:
            yield f"UNIQUE ({facts['columns']})"
        elif key.kind == FOREIGN_KEY and not {_column_of(facts)} & extra:
            yield facts["definition"]


def _column_of(facts: Facts) -> str:
    return facts["definition"].partition("(")[2].partition(")")[0]


def _copied(
    table: str,
    ours: Shape,
    extra: Shape,
    renamed: dict[str, str],
    here: Sequence[Difference],
    found: Shape,
) -> tuple[list[str], list[str], list[str]]:
    """Return the columns to copy, their values, and notes for a person."""
    guesses = {each.key.name: each.instead for each in here if each.key.kind == COLUMN and each.fault == "missing"}
    names, values, notes = [], [], []
    for key, facts in ours.items():
        if key.kind != COLUMN or facts.get("generated"):
            continue
        there = found.get(Key(COLUMN, table, renamed.get(key.name, key.name)))
        required = facts.get("nullable") == "no"
        default = facts.get("default") or fill(table, key.name, _NUMBER)
        source = quote(renamed.get(key.name, key.name))
        if there is None:
            if guesses.get(key.name):
                notes.append(
                    f"{guesses[key.name]} may be {key.name}: if so, run this before all others:"
                    f" ALTER TABLE {quote(table)} RENAME COLUMN {quote(str(guesses[key.name]))} TO {quote(key.name)};"
                    " then write this script again"
                )
            if not required or facts.get("default") or default is None:
                continue
            notes.append(note(table, key.name, guesses.get(key.name)))
            value = default
        elif (tidy := tidied(table, key.name, source, _NUMBER)) is not None:
            value = tidy
        elif required and there.get("nullable") != "no" and default is not None:
            value = f"coalesce({source}, {default})"
        else:
            value = source
        names.append(key.name)
        values.append(value)
    for key, facts in extra.items():
        if not facts.get("generated"):
            names.append(key.name)
            values.append(quote(key.name))
    return names, values, notes
