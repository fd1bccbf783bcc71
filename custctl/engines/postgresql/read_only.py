"""Why a session of PostgreSQL takes no writes: its node is a standby or fenced, or its login is set so.

A fence is `default_transaction_read_only`, on for the whole server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from custctl.engines.postgresql.login_settings import reset_of
from custctl.support.errors import RefusedError

if TYPE_CHECKING:
    from custctl.engines.postgresql.connection import LimitedConnection
    from custctl.engines.server import ServerDatabase

_READ_ONLY = "default_transaction_read_only"


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
    return reset_of(driver, _READ_ONLY) is not None


def refusal(database: ServerDatabase, driver: LimitedConnection) -> RefusedError:
    """Return the error for a write on a read-only session."""
    row = driver.execute("SELECT pg_catalog.pg_is_in_recovery()").fetchone()
    if row is None or row[0]:
        return RefusedError(
            f"{database.location} is a read-only standby",
            hint="name the primary among `database.nodes` in the profile; `custctl replica status` shows each node",
        )
    reset = reset_of(driver, _READ_ONLY)
    if reset is None:
        return RefusedError(
            f"{database.location} is fenced: `{_READ_ONLY}` is on for the whole server",
            hint="`custctl replica status` shows which node takes writes; `custctl replica unfence` lifts a fence",
        )
    return RefusedError(
        f"{database.at_node()} takes no writes from {database.login_name()}: `{_READ_ONLY}` is on for this login or database",
        hint=f"let an administrator run `{reset}`",
    )
