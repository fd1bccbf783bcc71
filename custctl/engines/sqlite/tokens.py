"""SQLite's tokens, in enough detail to split a script and to see what a statement does.

The lexical rules are those of SQLite's own `tokenize.c` and `complete.c`. Only
ASCII counts: keywords fold as ASCII, blanks are five ASCII characters, and every
character from U+0080 on is part of a name, even a no-break space.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from custctl.engines import tokens
from custctl.engines.tokens import KINDS, Kind, upper
from custctl.support.patterns import compiled

BLANKS = " \t\n\f\r"
BLANK = r"[ \t\n\f\r]"
# A block comment ends at the first `*/`: SQLite's do not nest. An unclosed one runs to the end.
COMMENT = r"(?:--[^\n]*+|/\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/)?)"
STRING = r"'[^']*+'"
# A doubled quote inside needs no rule when only the extent matters: it reads as two adjacent names.
QUOTED_NAME = r'"[^"]*+"|`[^`]*+`|\[[^\]]*+\]'
# All but ASCII marks and blanks. Python takes 2 ms to compile a class that names the characters up to U+10FFFF instead.
WORD = r"[^\x00-#%-/:-@\[-^`\x7b-\x7f]"

_FIRST_WORD = compiled(rf"(?:{BLANK}++|{COMMENT})*+({WORD}++)")
_TOKEN = compiled(
    rf"""(?:{BLANK}++|{COMMENT})*+(?:
        (?P<word>{WORD}++)
      | (?P<string>'[^']*+(?:''[^']*+)*+')
      | (?P<name>"[^"]*+(?:""[^"]*+)*+"|`[^`]*+(?:``[^`]*+)*+`|\[[^\]]*+\])
      | (?P<open>['"`\[])
      | (?P<mark>.)
      | \Z
    )""",
    re.VERBOSE,
)


class Token(tokens.Token):
    """One token of a script."""

    __slots__ = ()

    @property
    def identifier(self) -> str | None:
        """The name that the token denotes, folded as SQLite compares names; None if it cannot be a name.

        A string counts: SQLite accepts `DROP TABLE 'customer'`.
        """
        if self.kind is Kind.WORD:
            return upper(self.text)
        if self.kind not in (Kind.NAME, Kind.STRING):
            return None
        quote = self.text[-1]
        inner = self.text[1:-1]
        return upper(inner if quote == "]" else inner.replace(quote * 2, quote))


def first_word(text: str) -> str:
    """Return the first word of a statement in upper case; empty if it does not start with a word."""
    match = _FIRST_WORD.match(text)
    return upper(match[1]) if match else ""


def tokenise(text: str, start: int = 0) -> Iterator[Token]:
    """Yield the tokens of `text` from the offset `start` on, without blanks and comments.

    An unclosed quote gives one token of kind `OPEN`; the text after it is read as if it were not there.
    """
    match = _TOKEN.match(text, start)
    while match is not None and match.lastgroup is not None:
        group = match.lastgroup
        yield Token(KINDS[group], match[group], match.start(group), match.end())
        match = _TOKEN.match(text, match.end())
