"""The one interface to a database, and the engines behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from custctl.errors import UsageError

if TYPE_CHECKING:
    from custctl.engines.base import Database, EngineSettings

ENGINES = ("sqlite",)
"""The engines that `open_database` knows, as profiles and `sql/` name them."""


def open_database(engine: str, settings: EngineSettings) -> Database:
    """Return the database of an engine; nothing is connected before the first use.

    Raises:
        UsageError: no such engine in this version.
    """
    if engine == "sqlite":
        from custctl.engines.sqlite.database import SqliteDatabase

        return SqliteDatabase(settings)
    raise UsageError(f"engine `{engine}` is not supported by this version", hint=f"engines: {', '.join(ENGINES)}")
