"""What a search looks for, as an engine is asked for it: words in any order, or a part of a field.

A search has lanes, one behind the other: 0 the customer with that very email, 1 those that have every word whole, 2 those
that have words which begin so. A row is in the first lane that it matches; in a lane rows go by their id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

LANES: Final = 3
REVERSED: Final = "\u2121"
"""Stands before the digits of a phone that is indexed backwards; nobody types it."""


class Term(NamedTuple):
    """A word of a customer, folded; `whole` if it must be all of the word, else it may go on."""

    text: str
    whole: bool = False


Need = tuple[tuple[Term, ...], ...]
"""What must be found: one of these, each of which is terms that must all be there."""


@dataclass(frozen=True, slots=True)
class Sought:
    """A page of a search.

    Attributes:
        needs: must all be found.
        email: what was asked for, where it may be an email as a whole.
        limit: the most rows.
        lane: the first one.
        after: the id behind which rows of that lane begin.
    """

    needs: tuple[Need, ...]
    email: str | None
    limit: int
    lane: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """A page of a search for a part of a field; arguments as in `Sought`.

    Attributes:
        texts: one of these must be in a field: the folded text, and its digits where it may be of a phone.
    """

    texts: tuple[str, ...]
    limit: int
    after: int = 0


class Hits(NamedTuple):
    """A query of `lane` and `id`, its parameters in their order, and their values."""

    text: str
    parameters: tuple[str, ...]
    values: dict[str, Any]


def whole(needs: tuple[Need, ...]) -> tuple[Need, ...]:
    """Return the same needs, of whole words alone."""
    return tuple(tuple(tuple(term._replace(whole=True) for term in each) for each in need) for need in needs)
