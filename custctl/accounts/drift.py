"""The drift report: differences between customers in the database and accounts at the provider.

Both sides are streamed into a private SQLite file and joined there, so memory use is constant.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from custctl.customers import audit
from custctl.customers.outbox import NOT_STRAY, enqueue
from custctl.schema.standing import require_writable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from custctl.accounts.provider import Account, Provider
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection

Repair = Literal["follow", "remove"]

_STREAM = 1000  # rows at a time
_BATCH = 500  # repairs per transaction

_TABLES = """
CREATE TABLE account (subject TEXT PRIMARY KEY, email TEXT, enabled INTEGER, reference TEXT) WITHOUT ROWID;
CREATE INDEX account_reference ON account (reference) WHERE reference IS NOT NULL;
CREATE TABLE customer (id INTEGER PRIMARY KEY, email TEXT, enabled INTEGER);
CREATE TABLE link (customer_id INTEGER PRIMARY KEY, subject TEXT UNIQUE);
CREATE TABLE pending (customer_id INTEGER PRIMARY KEY);
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
    """

    def __init__(self) -> None:
        # With an empty name, SQLite uses a temporary file on disk behind a small cache.
        self._held = sqlite3.connect("", isolation_level=None)
        self._held.execute("PRAGMA journal_mode = OFF")
        self._held.create_function("folded", 1, str.casefold, deterministic=True)
        self._held.executescript(_TABLES)
        self._prefix = ""
        self._disables = False
        self.customers = 0
        self.accounts = 0

    def read(
        self,
        database: Database,
        environment: str,
        provider: Provider,
        *,
        disables: bool,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Read both sides.

        Args:
            environment: the profile's environment; the database's stamp must equal it.
            disables: whether the account of a deleted customer is disabled instead of deleted.
            on_progress: called with the number of accounts and customers read.

        Raises:
            ProviderUnavailableError: the provider does not answer.
            ProviderCredentialError: it refuses the credential.
        """
        self._disables = disables
        self._held.execute("BEGIN")
        with database.reading(snapshot=True) as connection:
            standing = require_writable(database, connection, environment)
            self._prefix = f"{standing.database_id}:"
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
        for page in provider.pages():
            self._keep(page)
            on_progress(self.customers + self.accounts)
        self._held.execute("COMMIT")

    def _keep(self, page: Iterable[Account]) -> None:
        rows = [(each.subject, each.email, int(each.enabled), each.reference) for each in page]
        # The list may contain an account twice if it changes meanwhile.
        self._held.executemany("INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?)", rows)
        self.accounts += len(rows)

    def drifts(self) -> Iterator[Drift]:
        """Yield all differences, those of customers first."""
        yield from self._of_customers()
        yield from self._of_accounts()

    def _of_customers(self) -> Iterator[Drift]:
        with closing(self._held.execute(_OF_CUSTOMERS, {"prefix": self._prefix})) as found:
            for number, email, enabled, linked, subject, seen_email, seen_enabled, marked, pending in found:
                under_way = pending is not None
                if subject is None:
                    # If several accounts have the mark, a person must decide.
                    kind = "missing" if not marked else "unlinked" if marked == 1 else "double"
                    repair: Repair | None = "follow" if marked < 2 else None
                    yield Drift(kind, number, linked, email, None, under_way, repair)
                    continue
                if seen_email.casefold() != email.casefold():
                    yield Drift("email", number, subject, email, seen_email, under_way, "follow")
                if seen_enabled != enabled:
                    yield Drift("state", number, subject, _state(enabled), _state(seen_enabled), under_way, "follow")

    def _of_accounts(self) -> Iterator[Drift]:
        with closing(self._held.execute(_OF_ACCOUNTS, {"prefix": self._prefix})) as found:
            for subject, enabled, customer_id, is_ours, held, pending in found:
                if customer_id is not None:
                    if held is not None:
                        yield Drift("double", customer_id, subject, held, subject, pending is not None, "remove")
                    # Otherwise it was reported above.
                elif enabled or not self._disables:
                    yield Drift("stray", None, subject, None, _state(enabled), repair="remove" if is_ours else None)

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


def _state(enabled: int) -> str:
    return "enabled" if enabled else "disabled"
