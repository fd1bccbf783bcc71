"""Guessing the encoding of bytes that the assumed one does not have."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import IO

_ENOUGH = 2000  # words
_CHUNK = 1 << 16  # bytes
_FIT = 0.9  # minimum share of the words
_LONGEST_RUN = 3  # adjacent letters with marks in a word of Latin letters
_BETWEEN_CELLS = re.compile(rb"[\t\n\r\",;]+")
_WORD = re.compile(rb"[A-Za-z]*[\x80-\xff][A-Za-z\x80-\xff]*")

_WESTERN = "àáâãäåæçèéêëìíîïñòóôõöøùúûüÿœß"
_CENTRAL = "ąćęłńóśźżáäčďéěíňôöřšťúůüýžăâîşţőűđß"
_CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґ"
_HEBREW = "אבגדהוזחטיךכלםמןנסעףפץצקרשת"
_GREEK = "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ"
_SIGNS = "’‘“”„«»–—…°ºª€£§´\xa0"  # noqa: RUF001
_SIGNS_WITHIN = "’´\xa0"  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class _Candidate:
    name: str
    what: str
    letters: str
    latin: bool = True


# The most common one comes first, and wins a tie.
_CANDIDATES = (
    _Candidate("cp1252", "Western Windows", _WESTERN),
    _Candidate("cp1250", "Central European Windows", _CENTRAL),
    # Before Cyrillic, whose small letters have the same bytes; names in Cyrillic have capitals.
    _Candidate("cp1255", "Hebrew Windows", _HEBREW, latin=False),
    _Candidate("cp1251", "Cyrillic Windows", _CYRILLIC, latin=False),
    _Candidate("cp1253", "Greek Windows", _GREEK, latin=False),
    _Candidate("koi8-r", "KOI8-R", _CYRILLIC, latin=False),
    _Candidate("mac_roman", "Western Macintosh", _WESTERN),
    _Candidate("cp850", "Western DOS", _WESTERN),
)

# A cell of kana and Chinese characters: letters beside them are bytes of another encoding, half-width kana too.
_JAPANESE = re.compile(rb"(?:[0-9 ]|[\x81-\x9f\xe0-\xea][\x40-\x7e\x80-\xfc])+")
# The other encodings of East Asia, whose characters are pairs of bytes. They overlap, so only many characters are
# evidence; they exclude the encodings with one byte a character, whose words are of odd length as often as not.
_PAIR = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]")
_PAIRS_ONLY = re.compile(rb"(?:[ -~]|[\x81-\xfe][\x40-\x7e\x80-\xfe])+")
_ENOUGH_PAIRS = 40
_NEARLY_ALL, _SOME = 0.95, 0.1  # shares of the pairs
_READ_NEARLY_ALL = ("mac_roman", "cp850")


def encoding_hint(file: IO[bytes], assumed: str) -> str:
    """Return a hint with the encoding to use for a file whose bytes the assumed one does not have."""
    found = fitting_encoding(file, assumed)
    if found is None:
        return "if the file has another encoding, name it with `--encoding`"
    name, what = found
    return f"the file looks like {what} text: `--encoding {name}` reads it"


def fitting_encoding(file: IO[bytes], assumed: str) -> tuple[str, str] | None:
    """Return the encoding in which the words of a file look like words, by evidence alone.

    The file is read from its beginning until enough words with non-ASCII bytes were seen.

    Args:
        assumed: the encoding that does not fit.

    Returns:
        The codec's name, and its description; None if no encoding or several fit, or if part of the file is UTF-8.
    """
    file.seek(0)
    if file.read(len(BOM_UTF8)) != BOM_UTF8:
        file.seek(0)
    words: list[bytes] = []
    cells: list[bytes] = []
    while len(words) < _ENOUGH and (chunk := file.read(_CHUNK)):
        words += _WORD.findall(chunk)
        cells += [cell for cell in _BETWEEN_CELLS.split(chunk) if not cell.isascii()]
    if not words:
        return None
    unicode = sum(map(_is_utf8, words))
    if unicode:
        return ("utf-8", "UTF-8") if unicode == len(words) and assumed != "utf-8" else None
    others = [each for each in _CANDIDATES if each.name != assumed]
    shares = [sum(_reads(word, each) for word in words) / len(words) for each in others]
    best = max(shares)
    fitting = [each for each, share in zip(others, shares, strict=True) if share == best]
    # Greek words have accents that are capitals in Cyrillic: if both fit, it is not Greek.
    is_clear = len(fitting) == 1 or fitting[0] is _CANDIDATES[0] or not fitting[0].latin
    found = (fitting[0].name, fitting[0].what) if best >= _FIT and is_clear else None
    if found is None or found[0] in _READ_NEARLY_ALL:
        japanese = sum(map(bool, map(_JAPANESE.fullmatch, cells)))
        if assumed != "cp932" and japanese >= _FIT * len(cells):
            return "cp932", "Japanese Windows"
        return _east_asian(cells, assumed) or found
    return found


def _east_asian(cells: Sequence[bytes], assumed: str) -> tuple[str, str] | None:
    """Return the encoding of Korean, Chinese or Japanese text, by which pairs of bytes are frequent; None if unclear."""
    whole = [cell for cell in cells if _PAIRS_ONLY.fullmatch(cell)]
    pairs: list[bytes] = [pair for cell in whole for pair in _PAIR.findall(cell)]
    if len(whole) < _FIT * len(cells) or len(pairs) < _ENOUGH_PAIRS:
        return None

    def share(first: int, last: int, trail: int = 0xA1) -> float:
        """Return the share of pairs whose first byte is in a range, and whose second one is not below `trail`."""
        return sum(first <= pair[0] <= last and pair[1] >= trail for pair in pairs) / len(pairs)

    if share(0xA1, 0xFE) < _NEARLY_ALL:
        # Big5 alone has second bytes of ASCII as well. The first ones are those of its frequent characters.
        is_big5 = share(0xA4, 0xC6, 0x40) >= _FIT and share(0xA4, 0xC6) >= _SOME
        found = ("cp950", "Traditional Chinese Windows") if is_big5 else None
    elif share(0xB0, 0xC8) >= _NEARLY_ALL:
        found = "cp949", "Korean Windows"
    elif share(0xA4, 0xA5) >= _SOME:
        found = "euc_jp", "Japanese EUC"  # kana, which other countries do not use
    elif share(0xD0, 0xD7) >= _SOME:
        found = "gb18030", "Simplified Chinese"  # frequent there, and rare in Japanese
    else:
        found = None
    return found if found is not None and found[0] != assumed else None


def _is_utf8(word: bytes) -> bool:
    try:
        word.decode()
    except UnicodeDecodeError:
        return False
    return True


def _reads(word: bytes, candidate: _Candidate) -> bool:
    """Return whether a word is plausible: the encoding's letters, no capital after a small one, not all marks."""
    try:
        text = word.decode(candidate.name)
    except UnicodeDecodeError:
        return False
    text = text.strip(_SIGNS)
    if any(not char.isascii() and char.lower() not in candidate.letters and char not in _SIGNS_WITHIN for char in text):
        return False
    if any(first.islower() and second.isupper() and not second.isascii() for first, second in pairwise(text)):
        return False
    if candidate.latin:
        return re.search(rf"[^\x00-\x7f]{{{_LONGEST_RUN + 1}}}", text) is None
    return re.search("[A-Za-z]", text) is None
