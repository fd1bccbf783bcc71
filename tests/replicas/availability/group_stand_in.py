"""A stand-in for an availability group: servers that know the statements which custctl steers one with, and no others.

They keep to what Microsoft's documentation says of roles and refusals, as far as that goes; it is the documentation
that is tested against, and not SQL Server. What is asked of the database itself is answered by the stand-in of
`tests/mssql/stand_in.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyodbc
import pytest

from custctl.engines.model import Node
from custctl.engines.mssql.database import MssqlDatabase
from custctl.engines.mssql.supervised import Connection
from custctl.support.errors import UnavailableError
from tests.inside import Inside
from tests.mssql.stand_in import Server, _Connection

NOW = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - as the driver returns it, without a zone
AGE = timedelta(seconds=3)  # of the last commit
GROUP_ID = "6E5B2B1C-0000-0000-0000-00000000000A"
SYNCHRONOUS, ASYNCHRONOUS = "SYNCHRONOUS_COMMIT", "ASYNCHRONOUS_COMMIT"


class Killed(BaseException):
    """What a SIGKILL is to the process: nothing after it is done."""


@dataclass
class Replica:
    """One server of the group.

    Attributes:
        moving: whether its databases receive, where it is a secondary and the primary is there.
        state: what its databases are besides: REVERTING or INITIALIZING.
        behind: how far its log ends before the primary's.
        refusing: how many questions are answered by a refusal of the login.
        recovering: how many looks pass after a failover before its databases accept writes.
    """

    name: str
    role: str = "SECONDARY"
    mode: str = SYNCHRONOUS
    suspended: bool = False
    ready: bool = True
    state: str | None = None
    hardened: int | None = 36_000_000_425_600_001
    down: bool = False
    readable: bool = False
    recovering: int = 0
    refusing: int = 0
    rights: dict[str, int] = field(default_factory=dict)


class Group:
    """The servers of one availability group, `sql1` the primary.

    Attributes:
        required: REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT.
        altered: what was changed, in order: the server and its statement.
        asked: every query about the group, and every change, as it was sent.
        on_alter: called before and after each change, with its number from 0 and whether it is done.
        lost: the statements that have an effect while their answer is lost.
        lost_by: the error that is told in place of the answer; 0 where the connection is lost.
        missing: views that the servers do not have.
        unreachable: the servers that are up, and not to be reached from here.
    """

    def __init__(self, cluster_type: str, *names: str) -> None:
        self.cluster_type = cluster_type
        self.quorum = "NORMAL_QUORUM"
        self.required = 0
        self.fork = 1
        self.databases = ["shop"]
        self.replicas = {name: Replica(name) for name in names}
        self.replicas[names[0]].role = "PRIMARY"
        self.tables = Server()
        self.altered: list[tuple[str, str]] = []
        self.asked: list[str] = []
        self.on_alter: Callable[[int, bool], None] = lambda number, done: None
        self.lost: set[str] = set()
        self.lost_by = 0
        self.missing: set[str] = set()
        self.unreachable: set[str] = set()

    @property
    def primaries(self) -> list[str]:
        """The servers that take writes."""
        return [each.name for each in self.replicas.values() if each.role == "PRIMARY" and not each.down]

    def synchronization(self, replica: Replica) -> str:
        """Return the state of a replica's databases as its own views have it."""
        if replica.state is not None:
            return replica.state
        if replica.role == "PRIMARY":
            return "SYNCHRONIZED" if replica.mode == SYNCHRONOUS else "SYNCHRONIZING"
        leading = [self.replicas[name] for name in self.primaries]
        if replica.role == "RESOLVING" or replica.suspended or len(leading) != 1:
            return "NOT SYNCHRONIZING"
        both = replica.mode == SYNCHRONOUS and leading[0].mode == SYNCHRONOUS
        return "SYNCHRONIZED" if both and replica.ready else "SYNCHRONIZING"

    def answer(self, name: str, statement: str) -> tuple[list[str], list[tuple[Any, ...]]] | None:
        """Return columns and rows; None where the statement is about the tables."""
        replica = self.replicas[name]
        if replica.down:
            raise _lost()
        if replica.refusing:
            replica.refusing -= 1
            raise _error(18456, "Login failed for user 'clerk'.")
        self.asked.append(statement)
        for view in self.missing:
            if view in statement:
                raise _error(208, f"Invalid object name '{view}'.")
        found = re.match(
            r"ALTER AVAILABILITY GROUP \[(\w+)\] (.*)$|ALTER DATABASE \[(\w+)\] SET HADR RESUME$", statement
        )
        if found:
            self._alter(replica, statement, found[2], found[3])
            return [], []
        rows = self._rows(replica, statement)
        if rows is None:
            self.asked.pop()  # of the database, which `tests/mssql` looks at
        return None if rows is None else ([str(at) for at in range(len(rows[0]))] if rows else ["0"], rows)

    def _rows(self, replica: Replica, statement: str) -> list[tuple[Any, ...]] | None:
        connected = "CONNECTED" if self.synchronization(replica) != "NOT SYNCHRONIZING" else "DISCONNECTED"
        if "is_distributed" in statement:
            head = (GROUP_ID, "ag", self.cluster_type, self.required, replica.name, replica.role, connected)
            return [head]
        if "quorum_state_desc" in statement:
            return [(self.quorum,)]
        if "is_failover_ready" in statement:
            state = self.synchronization(replica)
            ready, end = replica.ready and replica.mode == SYNCHRONOUS, replica.hardened
            lag = 0 if "SYNCHRONIZ" in state and not state.startswith("NOT") else AGE.seconds
            row = (state, ready, replica.suspended, end, end, end, lag, NOW - AGE)
            return [(each, *row) for each in self.databases]
        if "availability_mode_desc" in statement:
            return [
                (
                    each.name,
                    each.mode,
                    each is replica,
                    "DISCONNECTED" if each.down else "CONNECTED",
                    "HEALTHY" if self.synchronization(each) == "SYNCHRONIZED" else "PARTIALLY_HEALTHY",
                )
                for each in self.replicas.values()
            ]
        if "'Status'" in statement:
            if replica.recovering and replica.role == "PRIMARY":
                replica.recovering -= 1
                return [("RECOVERING", "READ_WRITE", NOW)]
            online = replica.role == "PRIMARY" or replica.readable
            return [("ONLINE" if online else "RECOVERY_PENDING", "READ_WRITE" if replica.role == "PRIMARY" else "READ_ONLY", NOW)]  # fmt: skip
        if "recovery_fork_guid" in statement:
            return [(f"F-{self.fork}",)]
        if "SUSER_SNAME(), " in statement:
            asked = [text for text in ("VIEW SERVER STATE", "VIEW ANY DEFINITION", "AVAILABILITY GROUP", "ANY DATABASE") if text in statement]  # fmt: skip
            return [("clerk", *(replica.rights.get(right, 1) for right in asked))]
        if "[shop].[dbo].[custctl_metadata]" in statement:
            if replica.role != "PRIMARY" and not replica.readable:
                raise _closed()
            return [(row["name"], row["value"]) for row in self.tables.rows["custctl_metadata"]]
        return None

    def _alter(self, replica: Replica, statement: str, clause: str | None, resumed: str | None) -> None:
        number = len(self.altered)
        self.on_alter(number, False)
        if replica.down:
            raise _lost()
        if resumed is not None:
            _require(replica.role == "SECONDARY", 35220, "the database is not a secondary")
            replica.suspended = False
        elif clause == "OFFLINE":
            _require(replica.role == "PRIMARY", 41104, "not the primary")
            others = [each for each in self.replicas.values() if each is not replica and each.mode == SYNCHRONOUS]
            _require(
                all(not each.down and self.synchronization(each) == "SYNCHRONIZED" for each in others),
                41192,
                "a synchronous replica is not synchronized",
            )
            replica.role = "RESOLVING"
        elif clause == "SET (ROLE = SECONDARY)":
            _require(self.cluster_type == "NONE", 41190, "the cluster owns the group")
            replica.role, replica.suspended = "SECONDARY", True
        elif clause == "FAILOVER":
            _require(self.cluster_type == "WSFC" and self.quorum == "NORMAL_QUORUM", 41131, "no cluster")
            _require(self.synchronization(replica) == "SYNCHRONIZED" or replica.ready, 41142, "not ready to fail over")
            for each in self.replicas.values():
                each.role = "SECONDARY"
            replica.role = "PRIMARY"
        elif clause == "FORCE_FAILOVER_ALLOW_DATA_LOSS":
            _require(replica.role in ("SECONDARY", "RESOLVING"), 41121, "already the primary")
            _require(replica.state is None, 41144, "the database cannot be started")
            for each in self.replicas.values():
                if self.cluster_type == "WSFC" and each.role == "PRIMARY":
                    each.role = "SECONDARY"
                each.suspended = each is not replica
            replica.role, replica.suspended = "PRIMARY", False
            self.fork += 1
        elif clause is not None and (
            mode := re.match(r"MODIFY REPLICA ON N'(\w+)' WITH \(AVAILABILITY_MODE = (\w+)\)", clause)
        ):
            _require(replica.role == "PRIMARY", 41104, "not the primary")
            self.replicas[mode[1]].mode = mode[2]
        elif clause is not None and (count := re.search(r"SECONDARIES_TO_COMMIT = (\d+)", clause)):
            _require(replica.role == "PRIMARY", 41104, "not the primary")
            _require(int(count[1]) < len(self.replicas), 41199, "more than there are")
            self.required = int(count[1])
        else:
            raise AssertionError(statement)
        self.altered.append((replica.name, statement.replace("ALTER AVAILABILITY GROUP [ag] ", "")))
        self.on_alter(number, True)
        if statement in self.lost:
            raise _error(self.lost_by, "failed to bring the group online") if self.lost_by else _lost()


def _require(holds: bool, number: int, text: str) -> None:
    if not holds:
        raise _error(number, text)


def _error(number: int, text: str) -> pyodbc.Error:
    head = "[42000] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]"
    return pyodbc.ProgrammingError("42000", f"{head}{text} ({number}) (SQLExecDirectW)")


def _closed() -> pyodbc.Error:
    return _error(976, "The target database, 'shop', is participating in an availability group.")


def _lost() -> pyodbc.Error:
    return pyodbc.OperationalError(
        "08S01", "[08S01] [Microsoft][ODBC Driver 18 for SQL Server]gone (0) (SQLExecDirectW)"
    )


class _Asked(Server):
    """One server of the group, as a connection sees it."""

    def __init__(self, group: Group, name: str) -> None:
        super().__init__()
        self._group = group
        self._name = name

    def connect(self) -> Any:
        return _Connection(self)

    def answer(self, statement: str, parameters: Any) -> tuple[list[str], list[tuple[Any, ...]], int]:
        statement = statement.strip()
        found = self._group.answer(self._name, statement)
        if found is not None:
            return *found, len(found[1])
        if self._group.replicas[self._name].role != "PRIMARY" and "dbo." in statement:
            raise _closed()
        return self._group.tables.answer(statement, parameters)


@contextmanager
def standing_in(group: Group) -> Iterator[None]:
    """Let connections be to the servers of the group."""

    def dial(self: MssqlDatabase, node: Node) -> Connection:
        replica = group.replicas[node.name]
        if replica.down or node.name in group.unreachable:
            raise UnavailableError(f"node {node} cannot be reached: connection refused")
        if self.settings.name != "master" and replica.role != "PRIMARY" and not replica.readable:
            raise self.translated(_closed(), f"node {node}")
        connection = Connection(_Asked(group, node.name).connect, 5)
        self._set_up(connection)
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MssqlDatabase, "dial", dial)
        yield


def switch(project: Inside, *more: str) -> tuple[int, str]:
    """Switch over to `sql2`, and return the exit code and what was told."""
    done = project.run("replica", "switchover", "--to", "sql2", "--yes", *more)
    return done.code, done.err


def fail_over(project: Inside, *more: str) -> tuple[int, str]:
    """Fail over, and return the exit code and what was told."""
    done = project.run("replica", "failover", "--yes", *more)
    return done.code, done.err


def counted(group: Group) -> dict[str, str]:
    """Return what the database has recorded of its own history."""
    return {row["name"]: row["value"] for row in group.tables.rows["custctl_metadata"]}
