"""Processes the outbox: updates accounts at the provider to the current state of their customers.

Processing a row first reads the account's state and then changes it, so it can be repeated safely.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from custctl.customers.outbox import NOT_STRAY
from custctl.identity.accounts.asking import patiently
from custctl.identity.accounts.claims import Claims, LostError, Task
from custctl.identity.accounts.provider import (
    Account,
    AccountTakenError,
    NewAccount,
    Provider,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from custctl.support.errors import CommitLostError, CredentialError, CustctlError

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.results import Row

T = TypeVar("T")

_IN_A_ROW = 3  # consecutive rows that fail because the provider is down, after which a run ends
_ROUNDS = 5  # maximum rounds for one row when its customer is written meanwhile
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


class _OverError(Exception):
    """There is no time left for a call to the provider."""


class Worker:
    """Processes one database's outbox for one provider.

    Args:
        environment: the profile's environment; the database's stamp must equal it.
        disables: whether the account of a deleted customer is disabled instead of deleted.
        patience: seconds after which no call to the provider starts; None for no limit.
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
        self._claims = Claims(database, environment, provider.name)
        self._provider = provider
        self._disables = disables
        self._ends = time.monotonic() + patience if patience is not None else None
        self._note = note

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
            number = self._claims.number_of(customer_id)
            if number is None:
                worked.done = 1
                return worked
            if self._process(number, worked):
                return worked
            if self._is_over():
                worked.ended_early = True
                worked.reason = ProviderUnavailableError("another run has started on it and has not finished")
                return worked
            time.sleep(_POLL)

    def _run(self, statement: str, values: dict[str, Any], limit: int, on_progress: Callable[[int], None]) -> Worked:
        worked, down, tried = Worked(), 0, set[int]()
        since = self._claims.now()
        while True:
            found = self._claims.due(statement, values, since)
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
                self._process(number, worked)
                unavailable = isinstance(worked.reason, ProviderUnavailableError)
                down = down + 1 if worked.failed > failed and unavailable else 0
                on_progress(worked.done + worked.failed)
            tried.intersection_update(found)

    def _is_over(self) -> bool:
        return self._ends is not None and time.monotonic() >= self._ends

    # -- one row -----------------------------------------------------------------------------------

    def _process(self, number: int, worked: Worked) -> bool:
        """Process one row; return False if another run has it.

        Raises:
            CredentialError: the provider does not accept the program's credential.
        """
        try:
            task = self._claims.claim(number)
        except CommitLostError:
            return False  # if the claim succeeded after all, it expires by itself
        if task is None:
            return False
        try:
            self._converge(task)
        except LostError:
            return False
        except _OverError:
            self._claims.release(task)
            worked.ended_early = True
            worked.reason = worked.reason or ProviderUnavailableError(f"{self._provider.name} took too long")
        except CredentialError as error:
            self._claims.fail(task, error)
            raise
        except CustctlError as error:
            self._claims.fail(task, error)
            worked.failed, worked.reason = worked.failed + 1, error
        except Exception as error:  # noqa: BLE001 - one bad row must not block the others
            reason = CustctlError(f"unexpected {type(error).__name__}")
            self._claims.fail(task, reason)
            worked.failed, worked.reason = worked.failed + 1, reason
        except BaseException:
            self._claims.release(task)
            raise
        else:
            worked.done += 1
        return True

    def _converge(self, task: Task) -> None:
        """Update the account and delete the row; repeat if the customer was written meanwhile."""
        for _ in range(_ROUNDS):
            account = self._update_patiently(task)
            following = self._claims.finish(task, account)
            if following is None:
                return
            task = following
        raise ProviderUnavailableError("others keep changing the customer")

    def _update_patiently(self, task: Task) -> Account | None:
        """Update the account; wait and retry if the provider asks to wait."""

        def wait(seconds: float) -> None:
            self._note(f"{self._provider.name} asks to wait {seconds:.0f} s")
            time.sleep(seconds)
            self._claims.renew(task)

        return patiently(lambda: self._update(task), wait, self._has_time_for)

    def _has_time_for(self, pause: float) -> bool:
        return self._ends is None or time.monotonic() + pause < self._ends

    # -- deciding what to do -----------------------------------------------------------------------

    def _update(self, task: Task) -> Account | None:
        if task.row.stray != NOT_STRAY:
            self._remove(task, task.row.stray)
            return None
        if task.customer is None:
            for subject in self._find_deleted(task):
                self._remove(task, subject)
            return None
        return self._align(task, self._find(task) or self._create(task))

    def _ask(self, task: Task, call: Callable[[], T]) -> T:
        """Call the provider if there is time left and the claim still holds."""
        if self._is_over():
            raise _OverError
        if time.monotonic() >= task.lease_ends:
            raise LostError
        return call()

    def _find(self, task: Task) -> Account | None:
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
        marked = self._find_marked(task)
        if len(marked) > 1:
            raise _for_a_person(customer.id, [each.subject for each in marked], "have the reference of")
        if marked:
            return self._check_free(task, marked[0])
        intended = self._find_intended(task)
        if intended is not None:
            return self._check_free(task, intended)
        if self._ask(task, provider.abilities).keeps_reference:
            return None  # the provider refuses a duplicate email, so there is no need to read all accounts
        same = self._ask(task, lambda: provider.find_by_email(customer.email))
        if same:
            raise _for_a_person(customer.id, [each.subject for each in same], "has the email of")
        return None

    def _find_marked(self, task: Task) -> list[Account]:
        """Return the accounts that have the customer's reference."""
        found = self._ask(task, lambda: self._provider.find_by_reference(task.reference))
        return [each for each in found if each.reference == task.reference]

    def _find_intended(self, task: Task) -> Account | None:
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

    def _check_free(self, task: Task, account: Account) -> Account:
        """Return the account, after checking that no other customer has it."""
        owner = self._claims.owner(account.subject)
        if owner not in (None, task.row.customer_id):
            raise _for_a_person(task.row.customer_id, [account.subject], f"belongs to customer {owner}, and not to")
        return account

    def _create(self, task: Task) -> Account:
        customer = task.customer
        assert customer is not None
        self._claims.intend(task, customer.email)
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
            self._claims.intend(task, task.row.intent)
            if not isinstance(error, AccountTakenError):
                raise
            marked = self._find_marked(task)
            if len(marked) == 1:
                return self._check_free(task, marked[0])
            same = self._ask(task, lambda: self._provider.find_by_email(customer.email))
            ours = [each for each in same if each.reference == task.reference]
            if len(ours) == 1:
                return self._check_free(task, ours[0])
            if not same:
                raise
            raise _for_a_person(customer.id, [each.subject for each in same], "has the email of") from error

    def _align(self, task: Task, account: Account) -> Account:
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

    def _find_deleted(self, task: Task) -> list[str]:
        """Return the subjects of a deleted customer's accounts."""
        row = task.row
        if row.subject is not None:
            return [row.subject]
        if row.intent is None:
            return []  # no attempt to create one was ever made
        marked = self._find_marked(task)
        if marked:
            return [each.subject for each in marked]
        intended = self._find_intended(task)
        return [intended.subject] if intended is not None else []

    def _remove(self, task: Task, subject: str) -> None:
        """Delete or disable an account that no customer has."""
        if self._claims.owner(subject) is not None:
            return
        if not self._disables:
            self._ask(task, lambda: self._provider.delete(subject))
            return
        account = self._ask(task, lambda: self._provider.find(subject))
        if account is not None and account.enabled:
            self._ask(task, lambda: self._provider.set_enabled(subject, enabled=False))


def _is_enabled(customer: Row) -> bool:
    return bool(customer.status == "active")


def _for_a_person(customer_id: int, subjects: Sequence[str], what: str) -> AccountTakenError:
    noun = "account" if len(subjects) == 1 else "accounts"
    named = ", ".join(f"`{subject}`" for subject in subjects[:3])
    return AccountTakenError(
        f"{noun} {named} {what} customer {customer_id}, and custctl did not make it for that customer",
        hint=f"if it is the customer's: `custctl identity link {customer_id} {shlex.quote(subjects[0])}`",
    )
