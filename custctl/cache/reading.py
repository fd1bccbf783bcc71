"""Reads one customer through the cache, and from the cache alone while the database is down."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from custctl.cache.answers import Demands, Found
from custctl.cache.channel import CacheError
from custctl.cache.store import NOTHING, Look
from custctl.customers.naming import parse_who
from custctl.support.errors import CustctlError, UnavailableError

if TYPE_CHECKING:
    from custctl.cache.store import Cache
    from custctl.customers.model import Customer
    from custctl.schema.standing import Standing

STALE = "stale"
"""The counter for entries served while the database was down."""


class Rows(Protocol):
    """The customers of the database."""

    def identified(self, who: str, *, replica: bool = False) -> tuple[Customer, Standing]:
        """Return a customer by id or email, and what the database says about itself."""

    @property
    def has_read_primary(self) -> bool:
        """Whether the last read came from the primary, not from a replica in its place."""


class Reader:
    """Reads customers one by one.

    Args:
        cache: None if there is none, or the id of the database is not known yet.
        rows: opens the database, when it is first needed.
        learn: called with what the database says about itself; returns its cache if it differs from the current one,
            else None.
        is_down: tells whether the database is known to be down, at almost no cost.
        note: called with notes for a person.
    """

    def __init__(
        self,
        cache: Cache | None,
        rows: Callable[[], Rows],
        learn: Callable[[Standing], Cache | None],
        is_down: Callable[[], bool],
        note: Callable[[str], None],
    ) -> None:
        self._cache = cache
        self._rows = rows
        self._learn = learn
        self._is_down = is_down
        self._note = note
        self._has_failed = False

    def get(self, who: str, demands: Demands) -> Found:
        """Return a customer by id or email.

        Raises:
            NotFoundError: the database has none.
            UnavailableError: the database is down, and the cache has no entry that may be served.
        """
        name = parse_who(who)
        look = NOTHING if demands.fresh else self._look(name)
        row = look.row
        if row is not None and isinstance(name, str) and row.email != name:
            row = None  # the entry's address has changed since
        if row is not None and look.answer == "hit":
            if not self._is_down():
                return Found(row, cached=True, age=look.age)
            return self._stale(look, row, demands, UnavailableError("the database does not respond"))
        try:
            return Found(self._ask(who, look))
        except UnavailableError as error:
            if row is None:
                raise
            return self._stale(look, row, demands, error)

    def _look(self, name: int | str) -> Look:
        if self._cache is None:
            return NOTHING
        try:
            found = name if isinstance(name, int) else self._cache.find(name)
            return self._cache.look(found) if found is not None else NOTHING
        except CacheError as error:
            self._failed(error)
            return NOTHING

    def _ask(self, who: str, look: Look) -> Customer:
        """Read from the database; from the primary if the row will be cached, or an older row must not be shown."""
        row, standing = self._rows().identified(who, replica=not look.lease and look.is_sure)
        another = self._learn(standing)
        self._cache = another or self._cache
        # An address may have moved to another customer.
        if another is None and look.customer_id == row.id:
            self._keep(row, look.lease)
        else:
            # A cached row must be read after its lease was granted; the lookup by address had no id to lease.
            again = self._look(row.id)
            if again.lease:
                row, _ = self._rows().identified(str(row.id))
                self._keep(row, again.lease)
        return row

    def _keep(self, row: Customer, lease: str) -> None:
        # A replica that serves because the primary is down may lack writes that the primary has when it is back.
        if self._cache is None or not self._rows().has_read_primary:
            return
        try:
            if lease:
                self._cache.fill(row, lease)
            else:
                self._cache.met([row])
        except CacheError as error:
            self._failed(error)

    def _failed(self, error: CacheError) -> None:
        if not self._has_failed:
            self._has_failed = True
            self._note(f"the cache is not used: {error}")

    def _stale(self, look: Look, row: Customer, demands: Demands, why: CustctlError) -> Found:
        has_it = f"{why.message}; the cache has it, {look.age:.1f} s old"
        if demands.not_stale:
            raise UnavailableError(f"{has_it}, which `--require-fresh` does not allow", hint=why.hint) from why
        if demands.max_stale is not None and look.age > demands.max_stale:
            raise UnavailableError(f"{has_it}, more than {demands.max_stale:g} s", hint=why.hint) from why
        if self._cache is not None:
            with suppress(CacheError):
                self._cache.count(STALE)
        return Found(row, cached=True, stale=True, age=look.age, is_sure=look.is_sure)
