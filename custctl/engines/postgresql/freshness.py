"""The log position of a node, and that of a commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg import generators, pq, sql

from custctl.engines.postgresql import recording
from custctl.engines.postgresql.lag import LAG
from custctl.engines.reads import Freshness, LogPosition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg.pq.abc import PGresult

    from custctl.engines.postgresql.connection import LimitedConnection

_PAGE, _HEADER = 8192, 40  # bytes of a log page, and of its longest header

_ASKED = f"""
SELECT (SELECT value FROM {{metadata}} WHERE name = 'database_id'),
       (SELECT value FROM {{metadata}} WHERE name = 'epoch'),
       CASE WHEN r.standby THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_insert_lsn() END
         - '0/0'::pg_lsn,
       CASE WHEN r.standby THEN {LAG} ELSE 0 END,
       NOT r.standby OR EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver),
       r.standby
  FROM (SELECT pg_catalog.pg_is_in_recovery() AS standby) AS r
"""
"""Any login may query all of this. On a primary, it takes the insert position rather than the flush position, because a
commit may not be flushed yet (`synchronous_commit = off`)."""


def read_freshness(driver: LimitedConnection, schema: str) -> Freshness | None:
    """Return how fresh a node is, in one round trip; None if it has no custctl schema or this login may not see it."""
    try:
        row = driver.execute(_query(schema)).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidSchemaName):
        return None
    return _freshness(row) if row else None


class Committed(NamedTuple):
    """What the server reports with a commit.

    Attributes:
        reached: the log position after it; None if the server did not report it.
        confirmed: whether the standbys that a commit waits for have confirmed it.
        record_due: whether this login should record which standbys those are; see `recording`.
    """

    reached: LogPosition | None
    confirmed: bool
    record_due: bool


def commit(driver: LimitedConnection, schema: str) -> Committed:
    """Commit, in one round trip.

    If a commit waits for synchronous standbys that are not there, no server timeout ends the wait. A cancel request
    does; the transaction is then committed, but no standby has confirmed it.

    Raises:
        psycopg.Error: the commit failed, or the connection was lost before it was confirmed.
    """
    message = sql.SQL("COMMIT; {}; {}").format(_query(schema), recording.due(schema))
    driver.cancels, driver.has_cancelled = True, False
    try:
        with driver.lock:
            driver.pgconn.send_query(message.as_bytes(driver))
            done, *told = driver.wait(generators.execute(driver.pgconn))
    finally:
        driver.cancels = False
    if done.status != pq.ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(done, encoding=driver.info.encoding)
    # After the commit nothing can undo it, not even an error.
    answers = [_cells(each) for each in told if each.status == pq.ExecStatus.TUPLES_OK]
    found = _freshness(answers[0]) if answers else None
    return Committed(found.reached if found else None, not driver.has_cancelled, answers[1:] == [["t"]])


def _cells(answer: PGresult) -> list[str | None]:
    cells = [answer.get_value(0, column) for column in range(answer.nfields)]
    return [cell.decode() if cell is not None else None for cell in cells]


def _query(schema: str) -> sql.Composed:
    return sql.SQL(_ASKED).format(metadata=sql.Identifier(schema, "custctl_metadata"))


def _freshness(row: Sequence[object]) -> Freshness | None:
    """Convert a row of `_ASKED`, whose cells may be values or text."""
    database_id, epoch, position, lag, following, standby = row
    if database_id is None or position is None or not str(epoch or 1).isdigit():
        return None
    reached = int(str(position))
    if str(standby) in ("True", "t") and reached % _PAGE == 0:
        # At a page's end: a primary reports its position after the next page's header, where nothing is written yet. No
        # record fits into that header.
        reached += _HEADER
    return Freshness(
        LogPosition(str(database_id), int(str(epoch or 1)), reached),
        None if lag is None else float(str(lag)),
        str(following) in ("True", "t"),
    )
