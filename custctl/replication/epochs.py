"""Counts the forks of a database's history in the database itself, where all nodes and clients see it.

The epoch distinguishes a row version acknowledged before a lossy failover from another row that reached the same
version after it. The audit records who forked the history, when, and what may have been lost.
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
    """Raise the epoch on a new primary, unless this fork is already counted, and record it in the audit.

    Args:
        database: connects to the new primary only.
        fork: the branch of the history that the new primary is on.
        at_least: the lowest number the epoch may get.
        synchronous: the standbys its commits wait for, to record; None to record nothing.
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
