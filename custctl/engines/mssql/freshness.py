"""The log position and lag of a replica of an availability group.

Source: https://learn.microsoft.com/sql/relational-databases/system-dynamic-management-views/sys-dm-hadr-database-replica-states-transact-sql
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyodbc

from custctl.engines.mssql.errors import is_lost
from custctl.engines.mssql.lag import LAG
from custctl.engines.mssql.names import quote
from custctl.engines.reads import Freshness, LogPosition

if TYPE_CHECKING:
    from custctl.engines.mssql.supervised import Connection

_ASKED = f"""
SELECT (SELECT value FROM {{metadata}} WHERE name = N'database_id') AS database_id,
       (SELECT value FROM {{metadata}} WHERE name = N'epoch') AS epoch,
       CAST(s.last_commit_lsn AS NVARCHAR(30)) AS position,
       CASE WHEN s.is_primary_replica = 1 THEN 0 ELSE {LAG} END AS lag,
       CASE WHEN s.synchronization_state IN (1, 2) THEN 1 ELSE 0 END AS following
  FROM sys.dm_hadr_database_replica_states AS s
 WHERE s.database_id = DB_ID() AND s.is_local = 1
"""


def read_freshness(driver: Connection, schema: str) -> Freshness | None:
    """Return a replica's position and lag; None if the view, the group or the right to read it is missing.

    Raises:
        pyodbc.Error: the connection is lost.
    """
    try:
        rows = driver.run(_ASKED.format(metadata=f"{quote(schema)}.custctl_metadata"))
    except pyodbc.Error as error:
        if is_lost(error):
            raise
        return None
    if not rows:
        return None
    database_id, epoch, position, lag, following = rows[0]
    if database_id is None or position is None or not str(epoch or 1).isdigit():
        return None
    reached = LogPosition(str(database_id), int(epoch or 1), int(position))
    return Freshness(reached, None if lag is None else max(float(lag), 0.0), bool(following))
