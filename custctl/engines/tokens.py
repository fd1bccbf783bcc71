"""What all engines' tokenizers share."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from custctl.support.patterns import compiled

COMMENT_EDGE = compiled(r"/\*|\*/")


class Kind(Enum):
    """The kinds of tokens; each engine's tokenizer yields some of them."""

    WORD = "word"
    """A bare word; for some engines a number too."""
    NUMBER = "number"
    STRING = "string"
    NAME = "name"
    """A quoted name."""
    GROUP = "group"
    """Parentheses with all their content."""
    OPEN = "open"
    """What opens something that is never closed."""
    MARK = "mark"
    """Any other character."""


KINDS = {kind.value: kind for kind in Kind}


class Token(NamedTuple):
    """One token of a script.

    Attributes:
        kind: its kind.
        text: the text as written, including quotes or parentheses.
        start: offset of its first character.
        end: offset after its last character.
    """

    kind: Kind
    text: str
    start: int
    end: int

    @property
    def keyword(self) -> str:
        """The word in upper case, to compare with keywords; empty if it is not a bare word."""
        return upper(self.text) if self.kind is Kind.WORD else ""


def upper(word: str) -> str:
    """Return `word` with its ASCII letters in upper case: in a keyword, a dotless i is not an I."""
    return word.upper() if word.isascii() else "".join(c.upper() if c.isascii() else c for c in word)


def comment_end(text: str, start: int) -> int:
    """Return the offset after the block comment that opens at `start`, or -1 if it is never closed; comments nest."""
    depth = 0
    for edge in COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge[0] == "/*" else -1
        if not depth:
            return edge.end()
    return -1
