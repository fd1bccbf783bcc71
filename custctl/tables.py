"""The tables, as SQLAlchemy Core sees them.

The scripts under `sql/` are the truth for the customers' tables; `journal` and
`metadata` are made by the migration runner itself, before the first script.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, Text

schema = MetaData()

_ID = BigInteger().with_variant(Integer, "sqlite")

customer = Table(
    "customer",
    schema,
    Column("id", _ID, primary_key=True),
    Column("email", String(254), nullable=False),
    Column("first_name", String(100), nullable=False),
    Column("last_name", String(100), nullable=False),
    Column("phone", String(40)),
    Column("company", String(200)),
    Column("address_line", String(200)),
    Column("city", String(100)),
    Column("region", String(100)),
    Column("postal_code", String(20)),
    Column("country", String(100)),
    Column("status", String(20), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", String(30), nullable=False),
    Column("updated_at", String(30), nullable=False),
)

customer_password = Table(
    "customer_password",
    schema,
    Column("customer_id", _ID, primary_key=True, autoincrement=False),
    Column("hash", String(255), nullable=False),
    Column("updated_at", String(30), nullable=False),
)

customer_audit = Table(
    "customer_audit",
    schema,
    Column("id", _ID, primary_key=True),
    Column("operation_id", String(36), nullable=False),
    Column("part", Integer, nullable=False),
    Column("customer_id", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("action", String(30), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("happened_at", String(30), nullable=False),
    Column("version", String(60)),
    Column("fields", String(400), nullable=False),
    Column("first_customer_id", BigInteger),
    Column("last_customer_id", BigInteger),
    Column("detail", Text, nullable=False),
    Column("held_values", Text),
    Column("salt", String(64)),
    Column("values_hash", String(64), nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("row_hash", String(64), nullable=False),
)

journal = Table(
    "schema_migration",
    schema,
    Column("id", _ID, primary_key=True),
    # The number of a versioned script; repeatable and seed scripts go by their name.
    Column("version", BigInteger, unique=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("description", String(255), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("checksum", String(80), nullable=False),
    Column("script", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("statements_applied", Integer, nullable=False),
    Column("statements_total", Integer, nullable=False),
    # The 0-based number of a statement that cannot run in a transaction, while it runs.
    Column("in_flight", Integer),
    Column("error", Text),
    Column("started_at", String(30), nullable=False),
    Column("finished_at", String(30)),
    Column("duration_ms", BigInteger),
    Column("applied_by", String(200), nullable=False),
    Column("tool_version", String(40), nullable=False),
)

metadata = Table(
    "custctl_metadata",
    schema,
    Column("name", String(200), primary_key=True),
    Column("value", Text, nullable=False),
)

BOOTSTRAP = (journal, metadata)
"""What the migration runner makes itself."""
