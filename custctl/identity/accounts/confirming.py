"""Looks a difference up again, in the database and at the provider, before it is reported.

A list of accounts takes a while to read. Meanwhile customers change, and on servers that page by number the accounts move
to other pages when one is deleted, so that the list skips some of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from custctl.customers.outbox import NOT_STRAY
from custctl.identity.accounts.asking import patiently
from custctl.identity.accounts.drift import Drift, differences, double, stray

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.identity.accounts.provider import Account, Provider

T = TypeVar("T")

_ROUNDS = 3  # maximum rounds for one customer if it is written meanwhile


class _Known(NamedTuple):
    """What the database says about a customer now."""

    email: str
    enabled: bool
    subject: str | None
    pending: bool


class Confirming:
    """Looks up single customers and accounts. Each needs a few requests, however many accounts there are.

    Args:
        prefix: what the references of this database's customers begin with.
        disables: whether the account of a deleted customer is disabled instead of deleted.
        wait: waits for this many seconds, when the provider asks to.
    """

    def __init__(
        self, database: Database, provider: Provider, *, prefix: str, disables: bool, wait: Callable[[float], None]
    ) -> None:
        self._database = database
        self._provider = provider
        self._prefix = prefix
        self._disables = disables
        self._wait = wait

    def of_customer(self, customer_id: int, marked: Sequence[str]) -> Sequence[Drift]:
        """Return a customer's differences as they are now.

        Args:
            marked: accounts that had the customer's reference when the list was read.
        """
        known = self._known(customer_id)
        for _ in range(_ROUNDS):
            if known is None:
                return []
            account = self._find(known.subject) if known.subject is not None else None
            count = len(self._marked(customer_id, known.email, marked)) if account is None else 0
            before, known = known, self._known(customer_id)
            if known == before:
                break
        if known is None:
            return []
        return differences(customer_id, known.email, known.enabled, known.subject, account, count, known.pending)

    def of_account(self, subject: str) -> Sequence[Drift]:
        """Return the difference of an account that no customer is linked to, if it is so now."""
        account = self._find(subject)
        if account is None:
            return []
        reference = account.reference or ""
        digits = reference.removeprefix(self._prefix)
        is_ours = reference != digits
        number = int(digits) if is_ours and digits.isascii() and digits.isdigit() else 0
        owned, queued = self._database.read(lambda connection: _claims(connection, number, subject), replica=False)
        if owned:
            return []
        known = self._known(number) if number else None
        if known is not None:
            held = self._find(known.subject) if known.subject is not None else None
            # Without an account of its own, the customer has a difference itself.
            return [double(number, subject, held.subject, known.pending)] if held is not None else []
        if self._find(subject) is None or (self._disables and not account.enabled):
            return []
        return [stray(subject, account.enabled, is_ours, queued)]

    def _known(self, customer_id: int) -> _Known | None:
        def look(connection: Connection) -> _Known | None:
            row = connection.run("account.customer", owner=customer_id).one_or_none()
            if row is None:
                return None
            link = connection.run("account.of", owner=customer_id).one_or_none()
            subject = link.subject if link is not None and link.provider == self._provider.name else None
            return _Known(row.email, row.status == "active", subject, _is_queued(connection, customer_id, NOT_STRAY))

        return self._database.read(look, replica=False)

    def _marked(self, customer_id: int, email: str, marked: Sequence[str]) -> set[str]:
        """Return the accounts that have a customer's reference."""
        reference = f"{self._prefix}{customer_id}"
        found = [account for account in map(self._find, marked) if account is not None]
        abilities = self._ask(self._provider.abilities)
        if abilities.keeps_reference and abilities.searches:
            found += self._ask(lambda: self._provider.find_by_reference(reference))
            found += self._ask(lambda: self._provider.find_by_email(email))
        return {account.subject for account in found if account.reference == reference}

    def _find(self, subject: str) -> Account | None:
        return self._ask(lambda: self._provider.find(subject))

    def _ask(self, call: Callable[[], T]) -> T:
        return patiently(call, self._wait)


def _claims(connection: Connection, customer_id: int, subject: str) -> tuple[bool, bool]:
    """Return whether a customer has an account, and whether the outbox has work on it."""
    owner = connection.run("account.owner", linked=subject).scalar()
    queued = _is_queued(connection, 0, subject) or (customer_id > 0 and _is_queued(connection, customer_id, NOT_STRAY))
    return owner is not None, queued


def _is_queued(connection: Connection, about: int, found: str) -> bool:
    return connection.run("outbox.about", about=about, found=found).first() is not None
