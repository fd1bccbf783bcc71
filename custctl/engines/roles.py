"""The roles that `sql/*/repeatable/roles.sql` creates, what each may do, and the least role for a privilege."""

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
"""The audit columns that hold no customer data."""

AUDIT_VALUES = ("held_values", "salt")
"""The other audit columns, which are erased with a customer."""

_EVERY_COLUMN: tuple[str, ...] = ()
_READ = {"SELECT": _EVERY_COLUMN}
_EDIT = {"SELECT": _EVERY_COLUMN, "INSERT": _EVERY_COLUMN, "UPDATE": _EVERY_COLUMN, "DELETE": _EVERY_COLUMN}

Rights = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Maps table to privilege to the columns it covers; an empty tuple means every column."""

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
        # An entry is only ever changed to erase the values that it holds.
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
"""What each role may do to the tables, from the least role to the greatest; some tables exist on one engine only."""


def least_role(privilege: str, table: str) -> str:
    """Return the least role that has a privilege.

    Args:
        privilege: SELECT, INSERT, UPDATE or DELETE; any other privilege belongs to the administrator's role.
        table: the table's name without its schema.
    """
    for role, rights in RIGHTS.items():
        columns = rights.get(table, {}).get(privilege)
        # A login that was refused a read may already have some of the columns.
        if columns is not None and not (privilege == "SELECT" and columns):
            return role
    return ADMIN


def ask_for(privilege: str, table: str) -> str:
    """Return the hint for a login that lacks a privilege on a table."""
    return f"`{least_role(privilege, table)}` has it: {become()}"


def become() -> str:
    """Return the hint that says how a login gets a role."""
    return "ask an administrator to make this login a member of that role"
