"""Settings that a login or a database has by ALTER ROLE or ALTER DATABASE, and how to reset them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from custctl.engines.postgresql.names import quoted

if TYPE_CHECKING:
    from custctl.engines.postgresql.connection import LimitedConnection

# The places where such a setting can be, in the server's words, and the statement that resets it there.
_RESETS = {
    "user": "ALTER ROLE {login} RESET {setting}",
    "database": "ALTER DATABASE {database} RESET {setting}",
    "database user": "ALTER ROLE {login} IN DATABASE {database} RESET {setting}",
}
_SOURCE = """
SELECT source, session_user::text, current_database()::text FROM pg_catalog.pg_settings WHERE name = %s
"""


def reset_of(driver: LimitedConnection, setting: str) -> str | None:
    """Return the statement that resets a setting of this login or database; None if it comes from somewhere else."""
    row = driver.execute(_SOURCE, (setting,)).fetchone()
    source, login, database = row or ("", "", "")
    reset = _RESETS.get(source)
    return reset and reset.format(login=quoted(login), database=quoted(database), setting=setting)
