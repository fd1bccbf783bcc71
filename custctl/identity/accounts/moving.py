"""Moves customers' passwords to the identity provider: as hashes if it imports them, otherwise with a reset.

A hash is deleted in the transaction that records the provider's answer about this customer. So a killed run can be
repeated: it finds at the provider what the first run did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from custctl.customers.operations import new_operation_id
from custctl.customers.outbox import NOT_STRAY, enqueue
from custctl.identity.accounts.asking import patiently
from custctl.identity.accounts.claims import write_link
from custctl.identity.accounts.hashes import Fate, HashedAccount, TakesHashes, Verdict
from custctl.identity.accounts.provider import (
    Account,
    NewAccount,
    Provider,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from custctl.identity.accounts.worker import Worker
from custctl.schema.standing import Standing, require_writable
from custctl.support.errors import ConflictError, CustctlError, InterruptedRunError, NotFoundError

if TYPE_CHECKING:
    from custctl.customers.model import Customer
    from custctl.customers.store import CustomerStore
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.results import Row

T = TypeVar("T")

TOLD = 1000
"""Maximum rejects that are reported; the passwords of all rejects stay in the database."""

_TRIES = 3  # attempts if the provider does not answer
_PAUSE = 2.0
# Seconds to spend on one customer's account: the claim of a killed run may block it for longer.
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class MovePlan:
    """What a run would do.

    Attributes:
        provider: the provider's name.
        hashes: passwords in this database.
        imports: hashes among these that the provider imports; their owners notice nothing.
        resets: customers who are sent a password reset.
        without_reset: customers who are sent nothing and set a password at their next login: they are not active, or the
            provider sends no resets.
    """

    provider: str
    hashes: int
    imports: int
    resets: int
    without_reset: int


@dataclass(frozen=True, slots=True)
class Reject:
    """A customer whose password stays in this database."""

    customer_id: int
    reason: str


@dataclass(slots=True)
class Moved:
    """What a run has done; the attributes of `MovePlan` as they turned out.

    Attributes:
        rejected: number of passwords that stay in this database.
        rejects: the first of these.
        left: passwords that are still in this database.
        reason: what ended the run early; None if it handled all of them.
    """

    provider: str
    imports: int = 0
    resets: int = 0
    without_reset: int = 0
    rejected: int = 0
    rejects: list[Reject] = field(default_factory=list)
    left: int = 0
    reason: CustctlError | None = None

    @property
    def done(self) -> int:
        """How many passwords were moved out of this database."""
        return self.imports + self.resets + self.without_reset


class Mover:
    """Moves the passwords of one database to one provider.

    Args:
        store: records what was done, also in the audit.
        disables: whether the account of a deleted customer is disabled instead of deleted.
        wait: waits for this many seconds.
        note: called with the reason when the run waits.

    Attributes:
        moved: the result so far.
    """

    def __init__(
        self,
        database: Database,
        store: CustomerStore,
        provider: Provider,
        *,
        disables: bool,
        wait: Callable[[float], None],
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._store = store
        self._provider = provider
        self._wait = wait
        self._disables = disables
        self._note = note
        self.moved = Moved(provider.name)

    def plan(self) -> MovePlan:
        """Return what a run would do, without writing anything."""
        abilities = self._provider.abilities()

        def count(connection: Connection) -> Row:
            require_writable(self._database, connection, self._store.environment)
            return connection.run("password.to_move", at=self._provider.name).one()

        found = self._database.read(count, replica=False)
        hashes, linked = int(found.hashes), int(found.linked or 0)
        imports = hashes - linked if abilities.takes_hashes else 0
        told = int((found.active_linked if abilities.takes_hashes else found.active) or 0)
        resets = told if abilities.sends_resets else 0
        return MovePlan(self._provider.name, hashes, imports, resets, hashes - imports - resets)

    def run(self, limit: int = 0, on_progress: Callable[[int], None] = lambda _: None) -> Moved:
        """Move passwords, in the order of their customers' ids.

        Args:
            limit: maximum number of passwords to move; 0 means no limit. Rejects do not count.
            on_progress: called with the number of passwords handled.
        """
        moved, after = self.moved, 0
        try:
            while not (limit and moved.done >= limit):
                rows = self._page(after)
                rows = rows[: limit - moved.done] if limit else rows
                if not rows:
                    break
                after = rows[-1].id
                self._move(rows, on_progress)
        except InterruptedRunError:
            raise
        except CustctlError as error:
            moved.reason = error
        return moved

    def _page(self, after: int) -> Sequence[Row]:
        def look(connection: Connection, _: Standing) -> Sequence[Row]:
            return list(connection.run("password.page", after=after))

        return self._transact(look)

    def _move(self, rows: Sequence[Row], on_progress: Callable[[int], None]) -> None:
        provider = self._provider
        by_reset = rows
        if isinstance(provider, TakesHashes):
            by_reset = [row for row in rows if row.provider == provider.name]
            fresh = [row for row in rows if row.provider != provider.name]
            self._import(provider, fresh, on_progress)
        for row in by_reset:
            self._reset(row)
            on_progress(self.moved.done + self.moved.rejected)

    # -- with the hash -----------------------------------------------------------------------------

    def _import(self, provider: TakesHashes, rows: Sequence[Row], on_progress: Callable[[int], None]) -> None:
        """Import hashes into the provider, in the largest batches that it accepts."""
        database_id = self._transact(lambda _, standing: standing.database_id or "")
        left = [(row, _hashed(row, database_id)) for row in rows]
        while left:
            count = provider.fitting([hashed for _, hashed in left])
            batch, left = left[:count], left[count:]
            accounts = [hashed for _, hashed in batch]
            verdicts = self._asked(lambda accounts=accounts: provider.take_hashes(accounts, self._wait))  # type: ignore[misc]
            for row, hashed in batch:
                self._judge(row, hashed, verdicts[hashed.account.reference])
                on_progress(self.moved.done + self.moved.rejected)

    def _judge(self, row: Row, hashed: HashedAccount, verdict: Verdict) -> None:
        if verdict.fate is Fate.WITHOUT_HASH:
            self._reset(row)
        elif verdict.fate is Fate.REFUSED or verdict.subject is None:
            self._reject(row, verdict.reason or "the provider does not say why")
        else:
            new = hashed.account
            account = Account(verdict.subject, new.email, new.enabled, new.reference)
            if self._settle(row, "import", account):
                self.moved.imports += 1

    # -- with an account and a reset ---------------------------------------------------------------

    def _reset(self, row: Row) -> None:
        """Ensure that a customer has an account, send a reset, and delete the hash."""
        provider = self._provider
        try:
            subject = self._account_of(row)
            if subject is None:
                return  # deleted meanwhile
            sends = row.status == "active" and self._asked(provider.abilities).sends_resets
            if sends:
                self._asked(lambda: provider.send_reset(subject))
        except ProviderRefusedError as error:
            self._reject(row, error.message)
            return
        if self._settle(row, "reset" if sends else "account", None):
            if sends:
                self.moved.resets += 1
            else:
                self.moved.without_reset += 1

    def _account_of(self, row: Row) -> str | None:
        """Return the subject of a customer's account; create the account if it is missing, as `identity sync` does.

        Raises:
            ProviderRefusedError: there is no account, and none can be created.
            ProviderUnavailableError: the provider does not answer.
        """
        if row.provider != self._provider.name:
            operation_id = new_operation_id()
            self._transact(lambda connection, _: enqueue(connection, row.id, NOT_STRAY, operation_id))
            worked = self._worker().follow_customer(row.id)
            if isinstance(worked.reason, ProviderUnavailableError) and not worked.ended_early:
                raise worked.reason
            if worked.reason is not None:
                raise ProviderRefusedError(worked.reason.message)
        return self._transact(lambda connection, _: _subject(connection.run("account.of", owner=row.id).one_or_none()))

    def _worker(self) -> Worker:
        return Worker(
            self._database,
            self._store.environment,
            self._provider,
            disables=self._disables,
            patience=_PATIENCE,
            note=self._note,
        )

    # -- what both share ---------------------------------------------------------------------------

    def _settle(self, row: Row, how: str, account: Account | None) -> bool:
        """Delete a hash and record what happened to it; return whether it was still the hash that was moved.

        Args:
            how: how it was moved, for the audit.
            account: the account to link; None if it is already linked.
        """

        def change(connection: Connection, customer: Customer) -> None:
            if connection.run("password.hash", owner=customer.id).scalar() != row.hash:
                raise ConflictError("its password was changed in the meantime")
            if account is not None:
                owner = connection.run("account.owner", linked=account.subject).scalar()
                if owner not in (None, customer.id):
                    raise ConflictError(f"account `{account.subject}` belongs to customer {owner}")
                write_link(connection, customer.id, self._provider.name, account)
            connection.run("password.delete", owner=customer.id)

        operation_id = new_operation_id()
        detail = {"provider": self._provider.name, "how": how}
        try:
            self._store.note(str(row.id), "move-password", operation_id=operation_id, detail=detail, change=change)
        except ConflictError as error:
            self._reject(row, error.message)
            return False
        except NotFoundError:
            if account is not None:
                # The customer was deleted just now, when its account was not yet known.
                stray = account.subject
                self._transact(lambda connection, _: enqueue(connection, 0, stray, operation_id))
            return False
        return True

    def _reject(self, row: Row, reason: str) -> None:
        self.moved.rejected += 1
        if len(self.moved.rejects) < TOLD:
            self.moved.rejects.append(Reject(row.id, reason))

    def _asked(self, call: Callable[[], T]) -> T:
        """Call the provider; retry while it asks to wait, and a few times if it does not answer."""
        for tried in range(_TRIES - 1):
            try:
                return patiently(call, self._wait)
            except ProviderUnavailableError:
                self._wait(_PAUSE * 2**tried)
        return patiently(call, self._wait)

    def _transact(self, work: Callable[[Connection, Standing], T]) -> T:
        def guarded(connection: Connection) -> T:
            return work(connection, require_writable(self._database, connection, self._store.environment))

        return self._database.transact(guarded)


def _hashed(row: Row, database_id: str) -> HashedAccount:
    account = NewAccount(
        f"{database_id}:{row.id}", row.email, row.first_name, row.last_name, enabled=row.status == "active"
    )
    return HashedAccount(account, row.hash)


def _subject(link: Row | None) -> str | None:
    return None if link is None else str(link.subject)
