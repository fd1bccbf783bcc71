"""One replica of an availability group, observed and steered by T-SQL.

Source: https://learn.microsoft.com/sql/database-engine/availability-groups/windows/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from custctl.engines.members import AvailabilityMember, Observation, Role

if TYPE_CHECKING:
    from custctl.engines.base import Node
    from custctl.engines.mssql.database import MssqlDatabase
    from custctl.engines.mssql.supervised import Connection


class MssqlMember(AvailabilityMember):
    """A connection to one replica."""

    def __init__(self, node: Node, driver: Connection, database: MssqlDatabase) -> None:
        self.node = node
        self._driver = driver
        self._database = database

    def close(self) -> None:
        self._driver.close()

    def observe(self) -> Observation:
        primary = self._database._is_primary(self._driver)
        return Observation(role=Role.PRIMARY if primary else Role.STANDBY, writable=primary)

    def run(self, statement: str) -> None:
        self._driver.run(statement)
