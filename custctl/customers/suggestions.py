"""Suggestions for a search without results: texts that differ a little and find something."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from custctl.customers.lookup import to_customer
from custctl.customers.naming import BEFORE_ALL
from custctl.customers.pages import found_in, select_found
from custctl.customers.searching import chunks, read, spellings, words
from custctl.engines.sought import Part, Sought, Term
from custctl.support.letters import folded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from custctl.customers.queries import SearchQuery
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.sought import Need

_ALPHABETS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "\u03b1\u03b2\u03b3\u03b4\u03b5\u03b6\u03b7\u03b8\u03b9\u03ba\u03bb\u03bc\u03bd\u03be\u03bf\u03c0\u03c1\u03c3\u03c4\u03c5\u03c6\u03c7\u03c8\u03c9",
    "".join(map(chr, range(0x430, 0x450))),
)
_TRIED: Final = range(4, 17)  # lengths of words that are checked for a wrong letter
_MOST_WORDS: Final = 2  # of a text that are checked
_MOST_CHUNKS: Final = 5  # of a text in which a space may be missing or too many
_PART: Final = 3  # characters of a text that may be a part of a word
_LOOKED_AT: Final = 20  # customers that are searched for a text that may have been meant


def near(database: Database, query: SearchQuery, most: int = 3) -> list[str]:
    """Suggest texts for a search without results that find something.

    Each differs by a space or by a letter per word, or is a word that contains the text.
    """
    if query.mode != "words":
        return []
    spaced = _respaced(query.text)
    letters = mistyped(read(query.text))
    part = folded(query.text)

    def found(connection: Connection, needs: tuple[Need, ...]) -> list[list[str]]:
        if not needs:
            return []
        rows = select_found(database, connection, lambda: connection.hits(Sought(needs, None, _LOOKED_AT)))
        return [found_in(to_customer(database, connection, row[1:]), connection.own) for row in rows]

    def work(connection: Connection) -> list[str]:
        values = found(connection, (tuple(spaced.values()),) if spaced else ())
        texts = [text for text, terms in spaced.items() if any(_has(each, terms) for each in values)]
        if not texts:
            corrected = (_corrected(query.text, each) for each in found(connection, letters))
            texts = list(dict.fromkeys(text for text in corrected if text is not None and text != query.text))
        if not texts and len(part) >= _PART and words(query.text) == [part]:
            rows = select_found(
                database, connection, lambda: connection.part_hits(Part((part,), _LOOKED_AT, BEFORE_ALL))
            )
            values = [found_in(to_customer(database, connection, row[1:]), connection.own) for row in rows]
            texts = list(dict.fromkeys(word for each in values for word in _containing(part, each)))
        return texts[:most]

    return database.read(work)


def mistyped(needs: Sequence[Need]) -> tuple[Need, ...]:
    """Return needs in which each word may have one wrong, missing, extra or swapped letter; or nothing.

    Source: Norvig, "How to Write a Spelling Corrector", https://norvig.com/spell-correct.html.
    """
    tried = sorted((at for at, need in enumerate(needs) if _alphabet(need)), key=lambda at: -len(needs[at][0][0].text))
    chosen = tried[:_MOST_WORDS]
    if not chosen:
        return ()
    return tuple(
        tuple(dict.fromkeys([*need, *((Term(each),) for each in _edits(need[0][0].text, _alphabet(need)))]))
        if at in chosen
        else need
        for at, need in enumerate(needs)
    )


def _alphabet(need: Need) -> str:
    if len(need[0]) > 1 or len(need[0][0].text) not in _TRIED:
        return ""
    return next((letters for letters in _ALPHABETS if set(need[0][0].text) <= set(letters)), "")


def _edits(word: str, alphabet: str) -> list[str]:
    splits = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    edits = [left + right[1:] for left, right in splits if right]
    edits += [left + right[1] + right[0] + right[2:] for left, right in splits if len(right) > 1]
    edits += [left + char + right[1:] for left, right in splits if right for char in alphabet]
    edits += [left + char + right for left, right in splits for char in alphabet]
    return sorted({each for each in edits if each != word})


def _respaced(text: str) -> dict[str, tuple[Term, ...]]:
    """Return the texts that differ from a text by one space, and what each must find: `Mc Donald` and `McDonald`."""
    typed = chunks(text)
    if len(typed) > _MOST_CHUNKS or any(len(words(chunk)) != 1 for chunk in typed):
        return {}
    found = {}
    for at, chunk in enumerate(typed):
        before, after = typed[:at], typed[at + 1 :]
        if after:
            joined = [*before, chunk + after[0], *after[1:]]
            found[" ".join(joined)] = tuple(Term(word) for each in joined for word in words(each))
        for end in _splits(chunk):
            # The first part must be a whole word: few words begin with two parts of another word.
            first = (*map(Term, before), Term(chunk[:end], whole=True), *map(Term, (chunk[end:], *after)))
            divided = " ".join((*before, chunk[:end], chunk[end:], *after))
            found[divided] = tuple(Term(word, term.whole) for term in first for word in words(term.text))
    return found


def _splits(chunk: str) -> range:
    """Return where a word may be divided; one letter of a script without spaces can be a name."""
    least = 2 if chunk.isascii() else 1
    return range(least, len(chunk) - least + 1) if len(chunk) in range(2, _TRIED.stop) else range(0)


def _has(values: Iterable[str], terms: Sequence[Term]) -> bool:
    """Return whether a customer has words with these beginnings."""
    held = {word for value in values for text in spellings(value) for word in words(text)}
    return all(any(word.startswith(term.text) for word in held) for term in terms)


def _corrected(text: str, values: Iterable[str]) -> str | None:
    """Return a text with its words replaced by the customer's words that they match, or most likely should.

    Args:
        values: of a customer that `mistyped` has found.
    """
    shown: dict[str, str] = {}
    for word in _shown(values):
        shown.setdefault(folded(word), word)
    meant = []
    for chunk in text.split():
        typed = words(chunk)
        if len(typed) != 1:
            meant.append(chunk)
            continue
        close = [word for word in shown if word.startswith(typed[0])] or [
            word for word in shown if _is_close(typed[0], word)
        ]
        if not close:
            return None
        meant.append(chunk if close[0].startswith(typed[0]) else shown[min(close, key=len)])
    return " ".join(meant)


def _containing(part: str, values: Iterable[str]) -> list[str]:
    """Return the words of a customer that contain a folded text: for `klinik`, `Ostseeklinik`."""
    return [word for word in _shown(values) if part in folded(word)]


def _shown(values: Iterable[str]) -> Iterable[str]:
    """Return the words of a customer as they are stored."""
    return (word for value in values for word in re.findall(r"[^\W_]+", value))


def _is_close(typed: str, word: str) -> bool:
    alphabet = next((letters for letters in _ALPHABETS if set(typed) <= set(letters)), "")
    return any(word.startswith(each) for each in _edits(typed, alphabet))
