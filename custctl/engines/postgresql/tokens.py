"""PostgreSQL's tokens, in enough detail to split a script and to see what a statement does.

The lexical rules are those of the server's own `scan.l`, with
`standard_conforming_strings` on, the default: a backslash escapes only in
`E'…'`. Block comments nest, `$tag$…$tag$` quotes, and every character from
U+0080 on is part of a name, even a no-break space.

Source: `src/backend/parser/scan.l` and `src/fe_utils/psqlscan.l`, PostgreSQL 18.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from custctl.engines import tokens
from custctl.engines.tokens import KINDS, Kind, comment_end, upper
from custctl.support.patterns import compiled

BLANKS = " \t\n\r\f\v"
BLANK = r"[ \t\n\r\f\v]"
LINE_COMMENT = r"--[^\n\r]*+"
# A block comment without another inside, by far the most common kind; `comment_end` reads nested ones.
FLAT_COMMENT = r"/\*[^*/]*+(?:(?:\*(?!/)|/(?!\*))[^*/]*+)*+\*/"
# All but ASCII marks, blanks and, at the start, digits. Python takes 2 ms to compile a class that names the characters up to
# U+10FFFF instead.
WORD_START = r"[^\x00-@\[-^`\x7b-\x7f]"
WORD_REST = r"[^\x00-#%-/:-@\[-^`\x7b-\x7f]"
STRING = r"'[^']*+'"
# A doubled quote inside needs no rule when only the extent matters: it reads as two adjacent names.
QUOTED_NAME = r'"[^"]*+"'
# Strings with only a line break between them are one string, and backslash escapes continue in the later parts.
_NEXT_PART = rf"(?:[ \t\f\v]++|{LINE_COMMENT})*+[\n\r](?:{BLANK}++|{LINE_COMMENT}[\n\r])*+'"
_ESCAPED_PART = r"[^'\\]*+(?:(?:\\[\s\S]|'')[^'\\]*+)*+'"
ESCAPED_STRING = rf"[Ee]'{_ESCAPED_PART}(?:{_NEXT_PART}{_ESCAPED_PART})*+(?!{_NEXT_PART})"
# An `E` directly before a quote belongs to the string, even if the string is never closed.
WORD = rf"(?![Ee]'){WORD_START}{WORD_REST}*+"
# The tag is a name without `$`. A name may contain `$`, so `a$b$` opens nothing; `$1` is a parameter.
TAG = rf"(?:{WORD_START}[^\x00-/:-@\[-^`\x7b-\x7f]*+)?\$"
DOLLAR = rf"\${TAG}"

NAME_BYTES = 63
"""The length to which PostgreSQL cuts a name, in bytes (NAMEDATALEN - 1)."""

_FIRST_WORD = compiled(WORD)
_TOKEN = compiled(
    rf"""(?:{BLANK}++|{LINE_COMMENT}|{FLAT_COMMENT})*+(?:
        (?P<name>(?:[Uu]&)?"[^"]*+(?:""[^"]*+)*+")
      | (?P<string>{ESCAPED_STRING}|'[^']*+(?:''[^']*+)*+')
      | (?P<word>{WORD})
      | (?P<number>[0-9]++)
      | (?P<dollar>{DOLLAR})
      | (?P<comment>/\*)
      | (?P<open>['"]|[Ee]')
      | (?P<mark>.)
      | \Z
    )""",
    re.VERBOSE,
)
_UESCAPE = compiled(rf"(?:{BLANK}++|{LINE_COMMENT}|{FLAT_COMMENT})*+UESCAPE{BLANK}*+'(.)'", re.IGNORECASE)
_HEX = "[0-9A-Fa-f]"


class Token(tokens.Token):
    """One token of a script."""

    __slots__ = ()

    @property
    def identifier(self) -> str | None:
        """The name that the token denotes, as PostgreSQL stores it; None if it cannot be a name."""
        if self.kind is Kind.WORD:
            return _cut(lower(self.text))
        return _cut(_unquote(self.text)) if self.kind is Kind.NAME else None


def lower(word: str) -> str:
    """Return `word` with its ASCII letters in lower case, as a database in UTF-8 folds names."""
    return word.lower() if word.isascii() else "".join(c.lower() if c.isascii() else c for c in word)


def first_word(text: str) -> str:
    """Return the first word of a statement in upper case; empty if it does not start with a word."""
    match = _FIRST_WORD.match(text)
    if match is not None:
        return upper(match[0])
    token = next(tokenise(text), None)
    return token.keyword if token else ""


def dollar_end(text: str, start: int, opening: str) -> int:
    """Return the offset after the string that `opening` opens at `start`, or -1 if it is never closed."""
    close = text.find(opening, start + len(opening))
    return close if close < 0 else close + len(opening)


def tokenise(text: str, start: int = 0) -> Iterator[Token]:
    """Yield the tokens of `text` from the offset `start` on, without blanks and comments.

    Something that is never closed gives one token of kind `OPEN`; the text after it is read as if it were not there.
    """
    position = start
    while (match := _TOKEN.match(text, position)) is not None and match.lastgroup is not None:
        group, begin, position = match.lastgroup, match.start(match.lastgroup), match.end()
        kind = KINDS.get(group)
        if group == "comment":
            end = comment_end(text, begin)
            if end >= 0:
                position = end
                continue
        elif group == "dollar":
            end = dollar_end(text, begin, match[group])
            if end >= 0:
                kind, position = Kind.STRING, end
        elif group == "name" and text[begin] != '"' and (escape := _UESCAPE.match(text, position)):
            position = escape.end()
        yield Token(kind or Kind.OPEN, text[begin:position], begin, position)


def _unquote(text: str) -> str:
    r"""Return the name that a quoted name denotes: `"a""b"`, `U&"d\0061t"`, `U&"d!0061t" UESCAPE '!'`."""
    opening, closing = text.index('"'), text.rindex('"')
    inner = text[opening + 1 : closing].replace('""', '"')
    if not opening:
        return inner
    escape = re.escape(text[-2] if closing < len(text) - 1 else "\\")
    pattern = rf"{escape}(?:({escape})|({_HEX}{{4}})|\+({_HEX}{{6}}))"
    unescaped = re.sub(pattern, lambda found: found[1] or _character(found[2] or found[3]), inner)
    # A character above U+FFFF may be written as two surrogates.
    return unescaped.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _character(digits: str) -> str:
    code = int(digits, 16)
    # PostgreSQL refuses code points beyond Unicode; here they only must not crash.
    return chr(code) if code <= 0x10FFFF else "\ufffd"


def _cut(name: str) -> str:
    if len(name) * 4 <= NAME_BYTES:
        return name
    return name.encode("utf-8", "surrogatepass")[:NAME_BYTES].decode("utf-8", "ignore")
