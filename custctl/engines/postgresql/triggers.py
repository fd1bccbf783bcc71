"""Whether triggers fire in a session of PostgreSQL.

Without them an update leaves the row's version as it is, and an audit entry may name any login.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from custctl.engines.postgresql.login_settings import reset_of
from custctl.support.errors import RefusedError

if TYPE_CHECKING:
    from psycopg import Cursor

    from custctl.engines.postgresql.connection import LimitedConnection
    from custctl.engines.server import ServerDatabase

# Only superusers may set it, and those who were granted that: so a session cannot simply set its own.
_SETTING = "session_replication_role"

ASK = f"SHOW {_SETTING}"
"""The query whose answer `check` reads."""


def check(database: ServerDatabase, driver: LimitedConnection, answer: Cursor[tuple[Any, ...]]) -> None:
    """Refuse a session whose triggers do not fire.

    Args:
        answer: of the server to `ASK`.

    Raises:
        RefusedError: they do not.
    """
    if answer.fetchone() == ("replica",):
        reset = reset_of(driver, _SETTING)
        raise RefusedError(
            f"{database.at_node()} fires no triggers for {database.login_name()}: `{_SETTING}` is `replica`, so row"
            " versions and the audit would not be kept",
            hint=f"let an administrator run `{reset}`" if reset else f"let an administrator set `{_SETTING} = origin`",
        )
