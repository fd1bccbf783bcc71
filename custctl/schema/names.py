"""The names of the tables, for code that needs only those."""

from __future__ import annotations

CUSTOMER = "customer"
PASSWORD = "customer_password"  # noqa: S105 - a table
AUDIT = "customer_audit"
ACCOUNT = "customer_account"
OUTBOX = "customer_account_outbox"
JOURNAL = "schema_migration"
METADATA = "custctl_metadata"
PRODUCT_SCRIPTS = (
    "migrations/0001_create_customer.sql",
    "migrations/0002_create_customer_password.sql",
    "migrations/0003_create_customer_audit.sql",
    "migrations/0004_create_customer_status.sql",
    "migrations/0005_create_customer_import.sql",
    "migrations/0006_create_customer_words.sql",
    "migrations/0007_create_customer_account.sql",
    "migrations/0008_add_audit_login.sql",
    "repeatable/custctl_searched.sql",
    "repeatable/customer_search.sql",
    "repeatable/customer_words.sql",
    "repeatable/roles.sql",
)
"""The scripts of this release, for all engines; a test compares the list with the files."""
FIRST_SCRIPTS = 5
"""The last number that was always the product's: company numbers begin at 1000 now, and began at 6 before."""
BOOTSTRAP = (JOURNAL, METADATA)
"""The tables that the migration runner creates itself, before the first script."""
PERSONAL = (CUSTOMER, PASSWORD, AUDIT, ACCOUNT, OUTBOX)
"""The tables that hold data about a person."""
TABLES = (*BOOTSTRAP, CUSTOMER, PASSWORD, AUDIT, "customer_status", "customer_import", ACCOUNT, OUTBOX)
"""All tables of the program."""
COLUMNS = frozenset(
    ("id", "email", "first_name", "last_name", "phone", "company", "address_line", "city", "region", "postal_code",
     "country", "status", "version", "created_at", "updated_at")
)  # fmt: skip
"""The columns of `customer` that are the product's."""
FILLED = ("version", "created_at", "updated_at")
"""Columns that the database fills itself."""
