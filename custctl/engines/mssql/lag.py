"""The one definition of the lag of a replica in an availability group, for status and for decisions."""

from __future__ import annotations

LAG = """
CASE WHEN s.synchronization_state IN (1, 2) AND s.is_suspended = 0
      AND s.redo_queue_size = 0 AND COALESCE(s.secondary_lag_seconds, 0) = 0 THEN 0
     ELSE DATEDIFF(SECOND, s.last_commit_time, SYSDATETIME()) END
""".strip()
"""Seconds since the commit, by the primary's clock, of the last transaction that a secondary has redone; 0 if data
moves and nothing is missing or waiting for redo. `s` is the replica's row of `sys.dm_hadr_database_replica_states`.

`secondary_lag_seconds` alone is not enough: it ignores the redo queue, and while data movement is suspended it can be
anything between zero and the age of the last log.
Measured in https://github.com/erikdarlingdata/PerformanceMonitor/pull/1707.
"""
