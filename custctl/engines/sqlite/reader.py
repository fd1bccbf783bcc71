"""Reads one statement token by token, with as much grammar as a linter needs."""

from __future__ import annotations

from typing import NamedTuple

from custctl.engines.sqlite.tokens import Token, tokenise
from custctl.engines.tokens import FlatReader

_NOT_CONSTANT = frozenset({"CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP"})


class Name(NamedTuple):
    """The name of a table, an index or the like.

    Attributes:
        schema: the schema before it, folded, or None.
        folded: the name, as SQLite compares it.
        shown: the name, as the script spells it.
    """

    schema: str | None
    folded: str
    shown: str


class Reader(FlatReader[Token]):
    """A cursor over the tokens of one statement."""

    def __init__(self, text: str) -> None:
        super().__init__(tokenise(text))

    def name(self) -> Name | None:
        """Take a name, with its schema if given; None if there is no name here."""
        first = self._part()
        if first is None or not self.accept("."):
            return first
        second = self._part()
        return None if second is None else Name(first.folded, second.folded, f"{first.shown}.{second.shown}")

    def has_where(self) -> bool:
        """Take the rest, and tell whether it has a WHERE that is not a subquery's."""
        while (token := self.top_level()) is not None:
            if token.keyword == "WHERE":
                return True
        return False

    def _part(self) -> Name | None:
        token = self.take()
        folded = token.identifier if token else None
        return None if token is None or folded is None else Name(None, folded, token.text)


class ColumnDefinition:
    """What ALTER TABLE … ADD COLUMN says after the column's name.

    Attributes:
        refused: what SQLite refuses about it, or an empty string.
        not_null_without_default: whether existing rows would have no value for a NOT NULL column.
    """

    def __init__(self, reader: Reader) -> None:
        self.refused = ""
        not_null = has_default = generated = False
        while (token := reader.top_level()) is not None:
            word = token.keyword
            if word == "DEFAULT":
                value = _default(reader)
                has_default = [part.keyword for part in value] != ["NULL"]
                if not _is_constant(value):
                    self.refused = "one with a computed default"
            elif word == "NOT" and reader.accept("NULL"):
                not_null = True
            elif word == "UNIQUE":
                self.refused = "a unique one"
            elif word == "PRIMARY":
                self.refused = "a primary key"
            elif word == "AS":
                generated = True
            elif word == "STORED" and generated:
                self.refused = "a stored one"
        self.not_null_without_default = not_null and not has_default and not generated


def _default(reader: Reader) -> list[Token]:
    """Take the value after DEFAULT: the contents of parentheses, or a literal with its sign."""
    group = reader.group()
    if group is not None:
        return group
    value: list[Token] = []
    while (token := reader.take()) is not None:
        value.append(token)
        if token.text not in ("+", "-"):
            break
    return value


def _is_constant(value: list[Token]) -> bool:
    """Whether SQLite can give the default to existing rows: a literal, signed or not, or a CAST."""
    while value and value[0].text in ("+", "-"):
        value = value[1:]
    if not value:
        return False
    first = value[0].keyword
    # 1.5, .5 and x'00' are several tokens each.
    number = all(token.text == "." or token.text[0].isdigit() for token in value)
    blob = first == "X" and len(value) == 2
    return first == "CAST" or number or blob or (len(value) == 1 and first not in _NOT_CONSTANT)
