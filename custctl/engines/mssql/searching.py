"""Word search on SQL Server: patterns on the computed column `search_words`, where blanks surround each word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from custctl.engines.mssql.names import COLLATION, literal
from custctl.engines.sought import REVERSED, Hits, Need, Part, Sought, Term, whole
from custctl.support.letters import plain, spellings, typed_as_several

if TYPE_CHECKING:
    from custctl.engines.connection import Connection

_DIVIDERS: Final = "".join(char for char in map(chr, range(0x21, 0x7F)) if not char.isalnum())

_APART: Final = "\u2019\u02bc`-\u2010\u2011"
_MOST_FORMS: Final = 20  # of a word or a phone as typed
_ACUTE: Final = "\u00b4"
_SPELLED: Final = {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"}


class _Patterns:
    """The parameters of a query, in the order of their placeholders."""

    def __init__(self, connection: Connection) -> None:
        self._own = [connection.quote(field.name) for field in connection.own.fields if field.searchable]
        self.names: list[str] = []
        self.values: dict[str, Any] = {}

    def place(self, value: Any, kind: str = "") -> str:
        name = f"value_{len(self.names)}"
        self.names.append(f"{name}:{kind}" if kind else name)
        self.values[name] = value
        return "?"

    def found(self, needs: tuple[Need, ...]) -> str:
        """Return the condition that a row meets all needs."""
        return " AND ".join(map(self._meets, needs))

    def _meets(self, need: Need) -> str:
        # A statement has at most 2,100 parameters: a word with a wrong letter is sought in our fields only.
        own = self._own if len(need) <= _MOST_FORMS else []
        return _any([" AND ".join(self._has(term, own) for term in each) for each in need])

    def _has(self, term: Term, own: Sequence[str]) -> str:
        pattern = f"% {term.text}{' ' if term.whole else ''}%"
        found = [f"search_words LIKE {self.place(pattern, 'long')}"]
        if not term.text.startswith(REVERSED):
            for column in own:
                words = (self._own_words(form, term.text) for form in _forms(column, term.text))
                found += [f"{each} LIKE {self.place(pattern, 'long')}" for each in words]
        return _any(found)

    def _own_words(self, column: str, text: str) -> str:
        """Return the words of an own field between blanks; only letters that occur in `text` are folded."""
        return f"N' ' + {self._folded(column, text, _DIVIDERS)} + N' '"

    def _folded(self, column: str, text: str, dividers: str = "") -> str:
        alike = {
            char: base
            for base, chars in zip(plain(text), spellings(text), strict=True)
            for char in chars
            if char != base
        } | dict.fromkeys(dividers, " ")
        bare = f"CAST({column} AS NVARCHAR(4000)) COLLATE {COLLATION}"
        for letter, typed in typed_as_several(text):
            bare = f"{_replaced(bare, letter, typed)} COLLATE {COLLATION}"
        if not alike:
            return bare
        letters, bases = self.place("".join(alike), "long"), self.place("".join(alike.values()), "long")
        return f"TRANSLATE({bare}, {letters}, {bases}) COLLATE {COLLATION}"

    def holds(self, text: str) -> str:
        """Return a condition that matches all rows with a text in a field, and few others."""
        spread = "".join(char if char.isalnum() or char > "\x7f" else " " for char in text)
        found = [f"CHARINDEX({self.place(spread, 'long')}, search_words) > 0"]
        for column in self._own:
            # Placeholders are positional: the text comes before the letters.
            needle = self.place(text, "long")
            found.append(f"CHARINDEX({needle}, {self._folded(column, text)}) > 0")
        return _any(found)


def _any(conditions: Sequence[str]) -> str:
    """Return the condition that one of several holds.

    A single one has no parentheses: some servers parse each pair several times, and again on every connection.
    """
    return f"({' OR '.join(conditions)})" if len(conditions) > 1 else conditions[0]


def _forms(column: str, text: str) -> list[str]:
    """Return an own field as it is; joined, for a name that is written apart; and spelled without umlauts."""
    joined = f"TRANSLATE({column} COLLATE {COLLATION}, N'{_APART}', N'{_ACUTE * len(_APART)}')"
    forms = [column, _replaced(_replaced(joined, _ACUTE, ""), "'", "")]
    spelled = column
    for letter, typed in _SPELLED.items():
        if typed in text:
            spelled = _replaced(_replaced(spelled, letter, typed), letter.upper(), typed)
    return forms if spelled == column else [*forms, spelled]


def _replaced(text: str, letters: str, by: str) -> str:
    bare = text.removesuffix(f" COLLATE {COLLATION}")
    return f"REPLACE({bare} COLLATE {COLLATION}, {literal(letters)}, {literal(by)})"


def hits(connection: Connection, sought: Sought) -> Hits:
    """Return the query for one page of a word search."""
    patterns = _Patterns(connection)
    most = patterns.place(sought.limit)
    first = "" if sought.email is None else f"WHEN email = {patterns.place(sought.email, 'text')} THEN 0 "
    exact = patterns.found(whole(sought.needs))
    begins = patterns.found(sought.needs)
    email = "" if sought.email is None else f" OR email = {patterns.place(sought.email, 'text')}"
    behind = [patterns.place(value) for value in (sought.lane, sought.lane, sought.after)]
    text = (
        f"SELECT TOP (CAST({most} AS BIGINT)) lane, id FROM (SELECT CASE {first}WHEN {exact} THEN 1 ELSE 2 END AS lane, id"
        f" FROM {connection.qualified('customer')} WHERE {begins}{email}) AS found"
        f" WHERE lane > {behind[0]} OR (lane = {behind[1]} AND id > {behind[2]}) ORDER BY lane, id"
    )
    return Hits(text, tuple(patterns.names), patterns.values)


def part_hits(connection: Connection, part: Part) -> Hits:
    """Return the query for one page of candidates of a substring search; the caller checks them."""
    patterns = _Patterns(connection)
    most = patterns.place(part.limit)
    held = " OR ".join(map(patterns.holds, part.texts))
    after = patterns.place(part.after)
    text = (
        f"SELECT TOP (CAST({most} AS BIGINT)) 0 AS lane, id FROM {connection.qualified('customer')}"
        f" WHERE ({held}) AND id > {after} ORDER BY id"
    )
    return Hits(text, tuple(patterns.names), patterns.values)
