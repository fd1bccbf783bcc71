"""Search texts, read as words and digits. Nothing in them is an operator."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from custctl.engines.sought import REVERSED, Term
from custctl.support.letters import folded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from custctl.engines.sought import Need

_APART: Final = re.compile(r"[\x01-\x2f\x3a-\x60\x7b-\x7f]+")
_SCHEME: Final = r"(?i)\b(?:mailto|tel):"
_CHUNK: Final = re.compile(r"[^\s,;|\u00a0\u3000]+")
_PHONE: Final = re.compile(r"\+?[0-9()./\u2010\u2011\u2013-]*[0-9][0-9()./\u2010\u2011\u2013-]*")
_PUNCTUATION: Final = dict.fromkeys(map(ord, " ()+-./,:;_*#\u00a0\u202f\u2010\u2011\u2013"))
_JOINERS: Final = dict.fromkeys(map(ord, "'\u2019\u02bc`\u00b4-\u2010\u2011"))
_SPELLED: Final = {ord(char): to for char, to in zip("äöüåøÄÖÜÅØ", ("ae", "oe", "ue", "aa", "oe") * 2, strict=True)}
_DIGITS: Final = 20  # of a phone that are indexed
_LAST: Final = 4  # digits needed to search for the end of a phone
NATIONAL: Final = 7
"""Digits needed to search for a phone without its country code."""
WHOLE: Final = 9
"""Digits that are a whole phone."""
_COUNTRY_CODES: Final = (1, 2, 3)  # digits of a country code
_RARE: Final = 5  # digits of a group that few phones have
_EXTENSIONS: Final = (Term("ext"), Term("x", whole=True), Term("durchwahl", whole=True), Term("poste", whole=True))


def words(text: str) -> list[str]:
    """Return the words of a text, folded."""
    return [word for word in _APART.split(folded(text)) if word]


def phone_digits(text: str) -> str:
    """Return the digits of a phone, without leading zeros; empty if the text has other characters."""
    digits = text.replace("(0)", "").translate(_PUNCTUATION).lstrip("0")[-_DIGITS:]
    return digits if digits.isascii() and digits.isdigit() else ""


def read(text: str) -> tuple[Need, ...]:
    """Return what a search text must find.

    Words are found in any order. Words joined by punctuation are searched for as they are, as one word, and spelled
    without umlauts. Adjacent groups of digits are one number: a phone, or words of digits. `8` and `+7` before a phone are
    the same.
    """
    needs = (number_need(piece) if isinstance(piece, list) else word_need(piece) for piece in pieces(chunks(text)))
    return tuple(filter(None, needs))


def chunks(text: str) -> list[str]:
    """Return the parts of a text between blanks, commas and the like."""
    return _CHUNK.findall(re.sub(_SCHEME, "", text))


def pieces(said: Iterable[str]) -> Iterator[str | list[str]]:
    """Yield each word, and the adjacent groups of a number as a list."""
    groups: list[str] = []
    for chunk in said:
        plain = folded(chunk).translate({ord("\u2010"): "-"})
        if _PHONE.fullmatch(plain) or _PHONE.fullmatch(chunk):
            groups.append(plain)
            continue
        if groups:
            yield groups
            groups = []
        yield chunk
    if groups:
        yield groups


def spellings(text: str) -> tuple[str, str, str]:
    """Return a text as it is, its words without apostrophes and hyphens, and its umlauts as two letters."""
    return text, text.translate(_JOINERS), text.translate(_SPELLED)


def word_need(chunk: str, *spelled: str) -> Need:
    """Return what finds a word, or words joined by punctuation.

    Args:
        spelled: more ways to spell it.
    """
    forms = map(words, (*spellings(chunk), *spelled))
    return tuple(dict.fromkeys(_terms(form, is_email="@" in chunk) for form in forms if form))


def _terms(form: Sequence[str], *, is_email: bool) -> tuple[Term, ...]:
    """Return the terms of words that belong together; in an email, only the last one can be a prefix."""
    return tuple(Term(each, whole=is_email and at < len(form) - 1) for at, each in enumerate(form))


def number_need(groups: Sequence[str]) -> Need:
    """Return what finds a number that was typed in groups: a phone, or words of digits."""
    typed = "".join(groups).replace("(0)", "")
    digits = phone_digits(typed)
    parts = [word for group in groups for word in words(group)]
    # The groups of a whole phone are whole words: what begins with one or two digits is a large part of an index. So is a
    # country code, which is left out if the rest is long enough.
    is_whole = len(digits) >= WHOLE
    while is_whole and len("".join(parts[1:])) >= WHOLE:
        parts = parts[1:]
    grouped = tuple(Term(word, is_whole) for word in parts)
    if is_whole and max(map(len, parts)) < _RARE:
        # Every phone of a country may have these groups, in another order. They only tell a phone with an extension, whose
        # digits are not indexed as one number.
        found = [(*grouped, extension) for extension in _EXTENSIONS]
    else:
        found = [grouped]
    if len(digits) >= 3 or (digits and typed.startswith("00")):
        found.append((Term(digits),))
    # The last digits of a phone may begin with zeros.
    ending = digits if len(digits) >= _LAST else typed.translate(_PUNCTUATION)
    if len(ending) >= _LAST:
        backwards = ending[::-1]
        found.append((Term(REVERSED + backwards),))
        # The phone may be stored without its country code, which has up to three digits.
        found += [
            (Term(REVERSED + backwards[:-less], whole=True),)
            for less in _COUNTRY_CODES
            if len(backwards) - less >= NATIONAL
        ]
    if is_whole:
        found += _with_another_prefix(typed, digits[::-1])
    return tuple(dict.fromkeys(found))


def _with_another_prefix(typed: str, backwards: str) -> list[tuple[Term, ...]]:
    """Return what finds a phone whose national prefix is `8`, where a country code was typed, or the other way round.

    Other national prefixes are zeros, which are never compared.
    """
    found: list[tuple[Term, ...]] = [(Term(f"{REVERSED}{backwards[:-less]}8", whole=True),) for less in _COUNTRY_CODES]
    if typed.startswith("8"):
        found.append((Term(REVERSED + backwards[:-1]),))
    return found


def parts(text: str) -> tuple[str, ...]:
    """Return texts one of which a field must contain: what was typed, and its digits if it may be part of a phone."""
    plain = folded(text)
    digits = phone_digits(plain)
    return tuple(filter(None, (plain, digits if digits != plain else "")))


def holds(values: Iterable[str], texts: Sequence[str]) -> bool:
    """Return whether any field contains any of the texts; the digits of a phone count too."""
    for value in values:
        plain = folded(value)
        digits = phone_digits(plain)
        if any(text in plain or (text in digits) for text in texts):
            return True
    return False
