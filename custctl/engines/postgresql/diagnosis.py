"""What `doctor` looks at on a server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from custctl.engines.base import Check

if TYPE_CHECKING:
    from custctl.engines.postgresql.database import PostgresqlDatabase


def checks(database: PostgresqlDatabase) -> Iterator[Check]:
    """Yield the checks of driver, server and login."""
    with database.reading() as connection:
        version = connection.exec_driver_sql("SHOW server_version").scalar()
    yield Check("server", True, f"PostgreSQL {version} at {database._at_node()}")
