"""The names of the tables, for whoever needs no more of them."""

from __future__ import annotations

CUSTOMER = "customer"
PASSWORD = "customer_password"  # noqa: S105 - a table
AUDIT = "customer_audit"
JOURNAL = "schema_migration"
METADATA = "custctl_metadata"
BOOTSTRAP = (JOURNAL, METADATA)
"""What the migration runner makes itself, before the first script."""
