"""The tables, as SQLAlchemy Core sees them.

The scripts under `sql/` define the customers' tables; the migration runner itself creates `journal` and `metadata`,
before the first script.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Identity, Integer, MetaData, Table

from custctl.schema import names
from custctl.schema.sqltypes import RowId, RowVersion, Timestamp, text

schema = MetaData(naming_convention={"pk": "%(table_name)s_pk", "uq": "%(table_name)s_%(column_0_name)s_unique"})

customer = Table(
    names.CUSTOMER,
    schema,
    Column("id", RowId, Identity(always=True), primary_key=True),
    Column("email", text(254), nullable=False),
    Column("first_name", text(100), nullable=False),
    Column("last_name", text(100), nullable=False),
    Column("phone", text(40)),
    Column("company", text(200)),
    Column("address_line", text(200)),
    Column("city", text(100)),
    Column("region", text(100)),
    Column("postal_code", text(20)),
    Column("country", text(100)),
    Column("status", text(20), nullable=False),
    Column("version", RowVersion, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
)

customer_password = Table(
    names.PASSWORD,
    schema,
    Column("customer_id", RowId, primary_key=True, autoincrement=False),
    Column("hash", text(255), nullable=False),
    Column("updated_at", Timestamp, nullable=False),
)

customer_audit = Table(
    names.AUDIT,
    schema,
    Column("id", RowId, Identity(always=True), primary_key=True),
    Column("operation_id", text(36), nullable=False),
    Column("part", Integer, nullable=False),
    Column("customer_id", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("action", text(30), nullable=False),
    Column("actor", text(200), nullable=False),
    Column("happened_at", Timestamp, nullable=False),
    Column("version", text(60)),
    Column("fields", text(400), nullable=False),
    Column("first_customer_id", BigInteger),
    Column("last_customer_id", BigInteger),
    Column("detail", text(), nullable=False),
    Column("held_values", text()),
    Column("salt", text(64)),
    Column("values_hash", text(64), nullable=False),
    Column("previous_hash", text(64), nullable=False),
    Column("row_hash", text(64), nullable=False),
    Column("database_login", text(128)),
)

customer_import = Table(
    "customer_import",
    schema,
    Column("key", text(80), primary_key=True),
    Column("position", text(), nullable=False),
    Column("updated_at", Timestamp, nullable=False),
)

customer_account = Table(
    names.ACCOUNT,
    schema,
    Column("customer_id", RowId, primary_key=True, autoincrement=False),
    Column("provider", text(200), nullable=False),
    Column("subject", text(255), nullable=False),
    Column("email", text(254), nullable=False),
    Column("enabled", Integer, nullable=False),
    Column("seen_at", Timestamp, nullable=False),
)

customer_account_outbox = Table(
    names.OUTBOX,
    schema,
    Column("id", RowId, Identity(always=True), primary_key=True),
    Column("customer_id", BigInteger, nullable=False),
    Column("stray", text(255), nullable=False),
    Column("subject", text(255)),
    Column("intent", text(254)),
    Column("operation_id", text(36), nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Timestamp, nullable=False),
    Column("last_error", text(500)),
    Column("claimed_by", text(36)),
    Column("claimed_until", Timestamp),
    Column("created_at", Timestamp, nullable=False),
)

journal = Table(
    names.JOURNAL,
    schema,
    Column("id", RowId, Identity(always=True), primary_key=True),
    # The number of a versioned script; repeatable and seed scripts are identified by name.
    Column("version", BigInteger, unique=True),
    Column("name", text(255), nullable=False, unique=True),
    Column("description", text(255), nullable=False),
    Column("kind", text(20), nullable=False),
    Column("checksum", text(80), nullable=False),
    Column("script", text(), nullable=False),
    Column("state", text(20), nullable=False),
    Column("statements_applied", Integer, nullable=False),
    Column("statements_total", Integer, nullable=False),
    # The 0-based number of a statement that cannot run in a transaction, while it is running.
    Column("in_flight", Integer),
    Column("error", text()),
    Column("started_at", Timestamp, nullable=False),
    Column("finished_at", Timestamp),
    Column("duration_ms", BigInteger),
    Column("applied_by", text(200), nullable=False),
    Column("tool_version", text(40), nullable=False),
)

metadata = Table(
    names.METADATA,
    schema,
    Column("name", text(200), primary_key=True),
    Column("value", text(), nullable=False),
)
