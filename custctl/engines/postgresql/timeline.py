"""The timeline that a cluster's primary is on."""

from __future__ import annotations

TIMELINE = """
('x' || substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::bit(32)::int
"""
"""The timeline of a primary, from the name of the WAL file that it writes to. The control file keeps the old number
after a promotion until the next checkpoint."""
