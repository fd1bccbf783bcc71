"""Case-insensitive search on SQLite, whose own folding only covers ASCII.

A NOCASE index folds ASCII. For other letters, the prefix is expanded to both
cases, one range each, and a function that knows Unicode checks the candidates.
FTS5 folds trigrams itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

_SPELLED_LETTERS = 3  # at most 2 ** 3 ranges
_MAX_TRIGRAMS = 16  # more would only cost time, because the candidates are checked anyway
# Letters with a further form of the same folding, besides their own upper case.
_FURTHER_CASES = {"\u03c3": "\u03c2", "ß": "ẞ", "θ": "ϴ"}
_END = "\U0010ffff"


def fold(text: str) -> str:
    """Return the form in which texts are compared, ignoring case but not accents."""
    if text.isascii():
        return text.lower()
    # Fold letter by letter, like the trigram index: `lower()` depends on the context of a sigma and turns İ into two
    # characters.
    return "İ".join([part.lower() for part in text.replace("\u03a3", "\u03c3").replace("\u03c2", "\u03c3").split("İ")])


def starts_with(needle: str, value: object) -> int:
    """Tell whether a value starts with a folded needle; an SQL function."""
    return int(isinstance(value, str) and fold(value).startswith(needle))


def prefix_ranges(text: str) -> list[tuple[str, str]]:
    """Return half-open ranges of a NOCASE index that contain all values starting with `text`."""
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
