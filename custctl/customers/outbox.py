"""Work to do at the identity provider, queued in the transaction that causes it.

A row says that a customer needs work, not which: the worker looks at the customer's current state. So there is at most
one row per customer, and processing it more than once does no harm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from custctl.engines.connection import Connection

NOT_STRAY = ""
"""The `stray` of rows about a customer; in other rows, the subject of an account that belongs to no customer."""

FOLLOWED = frozenset({"email", "status"})
"""The fields that an account follows."""

_AT_ONCE = 1000  # ids per statement; SQL Server accepts 2,100


class Queue(Protocol):
    """Notified of writes to customers, in their transaction."""

    def follow(self, connection: Connection, customer_id: int, operation_id: str) -> None:
        """Queue an update of a customer's account to the customer's state."""

    def follow_many(self, connection: Connection, customers: Sequence[int], operation_id: str) -> None:
        """Do the same for a batch of customers."""

    def forget(self, connection: Connection, customer_id: int, operation_id: str) -> None:
        """Queue the removal of the account of a customer that this transaction deletes."""


class NoQueue:
    """For a profile without an identity provider: does nothing."""

    def follow(self, connection: Connection, customer_id: int, operation_id: str) -> None:
        """See `Queue`."""

    def follow_many(self, connection: Connection, customers: Sequence[int], operation_id: str) -> None:
        """See `Queue`."""

    def forget(self, connection: Connection, customer_id: int, operation_id: str) -> None:
        """See `Queue`."""


NO_QUEUE = NoQueue()


class Outbox:
    """For a profile with an identity provider."""

    def follow(self, connection: Connection, customer_id: int, operation_id: str) -> None:
        """See `Queue`."""
        enqueue(connection, customer_id, NOT_STRAY, operation_id)

    def follow_many(self, connection: Connection, customers: Sequence[int], operation_id: str) -> None:
        """See `Queue`; one statement for existing rows, and one for new ones."""
        if customers:
            _enqueue_many(connection, customers, operation_id)

    def forget(self, connection: Connection, customer_id: int, operation_id: str) -> None:
        """See `Queue`. The link is deleted with the customer: the row keeps its subject."""
        link = connection.run("account.of", owner=customer_id).one_or_none()
        enqueue(connection, customer_id, NOT_STRAY, operation_id)
        if link is not None:
            connection.run("outbox.remember", about=customer_id, found=NOT_STRAY, linked=link.subject)
            connection.run("account.delete", owner=customer_id)


def enqueue(connection: Connection, customer_id: int, stray: str, operation_id: str) -> None:
    """Insert a row, or mark the existing one as due again."""
    now = connection.run("clock.now").scalar()
    row = {"about": customer_id, "found": stray, "operation": operation_id, "now": now}
    if connection.run("outbox.raise", **row).rowcount == 0:
        connection.run("outbox.add", **row)


def _enqueue_many(connection: Connection, customers: Sequence[int], operation_id: str) -> None:
    import sqlalchemy as sa

    from custctl.schema.tables import customer, customer_account_outbox

    row = customer_account_outbox.c
    time = sa.literal(connection.run("clock.now").scalar(), row.next_attempt_at.type)
    operation = sa.literal(operation_id, row.operation_id.type)
    not_stray = sa.literal(NOT_STRAY, row.stray.type)
    one, none = (sa.literal_column(number, sa.Integer()) for number in ("1", "0"))
    raised = {"generation": row.generation + one, "operation_id": operation, "next_attempt_at": time}
    names = ["customer_id", "stray", "operation_id", "generation", "attempts", "next_attempt_at", "created_at"]
    known = sa.exists().where(row.customer_id == customer.c.id, row.stray == not_stray)
    for ids in _portions(customers):
        there, here = (
            column.between(ids[0], ids[-1]) if isinstance(ids, range) else column.in_(ids)
            for column in (row.customer_id, customer.c.id)
        )
        connection.execute(sa.update(customer_account_outbox).where(row.stray == not_stray, there).values(raised))
        rows = sa.select(customer.c.id, not_stray, operation, one, none, time, time).where(here, ~known)
        connection.execute(sa.insert(customer_account_outbox).from_select(names, rows))


def _portions(customers: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield ids in portions for one statement: a range without gaps, or a list."""
    ids = sorted(customers)
    if all(after == before + 1 for before, after in pairwise(ids)):
        yield range(ids[0], ids[-1] + 1)
        return
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]
