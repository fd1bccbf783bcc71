"""How far a replica of SQL Server has come; the server is a stand-in."""

from __future__ import annotations

from typing import Any

import pyodbc
import pytest

from custctl.engines.base import EngineSettings
from custctl.engines.model import Node
from custctl.engines.mssql.driver import Driver, connection_string
from custctl.engines.mssql.freshness import read_freshness
from custctl.engines.reads import Freshness, LogPosition
from tests.mssql.conftest import unparsable

LSN = 37000000012800001  # numeric(25, 0): the parts of a log sequence number, one behind the other
_SOURCE = "[Microsoft][ODBC Driver 18 for SQL Server][SQL Server]"
MISSING = pyodbc.ProgrammingError(
    "42S02", f"[42S02] {_SOURCE}Invalid object name 'sys.dm_hadr_database_replica_states'. (208) (SQLExecDirectW)"
)
DENIED = pyodbc.ProgrammingError(
    "42000", f"[42000] {_SOURCE}VIEW SERVER STATE permission was denied on object 'server'. (300) (SQLExecDirectW)"
)
LOST = pyodbc.OperationalError("08S01", "[08S01] Communication link failure (0)")


class Replica:
    """A connection that stands in for the driver's: it answers with one row, or fails."""

    def __init__(self, answer: tuple[Any, ...] | pyodbc.Error | None) -> None:
        self._answer = answer
        self.asked: list[str] = []

    def run(self, batch: str) -> list[tuple[Any, ...]]:
        self.asked.append(batch)
        if isinstance(self._answer, pyodbc.Error):
            raise self._answer
        return [self._answer] if self._answer else []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (("x", "2", str(LSN), 0, 1), Freshness(LogPosition("x", 2, LSN), 0.0, following=True)),
        (("x", None, str(LSN), 7, 0), Freshness(LogPosition("x", 1, LSN), 7.0, following=False)),
        # A clock that is behind the primary's.
        (("x", "2", str(LSN), -3, 1), Freshness(LogPosition("x", 2, LSN), 0.0, following=True)),
        (("x", "2", str(LSN), None, 1), Freshness(LogPosition("x", 2, LSN), None, following=True)),
        (("x", "2", None, 0, 1), None),
        ((None, "2", str(LSN), 0, 1), None),
        (None, None),
        (MISSING, None),
        (DENIED, None),
    ],
)
def test_what_a_replica_says_of_itself(answer: Any, expected: Freshness | None) -> None:
    assert read_freshness(Replica(answer), "dbo") == expected  # type: ignore[arg-type]


def test_a_lost_connection_is_no_answer() -> None:
    with pytest.raises(pyodbc.OperationalError):
        read_freshness(Replica(LOST), "dbo")  # type: ignore[arg-type]


def test_it_is_asked_in_t_sql() -> None:
    replica = Replica(None)
    read_freshness(replica, "shop's")  # type: ignore[arg-type]
    [batch] = replica.asked
    assert unparsable(batch) == []
    assert "[shop's].custctl_metadata" in batch


def test_only_who_reads_tells_the_server_so() -> None:
    settings = EngineSettings("mssql shop", user="clerk", auth="password")
    node = Node("a", "db.internal", 1433)
    plain, reading = (
        connection_string(Driver("ODBC", "installed"), settings, node, "secret", to_read=to_read)
        for to_read in (False, True)
    )
    assert "ApplicationIntent" not in plain
    assert "ApplicationIntent={ReadOnly}" in reading
