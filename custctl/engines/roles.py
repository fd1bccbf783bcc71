"""The roles that `sql/*/repeatable/roles.sql` makes, what each may do, and the least of them that may do a thing."""

from __future__ import annotations

from collections.abc import Mapping

SUPPORT, OPERATOR, ADMIN = "custctl_support", "custctl_operator", "custctl_admin"

AUDIT_FACTS = (
    "id",
    "operation_id",
    "part",
    "customer_id",
    "sequence",
    "action",
    "actor",
    "happened_at",
    "version",
    "fields",
    "first_customer_id",
    "last_customer_id",
    "detail",
    "values_hash",
    "previous_hash",
    "row_hash",
    "database_login",
)
"""The columns of the audit that hold no values of customers."""

AUDIT_VALUES = ("held_values", "salt")
"""The others: what is erased with a customer."""

_EVERY_COLUMN: tuple[str, ...] = ()
_READ = {"SELECT": _EVERY_COLUMN}
_EDIT = {"SELECT": _EVERY_COLUMN, "INSERT": _EVERY_COLUMN, "UPDATE": _EVERY_COLUMN, "DELETE": _EVERY_COLUMN}

Rights = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Table to privilege to the columns that it is for; no column is every column."""

RIGHTS: Mapping[str, Rights] = {
    SUPPORT: {
        "customer": _READ,
        "customer_account": _READ,
        "customer_status": _READ,
        "schema_migration": _READ,
        "custctl_metadata": _READ,
        "customer_audit": {"SELECT": AUDIT_FACTS},
    },
    OPERATOR: {
        "customer": _EDIT,
        "customer_password": _EDIT,
        "customer_import": _EDIT,
        "customer_import_row": _EDIT,
        "customer_account": _EDIT,
        "customer_account_outbox": _EDIT,
        "customer_status": _READ,
        "schema_migration": _READ,
        "custctl_metadata": _READ,
        # An entry is never changed but to erase the values that it holds.
        "customer_audit": {"SELECT": _EVERY_COLUMN, "INSERT": _EVERY_COLUMN, "UPDATE": AUDIT_VALUES},
    },
    ADMIN: {
        "customer": _EDIT,
        "customer_password": _EDIT,
        "customer_import": _EDIT,
        "customer_import_row": _EDIT,
        "customer_account": _EDIT,
        "customer_account_outbox": _EDIT,
        "customer_status": _EDIT,
        "schema_migration": _EDIT,
        "custctl_metadata": _EDIT,
        "customer_audit": _EDIT,
    },
}
"""What each role may do to the tables, from the least role to the greatest; some tables are one engine's alone."""


def least_role(privilege: str, table: str) -> str:
    """Return the least role that has a privilege.

    Args:
        privilege: SELECT, INSERT, UPDATE, DELETE, or any other word, which is the administrator's.
        table: without its schema.
    """
    for role, rights in RIGHTS.items():
        columns = rights.get(table, {}).get(privilege)
        # Who was refused a read may have some of the columns already.
        if columns is not None and not (privilege == "SELECT" and columns):
            return role
    return ADMIN


def ask_for(privilege: str, table: str) -> str:
    """Return the hint for who lacks a privilege on a table."""
    return f"`{least_role(privilege, table)}` has it: {become()}"


def become() -> str:
    """Return how a login comes by a role."""
    return "ask an administrator to make this login a member of that role"
