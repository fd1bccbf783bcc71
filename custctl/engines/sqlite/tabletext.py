"""Parses what only the text of a CREATE TABLE shows, not a pragma: checks, collations, and how to rewrite the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from custctl.engines.sqlite.tokens import Token, tokenise
from custctl.engines.tokens import Kind

_PARTS = ("PRIMARY", "NOT", "NULL", "UNIQUE", "CHECK", "DEFAULT", "COLLATE", "REFERENCES", "FOREIGN", "GENERATED", "AS")
# After one of these words, a word of `_PARTS` continues the clause: `ON DELETE SET NULL`, `NOT NULL`, `GENERATED … AS`.
_CONTINUE = {"NULL": ("NOT", "SET"), "DEFAULT": ("SET",), "AS": ("ALWAYS",)}


class Part(NamedTuple):
    """A constraint, or another clause of a column.

    Attributes:
        kind: its first word in upper case: PRIMARY, CHECK, COLLATE and the like.
        name: the name after CONSTRAINT; None if it has no name.
        text: its text, without the name.
    """

    kind: str
    name: str | None
    text: str

    @property
    def whole(self) -> str:
        """The text with the name."""
        return self.text if self.name is None else f'CONSTRAINT "{self.name}" {self.text}'

    @property
    def columns(self) -> str:
        """The columns of a key, normalised by `spelt`."""
        return spelt(self.text.partition("(")[2].partition(")")[0])

    @property
    def inner(self) -> str:
        """The condition of a check, normalised by `spelt`."""
        return spelt(self.text.partition("(")[2].rpartition(")")[0])


class ColumnText(NamedTuple):
    """A column: its name, its type as written, its clauses and its whole text."""

    name: str
    type: str
    parts: tuple[Part, ...]
    text: str


class TableText(NamedTuple):
    """A table: its columns, its own constraints, and the text after the last parenthesis."""

    columns: tuple[ColumnText, ...]
    parts: tuple[Part, ...]
    options: str

    @classmethod
    @lru_cache(maxsize=1024)  # a migration reads the shape several times
    def of(cls, sql: str) -> TableText | None:
        """Parse a statement; None if it has no column list."""
        tokens = list(tokenise(sql))
        opening = next((n for n, token in enumerate(tokens) if token.text == "("), None)
        if opening is None:
            return None
        items, end = _items(tokens, opening + 1)
        columns: list[ColumnText] = []
        parts: list[Part] = []
        for item in items:
            text = sql[item[0].start : item[-1].end]
            if item[0].keyword in ("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"):
                parts += _parts(item, sql)
            else:
                start = next((n for n in range(1, len(item)) if item[n].keyword in ("CONSTRAINT", *_PARTS)), len(item))
                kind = sql[item[1].start : item[start - 1].end] if start > 1 else ""
                columns.append(ColumnText(name_of(item[0]), kind, tuple(_parts(item[start:], sql)), text))
        behind = sql[tokens[end + 1].start : tokens[-1].end] if end + 1 < len(tokens) else ""
        return cls(tuple(columns), tuple(parts), spelt(behind))


def name_of(token: Token) -> str:
    """Return the name that a token denotes, with its case kept."""
    if token.kind not in (Kind.NAME, Kind.STRING):
        return token.text
    quote = token.text[-1]
    inner = token.text[1:-1]
    return inner if quote == "]" else inner.replace(quote * 2, quote)


@lru_cache(maxsize=4096)
def spelt(text: str) -> str:
    """Normalise a piece of SQL: blanks only where words would run together, and no unnecessary quotes."""
    written, before = "", False
    for token in tokenise(text):
        word = token.kind is not Kind.MARK
        written += " " if word and before else ""
        written += token.text if token.kind is Kind.STRING else name_of(token).lower()
        written += " " if token.text == "," else ""
        before = word
    return written


def _items(tokens: Sequence[Token], start: int) -> tuple[list[list[Token]], int]:
    """Return the comma-separated items up to the closing parenthesis, and the index of that parenthesis."""
    items: list[list[Token]] = [[]]
    depth = 0
    for number in range(start, len(tokens)):
        text = tokens[number].text
        if depth == 0 and text == ")":
            return [item for item in items if item], number
        if depth == 0 and text == ",":
            items.append([])
            continue
        depth += (text == "(") - (text == ")")
        items[-1].append(tokens[number])
    return [item for item in items if item], len(tokens) - 1


def _parts(tokens: Sequence[Token], sql: str) -> Iterator[Part]:
    depth, begun, name = 0, -1, None
    named_at = -1
    last = ""
    words = [token.keyword for token in tokens]
    foreign = "FOREIGN" in words
    for number, (token, word) in enumerate(zip(tokens, words, strict=True)):
        starts = depth == 0 and (word in _PARTS or word == "CONSTRAINT") and last not in _CONTINUE.get(word, ())
        # `NOT DEFERRABLE` and the table's `FOREIGN KEY … REFERENCES` are one clause.
        if (word == "NOT" and words[number + 1 : number + 2] == ["DEFERRABLE"]) or (word == "REFERENCES" and foreign):
            starts = False
        if starts:
            if begun >= 0:
                yield _part(tokens[begun:number], sql, name)
                begun, name = -1, None
            if word == "CONSTRAINT":
                named_at = number + 1
            else:
                begun = number
        elif number == named_at:
            name = name_of(token)
        depth += (token.text == "(") - (token.text == ")")
        last = word
    if begun >= 0:
        yield _part(tokens[begun:], sql, name)


def _part(tokens: Sequence[Token], sql: str, name: str | None) -> Part:
    # A CONSTRAINT before the next clause belongs to that clause.
    return Part(tokens[0].keyword, name, sql[tokens[0].start : tokens[-1].end])


def without_primary_key(text: str) -> str:
    """Return a column's text with its primary key replaced by a unique constraint."""
    tokens = list(tokenise(text))
    for number, token in enumerate(tokens):
        if token.keyword != "PRIMARY" or tokens[number + 1].keyword != "KEY":
            continue
        end = number + 2
        while end < len(tokens) and tokens[end].keyword in ("ASC", "DESC", "AUTOINCREMENT"):
            end += 1
        return f"{text[: token.start]}UNIQUE{text[tokens[end - 1].end :]}"
    return text
