"""A tokenizer for T-SQL, detailed enough to find where a batch ends and what its statements do.

Keywords fold as ASCII. Names fold by Unicode, because most collations ignore case. Every Unicode blank counts as a
blank, and every other character from U+0080 on is part of a name. Block comments nest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from custctl.engines import tokens
from custctl.engines.tokens import COMMENT_EDGE, KINDS, Kind, comment_end
from custctl.support.patterns import compiled

STRING = r"'[^']*+(?:''[^']*+)*+'"
QUOTED_NAME = r'"[^"]*+(?:""[^"]*+)*+"|\[[^\]]*+(?:\]\][^\]]*+)*+\]'
LINE_COMMENT = r"--[^\n]*+"
# Anything but ASCII punctuation, control characters and blanks: letters, digits, and `_`, `@`, `#`, `$`.
WORD = r"[^\x00-\x22%-/:-?\[-\^`{-\x7f\s]"
# A number ends after its digits, even if a word follows directly: `a=1WHERE b=2` is legal.
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
_TO_COMMENT = compiled(rf"(?:[^'\"\[/\-]++|{STRING}|{QUOTED_NAME}|{LINE_COMMENT}|-|/(?!\*))*+")


class Token(tokens.Token):
    """One token of a batch."""

    __slots__ = ()

    @property
    def identifier(self) -> str | None:
        """The name that this token is, folded; None if it cannot be a name."""
        if self.kind is Kind.WORD:
            return self.text.casefold()
        if self.kind is not Kind.NAME:
            return None
        quote = self.text[-1]
        return self.text[1:-1].replace(quote * 2, quote).casefold()

    @property
    def value(self) -> str:
        """The content of a string; for any other token its text."""
        if self.kind is not Kind.STRING:
            return self.text
        return self.text[self.text.index("'") + 1 : -1].replace("''", "'")

    @property
    def inside(self) -> str:
        """The text between the parentheses of a group."""
        return self.text[1:].removesuffix(")")


def with_flat_comments(text: str) -> str:
    """Return `text` with parentheses instead of the marks of nested comments.

    Microsoft's driver ends a comment at its first `*/` and treats what follows as code: a question mark there as a
    parameter, and an apostrophe as the start of a string.
    """
    flat: list[str] = []
    done = position = 0
    while (match := _TO_COMMENT.match(text, position)) is not None and text.startswith("/*", match.end()):
        start, position = match.end(), comment_end(text, match.end())
        if position < 0:
            break
        inside = COMMENT_EDGE.sub(lambda edge: "( " if edge[0] == "/*" else " )", text[start + 2 : position - 2])
        flat += (text[done : start + 2], inside)
        done = position - 2
    return "".join((*flat, text[done:]))


def tokenise(text: str, start: int = 0, end: int | None = None, *, flat: bool = False) -> Iterator[Token]:
    """Yield the tokens of `text` between two offsets, without blanks and comments.

    A parenthesised group with all its content is one token, so the result is the outermost level of the code. With
    `flat`, parentheses are marks, and their content is yielded token by token. A group or comment that is never closed
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
            yield Token(KINDS[group], match[group], first, position)
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
