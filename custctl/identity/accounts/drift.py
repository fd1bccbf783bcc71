"""The drift report: differences between customers in the database and accounts at the provider.

Both sides are streamed into a private SQLite file and joined there, so memory use is constant. What differs there is
looked up again, because neither side stands still while the lists are read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, astuple, dataclass
from typing import TYPE_CHECKING, Any, Literal

from custctl.customers import audit
from custctl.customers.outbox import NOT_STRAY, enqueue
from custctl.identity.accounts.provider import Account
from custctl.schema.standing import require_writable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.identity.accounts.provider import Provider

Repair = Literal["follow", "remove"]

_STREAM = 1000  # rows at a time
_BATCH = 500  # repairs per transaction
_CONFIRMED = 1000  # differences to look up again; a first run may find every customer without an account

_TABLES = """
CREATE TABLE account (subject TEXT PRIMARY KEY, email TEXT, enabled INTEGER, reference TEXT) WITHOUT ROWID;
CREATE INDEX account_reference ON account (reference) WHERE reference IS NOT NULL;
CREATE TABLE customer (id INTEGER PRIMARY KEY, email TEXT, enabled INTEGER);
CREATE TABLE link (customer_id INTEGER PRIMARY KEY, subject TEXT UNIQUE);
CREATE TABLE pending (customer_id INTEGER PRIMARY KEY);
CREATE TABLE drift (kind TEXT, customer_id INTEGER, subject TEXT, expected TEXT, found TEXT, pending INTEGER, repair TEXT);
"""
_OF_CUSTOMERS = """
SELECT c.id, c.email, c.enabled, l.subject, a.subject, a.email, a.enabled,
       (SELECT count(*) FROM account AS m WHERE m.reference = :prefix || c.id), p.customer_id
  FROM customer AS c
  LEFT JOIN link AS l ON l.customer_id = c.id
  LEFT JOIN account AS a ON a.subject = l.subject
  LEFT JOIN pending AS p ON p.customer_id = c.id
 WHERE a.subject IS NULL OR a.enabled <> c.enabled OR folded(a.email) <> folded(c.email)
 ORDER BY c.id
"""
_OF_ACCOUNTS = """
SELECT a.subject, a.enabled, c.id, a.reference IS NOT NULL AND instr(a.reference, :prefix) = 1, held.subject, p.customer_id
  FROM account AS a
  LEFT JOIN link AS l ON l.subject = a.subject AND EXISTS (SELECT 1 FROM customer WHERE id = l.customer_id)
  LEFT JOIN customer AS c ON a.reference = :prefix || c.id
  LEFT JOIN link AS own ON own.customer_id = c.id
  LEFT JOIN account AS held ON held.subject = own.subject
  LEFT JOIN pending AS p ON p.customer_id = c.id
 WHERE l.subject IS NULL
 ORDER BY a.subject
"""


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference.

    Attributes:
        kind: `missing` (a customer without an account), `unlinked` (the account exists, but is not linked), `stray` (an
            account without a customer), `email`, `state`, `double` (two accounts for one customer).
        customer_id: the customer, if any.
        subject: the account, if any.
        expected: what the database says.
        found: what the provider says.
        pending: whether the outbox already has a row for it.
        repair: `follow` updates the account to the customer's state, `remove` removes it; None if a person must decide.
    """

    kind: str
    customer_id: int | None
    subject: str | None
    expected: str | None = None
    found: str | None = None
    pending: bool = False
    repair: Repair | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as a record."""
        return asdict(self)


COLUMNS = ("kind", "customer_id", "subject", "expected", "found", "pending", "repair")


class Comparison:
    """Customers and accounts as they were read. Close it after use.

    Attributes:
        customers: how many customers there are.
        accounts: how many accounts the provider has.
        unconfirmed: how many of the differences were not looked up again, because there are too many.
        prefix: what the references of this database's customers begin with.
    """

    def __init__(self) -> None:
        # With an empty name, SQLite uses a temporary file on disk behind a small cache.
        self._held = sqlite3.connect("", isolation_level=None)
        self._held.execute("PRAGMA journal_mode = OFF")
        self._held.create_function("folded", 1, str.casefold, deterministic=True)
        self._held.executescript(_TABLES)
        self.prefix = ""
        self._disables = False
        self.customers = 0
        self.accounts = 0
        self.unconfirmed = 0

    def read(
        self,
        database: Database,
        environment: str,
        provider: Provider,
        *,
        disables: bool,
        wait: Callable[[float], None],
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Read both sides.

        Args:
            environment: the profile's environment; the database's stamp must equal it.
            disables: whether the account of a deleted customer is disabled instead of deleted.
            wait: waits for this many seconds, when the provider asks to.
            on_progress: called with the number of accounts and customers read.

        Raises:
            ProviderUnavailableError: the provider does not answer.
            ProviderCredentialError: it refuses the credential.
        """
        self._disables = disables
        self._held.execute("BEGIN")
        with database.reading(snapshot=True) as connection:
            standing = require_writable(database, connection, environment)
            self.prefix = f"{standing.database_id}:"
            for rows in connection.run_stream("account.customers", _STREAM):
                found = [(row[0], row[1], int(row[2] == "active")) for row in rows]
                self._held.executemany("INSERT INTO customer VALUES (?, ?, ?)", found)
                self.customers += len(found)
                on_progress(self.customers)
            for rows in connection.run_stream("account.all", _STREAM):
                mine = [(row[0], row[2]) for row in rows if row[1] == provider.name]
                self._held.executemany("INSERT INTO link VALUES (?, ?)", mine)
            for rows in connection.run_stream("outbox.customers", _STREAM):
                self._held.executemany("INSERT INTO pending VALUES (?)", [(row[0],) for row in rows])
        for page in provider.pages(wait):
            self._keep(page)
            on_progress(self.customers + self.accounts)
        self._held.execute("COMMIT")

    def _keep(self, page: Iterable[Account]) -> None:
        rows = [(each.subject, each.email, int(each.enabled), each.reference) for each in page]
        # The list may contain an account twice if it changes meanwhile.
        self._held.executemany("INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?)", rows)
        self.accounts += len(rows)

    def confirm(
        self,
        of_customer: Callable[[int, Sequence[str]], Sequence[Drift]],
        of_account: Callable[[str], Sequence[Drift]],
    ) -> None:
        """Find the differences, and look the first of them up again.

        Args:
            of_customer: returns a customer's differences now; see `Confirming`.
            of_account: returns an account's difference now.
        """
        self._held.execute("BEGIN")
        left = _CONFIRMED
        for number, drifts in self._of_customers():
            self._report(of_customer(number, self._marked(number)) if left else drifts, confirmed=left > 0)
            left = max(left - 1, 0)
        for subject, drifts in self._of_accounts():
            self._report(of_account(subject) if left else drifts, confirmed=left > 0)
            left = max(left - 1, 0)
        self._held.execute("COMMIT")

    def _report(self, drifts: Sequence[Drift], *, confirmed: bool) -> None:
        self._held.executemany("INSERT INTO drift VALUES (?, ?, ?, ?, ?, ?, ?)", map(astuple, drifts))
        self.unconfirmed += 0 if confirmed else len(drifts)

    def _marked(self, customer_id: int) -> list[str]:
        """Return accounts with a customer's reference; two are as many as matter."""
        asked = "SELECT subject FROM account WHERE reference = ? LIMIT 2"
        return [row[0] for row in self._held.execute(asked, (f"{self.prefix}{customer_id}",))]

    def drifts(self) -> Iterator[Drift]:
        """Yield all differences, those of customers first."""
        with closing(self._held.execute("SELECT * FROM drift ORDER BY rowid")) as found:
            for kind, customer_id, subject, expected, seen, pending, repair in found:
                yield Drift(kind, customer_id, subject, expected, seen, bool(pending), repair)

    def _of_customers(self) -> Iterator[tuple[int, Sequence[Drift]]]:
        with closing(self._held.execute(_OF_CUSTOMERS, {"prefix": self.prefix})) as found:
            for number, email, enabled, linked, subject, seen_email, seen_enabled, marked, pending in found:
                account = Account(subject, seen_email, bool(seen_enabled)) if subject is not None else None
                yield number, differences(number, email, bool(enabled), linked, account, marked, pending is not None)

    def _of_accounts(self) -> Iterator[tuple[str, Sequence[Drift]]]:
        with closing(self._held.execute(_OF_ACCOUNTS, {"prefix": self.prefix})) as found:
            for subject, enabled, customer_id, is_ours, held, pending in found:
                if customer_id is not None:
                    # Without an account of its own, the customer has a difference itself.
                    if held is not None:
                        yield subject, [double(customer_id, subject, held, pending is not None)]
                elif enabled or not self._disables:
                    yield subject, [stray(subject, bool(enabled), bool(is_ours), False)]

    def close(self) -> None:
        """Delete the file."""
        self._held.close()


def enqueue_repairs(
    database: Database, environment: str, actor: str, drifts: Iterable[Drift], operation_id: str
) -> int:
    """Write the repairs to the outbox, in batches with one audit entry each, and return their number."""
    with database.reading() as connection:
        # A retry after a kill continues after the existing entries: queueing a repair twice does no harm.
        part = max((int(row.part) for row in audit.find_operation(connection, operation_id)), default=0)
    done = 0
    batch: list[Drift] = []

    def write(connection: Connection) -> None:
        require_writable(database, connection, environment)
        for drift in batch:
            if drift.repair == "follow":
                enqueue(connection, drift.customer_id or 0, NOT_STRAY, operation_id)
            else:
                enqueue(connection, 0, drift.subject or "", operation_id)
        customers = sorted({drift.customer_id for drift in batch if drift.customer_id is not None})
        kinds = {drift.kind: sum(each.kind == drift.kind for each in batch) for drift in batch}
        entry = audit.Entry(
            operation_id, "repair-accounts", actor, part=part, customers=customers, detail={"repairs": kinds}
        )
        audit.append(database, connection, entry)

    for drift in drifts:
        if drift.repair is None or drift.pending:
            continue
        batch.append(drift)
        if len(batch) == _BATCH:
            part += 1
            database.transact(write)
            done, batch = done + len(batch), []
    if batch:
        part += 1
        database.transact(write)
        done += len(batch)
    return done


def differences(
    customer_id: int, email: str, enabled: bool, linked: str | None, account: Account | None, marked: int, pending: bool
) -> list[Drift]:
    """Return how a customer and its account differ.

    Args:
        email: the customer's.
        enabled: whether its account should be enabled.
        linked: the subject that is linked, if any.
        account: the account with this subject, if any.
        marked: how many accounts have the customer's reference; of interest without an account alone.
        pending: whether the outbox has a row for the customer.
    """
    if account is None:
        # If several accounts have the mark, a person must decide.
        kind = "missing" if not marked else "unlinked" if marked == 1 else "double"
        return [Drift(kind, customer_id, linked, email, None, pending, "follow" if marked < 2 else None)]
    found = []
    if account.email.casefold() != email.casefold():
        found.append(Drift("email", customer_id, account.subject, email, account.email, pending, "follow"))
    if account.enabled != enabled:
        states = _state(enabled), _state(account.enabled)
        found.append(Drift("state", customer_id, account.subject, *states, pending, "follow"))
    return found


def double(customer_id: int, subject: str, held: str, pending: bool) -> Drift:
    """Return the difference of a customer's second account; `held` is the subject of the linked one."""
    return Drift("double", customer_id, subject, held, subject, pending, "remove")


def stray(subject: str, enabled: bool, is_ours: bool, pending: bool) -> Drift:
    """Return the difference of an account without a customer; it is removed only if custctl made it."""
    return Drift("stray", None, subject, None, _state(enabled), pending, "remove" if is_ours else None)


def _state(enabled: bool) -> str:
    return "enabled" if enabled else "disabled"
