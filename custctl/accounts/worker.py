"""Processes the outbox: updates accounts at the provider to the current state of their customers.

Each row is claimed for a limited time, so that two runs never process it at once and a later run takes over from a
killed one. Processing a row first reads the account's state and then changes it, so it can be repeated safely.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from custctl.accounts.provider import (
    Account,
    AccountTakenError,
    NewAccount,
    Provider,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from custctl.customers.outbox import NOT_STRAY
from custctl.schema.standing import Standing, require_writable
from custctl.schema.times import format_time
from custctl.support.errors import CommitLostError, ConflictError, CredentialError, CustctlError, InvalidError

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection, Row

T = TypeVar("T")

LEASE = 300.0
"""Seconds for which a row is claimed: longer than any row takes."""

_LONGEST_PAUSE = 900.0  # maximum seconds between two attempts at one row
_LONGEST_WAIT = 120.0  # maximum seconds that a run waits at the provider's request
_IN_A_ROW = 3  # consecutive rows that fail because the provider is down, after which a run ends
_ROUNDS = 5  # maximum rounds for one row when its customer is written meanwhile
_LENGTH = 480  # maximum characters of a stored reason
_POLL = 0.2


@dataclass(slots=True)
class Worked:
    """What a run has done.

    Attributes:
        done: rows that were completed.
        failed: rows that were tried and stay in the outbox.
        reason: why the last of them failed, or what ended the run early.
        ended_early: whether some rows were not tried.
    """

    done: int = 0
    failed: int = 0
    reason: CustctlError | None = None
    ended_early: bool = False


@dataclass(frozen=True, slots=True)
class _Task:
    """A claimed row, and what the database knows about its customer."""

    row: Row
    customer: Row | None
    link: Row | None
    database_id: str
    lease_ends: float = field(default=0.0)

    @property
    def reference(self) -> str:
        """The mark of the customer's account."""
        return f"{self.database_id}:{self.row.customer_id}"


class _LostError(Exception):
    """Another run has taken over the row."""


class _OverError(Exception):
    """There is no time left for a call to the provider."""


class Worker:
    """Processes one database's outbox for one provider.

    Args:
        environment: the profile's environment; the database's stamp must equal it.
        disables: whether the account of a deleted customer is disabled instead of deleted.
        patience: maximum seconds for the whole run; None for no limit. A request in progress is not cut short.
        note: called with the reason when the run waits.
    """

    def __init__(
        self,
        database: Database,
        environment: str,
        provider: Provider,
        *,
        disables: bool,
        patience: float | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._environment = environment
        self._provider = provider
        self._disables = disables
        self._ends = time.monotonic() + patience if patience is not None else None
        self._note = note
        self._mine = str(uuid.uuid4())

    # -- which rows --------------------------------------------------------------------------------

    def sync(self, limit: int = 0, on_progress: Callable[[int], None] = lambda _: None) -> Worked:
        """Process all rows that are due.

        Args:
            limit: maximum number of rows; 0 means no limit.
            on_progress: called with the number of rows handled.

        Raises:
            CredentialError: the provider does not accept the program's credential.
        """
        return self._run("outbox.due", {}, limit, on_progress)

    def follow_operation(self, operation_id: str) -> Worked:
        """Process the rows of one operation, such as an import."""
        return self._run("outbox.due_of", {"operation": operation_id}, 0, lambda _: None)

    def follow_customer(self, customer_id: int) -> Worked:
        """Process a customer's row; if another run is processing it, wait for that."""
        worked = Worked()
        while True:
            number = self._transact(
                lambda connection, _: connection.run("outbox.about", about=customer_id, found=NOT_STRAY).scalar()
            )
            if number is None:
                worked.done = 1
                return worked
            if self._deal_with(int(number), worked):
                return worked
            if self._is_over():
                worked.ended_early = True
                worked.reason = ProviderUnavailableError("another run has begun it, and has not finished")
                return worked
            time.sleep(_POLL)

    def _run(self, statement: str, values: dict[str, Any], limit: int, on_progress: Callable[[int], None]) -> Worked:
        worked, down, tried = Worked(), 0, set[int]()
        since = self._now()
        while True:
            found = self._due(statement, values, since)
            fresh = [number for number in found if number not in tried]
            if not fresh:
                return worked
            for number in fresh:
                dealt_with = worked.done + worked.failed
                if (limit and dealt_with >= limit) or self._is_over() or down >= _IN_A_ROW:
                    worked.ended_early = not limit or dealt_with < limit
                    return worked
                tried.add(number)
                failed = worked.failed
                self._deal_with(number, worked)
                unavailable = isinstance(worked.reason, ProviderUnavailableError)
                down = down + 1 if worked.failed > failed and unavailable else 0
                on_progress(worked.done + worked.failed)
            tried.intersection_update(found)

    def _now(self) -> str:
        return self._transact(lambda connection, _: str(connection.run("clock.now").scalar()))

    def _due(self, statement: str, values: dict[str, Any], since: str) -> Sequence[int]:
        def look(connection: Connection, _: Standing) -> list[int]:
            now = connection.run("clock.now").scalar()
            return [int(number) for number in connection.run(statement, since=since, now=now, **values).scalars()]

        return self._transact(look)

    def _is_over(self) -> bool:
        return self._ends is not None and time.monotonic() >= self._ends

    # -- one row -----------------------------------------------------------------------------------

    def _deal_with(self, number: int, worked: Worked) -> bool:
        """Process one row; return False if another run has it.

        Raises:
            CredentialError: the provider does not accept the program's credential.
        """
        try:
            task = self._claim(number)
        except CommitLostError:
            return False  # if the claim succeeded after all, it expires by itself
        if task is None:
            return False
        try:
            self._converge(task)
        except _LostError:
            return False
        except _OverError:
            self._release(task)
            worked.ended_early = True
            worked.reason = worked.reason or ProviderUnavailableError(f"{self._provider.name} took too long")
        except CredentialError as error:
            self._fail(task, error)
            raise
        except CustctlError as error:
            self._fail(task, error)
            worked.failed, worked.reason = worked.failed + 1, error
        except Exception as error:  # noqa: BLE001 - one bad row must not block the others
            reason = CustctlError(f"unexpected {type(error).__name__}")
            self._fail(task, reason)
            worked.failed, worked.reason = worked.failed + 1, reason
        except BaseException:
            # The next run need not wait for the claim to expire.
            self._release(task)
            raise
        else:
            worked.done += 1
        return True

    def _claim(self, number: int) -> _Task | None:
        began = time.monotonic()

        def claim(connection: Connection, standing: Standing) -> _Task | None:
            now = str(connection.run("clock.now").scalar())
            until = _later(now, LEASE)
            if connection.run("outbox.claim", number=number, mine=self._mine, now=now, until=until).rowcount != 1:
                return None
            return self._read(connection, standing, number)

        task = self._transact(claim)
        return replace(task, lease_ends=began + LEASE) if task is not None else None

    def _read(self, connection: Connection, standing: Standing, number: int) -> _Task | None:
        row = connection.run("outbox.row", number=number).one_or_none()
        if row is None or row.claimed_by != self._mine:
            return None
        customer = connection.run("account.customer", owner=row.customer_id).one_or_none()
        link = connection.run("account.of", owner=row.customer_id).one_or_none()
        return _Task(row, customer, link, standing.database_id or "")

    def _converge(self, task: _Task) -> None:
        """Update the account and delete the row; repeat if the customer was written meanwhile."""
        for _ in range(_ROUNDS):
            account = self._patiently(task)
            following = self._finish(task, account)
            if following is None:
                return
            task = replace(following, lease_ends=task.lease_ends)
        raise ProviderUnavailableError("the customer is being changed all the time")

    def _patiently(self, task: _Task) -> Account | None:
        """Update the account; wait and retry if the provider asks to wait."""
        while True:
            try:
                return self._bring_about(task)
            except ProviderUnavailableError as error:
                pause = error.retry_after
                if pause is None or pause > _LONGEST_WAIT or not self._has_time_for(pause):
                    raise
                self._note(f"{self._provider.name} asks to wait {pause:.0f} s")
                time.sleep(pause)
                task = replace(task, lease_ends=self._renew(task))

    def _has_time_for(self, pause: float) -> bool:
        return self._ends is None or time.monotonic() + pause < self._ends

    def _renew(self, task: _Task) -> float:
        began = time.monotonic()

        def renew(connection: Connection, _: Standing) -> bool:
            until = _later(str(connection.run("clock.now").scalar()), LEASE)
            return connection.run("outbox.renew", number=task.row.id, mine=self._mine, until=until).rowcount == 1

        if not self._transact(renew):
            raise _LostError
        return began + LEASE

    # -- deciding what to do -----------------------------------------------------------------------

    def _bring_about(self, task: _Task) -> Account | None:
        if task.row.stray != NOT_STRAY:
            self._remove(task, task.row.stray)
            return None
        if task.customer is None:
            for subject in self._of_deleted(task):
                self._remove(task, subject)
            return None
        return self._aligned(task, self._found(task) or self._created(task))

    def _ask(self, task: _Task, call: Callable[[], T]) -> T:
        """Call the provider if there is time left and the claim still holds."""
        if self._is_over():
            raise _OverError
        if time.monotonic() >= task.lease_ends:
            raise _LostError
        return call()

    def _found(self, task: _Task) -> Account | None:
        """Return the customer's account, or None if it has none.

        Raises:
            ProviderRefusedError: a person must decide which account is the customer's.
        """
        provider, customer = self._provider, task.customer
        assert customer is not None
        # A link to another provider says nothing here.
        if task.link is not None and task.link.provider == provider.name:
            subject: str = task.link.subject
            account = self._ask(task, lambda: provider.find(subject))
            if account is not None:
                return account
        marked = self._ask(task, lambda: provider.find_by_reference(task.reference))
        marked = [each for each in marked if each.reference == task.reference]
        if len(marked) > 1:
            raise _for_a_person(customer.id, [each.subject for each in marked], "bear the mark of")
        if marked:
            return self._free(task, marked[0])
        intended = self._intended(task)
        if intended is not None:
            return self._free(task, intended)
        if self._ask(task, provider.abilities).keeps_reference:
            return None  # the provider refuses a duplicate email, so there is no need to read all accounts
        same = self._ask(task, lambda: provider.find_by_email(customer.email))
        if same:
            raise _for_a_person(customer.id, [each.subject for each in same], "has the email of")
        return None

    def _intended(self, task: _Task) -> Account | None:
        """Return the account that this row was about to create, if the provider cannot search by reference.

        If the provider stores no references, the row must say that no account had this email before the request to
        create one, and that no refusal came back. Otherwise an account is never assigned to a customer because of its
        email.
        """
        email = task.row.intent
        if email is None:
            return None
        mark = task.reference if self._ask(task, self._provider.abilities).keeps_reference else None
        same = self._ask(task, lambda: self._provider.find_by_email(email))
        return same[0] if len(same) == 1 and same[0].reference == mark else None

    def _free(self, task: _Task, account: Account) -> Account:
        """Return the account, after checking that no other customer has it."""
        owner = self._owner(account.subject)
        if owner not in (None, task.row.customer_id):
            raise _for_a_person(task.row.customer_id, [account.subject], f"belongs to customer {owner}, and not to")
        return account

    def _owner(self, subject: str) -> int | None:
        found = self._transact(lambda connection, _: connection.run("account.owner", linked=subject).scalar())
        return int(found) if found is not None else None

    def _created(self, task: _Task) -> Account:
        customer = task.customer
        assert customer is not None
        self._intend(task, customer.email)
        wanted = NewAccount(
            reference=task.reference,
            email=customer.email,
            first_name=customer.first_name,
            last_name=customer.last_name,
            enabled=_is_enabled(customer),
        )
        try:
            return self._ask(task, lambda: self._provider.create(wanted))
        except (ProviderRefusedError, CredentialError) as error:
            # This attempt created nothing: the recorded intent no longer shows that an account with this email is ours.
            self._intend(task, task.row.intent)
            if not isinstance(error, AccountTakenError):
                raise
            marked = self._ask(task, lambda: self._provider.find_by_reference(task.reference))
            marked = [each for each in marked if each.reference == task.reference]
            if len(marked) == 1:
                return self._free(task, marked[0])
            same = self._ask(task, lambda: self._provider.find_by_email(customer.email))
            ours = [each for each in same if each.reference == task.reference]
            if len(ours) == 1:
                return self._free(task, ours[0])
            if not same:
                raise
            raise _for_a_person(customer.id, [each.subject for each in same], "has the email of") from error

    def _intend(self, task: _Task, email: str | None) -> None:
        def intend(connection: Connection, _: Standing) -> bool:
            done = connection.run("outbox.intend", number=task.row.id, mine=self._mine, planned=email)
            return done.rowcount == 1

        if not self._transact(intend):
            raise _LostError

    def _aligned(self, task: _Task, account: Account) -> Account:
        """Set the customer's email and state on an account."""
        customer, provider = task.customer, self._provider
        assert customer is not None
        if account.email.casefold() != customer.email.casefold():
            self._ask(task, lambda: provider.set_email(account.subject, customer.email))
            account = replace(account, email=customer.email)
        enabled = _is_enabled(customer)
        if account.enabled != enabled:
            self._ask(task, lambda: provider.set_enabled(account.subject, enabled))
            account = replace(account, enabled=enabled)
        return account

    def _of_deleted(self, task: _Task) -> list[str]:
        """Return the subjects of a deleted customer's accounts."""
        provider, row = self._provider, task.row
        if row.subject is not None:
            return [row.subject]
        if row.intent is None:
            return []  # no attempt to create one was ever made
        marked = self._ask(task, lambda: provider.find_by_reference(task.reference))
        found = [each.subject for each in marked if each.reference == task.reference]
        if found:
            return found
        intended = self._intended(task)
        return [intended.subject] if intended is not None else []

    def _remove(self, task: _Task, subject: str) -> None:
        """Delete or disable an account that no customer has."""
        if self._owner(subject) is not None:
            return
        if not self._disables:
            self._ask(task, lambda: self._provider.delete(subject))
            return
        account = self._ask(task, lambda: self._provider.find(subject))
        if account is not None and account.enabled:
            self._ask(task, lambda: self._provider.set_enabled(subject, enabled=False))

    # -- the end of a row --------------------------------------------------------------------------

    def _finish(self, task: _Task, account: Account | None) -> _Task | None:
        """Record the link and delete the row; return the current row if the customer was written meanwhile."""
        row = task.row

        def finish(connection: Connection, standing: Standing) -> _Task | None:
            if account is not None:
                self._link(connection, row.customer_id, account)
            if connection.run("outbox.done", number=row.id, mine=self._mine, seen=row.generation).rowcount == 1:
                return None
            following = self._read(connection, standing, row.id)
            if following is None:
                raise _LostError
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
        write_link(connection, customer_id, self._provider.name, account)

    def _release(self, task: _Task) -> None:
        with suppress(CustctlError):
            self._transact(lambda connection, _: connection.run("outbox.release", number=task.row.id, mine=self._mine))

    def _fail(self, task: _Task, error: CustctlError) -> None:
        pause = min(2.0 ** min(task.row.attempts, 20), _LONGEST_PAUSE)
        if isinstance(error, ProviderUnavailableError) and error.retry_after is not None:
            pause = max(pause, min(error.retry_after, _LONGEST_PAUSE))

        def fail(connection: Connection, _: Standing) -> None:
            again = _later(str(connection.run("clock.now").scalar()), pause)
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
    values = {
        "owner": customer_id,
        "at": provider,
        "linked": account.subject,
        "seen_email": account.email,
        "seen_enabled": int(account.enabled),
        "now": connection.run("clock.now").scalar(),
    }
    if connection.run("account.update", **values).rowcount == 0:
        connection.run("account.insert", **values)


def _is_enabled(customer: Row) -> bool:
    return bool(customer.status == "active")


def _later(now: str, seconds: float) -> str:
    return format_time(datetime.fromisoformat(now) + timedelta(seconds=seconds))


def _for_a_person(customer_id: int, subjects: Sequence[str], what: str) -> AccountTakenError:
    named = ", ".join(f"`{subject}`" for subject in subjects[:3])
    return AccountTakenError(
        f"account {named} {what} customer {customer_id}, and custctl did not make it for that customer",
        hint=f"if it is the customer's: `custctl identity link {customer_id} {subjects[0]}`",
    )
