"""Search texts, read loosely: what finds customers if nobody has every word of a text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from custctl.customers.searching import NATIONAL, WHOLE, chunks, number_need, phone_digits, pieces, word_need, words
from custctl.engines.sought import Term
from custctl.support.letters import folded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from custctl.engines.sought import Need

# What a caller says around a name or a phone; folded, and without dots. A single letter is an initial.
_SMALL: Final = re.compile(
    r"(?:and|und|et|en|og|och|es|plus|of|from|in|the|aus|bei|mr|mrs|ms|miss|mister|dr|prof|sir|madam|herr|frau|mme|mlle|monsieur|madame|sr|sra"
    r"|srta|senora?|senhora?|signora?|sig|dott|dhr|mevr|mevrouw|pan|pani|tel|phone|telephone|mobile|cell"
    r"|ltd|limited|inc|incorporated|llc|llp|plc|corp|corporation|co|company|gmbh|mbh|ag|kg|ohg|ug|sarl|sas|sa|cv|ltda|lda|srl|spa|bv|nv|ab|aps|oy|kft"
    r"|sro|jsc|\u043e\u043e\u043e|\u0437\u0430\u043e|\u0442\u043e\u0432):?"
)
_EXTENSION: Final = re.compile(r"(?<![^\W\d])(?:ext|extn|extension|x|durchwahl|poste)[.:]?\s*\d+\s*$", re.IGNORECASE)
_SAINTS: Final = ("st", "ste", "saint", "sainte", "sankt")
# Of names, folded: words of their own, or the beginning of a name.
_PARTICLES: Final = (
    *("van", "von", "der", "den", "de", "des", "du", "del", "della", "di", "da", "das", "do", "dos", "la", "le", "les"),
    *("las", "los", "lo", "ten", "ter", "zu", "al", "el", "abu", "bin", "ben", "ibn", "mac", "mc"),
)
_NAME: Final = 3  # letters at least of a name after its particles
_MOST_CHUNKS: Final = 5  # of a text with initials
_INITIALS: Final = range(2, 4)  # letters of a word that may be initials
_GROUP: Final = range(3, 7)  # digits of a group of a phone


def read(text: str) -> tuple[Need, ...]:
    """Return what a search text must find if it finds nothing as it is.

    Titles, company forms, words such as `and` and a phone's extension are left out. `St` and `Saint` are the same. `JP`
    beside a longer word is `Jean-Paul`, too, and `ABC` alone `A.B.C.`. Particles may be part of a name: `vanderBerg` is
    `van der Berg`.
    """
    said = [chunk for chunk in chunks(_EXTENSION.sub("", text)) if not _SMALL.fullmatch(folded(chunk).replace(".", ""))]
    is_lone = len(said) == 1
    has_initials = is_lone or (len(said) <= _MOST_CHUNKS and any(len(chunk) >= _INITIALS.stop for chunk in said))
    needs: list[Need] = []
    particles: list[str] = []
    for piece in pieces(said):
        if isinstance(piece, list):
            needs.append(_phone(piece))
        elif folded(piece) in _PARTICLES:
            particles.append(folded(piece))
        else:
            need = _word(piece)
            if has_initials:
                # Alone they are whole words: few customers have words of one letter.
                need += tuple(tuple(Term(letter, is_lone) for letter in word) for word in _initials(need))
            needs.append(_with_particles(particles, need))
            particles = []
    needs += map(word_need, particles)
    return tuple(filter(None, needs))


def _word(chunk: str) -> Need:
    need = word_need(chunk, chunk.replace(".", ""))
    saints = (
        tuple(Term(saint, whole=True) if term.text in _SAINTS else term for term in terms)
        for terms in need
        for saint in _SAINTS
    )
    divided = (way for terms in need if len(terms) == 1 for way in _divided(terms[0].text))
    return tuple(dict.fromkeys((*need, *saints, *divided)))


def _initials(need: Need) -> list[str]:
    lone = [terms[0].text for terms in need if len(terms) == 1]
    return [word for word in lone if word.isalpha() and len(word) in _INITIALS]


def _divided(word: str) -> list[tuple[Term, ...]]:
    """Return the ways to take one or two particles off a word: `van`, `der` and `berg`."""
    ways = [(first, word.removeprefix(first)) for first in _PARTICLES if word.startswith(first)]
    more = [
        (first, second, rest.removeprefix(second))
        for first, rest in ways
        for second in _PARTICLES
        if rest.startswith(second)
    ]
    return [
        (*(Term(each, whole=True) for each in particles), Term(name))
        for *particles, name in (*ways, *more)
        if len(name) >= _NAME
    ]


def _with_particles(particles: Sequence[str], need: Need) -> Need:
    """Return what finds a word and the particles before it, apart or as one word."""
    if not particles:
        return need
    apart = tuple(map(Term, particles))
    joined = "".join(particles)
    return (
        *((*apart, *terms) for terms in need),
        *((Term(joined + first.text, first.whole), *others) for first, *others in need),
    )


def _phone(groups: Sequence[str]) -> Need:
    need = number_need(groups)
    digits = phone_digits("".join(groups))
    if len(digits) < WHOLE:
        return need
    # A phone with an extension is found by its words alone: groups of digits as typed, or in any other way.
    first, *others = (word for group in groups for word in words(group))
    found: list[tuple[str, ...]] = []
    if len("".join(others)) >= NATIONAL:
        found += [(first.lstrip("0"), *others), tuple(others)]
    for start, *rest in _endings(digits):
        found += [(zero + start, *rest) for zero in ("", "0")]
    as_words = (tuple(Term(word, whole=True) for word in each if word) for each in found)
    return tuple(dict.fromkeys((*need, *as_words)))


def _endings(digits: str) -> list[tuple[str, ...]]:
    """Return the last digits of a phone, as few groups as `NATIONAL` digits need, in each way that people group them."""
    found: list[tuple[str, ...]] = []
    for size in _GROUP:
        rest, last = digits[:-size], digits[-size:]
        for before in _GROUP:
            if before > len(rest):
                continue
            group, further = rest[-before:], rest[:-before]
            if size + before >= NATIONAL:
                found.append((group, last))
            else:
                found += [(further[-first:], group, last) for first in _GROUP if first <= len(further)]
    return found
