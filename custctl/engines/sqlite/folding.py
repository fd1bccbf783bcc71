"""Case-insensitive search on SQLite, whose own folding stops at ASCII.

A NOCASE index folds ASCII. For other letters the prefix is spelled out in both
cases, one range each, and the candidates are checked by a function that knows
Unicode. Trigrams are folded by FTS5 itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

_SPELLED_LETTERS = 3  # at most 2 ** 3 ranges
_MAX_TRIGRAMS = 16  # more would only cost time: the candidates are checked anyway
# Letters that fold to one which has another upper case, or none.
_FURTHER_CASES = {"\u03c3": "\u03c2", "ß": "ẞ", "θ": "ϴ"}
_END = "\U0010ffff"


def fold(text: str) -> str:
    """Return the form in which two texts are compared without case; accents count."""
    if text.isascii():
        return text.lower()
    # Letter by letter, as the index of trigrams does: `lower()` looks at what stands around a sigma, and makes two
    # characters of İ.
    return "İ".join([part.lower() for part in text.replace("\u03a3", "\u03c3").replace("\u03c2", "\u03c3").split("İ")])


def starts_with(needle: str, value: object) -> int:
    """Tell whether a value begins with a folded needle; registered as an SQL function."""
    return int(isinstance(value, str) and fold(value).startswith(needle))


def prefix_ranges(text: str) -> list[tuple[str, str]]:
    """Return the half-open ranges of a NOCASE index in which all values beginning with `text` lie."""
    spelled = 0
    choices: list[tuple[str, ...]] = []
    for char in text:
        cases = _cases(char)
        if len(cases) > 1:
            if spelled == _SPELLED_LETTERS:
                break
            spelled += 1
        choices.append(cases)
    return [(prefix, prefix + _END) for prefix in map("".join, product(*choices))]


def _cases(char: str) -> tuple[str, ...]:
    if char.isascii():
        return (char,)
    forms = (char.lower(), char.upper(), char.title(), _FURTHER_CASES.get(char, char), char)
    return tuple(dict.fromkeys(form for form in forms if len(form) == 1))


def trigram_query(text: str) -> str | None:
    """Return the FTS5 query whose hits include every row that contains `text`, or None for short texts."""
    if len(text) < 3:
        return None
    trigrams: Sequence[str] = list(dict.fromkeys(text[i : i + 3] for i in range(len(text) - 2)))
    quoted = ('"' + trigram.replace('"', '""') + '"' for trigram in trigrams[:_MAX_TRIGRAMS])
    return " AND ".join(quoted)
