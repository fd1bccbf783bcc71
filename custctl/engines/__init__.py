"""The one interface to a database, and the engines behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from custctl.engines.base import Database, EngineSettings

ENGINES = ("sqlite", "postgresql", "mssql")
"""The engines that `open_database` knows, as profiles and `sql/` name them."""


def open_database(engine: str, settings: EngineSettings) -> Database:
    """Return the database of an engine; nothing is connected before the first use."""
    if engine == "sqlite":
        from custctl.engines.sqlite.database import SqliteDatabase

        return SqliteDatabase(settings)
    if engine == "postgresql":
        from custctl.engines.postgresql.database import PostgresqlDatabase

        return PostgresqlDatabase(settings)
    if engine == "mssql":
        from custctl.engines.mssql.database import MssqlDatabase

        return MssqlDatabase(settings)
    raise ValueError(f"no engine `{engine}`")
