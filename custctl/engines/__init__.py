"""The one interface to a database, and the engines behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from custctl.support.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from custctl.engines.base import Database, EngineSettings

ENGINES = ("sqlite", "postgresql", "mssql")
"""The engines that `open_database` knows, as profiles and `sql/` name them."""


def open_database(engine: str, settings: EngineSettings) -> Database:
    """Return the database of an engine; nothing is connected before the first use.

    Raises:
        UnavailableError: what the engine's driver needs is not installed.
    """
    if engine == "sqlite":
        from custctl.engines.sqlite.database import SqliteDatabase

        return SqliteDatabase(settings)
    if engine == "postgresql":
        from custctl.engines.postgresql.database import PostgresqlDatabase

        return PostgresqlDatabase(settings)
    if engine == "mssql":
        try:
            from custctl.engines.mssql.database import MssqlDatabase
        except ImportError as error:
            # The driver manager is the system's own, on which pyodbc counts.
            raise UnavailableError(
                f"pyodbc cannot be loaded: {error}", hint="install unixODBC, as by `apt-get install unixodbc`"
            ) from None

        return MssqlDatabase(settings)
    raise ValueError(f"no engine `{engine}`")


def driver_password(engine: str, servers: Sequence[tuple[str, int]], name: str, user: str | None) -> str | None:
    """Return where an engine's driver finds a password by itself, in words; None where it has none.

    Args:
        servers: host and port of each node.
        name: the database's.
        user: who logs in; None for whom the driver takes by itself.
    """
    if engine == "postgresql":
        from custctl.engines.postgresql.libpq import password_source

        return password_source(servers, name, user)
    return None


def may_go_without_password(engine: str) -> bool:
    """Tell whether a login by password may be let in without one: it is for the server to say."""
    return engine == "postgresql"


def version_rank(engine: str, version: str) -> int:
    """Return a row version, as `Database.encode_version` wrote it, as a number that grows with each write.

    Raises:
        ValueError: it is none.
    """
    return int(version, 16 if engine == "mssql" else 10)
