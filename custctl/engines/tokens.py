"""What all engines' tokenizers share, and the readers of their tokens."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

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

    @property
    def mark(self) -> str:
        """The character, if the token is a mark; else an empty string."""
        return self.text if self.kind is Kind.MARK else ""


T = TypeVar("T", bound=Token)


class TokenReader(Generic[T]):
    """A cursor over the tokens of one statement, or of a part of one; it reads no further than asked."""

    def __init__(self, tokens: Iterable[T]) -> None:
        self._tokens = iter(tokens)
        self._ahead: list[T] = []

    def peek(self, index: int = 0) -> T | None:
        """Return the next token, or the one `index` tokens after it, without taking it; None past the end."""
        missing = index + 1 - len(self._ahead)
        if missing > 0:
            self._ahead.extend(islice(self._tokens, missing))
        return self._ahead[index] if index < len(self._ahead) else None

    def take(self) -> T | None:
        """Take the next token, or None at the end."""
        return self._ahead.pop(0) if self._ahead else next(self._tokens, None)

    def keyword(self, index: int = 0) -> str:
        """Return a coming token as a keyword (empty if it is not a keyword) without taking it."""
        token = self.peek(index)
        return token.keyword if token else ""

    def accept(self, *words: str) -> str:
        """Take and return the next token if it is one of these keywords or marks; else return an empty string."""
        token = self.peek()
        found = (token.keyword or token.mark) if token else ""
        if found not in words:
            return ""
        self.take()
        return found


class FlatReader(TokenReader[T]):
    """A reader of tokens among which parentheses are marks."""

    def group(self) -> list[T] | None:
        """Take a group in parentheses or brackets and return its contents; None if none starts here."""
        if not self.accept("(", "["):
            return None
        inside: list[T] = []
        depth = 1
        while (token := self.take()) is not None:
            depth += (token.mark in ("(", "[")) - (token.mark in (")", "]"))
            if not depth:
                break
            inside.append(token)
        return inside

    def top_level(self) -> T | None:
        """Take the next token outside all parentheses, or None at the end."""
        while self.group() is not None:
            pass
        return self.take()


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
