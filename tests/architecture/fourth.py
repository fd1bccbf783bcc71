"""A made-up engine: SQLite under another name."""

from __future__ import annotations

from custctl.engines.sqlite.database import SqliteDatabase


class FourthDatabase(SqliteDatabase):
    """As SQLite."""

    engine_name = "fourth"
