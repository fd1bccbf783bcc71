"""What SQL Server still stores of erased rows."""

from __future__ import annotations

from collections.abc import Sequence

from custctl.engines.model import Remains
from custctl.engines.mssql.names import literal, quote
from custctl.engines.rows import BACKUPS
from custctl.schema.names import PERSONAL


def remains(schema: str, database: str) -> Sequence[Remains]:
    """Return what remains after an erasure, and how to remove it."""
    names = [f"{quote(schema)}.{quote(table)}" for table in PERSONAL]
    return [
        Remains(
            "old_rows",
            "old versions of the rows stay in the data files until the server reuses their pages",
            "; ".join(f"ALTER INDEX ALL ON {name} REBUILD" for name in names)
            + f"; EXEC sp_clean_db_free_space @dbname = {literal(database)}",
        ),
        Remains(
            "statistics",
            "the planner's statistics can hold single values",
            "; ".join(f"UPDATE STATISTICS {name} WITH FULLSCAN" for name in names),
        ),
        Remains("transaction_log", "it holds the changes until it is backed up and its place is used again"),
        Remains("replicas", "they erase the same rows when they receive the log"),
        BACKUPS,
    ]
