"""Customers' accounts at the identity provider of a profile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from custctl.customers.outbox import NOT_STRAY
from custctl.identity.accounts.opening import open_provider, require_provider
from custctl.schema.standing import check_schema, read_standing
from custctl.support.errors import (
    ConflictError,
    CustctlError,
    IncompleteError,
    InterruptedRunError,
    NotFoundError,
    RefusedError,
)
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.api.opened import Opened
    from custctl.customers.model import Customer
    from custctl.customers.operations import Outcome
    from custctl.engines.connection import Connection
    from custctl.engines.results import Row
    from custctl.identity.accounts.drift import Comparison, Drift
    from custctl.identity.accounts.moving import Moved, MovePlan, Mover
    from custctl.identity.accounts.provider import Abilities, Account, Provider
    from custctl.identity.accounts.worker import Worked, Worker

SYNC = "run `custctl identity sync`, which does what is left"


@dataclass(frozen=True, slots=True)
class AccountsStatus:
    """The state of a profile's accounts.

    Attributes:
        provider: the provider's name; `local` if passwords are in this database.
        fault: why the provider cannot be reached; None if it can.
        abilities: what the provider can do; None if it cannot be reached, or there is none.
        linked: customers whose account is known.
        pending: customers and accounts with work left to do at the provider.
        failed: how many of these were tried and failed.
        oldest: since when the oldest of these has been waiting.
        next_attempt_at: when the next retry is due.
        last_error: why the last attempt failed.
        hashes: passwords that are still in this database.
    """

    provider: str
    fault: CustctlError | None
    abilities: Abilities | None
    linked: int
    pending: int
    failed: int
    oldest: str | None
    next_attempt_at: str | None
    last_error: str | None
    hashes: int


@dataclass(frozen=True, slots=True)
class Linked:
    """A customer with its account.

    Attributes:
        subject: the account's id at the provider; None if no account is linked.
        account: the account as the provider returns it now, if any.
        pending: whether work is left to do at the provider.
    """

    customer: Customer
    subject: str | None
    account: Account | None
    pending: bool

    @property
    def is_lost(self) -> bool:
        """Whether an account is linked that the provider does not have."""
        return self.subject is not None and self.account is None

    def fields(self) -> dict[str, str | bool | None]:
        """Return what is shown of the account, by name."""
        account = self.account
        return {
            "account": self.subject,
            "account_email": account.email if account is not None else None,
            "account_enabled": account.enabled if account is not None else None,
            "account_pending": self.pending,
        }


class Accounts:
    """Accounts at one profile's provider.

    Each call except `status` raises `RefusedError` if the profile has no provider, `ProviderUnavailableError` if it
    does not answer, and `CredentialError` if it rejects the program's credential.

    Args:
        opened: the profile.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    @property
    def _patience(self) -> float:
        """Seconds after which a command about some customers starts no request."""
        return self._opened.profile.identity.timeout

    @contextmanager
    def _provider(self, patience: float | None) -> Iterator[Provider]:
        """Open the provider for the block.

        Args:
            patience: seconds after which no request starts; None for no limit.
        """
        from custctl.support.web import starting_within

        made = open_provider(self._opened.profile, self._opened.environ)
        try:
            with starting_within(patience):
                yield made
        finally:
            made.close()

    def status(self) -> AccountsStatus:
        """Return what is linked and what is pending. An unreachable provider is part of the status, not an error."""
        opened = self._opened
        hashes = opened.database.read(lambda connection: int(connection.run("password.count").scalar()))
        if opened.profile.identity.is_local:
            return AccountsStatus("local", None, None, 0, 0, 0, None, None, None, hashes)
        linked, counts, failures = opened.database.read(_counted)
        name, fault, abilities = str(opened.profile.identity.provider), None, None
        try:
            with self._provider(self._patience) as provider:
                name = provider.name
                abilities = provider.abilities()
        except CustctlError as error:
            fault = error
        return AccountsStatus(
            name, fault, abilities, linked, int(counts.pending), int(counts.failed or 0), counts.oldest,
            counts.next_attempt_at, failures[0].last_error if failures else None, hashes,
        )  # fmt: skip

    # -- the outbox --------------------------------------------------------------------------------

    @contextmanager
    def _worker(self, patience: float | None = None) -> Iterator[Worker]:
        from custctl.identity.accounts.worker import Worker

        opened = self._opened
        # The worker starts no call after its time, and need not record a call as failed that began shortly before.
        with self._provider(2 * patience if patience is not None else None) as provider:
            yield Worker(
                opened.database,
                opened.profile.environment,
                provider,
                disables=opened.profile.identity.on_delete == "disable",
                patience=patience,
                note=opened.tell.note,
            )

    def pending(self) -> int:
        """Return how many customers and accounts have work left to do at the provider."""
        return int(self._opened.database.read(_counted, replica=False)[1].pending)

    def sync(self, limit: int = 0, on_progress: Callable[[int], None] = lambda _: None) -> Worked:
        """Do the pending work at the provider.

        Args:
            limit: maximum number of customers; 0 means no limit.
            on_progress: called with the number of customers handled.
        """
        require_provider(self._opened.profile)
        with self._worker() as worker:
            return worker.sync(limit, on_progress)

    def follow(self, outcome: Outcome) -> Outcome:
        """Update the account of a customer that was just written; return the outcome with any failure added."""
        profile = self._opened.profile
        if profile.identity.is_local or not (outcome.changed or outcome.replayed):
            return outcome
        done = f"customer {outcome.customer_id} is written"
        reason: CustctlError | None
        try:
            if not self._is_pending(outcome.customer_id):
                return outcome
            with self._worker(self._patience) as worker:
                reason = worker.follow_customer(outcome.customer_id).reason
        except CustctlError as error:
            reason = error
        except KeyboardInterrupt as interrupt:
            raise _interrupted(interrupt, done) from interrupt
        if reason is None:
            return outcome
        message = f"{done}, but its account does not follow yet: {reason.message}"
        told = IncompleteError(message, hint=_hint(reason), details={"customer_id": outcome.customer_id})
        return outcome._replace(account_error=told)

    def _is_pending(self, customer_id: int) -> bool:
        def look(connection: Connection) -> bool:
            return connection.run("outbox.about", about=customer_id, found=NOT_STRAY).first() is not None

        return self._opened.database.read(look, replica=False)

    def follow_operation(self, operation_id: str) -> CustctlError | None:
        """Update the accounts of all customers that an import wrote; return why some are left, or None."""
        database, profile = self._opened.database, self._opened.profile
        if profile.identity.is_local:
            return None

        def left(connection: Connection) -> int:
            return int(connection.run("outbox.left_of", operation=operation_id).scalar())

        reason: CustctlError | None = None
        try:
            if not database.read(left, replica=False):
                return None
            with self._worker(self._patience) as worker:
                reason = worker.follow_operation(operation_id).reason
            count = database.read(left, replica=False)
        except CustctlError as error:
            return IncompleteError(
                f"the customers are imported, but their accounts do not follow yet: {error.message}", hint=_hint(error)
            )
        except KeyboardInterrupt as interrupt:
            raise _interrupted(interrupt, "the customers are imported") from interrupt
        if not count:
            return None
        why = f": {reason.message}" if reason is not None else ""
        return IncompleteError(
            f"the customers are imported, but {plural(count, 'account does', 'accounts do')} not follow yet{why}",
            hint=SYNC,
            details={"pending": count},
        )

    # -- one account -------------------------------------------------------------------------------

    def get(self, who: str | int) -> Linked:
        """Return a customer and its account as the provider returns it now.

        Raises:
            NotFoundError: there is no such customer.
        """
        opened = self._opened
        require_provider(opened.profile)
        customer = opened.store.get(str(who))

        def look(connection: Connection) -> tuple[str | None, str | None]:
            link = connection.run("account.of", owner=customer.id).one_or_none()
            return (link.provider, link.subject) if link is not None else (None, None)

        at, subject = opened.database.read(look, replica=False)
        pending = self._is_pending(customer.id)
        with self._provider(self._patience) as provider:
            subject = subject if at == provider.name else None
            account = provider.find(subject) if subject is not None else None
        return Linked(customer, subject, account, pending)

    def _linked(self, who: str | int) -> Linked:
        """Return a customer and its account, which must exist.

        Raises:
            RefusedError: the customer has no account.
        """
        found = self.get(who)
        if found.account is None:
            hint = f"{SYNC}; `identity link` names an account by hand"
            raise RefusedError(f"customer {found.customer.id} has no account at the provider", hint=hint)
        return found

    def link(self, who: str | int, subject: str, *, operation_id: str) -> Outcome:
        """Link an account to a customer, and update its email and state.

        Raises:
            ConflictError: the account is linked to another customer.
            NotFoundError: there is no such customer, or no such account.
        """
        from custctl.customers.outbox import enqueue
        from custctl.identity.accounts.claims import write_link

        require_provider(self._opened.profile)
        with self._provider(self._patience) as provider:
            account = provider.find(subject)
            if account is None:
                raise NotFoundError(f"{provider.name} has no account `{subject}`")

            def change(connection: Connection, row: Customer) -> None:
                owner = connection.run("account.owner", linked=subject).scalar()
                if owner not in (None, row.id):
                    hint = f"`custctl identity unlink {owner}` takes it away from that customer"
                    raise ConflictError(f"account `{subject}` belongs to customer {owner}", hint=hint)
                write_link(connection, row.id, provider.name, account)
                enqueue(connection, row.id, NOT_STRAY, operation_id)

            detail = {"provider": provider.name, "subject": subject}
            outcome = self._opened.store.note(
                str(who), "link-account", operation_id=operation_id, detail=detail, change=change
            )
        return self.follow(outcome)

    def unlink(self, who: str | int, *, operation_id: str) -> Outcome:
        """Remove the link between a customer and its account. The account stays unchanged.

        Raises:
            NotFoundError: there is no such customer, or no account is linked.
        """
        require_provider(self._opened.profile)

        def change(connection: Connection, row: Customer) -> None:
            if connection.run("account.delete", owner=row.id).rowcount == 0:
                raise NotFoundError(f"customer {row.id} is not linked to an account")

        return self._opened.store.note(str(who), "unlink-account", operation_id=operation_id, detail={}, change=change)

    def set_password(self, who: str | int, password: str, *, operation_id: str) -> Outcome:
        """Set a customer's password at the provider; it is stored nowhere else.

        Raises:
            InvalidError: the provider refuses the password.
            RefusedError: the customer has no account.
        """
        return self._asked(who, "set-password", lambda provider, it: provider.set_password(it, password), operation_id)

    def send_reset(self, who: str | int, *, operation_id: str) -> Outcome:
        """Have the provider send a customer a password reset.

        Raises:
            RefusedError: the customer has no account, or the provider sends no resets.
        """

        def send(provider: Provider, subject: str) -> None:
            if not provider.abilities().sends_resets:
                hint = (
                    f"let the customer request a reset on the login page, or run `custctl customer set-password {who}`"
                )
                raise RefusedError(f"{provider.name} sends no resets at somebody else's request", hint=hint)
            provider.send_reset(subject)

        return self._asked(who, "reset-password", send, operation_id)

    def _asked(self, who: str | int, action: str, ask: Callable[[Provider, str], None], operation_id: str) -> Outcome:
        """Send the provider a request once, and record it."""
        store = self._opened.store
        if store.is_applied(operation_id):
            return store.note(str(who), action, operation_id=operation_id, detail={})
        found = self._linked(who)
        assert found.subject is not None
        with self._provider(self._patience) as provider:
            ask(provider, found.subject)
            detail = {"provider": provider.name}
        return store.note(str(found.customer.id), action, operation_id=operation_id, detail=detail)

    # -- passwords that are in this database ---------------------------------------------------------

    @contextmanager
    def _mover(self) -> Iterator[Mover]:
        from custctl.identity.accounts.moving import Mover

        opened = self._opened
        require_provider(opened.profile)
        with self._provider(None) as provider:
            yield Mover(
                opened.database,
                opened.store,
                provider,
                disables=opened.profile.identity.on_delete == "disable",
                wait=time.sleep,
                note=opened.tell.note,
            )

    def plan_migration(self) -> MovePlan:
        """Return how many passwords are in this database and what `migrate` would do with them."""
        with self._mover() as mover:
            return mover.plan()

    def migrate(self, limit: int = 0, on_progress: Callable[[int], None] = lambda _: None) -> Moved:
        """Move the passwords in this database to the provider; another run resumes.

        Args:
            limit: maximum number of passwords to move; 0 means no limit.
            on_progress: called with the number of passwords handled.

        Returns:
            What was done; `reason` says what ended the run early.
        """
        with self._mover() as mover:
            try:
                moved = mover.run(limit, on_progress)
            except KeyboardInterrupt as interrupt:
                done = plural(mover.moved.done, "password was moved", "passwords were moved")
                raise _interrupted(interrupt, done, "run `custctl identity migrate` again") from interrupt
            moved.left = self._opened.database.read(lambda connection: int(connection.run("password.count").scalar()))
        return moved

    # -- drift -------------------------------------------------------------------------------------

    @contextmanager
    def compare(self, on_progress: Callable[[int], None] = lambda _: None) -> Iterator[Comparison]:
        """Compare all customers with all accounts; read the differences inside the block.

        Differences are looked up again before this yields; `Comparison.unconfirmed` says for how many this was too much.
        """
        from custctl.identity.accounts.confirming import Confirming
        from custctl.identity.accounts.drift import Comparison

        opened = self._opened
        require_provider(opened.profile)
        disables = opened.profile.identity.on_delete == "disable"
        comparison = Comparison()
        try:
            with self._provider(None) as provider:

                def wait(seconds: float) -> None:
                    opened.tell.note(f"{provider.name} asks to wait {seconds:.0f} s")
                    time.sleep(seconds)

                environment = opened.profile.environment
                comparison.read(
                    opened.database, environment, provider, disables=disables, wait=wait, on_progress=on_progress
                )
                again = Confirming(opened.database, provider, prefix=comparison.prefix, disables=disables, wait=wait)
                comparison.confirm(again.of_customer, again.of_account)
            yield comparison
        finally:
            comparison.close()

    def repair(self, drifts: Iterator[Drift], *, operation_id: str) -> int:
        """Queue the repairs of differences, and return their number; `sync` carries them out."""
        from custctl.identity.accounts.drift import enqueue_repairs

        opened = self._opened
        return enqueue_repairs(opened.database, opened.profile.environment, opened.actor, drifts, operation_id)


def _counted(connection: Connection) -> tuple[int, Row, list[Row]]:
    check_schema(read_standing(connection))
    linked = int(connection.run("account.count").scalar())
    return linked, connection.run("outbox.counts").one(), list(connection.run("outbox.failures"))


def _hint(reason: CustctlError) -> str:
    return f"{reason.hint}; then {SYNC}" if reason.hint else SYNC


def _interrupted(interrupt: KeyboardInterrupt, done: str, hint: str = SYNC) -> InterruptedRunError:
    from custctl.support.signals import Terminated

    message = f"interrupted; {done}, but what is to be done at the identity provider may be left"
    return InterruptedRunError(message, terminated=isinstance(interrupt, Terminated), hint=hint)
