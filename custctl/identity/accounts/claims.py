"""Rows of the outbox that a run has claimed, and what it records about them.

Each row is claimed for a limited time, so that two runs never process it at once and a later run takes over from a
killed one.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from custctl.customers.outbox import NOT_STRAY
from custctl.identity.accounts.provider import Account, ProviderRefusedError, ProviderUnavailableError
from custctl.schema.standing import Standing, require_writable
from custctl.schema.times import format_time
from custctl.support.errors import ConflictError, CustctlError, InvalidError

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.results import Row

T = TypeVar("T")

LEASE = 300.0
"""Seconds for which a row is claimed: longer than any row takes."""

_LONGEST_PAUSE = 900.0  # maximum seconds between two attempts at one row
_LENGTH = 480  # maximum characters of a stored reason


@dataclass(slots=True)
class Task:
    """A claimed row, and what the database knows about its customer.

    Attributes:
        lease_ends: `time.monotonic()` at the end of the claim, in seconds.
    """

    row: Row
    customer: Row | None
    link: Row | None
    database_id: str
    lease_ends: float

    @property
    def reference(self) -> str:
        """The reference in the customer's account."""
        return f"{self.database_id}:{self.row.customer_id}"


class LostError(Exception):
    """Another run has taken over the row."""


class Claims:
    """Claims rows of one database's outbox for one run.

    Args:
        environment: the profile's environment; the database's stamp must equal it.
        provider: the name of the provider whose accounts are linked.
    """

    def __init__(self, database: Database, environment: str, provider: str) -> None:
        self._database = database
        self._environment = environment
        self._provider = provider
        self._mine = str(uuid.uuid4())

    # -- which rows --------------------------------------------------------------------------------

    def now(self) -> str:
        """Return the time by the database's clock."""
        return self._transact(lambda connection, _: _now(connection))

    def due(self, statement: str, values: dict[str, Any], since: str) -> list[int]:
        """Return the numbers of rows that are due.

        Args:
            statement: the statement that finds them, and `values` its other parameters.
            since: when the run began; a row that failed after that is not due again.
        """

        def look(connection: Connection, _: Standing) -> list[int]:
            found = connection.run(statement, since=since, now=_now(connection), **values)
            return [int(number) for number in found.scalars()]

        return self._transact(look)

    def number_of(self, customer_id: int) -> int | None:
        """Return the number of a customer's row, or None if it has none."""
        number = self._transact(
            lambda connection, _: connection.run("outbox.about", about=customer_id, found=NOT_STRAY).scalar()
        )
        return int(number) if number is not None else None

    # -- a claim -----------------------------------------------------------------------------------

    def claim(self, number: int) -> Task | None:
        """Claim a row; return None if another run has it, or it is gone."""
        ends = time.monotonic() + LEASE

        def claim(connection: Connection, standing: Standing) -> Task | None:
            now = _now(connection)
            until = _later(now, LEASE)
            if connection.run("outbox.claim", number=number, mine=self._mine, now=now, until=until).rowcount != 1:
                return None
            return self._read(connection, standing, number, ends)

        return self._transact(claim)

    def _read(self, connection: Connection, standing: Standing, number: int, lease_ends: float) -> Task | None:
        row = connection.run("outbox.row", number=number).one_or_none()
        if row is None or row.claimed_by != self._mine:
            return None
        customer = connection.run("account.customer", owner=row.customer_id).one_or_none()
        link = connection.run("account.of", owner=row.customer_id).one_or_none()
        return Task(row, customer, link, standing.database_id or "", lease_ends)

    def renew(self, task: Task) -> None:
        """Extend a claim.

        Raises:
            LostError: another run has taken over the row.
        """
        ends = time.monotonic() + LEASE

        def renew(connection: Connection, _: Standing) -> bool:
            until = _later(_now(connection), LEASE)
            return connection.run("outbox.renew", number=task.row.id, mine=self._mine, until=until).rowcount == 1

        if not self._transact(renew):
            raise LostError
        task.lease_ends = ends

    def intend(self, task: Task, email: str | None) -> None:
        """Record the email with which the next request creates an account; None if no request may have created one.

        Raises:
            LostError: another run has taken over the row.
        """

        def intend(connection: Connection, _: Standing) -> bool:
            done = connection.run("outbox.intend", number=task.row.id, mine=self._mine, planned=email)
            return done.rowcount == 1

        if not self._transact(intend):
            raise LostError

    def owner(self, subject: str) -> int | None:
        """Return the customer to whom an account is linked, or None."""
        found = self._transact(lambda connection, _: connection.run("account.owner", linked=subject).scalar())
        return int(found) if found is not None else None

    # -- its end -----------------------------------------------------------------------------------

    def finish(self, task: Task, account: Account | None) -> Task | None:
        """Record the link and delete the row; return the current row if the customer was written meanwhile.

        Raises:
            LostError: another run has taken over the row.
            ProviderRefusedError: the account cannot be linked.
        """
        row = task.row

        def finish(connection: Connection, standing: Standing) -> Task | None:
            if account is not None:
                self._link(connection, row.customer_id, account)
            if connection.run("outbox.done", number=row.id, mine=self._mine, seen=row.generation).rowcount == 1:
                return None
            following = self._read(connection, standing, row.id, task.lease_ends)
            if following is None:
                raise LostError
            return following

        try:
            return self._transact(finish)
        except (ConflictError, InvalidError) as error:
            # The customer was deleted just now, or somebody linked the account to another one.
            raise ProviderRefusedError(f"the account could not be linked: {error.message}") from error

    def _link(self, connection: Connection, customer_id: int, account: Account) -> None:
        if connection.run("account.customer", owner=customer_id).one_or_none() is None:
            # The customer was deleted meanwhile, before its account was known.
            connection.run("outbox.remember", about=customer_id, found=NOT_STRAY, linked=account.subject)
            return
        write_link(connection, customer_id, self._provider, account)

    def release(self, task: Task) -> None:
        """End a claim, so that the next run need not wait for it to expire."""
        with suppress(CustctlError):
            self._transact(lambda connection, _: connection.run("outbox.release", number=task.row.id, mine=self._mine))

    def fail(self, task: Task, error: CustctlError) -> None:
        """Record why a row stays, and when to try it again."""
        pause = min(2.0 ** min(task.row.attempts, 20), _LONGEST_PAUSE)
        if isinstance(error, ProviderUnavailableError) and error.retry_after is not None:
            pause = max(pause, min(error.retry_after, _LONGEST_PAUSE))

        def fail(connection: Connection, _: Standing) -> None:
            again = _later(_now(connection), pause)
            told = error.message[:_LENGTH]
            connection.run("outbox.fail", number=task.row.id, mine=self._mine, again=again, told=told)

        with suppress(CustctlError):  # the claim then expires by itself
            self._transact(fail)

    def _transact(self, work: Callable[[Connection, Standing], T]) -> T:
        def guarded(connection: Connection) -> T:
            return work(connection, require_writable(self._database, connection, self._environment))

        return self._database.transact(guarded)


def write_link(connection: Connection, customer_id: int, provider: str, account: Account) -> None:
    """Record which account is a customer's, and its state when it was read."""
    values: dict[str, Any] = {
        "owner": customer_id,
        "at": provider,
        "linked": account.subject,
        "seen_email": account.email,
        "seen_enabled": int(account.enabled),
        "now": _now(connection),
    }
    if connection.run("account.update", **values).rowcount == 0:
        connection.run("account.insert", **values)


def _now(connection: Connection) -> str:
    return str(connection.run("clock.now").scalar())


def _later(now: str, seconds: float) -> str:
    return format_time(datetime.fromisoformat(now) + timedelta(seconds=seconds))
