"""Which branch of a cluster's history its primary is on."""

from __future__ import annotations

TIMELINE = """
('x' || substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::bit(32)::int
"""
"""The expression, on a primary: it stands in the name of the file that is written to. The control file has the number
from before a promotion until the next checkpoint."""
