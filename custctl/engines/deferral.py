"""Indexes that are dropped while a large file is loaded, and rebuilt after its rows.

The transaction that drops the indexes also records them, and the transaction that builds an index removes it from the
record. If a process is killed in between, the record says what is missing and how to create it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from custctl.engines.model import Index
from custctl.schema.names import CUSTOMER
from custctl.schema.standing import read_standing, record_deferred
from custctl.support.errors import CommitLostError, CustctlError

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection

_LOCK = "deferred indexes"


def defer(database: Database, connection: Connection, at_most: int) -> Sequence[Index]:
    """Drop the secondary indexes of the customers and record them, in the caller's transaction.

    Args:
        at_most: do nothing if there are more customers.

    Returns:
        The dropped indexes.
    """
    database.lock(connection, _LOCK)
    if read_standing(connection).deferred is not None:
        return ()
    dropped = database.drop_secondary_indexes(connection, CUSTOMER, at_most)
    if dropped:
        _record(connection, dropped)
    return dropped


def _record(connection: Connection, left_out: Sequence[Index]) -> None:
    record_deferred(connection, json.dumps([index._asdict() for index in left_out]) if left_out else None)


def parse(recorded: str | None) -> list[Index]:
    """Parse the indexes recorded in `Standing.deferred`."""
    return [Index(each["name"], tuple(each["statements"])) for each in json.loads(recorded or "[]")]


def build(database: Database, on_build: Callable[[Index], None] = lambda _: None) -> None:
    """Build the dropped indexes, each in its own transaction. An index that already exists is kept.

    Args:
        on_build: called before each index is built.

    Raises:
        CustctlError: an index could not be built; it stays in the record.
    """
    while _build_first(database, on_build):
        pass


def _build_first(database: Database, on_build: Callable[[Index], None]) -> bool:
    """Build the first recorded index; return false if there is none."""
    building: list[Index] = []

    def work(connection: Connection) -> bool:
        database.lock(connection, _LOCK)
        left_out = parse(read_standing(connection).deferred)
        building[:] = left_out[:1]
        if not left_out:
            return False
        first, *others = left_out
        if not database.has_index(connection, CUSTOMER, first.name):
            on_build(first)
            database.make_index(connection, first)
        _record(connection, others)
        return True

    try:
        return database.transact(work)
    except CommitLostError:
        return True  # the record tells whether it is built
    except CustctlError as error:
        if building:
            error.hint = error.hint or f"create an index named `{building[0].name}` yourself, and run it again"
            error.message = f"the index `{building[0].name}` cannot be built: {error.message}"
        raise
