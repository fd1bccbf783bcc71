"""What may be served of a customer, and what was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from custctl.customers.model import Customer


@dataclass(frozen=True, slots=True)
class Found:
    """A customer, and where it is from.

    Attributes:
        cached: whether the cache has served it.
        stale: whether nobody could say that it is current: the database is down.
        age: seconds since the cache kept it.
        is_sure: whether it is no older than what the operator wrote last; only a stale one may be.
    """

    row: Customer
    cached: bool = False
    stale: bool = False
    age: float = 0.0
    is_sure: bool = True


@dataclass(frozen=True, slots=True)
class Demands:
    """What may be served.

    Attributes:
        fresh: only what the database says.
        not_stale: nothing that nobody can say is current.
        max_stale: seconds that a stale entry may be old; None for any.
    """

    fresh: bool = False
    not_stale: bool = False
    max_stale: float | None = None
