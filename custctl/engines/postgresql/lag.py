"""How far a standby's readers are behind: the one definition, for what is shown and what is decided."""

from __future__ import annotations

LAG = """
CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver)
          AND pg_catalog.pg_last_wal_replay_lsn() >= pg_catalog.pg_last_wal_receive_lsn() THEN 0
     ELSE GREATEST(extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp()), 0)
END
"""
"""The expression, in seconds, on a standby: nothing where its receiver runs and all that was received is replayed; else
the age of the last transaction replayed, which is no less than what its readers are behind; NULL where there was none
since the server's start. Any login may ask for it.

An idle primary commits nothing, and the age of what was replayed last grows all the same: it counts only where more is
known to be there, or nobody can tell. A network that was cut in silence is noticed by the receiver when its own
`wal_receiver_timeout` is over, a minute by default."""
