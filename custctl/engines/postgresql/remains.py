"""What PostgreSQL still holds of rows that were erased."""

from __future__ import annotations

from collections.abc import Sequence

from custctl.engines.model import Remains
from custctl.engines.postgresql.names import quoted
from custctl.engines.rows import BACKUPS
from custctl.schema.names import PERSONAL


def remains(schema: str) -> Sequence[Remains]:
    """Return what stays after an erasure, and how to remove it.

    A plain `VACUUM` only frees a row's space; `FULL`, which rewrites the table, removes its bytes.
    """
    tables = ", ".join(f"{quoted(schema)}.{quoted(table)}" for table in PERSONAL)
    return [
        Remains(
            "old_rows",
            "old versions of the rows stay in the data files until their tables are written again",
            f"VACUUM (FULL, ANALYZE) {tables}",
        ),
        Remains(
            "statistics",
            "the planner's statistics can hold single values",
            f"ANALYZE {tables}; VACUUM FULL pg_catalog.pg_statistic, pg_catalog.pg_statistic_ext_data",
        ),
        Remains("write_ahead_log", "it and its archive hold the changes until their files are removed", "CHECKPOINT"),
        Remains("replicas", "they erase the same rows when they replay the log, and old rows by the same `VACUUM`"),
        Remains("server_log", "it holds values if the settings say so", "custctl doctor"),
        BACKUPS,
    ]
