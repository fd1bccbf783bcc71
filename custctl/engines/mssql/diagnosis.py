"""What `doctor` looks at on a server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from custctl.engines.base import Check
from custctl.engines.mssql.driver import find_driver

if TYPE_CHECKING:
    from custctl.engines.mssql.database import MssqlDatabase


def checks(database: MssqlDatabase) -> Iterator[Check]:
    """Yield the checks of driver, server and login."""
    driver = find_driver()
    yield Check("driver", True, f"{driver.name} ({driver.source})")
    with database.reading() as connection:
        version = connection.exec_driver_sql("SELECT CAST(SERVERPROPERTY('ProductVersion') AS NVARCHAR(128))").scalar()
    yield Check("server", True, f"SQL Server {version} at {database._at_node()}")
