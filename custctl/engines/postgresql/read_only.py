"""Why a session of PostgreSQL takes no writes: its node is a standby or fenced, or its login is set so.

A fence is `default_transaction_read_only`, on for the whole server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from custctl.support.errors import RefusedError

if TYPE_CHECKING:
    from custctl.engines.postgresql.connection import LimitedConnection
    from custctl.engines.server import ServerDatabase

_READ_ONLY = "default_transaction_read_only"
# The places where a login's own default can be set, and the statement that resets it there.
_LOGINS_OWN = {
    "user": "ALTER ROLE {login} RESET {setting}",
    "database": "ALTER DATABASE {database} RESET {setting}",
    "database user": "ALTER ROLE {login} IN DATABASE {database} RESET {setting}",
}


# The first two use what a server sends with the login, at no extra cost.


def is_primary(driver: LimitedConnection) -> bool:
    """Tell whether the node accepts writes, even if this login does not."""
    status = driver.info.parameter_status
    if driver.pooled:
        # A pooler reports what was true when it connected.
        row = driver.execute("SELECT pg_catalog.pg_is_in_recovery(), current_setting(%s)", (_READ_ONLY,)).fetchone()
        standby, read_only = row or (True, "on")
        return not standby and (read_only != "on" or _is_set_by_login(driver))
    if status("in_hot_standby") == "on":
        return False
    return status(_READ_ONLY) != "on" or _is_set_by_login(driver)


def is_fenced(driver: LimitedConnection) -> bool:
    """Tell whether the node is no standby, and still accepts no writes."""
    return driver.info.parameter_status("in_hot_standby") != "on" and not is_primary(driver)


def _is_set_by_login(driver: LimitedConnection) -> bool:
    """Tell whether only this login is read-only, which says nothing about the node."""
    return _read_only_by(driver) in _LOGINS_OWN


def _read_only_by(driver: LimitedConnection) -> str:
    """Return the source of the session's read-only setting, in the server's words."""
    row = driver.execute("SELECT source FROM pg_catalog.pg_settings WHERE name = %s", (_READ_ONLY,)).fetchone()
    return str(row[0]) if row is not None else ""


def refusal(database: ServerDatabase, driver: LimitedConnection) -> RefusedError:
    """Return the error for a write on a read-only session."""
    from custctl.engines.postgresql.names import quoted

    row = driver.execute("SELECT pg_catalog.pg_is_in_recovery(), session_user::text").fetchone()
    standby, login = row or (True, "")
    if standby:
        return RefusedError(
            f"{database.location} is a read-only standby",
            hint="name the primary among `database.nodes` in the profile; `custctl replica status` shows each node",
        )
    reset = _LOGINS_OWN.get(_read_only_by(driver))
    if reset is None:
        return RefusedError(
            f"{database.location} is fenced: `{_READ_ONLY}` is on for the whole server",
            hint="`custctl replica status` shows which node takes writes; `custctl replica unfence` lifts a fence",
        )
    reset = reset.format(login=quoted(login), database=quoted(database.settings.name), setting=_READ_ONLY)
    return RefusedError(
        f"{database.at_node()} takes no writes from {database.login_name()}: `{_READ_ONLY}` is on for this login or database",
        hint=f"let an administrator run `{reset}`",
    )
