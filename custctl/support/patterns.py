"""Regular expressions with possessive quantifiers that match the same in every Python version."""

from __future__ import annotations

import re
import sys

_IS_RIGHT = sys.version_info >= (3, 11, 5)
_CLASS = re.compile(r"\[\^?\]?(?:[^\]\\]|\\.)*\]", re.DOTALL)
_POSSESSIVE = re.compile(r"([*+?]|\{[0-9,]+\})\+")


def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Compile a pattern in which groups may be repeated possessively: `(…)*+`, `(…)++`, `(…)?+`.

    Python 3.11.0 to 3.11.4 (3.11.2 is in Debian 12) has a bug if a repetition fails half-way. There the pattern uses an
    atomic group instead, which takes more memory.

    Source: https://github.com/python/cpython/issues/106052, https://github.com/python/cpython/issues/100061
    """
    return re.compile(pattern if _IS_RIGHT else atomic(pattern), flags)


def atomic(pattern: str) -> str:
    """Return a pattern with `(?>(…)*)` for every `(…)*+`; repeated single characters and classes stay unchanged."""
    parts: list[str] = []
    opened: list[int] = []
    at = 0
    while at < len(pattern):
        if pattern[at] == "\\":
            part = pattern[at : at + 2]
        elif pattern[at] == "[":
            found = _CLASS.match(pattern, at)
            part = found[0] if found else pattern[at]
        else:
            part = pattern[at]
        at += len(part)
        if part == "(":
            opened.append(len(parts))
        parts.append(part)
        repeated = _POSSESSIVE.match(pattern, at) if part == ")" else None
        begin = opened.pop() if part == ")" else 0
        if repeated:
            parts[begin:] = ["(?>", *parts[begin:], repeated[1], ")"]
            at = repeated.end()
    return "".join(parts)
