"""Letters that differ only in case and accents, one to one: `É`, `é` and `e`; `Ł` and `l`.

For each letter of a search text, an engine gets the class of equal letters, so all engines agree, whatever their
collations do. Accents are those that Unicode composes with a letter of the Latin, Greek or Cyrillic script.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

# Blocks whose case and accents count: Latin, Greek, Cyrillic, Armenian, Georgian, Cherokee, full width.
_BLOCKS: Final = (
    (0x41, 0x24F), (0x370, 0x587), (0x10A0, 0x10FF), (0x13A0, 0x13FF), (0x1C80, 0x1CBF), (0x1E00, 0x1FFF),
    (0x2C00, 0x2D2F), (0xA640, 0xA7FF), (0xAB30, 0xABBF), (0xFF21, 0xFF5A),
)  # fmt: skip
# Unicode does not treat a stroke as an accent, but people without a key for it do.
_FURTHER: Final = {
    "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "\u0131": "i", "\u03c2": "\u03c3",
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
    base = unicodedata.normalize("NFD", char)[0]
    base = _FURTHER.get(base, base)
    lower = base.lower()
    return _FURTHER.get(lower, lower) if len(lower) == 1 else base


def plain(text: str) -> str:
    """Return a text in lower case and without accents."""
    return text.lower() if text.isascii() else text.translate(_table())


@cache
def _alike() -> dict[str, list[str]]:
    alike: dict[str, list[str]] = {}
    for code, base in _table().items():
        alike.setdefault(base, [base]).append(chr(code))
    return alike


def spellings(text: str) -> list[list[str]]:
    """Return, for each letter of a text, all letters that differ from it only in case and accents, in order."""
    alike = _alike()
    return [sorted(alike.get(char, (char,))) for char in plain(text)]


def holds(needle: str, value: object) -> int:
    """Return whether a value contains a needle, ignoring case and accents; registered as an SQL function."""
    return int(isinstance(value, str) and needle in plain(value))


# -- searching -------------------------------------------------------------------------------------

# Letters that Unicode does not decompose, as people type them on other keyboards; all in lower case.
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
    """Return a text as search compares it: `Łódź` and `ÆGIR` become `lodz` and `aegir`.

    Lower case without accents, letters as typed on a plain keyboard, non-ASCII punctuation as blanks. The engines' SQL
    does the same (`custctl_plain` on PostgreSQL, `custctl_letter` on SQLite, a computed column on SQL Server); tests
    compare them letter by letter.
    """
    if text.isascii():
        return text.lower()
    lower = "".join([low if len(low := char.lower()) == 1 else char for char in text]).replace("\u03c2", "\u03c3")
    bare = "".join([char for char in unicodedata.normalize("NFD", lower) if not "\u0300" <= char <= "\u036f"])
    return unicodedata.normalize("NFC", bare).translate(_SEARCHED).lower()


def typed_as_several(text: str) -> list[tuple[str, str]]:
    """Return the letters that are typed as several, and as which, if a folded text contains those."""
    found = [(char, typed) for char, typed in _TYPED.items() if len(typed) > 1 and typed in text]
    return [*found, *((char.upper() if char != "ß" else "ẞ", typed) for char, typed in found if char < "\ufb00")]
