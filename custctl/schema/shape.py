"""The shape of a database: its tables, columns, constraints, indexes, triggers and functions, as plain values.

Everything here is pure: it compares what an engine has read with what scripts make.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

TABLE, COLUMN, PRIMARY_KEY, UNIQUE = "table", "column", "primary key", "unique constraint"
CHECK, FOREIGN_KEY, INDEX, TRIGGER, FUNCTION = "check", "foreign key", "index", "trigger", "function"
KINDS = (TABLE, FUNCTION, COLUMN, PRIMARY_KEY, UNIQUE, CHECK, FOREIGN_KEY, INDEX, TRIGGER)
"""In the order in which they can be created."""

UNKNOWN = "?"
"""Stands for a fact that the login may not see."""

_ANY_NAME = (UNIQUE, CHECK, FOREIGN_KEY, INDEX)
_BODY = "body"
_SPELT = ("definition", "default")
_CAST = r"::(?:character varying|double precision|[a-z]\w*)(?:\(\d+\))?(?:\[\])?"


class Key(NamedTuple):
    """Identifies a thing in a database; for a function the table is empty, and for a table the name."""

    kind: str
    table: str
    name: str


Facts = Mapping[str, str]
"""What is known about a thing. A fact whose name begins with `_` serves to recreate it, and is never compared."""
_NO_FACTS: Facts = {}

Shape = Mapping[Key, Facts]


class Delta(NamedTuple):
    """The changes that a script makes to a shape.

    Attributes:
        made: new things with all their facts, and changed ones with the changed facts.
        removed: removed things.
    """

    made: Mapping[Key, Facts] = {}
    removed: frozenset[Key] = frozenset()

    @classmethod
    def between(cls, before: Shape, after: Shape) -> Delta:
        """Return the changes from one shape to another."""
        made: dict[Key, Facts] = {}
        for key, facts in after.items():
            was = before.get(key)
            if was is None:
                made[key] = facts
            elif was != facts:
                names = [name for name in {**was, **facts} if was.get(name) != facts.get(name)]
                made[key] = {name: facts.get(name, "") for name in names}
        return cls(made, frozenset(before.keys() - after.keys()))

    def on(self, shape: Shape) -> dict[Key, Facts]:
        """Return a shape with these changes applied."""
        found = {key: facts for key, facts in shape.items() if key not in self.removed}
        for key, facts in self.made.items():
            found[key] = {**found.get(key, {}), **facts}
        return found

    def then(self, later: Delta) -> Delta:
        """Return these changes and later ones combined."""
        return Delta(later.on(self.made), (self.removed - later.made.keys()) | later.removed)

    def without(self, keys: Iterable[Key]) -> Delta:
        """Return the changes without those to some things."""
        gone = set(keys)
        made = {key: facts for key, facts in self.made.items() if key not in gone}
        return Delta(made, self.removed - gone)

    def as_document(self) -> dict[str, Any]:
        """Return the delta as JSON values."""
        made = [[*key, dict(facts)] for key, facts in sorted(self.made.items())]
        return {"made": made, "removed": [list(key) for key in sorted(self.removed)]}

    @classmethod
    def of_document(cls, held: Mapping[str, Any]) -> Delta:
        """Parse the result of `as_document`.

        Raises:
            KeyError, ValueError, TypeError: it is something else.
        """
        made = {Key(kind, table, name): facts for kind, table, name, facts in held["made"]}
        return cls(made, frozenset(Key(*key) for key in held["removed"]))


class Difference(NamedTuple):
    """A difference from what the scripts make.

    Attributes:
        fault: missing, different, or renamed.
        expected: the facts that the thing should have.
        found: its actual facts; empty if it is missing.
        facts: the names of the facts that differ.
        instead: the column that the missing one was renamed to, or may have been; None if there is no such column.
    """

    key: Key
    fault: str
    expected: Facts
    found: Facts = _NO_FACTS
    facts: tuple[str, ...] = ()
    instead: str | None = None

    @property
    def thing(self) -> str:
        """The thing, in words."""
        return in_words(self.key, self.expected)

    @property
    def sentence(self) -> str:
        """What is wrong, in words."""
        if self.fault == "renamed":
            return f"{self.thing} is named `{self.instead}` here"
        if self.fault == "missing":
            guess = f"; `{self.instead}` may be it" if self.instead else ""
            return f"{self.thing} is missing{guess}"
        return f"{self.thing}: " + "; ".join(self._fact(name) for name in self.facts)

    def _fact(self, name: str) -> str:
        if name == _BODY:
            return "its body is another one"
        return f"{name} is {_shown(self.found.get(name, ''))}, expected {_shown(self.expected[name])}"


def as_ours(name: str, known: Collection[str]) -> str:
    """Return a name of an engine that ignores the case of names: as our scripts spell it, if it is among `known`."""
    folded = name.lower() if name.isascii() else name
    return folded if folded in known else name


def served(shape: Shape, table: str) -> set[str]:
    """Return a table's columns that an index or a key begins with: it can serve a condition on one of them."""
    found = set()
    for key, facts in shape.items():
        if key.table == table and key.kind in (INDEX, PRIMARY_KEY, UNIQUE):
            columns = facts.get("columns") or facts.get("definition", "").partition("(")[2]
            first = re.match(r"""\s*(?:["`\[](.+?)["`\]]|(\w+))""", columns)
            found |= {first[1] or first[2]} if first is not None else set()
    return found


def in_words(key: Key, facts: Facts) -> str:
    """Return the name of a thing for a message."""
    if key.kind == TABLE:
        return f"table `{key.table}`"
    if key.kind == COLUMN:
        return f"column `{key.table}.{key.name}`"
    if key.kind == PRIMARY_KEY:
        return f"the primary key ({facts.get('columns', '')}) of `{key.table}`"
    on = f" on `{key.table}`" if key.table else ""
    return f"{key.kind} `{key.name}`{on}"


def compare(expected: Shape, found: Shape) -> list[Difference]:
    """Return what is missing or different; extra things are ignored.

    A constraint or an index with another name counts if it does the same, and a unique constraint or index counts as
    the primary key that another owner's table cannot have twice.
    """
    differences = list(_raw(expected, found))
    renamed: dict[tuple[str, str], str] = {}
    for each in differences:
        if each.fault == "missing" and each.key.kind == COLUMN and each.instead and _proved(each, differences):
            renamed[each.key.table, each.instead] = each.key.name
    told = []
    for each in differences:
        if each.key.kind == COLUMN and each.instead and renamed.get((each.key.table, each.instead)) == each.key.name:
            told.append(Difference(each.key, "renamed", each.expected, instead=each.instead))
        elif not _follows(each, renamed):
            told.append(each)
    bodies = {_called(each): each.expected.get("_sql", "") for each in told if each.key.kind == FUNCTION}
    return sorted(told, key=lambda each: (*_order(each), _depth(_called(each), bodies)))


def _called(each: Difference) -> str:
    """Return the name by which a function is called."""
    return each.key.name.partition("(")[0]


def _depth(function: str, bodies: Mapping[str, str], callers: frozenset[str] = frozenset()) -> int:
    """Return how many functions must be made before this one, along the longest chain of calls."""
    inside = callers | {function}
    calls = [name for name in bodies if name not in inside and re.search(rf"\b{name}\b", bodies.get(function, ""))]
    return max((_depth(name, bodies, inside) + 1 for name in calls), default=0)


def _order(each: Difference) -> tuple[bool, bool, str, int]:
    """Return a sort key by which each difference can be fixed after those before it."""
    whole = each.key.kind == TABLE
    return each.key.kind == FOREIGN_KEY, whole, each.key.table, KINDS.index(each.key.kind)


def _raw(expected: Shape, found: Shape) -> Iterator[Difference]:
    missing = {key.table for key in expected if key.kind == TABLE and key not in found}
    for key, facts in expected.items():
        if key.table in missing:
            if key.kind == TABLE:
                yield Difference(key, "missing", facts)
            continue
        there = found.get(key)
        if there is None:
            if not any(_differing(facts, other) == () for other in _stand_ins(key, facts, found, expected)):
                yield Difference(key, "missing", facts, instead=_lookalike(key, facts, found, expected))
            continue
        differing = _differing(facts, there)
        if differing and not any(_differing(facts, other) == () for other in _stand_ins(key, facts, found, expected)):
            yield Difference(key, "different", facts, there, differing)


def _differing(expected: Facts, found: Facts) -> tuple[str, ...]:
    return tuple(
        name
        for name, wanted in expected.items()
        if wanted and not name.startswith("_") and not _same(name, wanted, found.get(name, ""))
    )


def _same(fact: str, wanted: str, found: str) -> bool:
    """Return whether two values mean the same; casts are ignored, because only the column reports a different type."""
    return found in (wanted, UNKNOWN) or (fact in _SPELT and re.sub(_CAST, "", found) == re.sub(_CAST, "", wanted))


def _stand_ins(key: Key, facts: Facts, found: Shape, expected: Shape) -> Iterator[Facts]:
    """Yield the facts of things that may do a thing's work under another name."""
    for other, there in found.items():
        if other.table != key.table or other in expected:
            continue
        if (
            (key.kind in _ANY_NAME and other.kind == key.kind and key.kind != CHECK)
            or (key.kind == CHECK and other.kind == CHECK and "definition" in facts)
            or (key.kind == PRIMARY_KEY and other.kind == UNIQUE and "autoincrement" not in facts)
        ):
            yield there


def _lookalike(key: Key, facts: Facts, found: Shape, expected: Shape) -> str | None:
    """Return the only column that may be a missing one: it has the same facts, or a similar name."""
    if key.kind != COLUMN:
        return None
    others = {
        other.name: there
        for other, there in found.items()
        if other.kind == COLUMN and other.table == key.table and other not in expected
    }
    plain = _plain(key.name)
    named = [name for name in others if _plain(name) == plain or (len(plain) > 1 and _plain(name).endswith(plain))]
    if len(named) == 1:
        return named[0]
    same = [name for name, there in others.items() if not _differing(facts, there)]
    return same[0] if len(same) == 1 and len(others) == 1 else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _proved(lost: Difference, differences: Iterable[Difference]) -> bool:
    """Return whether a thing of ours names the other column where it should name the missing one."""
    names = {(lost.key.table, str(lost.instead)): lost.key.name}
    return any(_is_ours(each) and _follows(each, names) for each in differences)


def _is_ours(each: Difference) -> bool:
    """Return whether a thing is the one that our script has made, and not a replacement."""
    return each.key.kind != PRIMARY_KEY or each.found.get("_name") == each.expected.get("_name", UNKNOWN)


def _follows(each: Difference, renamed: Mapping[tuple[str, str], str]) -> bool:
    """Return whether a difference exists only because columns were renamed."""
    if each.fault != "different" or each.key.kind == COLUMN:
        return False
    for fact in each.facts:
        text = each.found.get(fact, "")
        for (table, now), name in renamed.items():
            if table == each.key.table:
                text = re.sub(rf"(?<!\w){re.escape(now)}(?!\w)", name, text, flags=re.IGNORECASE)
        if text != each.expected[fact]:
            return False
    return True


def _shown(value: str) -> str:
    return f"`{value}`" if value else "not there"
