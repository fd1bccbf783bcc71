"""Finds the one step that grants a login a missing privilege on SQL Server.

It asks the server for role memberships and denials. The server shows a login little about other logins, and a
compatible server lists no privileges; what the server does not report is not guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from custctl.engines.mssql.names import literal, quote
from custctl.engines.roles import ADMIN, RIGHTS, least_role

if TYPE_CHECKING:
    from custctl.engines.mssql.supervised import Connection

_OURS = frozenset(table for rights in RIGHTS.values() for table in rights)
_SCHEMA = 3  # `class` of a permission on a schema; 1 is a table or column, 0 the database
_DATA = ("SELECT", "INSERT", "UPDATE", "DELETE")


def next_step(driver: Connection, privilege: str, name: str, schema: str) -> str | None:
    """Return the step that grants a missing privilege; None if the server does not report enough.

    Args:
        driver: a connection of that login, outside any transaction.
        privilege: SELECT, INSERT, …, or the first word of the refused statement.
        name: the object's name, without its schema.
        schema: the profile's schema.

    Raises:
        pyodbc.Error: the server refuses a query.
    """
    table = f"{quote(schema)}.{quote(name)}"
    if privilege in _DATA and (denial := _denial(driver, privilege, table, schema)):
        return _ask(denial)
    ours = name in _OURS
    role = least_role(privilege, name)
    login, member, of_ddl = driver.run(
        f"SELECT CURRENT_USER, IS_ROLEMEMBER({literal(role)}), IS_ROLEMEMBER(N'db_ddladmin')"
    )[0]
    if privilege in _DATA and not ours:
        return _ask(f"GRANT {privilege} ON {table} TO {quote(login)}")
    # None: there is no such role, or this login may not see it.
    if member is None:
        return f"{_ask(f'ALTER ROLE {role} ADD MEMBER {quote(login)}')}; `custctl migrate` makes that role"
    if not member:
        return _ask(f"ALTER ROLE {role} ADD MEMBER {quote(login)}")
    if privilege in _DATA:
        return _ask(f"GRANT {privilege} ON {table} TO {role}")
    if of_ddl == 0:
        return _ask(f"ALTER ROLE db_ddladmin ADD MEMBER {ADMIN}")
    if of_ddl is None:
        return "run it as the database's owner: on this server only the owner has this right"
    return None


def _denial(driver: Connection, privilege: str, table: str, schema: str) -> str | None:
    """Return the statement that revokes a denial; None if there is none. A denial overrides every grant of any role.

    It may apply to the table or a column, the schema or the whole database, or come from a fixed role.

    Source: https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-database-permissions-transact-sql
    """
    rows = driver.run(
        "SELECT class, COL_NAME(major_id, minor_id), USER_NAME(grantee_principal_id) FROM sys.database_permissions"
        f" WHERE state = N'D' AND permission_name = {literal(privilege)}"
        f" AND (class = 1 AND major_id = OBJECT_ID({literal(table)})"
        f" OR class = 3 AND major_id = SCHEMA_ID({literal(schema)}) OR class = 0)"
        " AND (grantee_principal_id = USER_ID() OR IS_ROLEMEMBER(USER_NAME(grantee_principal_id)) = 1)"
        " ORDER BY class DESC"
    )
    if rows:
        kind, column, grantee = rows[0]
        on = {1: f" ON {table}", _SCHEMA: f" ON SCHEMA::{quote(schema)}"}.get(kind, "")
        return f"REVOKE {privilege}{on}{f' ({quote(column)})' if column else ''} FROM {quote(grantee)}"
    role = "db_denydatareader" if privilege == "SELECT" else "db_denydatawriter"
    login, is_member = driver.run(f"SELECT CURRENT_USER, IS_ROLEMEMBER({literal(role)})")[0]
    return f"ALTER ROLE {role} DROP MEMBER {quote(login)}" if is_member else None


def _ask(statement: str) -> str:
    return f"ask an administrator to run `{statement}`"
