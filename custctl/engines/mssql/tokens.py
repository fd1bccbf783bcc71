"""T-SQL's tokens, as far as a script must be understood: where a batch ends, and what its statements do.

Keywords fold as ASCII; names fold by Unicode, because most collations compare them
regardless of case. Every blank that Unicode knows counts as one, and every other
character from U+0080 on is part of a name. Block comments nest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from custctl.support.patterns import compiled

STRING = r"'[^']*+(?:''[^']*+)*+'"
QUOTED_NAME = r'"[^"]*+(?:""[^"]*+)*+"|\[[^\]]*+(?:\]\][^\]]*+)*+\]'
LINE_COMMENT = r"--[^\n]*+"
# Whatever is not ASCII punctuation, a control character or a blank: letters, digits, and `_`, `@`, `#`, `$`.
WORD = r"[^\x00-\x22%-/:-?\[-\^`{-\x7f\s]"
# A number ends where its digits do, though a word follows at once: `a=1WHERE b=2` is legal.
NUMBER = r"0[Xx][0-9A-Fa-f]*+|[0-9]++(?:[Ee][+-]?[0-9]++)?"

_TOKEN = compiled(
    rf"""(?:\s++|{LINE_COMMENT})*+(?:
        (?P<string>[Nn]?{STRING})
      | (?P<word>{NUMBER}|{WORD}++)
      | (?P<name>{QUOTED_NAME})
      | (?P<comment>/\*)
      | (?P<group>\()
      | (?P<open>['"\[])
      | (?P<mark>.)
      | \Z
    )""",
    re.VERBOSE | re.DOTALL,
)
_INSIDE = compiled(rf"(?:[^()'\"\[/\-]++|{STRING}|{QUOTED_NAME}|{LINE_COMMENT}|-|/(?!\*))*+")
_COMMENT_EDGE = compiled(r"/\*|\*/")
_TO_COMMENT = compiled(rf"(?:[^'\"\[/\-]++|{STRING}|{QUOTED_NAME}|{LINE_COMMENT}|-|/(?!\*))*+")


class Kind(Enum):
    """What a token is: a bare word or number, a string, a quoted name, a parenthesised group, an unclosed quote,
    any other character.
    """

    WORD = "word"
    STRING = "string"
    NAME = "name"
    GROUP = "group"
    OPEN = "open"
    MARK = "mark"


_KINDS = {kind.value: kind for kind in Kind}


class Token(NamedTuple):
    """One token of a batch.

    Attributes:
        kind: what it is.
        text: as written, quotes or parentheses included.
        start: offset of its first character.
        end: offset behind its last character.
    """

    kind: Kind
    text: str
    start: int
    end: int

    @property
    def keyword(self) -> str:
        """The word in upper case, as keywords compare; empty for whatever is not a bare word."""
        return upper(self.text) if self.kind is Kind.WORD else ""

    @property
    def identifier(self) -> str | None:
        """The name this token stands for, folded; None where it cannot be a name."""
        if self.kind is Kind.WORD:
            return self.text.casefold()
        if self.kind is not Kind.NAME:
            return None
        quote = self.text[-1]
        return self.text[1:-1].replace(quote * 2, quote).casefold()

    @property
    def value(self) -> str:
        """What a string holds; for any other token its text."""
        if self.kind is not Kind.STRING:
            return self.text
        return self.text[self.text.index("'") + 1 : -1].replace("''", "'")

    @property
    def inside(self) -> str:
        """What stands between the parentheses of a group."""
        return self.text[1:].removesuffix(")")


def upper(word: str) -> str:
    """Return `word` with its ASCII letters in upper case: a dotless i is no I in a keyword."""
    return word.upper() if word.isascii() else "".join(c.upper() if c.isascii() else c for c in word)


def comment_end(text: str, start: int) -> int:
    """Return the offset behind the block comment that opens at `start`, or -1 where it is never closed."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge[0] == "/*" else -1
        if not depth:
            return edge.end()
    return -1


def with_flat_comments(text: str) -> str:
    """Return `text` with round brackets for the marks of each comment that lies within another one.

    Microsoft's driver ends a comment at its first `*/`. It takes what follows for code: a question mark there for a
    parameter, and an apostrophe for the beginning of a string.
    """
    flat: list[str] = []
    done = position = 0
    while (match := _TO_COMMENT.match(text, position)) is not None and text.startswith("/*", match.end()):
        start, position = match.end(), comment_end(text, match.end())
        if position < 0:
            break
        inside = _COMMENT_EDGE.sub(lambda edge: "( " if edge[0] == "/*" else " )", text[start + 2 : position - 2])
        flat += (text[done : start + 2], inside)
        done = position - 2
    return "".join((*flat, text[done:]))


def tokenise(text: str, start: int = 0, end: int | None = None, *, flat: bool = False) -> Iterator[Token]:
    """Yield the tokens of `text` between two offsets, without blanks and comments.

    A parenthesised group, with all that it holds, is one token, so that what comes out is the outermost level of the
    code; with `flat` its parentheses are marks and what stands between them comes one by one. What is never closed
    ends with the text.
    """
    if end is None:
        end = len(text)
    match = _TOKEN.match(text, start, end)
    while match is not None and match.lastgroup is not None:
        group, first, position = match.lastgroup, match.start(match.lastgroup), match.end()
        if group == "comment":
            position = comment_end(text, first)
            if position < 0 or position > end:
                return
        elif group != "group":
            yield Token(_KINDS[group], match[group], first, position)
        elif flat:
            yield Token(Kind.MARK, "(", first, position)
        else:
            position = _group_end(text, first, end)
            yield Token(Kind.GROUP, text[first:position], first, position)
        match = _TOKEN.match(text, position, end)


def _group_end(text: str, start: int, end: int) -> int:
    position, depth = start, 0
    while (match := _INSIDE.match(text, position, end)) is not None and match.end() < end:
        position = match.end()
        if text[position] == "/":
            position = comment_end(text, position)
            if position < 0:
                break
            continue
        if text[position] not in "()":
            break
        depth += 1 if text[position] == "(" else -1
        position += 1
        if not depth:
            return position
    return end
