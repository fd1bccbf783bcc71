"""How far a node has come in the log, and how far a commit is in it."""

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

_PAGE, _HEADER = 8192, 40  # bytes of a page of the log, and of the longest header of one

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
"""Any login may ask for all of this. The end of what was written, not of what was flushed: by that time a commit need
not be flushed (`synchronous_commit = off`)."""


def read_freshness(driver: LimitedConnection, schema: str) -> Freshness | None:
    """Return how far a node has come, in one round trip; None where it has no custctl schema, or does not tell."""
    try:
        row = driver.execute(_query(schema)).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidSchemaName):
        return None
    return _freshness(row) if row else None


class Committed(NamedTuple):
    """What is told with a commit.

    Attributes:
        reached: the position behind it, None where that was not told.
        confirmed: whether the standbys that a commit waits for have it.
        record_due: whether this login is to record which standbys those are; see `recording`.
    """

    reached: LogPosition | None
    confirmed: bool
    record_due: bool


def commit(driver: LimitedConnection, schema: str) -> Committed:
    """Commit, in one round trip.

    Where a commit waits for synchronous standbys that are not there, no time limit of the server's ends that. To be
    cancelled does: it is committed then, and no standby has confirmed it.

    Raises:
        psycopg.Error: the commit failed, or its answer was lost.
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
    # Behind the commit nothing can undo it any more, an error least of all.
    answers = [_cells(each) for each in told if each.status == pq.ExecStatus.TUPLES_OK]
    found = _freshness(answers[0]) if answers else None
    return Committed(found.reached if found else None, not driver.has_cancelled, answers[1:] == [["t"]])


def _cells(answer: PGresult) -> list[str | None]:
    cells = [answer.get_value(0, column) for column in range(answer.nfields)]
    return [cell.decode() if cell is not None else None for cell in cells]


def _query(schema: str) -> sql.Composed:
    return sql.SQL(_ASKED).format(metadata=sql.Identifier(schema, "custctl_metadata"))


def _freshness(row: Sequence[object]) -> Freshness | None:
    """Return what a row of `_ASKED` says, be its cells values or text."""
    database_id, epoch, position, lag, following, standby = row
    if database_id is None or position is None or not str(epoch or 1).isdigit():
        return None
    reached = int(str(position))
    if str(standby) in ("True", "t") and reached % _PAGE == 0:
        # At a page's end: the end of what was written is told behind the next page's header, where nothing is yet. No
        # record fits into that.
        reached += _HEADER
    return Freshness(
        LogPosition(str(database_id), int(str(epoch or 1)), reached),
        None if lag is None else float(str(lag)),
        str(following) in ("True", "t"),
    )
