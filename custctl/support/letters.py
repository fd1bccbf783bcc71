"""Letters that are the same but for case and accents, one to one: `É`, `é` and `e`; `Ł` and `l`.

An engine gets a class of letters for each letter that is looked for. So all engines agree, whatever their collations know.
Accents are those that Unicode has composed with a letter of the Latin, Greek or Cyrillic script.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

# Letters whose case or accents are looked at: Latin, Greek, Cyrillic, Armenian, Georgian, Cherokee, full width.
_BLOCKS: Final = (
    (0x41, 0x24F), (0x370, 0x587), (0x10A0, 0x10FF), (0x13A0, 0x13FF), (0x1C80, 0x1CBF), (0x1E00, 0x1FFF),
    (0x2C00, 0x2D2F), (0xA640, 0xA7FF), (0xAB30, 0xABBF), (0xFF21, 0xFF5A),
)  # fmt: skip
# A stroke is no accent to Unicode, but it is one to those who have no key for it.
_FURTHER: Final = {
    "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "\u0131": "i", "\u03c2": "\u03c3", "ẞ": "ß", "ϴ": "θ",
}  # fmt: skip


@cache
def _table() -> dict[int, str]:
    table = {}
    for first, last in _BLOCKS:
        for code in range(first, last + 1):
            char = chr(code)
            plain = _plain(char)
            if plain != char:
                table[code] = plain
    return table


def _plain(char: str) -> str:
    base, marks = (spelled := unicodedata.normalize("NFD", char))[0], spelled[1:]
    if marks and not all(unicodedata.combining(mark) for mark in marks):
        base = char
    base = _FURTHER.get(base, base)
    lower = base.lower()
    return _FURTHER.get(lower, lower) if len(lower) == 1 else base


def plain(text: str) -> str:
    """Return a text without case and accents."""
    return text.lower() if text.isascii() else text.translate(_table())


@cache
def _alike() -> dict[str, list[str]]:
    alike: dict[str, list[str]] = {}
    for code, base in _table().items():
        alike.setdefault(base, [base]).append(chr(code))
    return alike


def spellings(text: str) -> list[list[str]]:
    """Return, for each letter of a text, all letters that are the same but for case and accents, in order."""
    alike = _alike()
    return [sorted(alike.get(char, (char,))) for char in plain(text)]


def holds(needle: str, value: object) -> int:
    """Tell whether a value holds a needle without case and accents; registered as an SQL function."""
    return int(isinstance(value, str) and needle in plain(value))


# -- searching -------------------------------------------------------------------------------------

# Letters that Unicode does not take apart, as those type them who have no key for them; all in lower case.
_TYPED: Final = {
    "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t",
    "\u0131": "i", "\u0138": "k", "\u014b": "n", "\u0149": "n", "\u0133": "ij", "\u0140": "l", "\u017f": "s",
    "\u01c6": "dz", "\u01c9": "lj", "\u01cc": "nj", "\u01f3": "dz", "\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl",
}  # fmt: skip
_SPACES: Final = (
    *range(0xA0, 0xAA), 0xAB, 0xAC, *range(0xAE, 0xB2), 0xB4, *range(0xB6, 0xB9), 0xBB, 0xBF, 0xD7, 0xF7, 0x2BC,
    *range(0x2010, 0x2028), *range(0x202F, 0x2060), *range(0x3000, 0x3004), *range(0x3008, 0x3012),
    *range(0x3014, 0x3020), 0x30FB,
)  # fmt: skip
_NOTHING: Final = (*range(0x300, 0x370), 0xAD, *range(0x200B, 0x2010))
_SEARCHED: Final = {
    **{ord(char): typed for char, typed in _TYPED.items()},
    **dict.fromkeys(_SPACES, " "),
    **dict.fromkeys(_NOTHING, ""),
    **{code: chr(code - 0xFEE0).lower() for code in range(0xFF01, 0xFF5F)},
}


def folded(text: str) -> str:
    """Return a text as search compares it: `Łódź` and `ÆGIR` are `lodz` and `aegir`.

    Without case and accents, letters as they are typed on a plain keyboard, punctuation beyond ASCII as blanks. The
    engines' own SQL does the same (`custctl_plain` on PostgreSQL, `custctl_letter` on SQLite, a computed column on SQL
    Server); tests compare them letter by letter.
    """
    if text.isascii():
        return text.lower()
    lower = "".join([low if len(low := char.lower()) == 1 else char for char in text]).replace("\u03c2", "\u03c3")
    bare = "".join([char for char in unicodedata.normalize("NFD", lower) if not "\u0300" <= char <= "\u036f"])
    return unicodedata.normalize("NFC", bare).translate(_SEARCHED).lower()
