"""The names of the tables, for whoever needs no more of them."""

from __future__ import annotations

CUSTOMER = "customer"
PASSWORD = "customer_password"  # noqa: S105 - a table
AUDIT = "customer_audit"
JOURNAL = "schema_migration"
METADATA = "custctl_metadata"
BOOTSTRAP = (JOURNAL, METADATA)
"""What the migration runner makes itself, before the first script."""
COLUMNS = frozenset(
    ("id", "email", "first_name", "last_name", "phone", "company", "address_line", "city", "region", "postal_code",
     "country", "status", "version", "created_at", "updated_at")
)  # fmt: skip
"""The columns of `customer` that are the product's."""
