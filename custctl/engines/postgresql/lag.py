"""How far a standby's readers are behind: the one definition for display and for decisions."""

from __future__ import annotations

LAG = """
CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver)
          AND pg_catalog.pg_last_wal_replay_lsn() >= pg_catalog.pg_last_wal_receive_lsn() THEN 0
     ELSE GREATEST(extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp()), 0)
END
"""
"""The lag of a standby, in seconds: 0 if its receiver runs and has replayed everything received; else the age of the
last replayed transaction, which is at least the lag of its readers; NULL if none was replayed since the server started.
Any login may query it.

While a primary is idle, the age of the last replayed transaction still grows; so it counts only if there is more to
replay or that is unknown. The receiver notices a silently broken network after its own `wal_receiver_timeout`, one
minute by default."""
