"""Counting the forks of a database's history, where all its nodes and clients see it: in the database itself.

A row that was acknowledged before a lossy failover and another one that reached the same version after it are told apart
by the epoch. Who forked the history, when, and what may have been lost stands in the audit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from custctl.customers import audit
from custctl.customers.transactions import Transactions
from custctl.schema.standing import Standing, count_fork, record_synchronous

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection


def record_fork(
    database: Database,
    fork: str,
    *,
    at_least: int,
    synchronous: str | None,
    environment: str,
    actor: str,
    operation_id: str,
    action: str,
    detail: Mapping[str, Any],
) -> int:
    """Raise the epoch on a new primary, unless it has been counted for this fork already, and record it in the audit.

    Args:
        database: on the new primary alone.
        fork: the branch of the history that it is on.
        at_least: the lowest number that the epoch may get.
        synchronous: which standbys its commits wait for, to be recorded; None where that is not.
        action: switchover or failover.
        detail: facts for the audit.

    Returns:
        The epoch.

    Raises:
        As `Transactions.run`.
    """

    def work(connection: Connection, standing: Standing) -> int:
        database.lock(connection, "audit")
        before, after = count_fork(connection, fork, at_least)
        if synchronous is not None:
            record_synchronous(connection, synchronous, connection.run("clock.now").scalar())
        if before != after:
            facts = {**detail, "epoch": [before, after], "fork": fork}
            audit.append(database, connection, audit.Entry(operation_id, action, actor, detail=facts))
        return after

    return Transactions(database, environment, actor).run(operation_id, work)
