"""How far a replica of an availability group is behind, in one definition: for what is shown and for what decides."""

from __future__ import annotations

LAG = """
CASE WHEN s.synchronization_state IN (1, 2) AND s.is_suspended = 0
      AND s.redo_queue_size = 0 AND COALESCE(s.secondary_lag_seconds, 0) = 0 THEN 0
     ELSE DATEDIFF(SECOND, s.last_commit_time, SYSDATETIME()) END
""".strip()
"""Seconds since the last transaction that a secondary has redone was committed, by its primary's clock; 0 where data
moves and nothing is missing or waits to be redone. `s` is its own row of `sys.dm_hadr_database_replica_states`.

`secondary_lag_seconds` alone does not do: it says nothing of what waits to be redone, and while data movement stands
still it is anything between zero and the age of the last log.
Measured in https://github.com/erikdarlingdata/PerformanceMonitor/pull/1707.
"""
