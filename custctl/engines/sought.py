"""What a search asks an engine for: words in any order, or a part of a field.

A search has lanes, in this order: 0 for the customer with exactly that email, 1 for customers that have every word
whole, 2 for those that have words with these prefixes. A row is in the first lane that it matches; a lane is ordered by
id.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

LANES: Final = 3
REVERSED: Final = "\u2121"
"""Prefix of the digits of a phone that is indexed backwards; nobody types it."""


class Term(NamedTuple):
    """A folded word to find in a customer; if not `whole`, it is a prefix."""

    text: str
    whole: bool = False


Need = tuple[tuple[Term, ...], ...]
"""Alternatives, one of which must be found; all terms of an alternative must be there."""


class Sought(NamedTuple):
    """A page of a search.

    Attributes:
        needs: all of these must be found.
        email: the query, if all of it may be an email.
        limit: maximum number of rows.
        lane: the first lane of the page.
        after: rows of that lane start after this id.
    """

    needs: tuple[Need, ...]
    email: str | None
    limit: int
    lane: int = 0
    after: int = 0


class Part(NamedTuple):
    """A page of a search for a part of a field; arguments as in `Sought`.

    Attributes:
        texts: one of these must be in a field: the folded text, and its digits if it may be part of a phone.
    """

    texts: tuple[str, ...]
    limit: int
    after: int = 0


class Hits(NamedTuple):
    """A query that returns `lane` and `id`, its parameters in order, and their values."""

    text: str
    parameters: tuple[str, ...]
    values: dict[str, Any]


def whole(needs: tuple[Need, ...]) -> tuple[Need, ...]:
    """Return the same needs, but for whole words only."""
    return tuple(tuple(tuple(term._replace(whole=True) for term in each) for each in need) for need in needs)
