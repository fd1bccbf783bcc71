"""The roles that `sql/*/repeatable/roles.sql` makes, and the least of them that may do a thing."""

from __future__ import annotations

SUPPORT, OPERATOR, ADMIN = "custctl_support", "custctl_operator", "custctl_admin"

_READS = frozenset({"customer", "customer_status", "customer_audit", "schema_migration", "custctl_metadata"})
_EDITS = {
    "customer": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "customer_password": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "customer_import": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    # Reading all of its columns, and erasing values, are the operator's.
    "customer_audit": ("SELECT", "INSERT", "UPDATE"),
}


def least_role(privilege: str, table: str, *, some_columns: bool = False) -> str:
    """Return the least role that has a privilege.

    Args:
        privilege: SELECT, INSERT, UPDATE, DELETE, or any other word, which is the administrator's.
        table: without its schema.
        some_columns: whether a few columns were refused, while others of the table are open to less.
    """
    if privilege == "SELECT" and table in _READS and not (some_columns or table == "customer_audit"):
        return SUPPORT
    if privilege in _EDITS.get(table, ()):
        return OPERATOR
    return ADMIN


def ask_for(privilege: str, table: str) -> str:
    """Return the hint for who lacks a privilege on a table."""
    role = least_role(privilege, table)
    return f"`{role}` has it: let an administrator make this login a member of that role"
