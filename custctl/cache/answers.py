"""Which answers the cache may serve, and the answer to a read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from custctl.customers.model import Customer


class Found(NamedTuple):
    """A customer, and where it was read.

    Attributes:
        cached: whether the cache served it.
        stale: whether it could not be verified as current because the database is down.
        age: seconds since it was cached.
        is_sure: whether it is at least as new as the operator's last write; always true unless stale.
    """

    row: Customer
    cached: bool = False
    stale: bool = False
    age: float = 0.0
    is_sure: bool = True


class Demands(NamedTuple):
    """Which answers may be served.

    Attributes:
        fresh: only answers from the database.
        not_stale: no answer that cannot be verified as current.
        max_stale: maximum age of a stale entry in seconds; None for any.
    """

    fresh: bool = False
    not_stale: bool = False
    max_stale: float | None = None
