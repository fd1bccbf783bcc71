"""One replica of an availability group, observed and managed by T-SQL.

It connects to `master`: a group's databases are closed to clients on a resolving replica, and on a secondary that does
not serve reads. What a compatible server does not support is reported as unknown.

Sources, all below https://learn.microsoft.com/sql/:
  t-sql/statements/alter-availability-group-transact-sql,
  t-sql/statements/alter-database-transact-sql-set-hadr,
  relational-databases/system-dynamic-management-views/sys-dm-hadr-database-replica-states-transact-sql,
  relational-databases/system-dynamic-management-views/sys-dm-hadr-database-replica-cluster-states-transact-sql,
  relational-databases/system-dynamic-management-views/sys-dm-hadr-availability-replica-states-transact-sql,
  relational-databases/system-catalog-views/sys-database-recovery-status-transact-sql.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyodbc

from custctl.engines.members import Attached, AvailabilityMember, GroupDatabase, GroupState, Observation, Role
from custctl.engines.mssql.errors import is_lost, number, words
from custctl.engines.mssql.lag import LAG
from custctl.engines.mssql.names import literal, quote
from custctl.engines.mssql.session import resource, take_lock
from custctl.support.errors import RefusedError, UnavailableError

if TYPE_CHECKING:
    from custctl.engines.model import Node
    from custctl.engines.mssql.supervised import Connection
    from custctl.support.errors import CustctlError

_STEERING = 60.0  # seconds for a statement that changes roles; the server may have to ask its cluster first
_SOON = 100  # milliseconds to wait for the lock
_NO_LOCK = -1  # result of `sp_getapplock`: timed out

GROUP = """
SELECT CAST(g.group_id AS NVARCHAR(36)), g.name, g.cluster_type_desc, g.required_synchronized_secondaries_to_commit,
       r.replica_server_name, s.role_desc, s.connected_state_desc
  FROM sys.availability_databases_cluster AS d
 INNER JOIN sys.availability_groups AS g ON g.group_id = d.group_id
 INNER JOIN sys.dm_hadr_availability_replica_states AS s ON s.group_id = g.group_id AND s.is_local = 1
 INNER JOIN sys.availability_replicas AS r ON r.replica_id = s.replica_id
 WHERE d.database_name = {database} AND g.is_distributed = 0
"""
"""The group of a database, and this server's role in it."""

_QUORUM = "SELECT quorum_state_desc FROM sys.dm_hadr_cluster"

_DATABASES = f"""
SELECT d.database_name, s.synchronization_state_desc, c.is_failover_ready, s.is_suspended, s.last_hardened_lsn,
       s.last_redone_lsn, s.end_of_log_lsn, {LAG},
       DATEADD(MINUTE, DATEDIFF(MINUTE, GETDATE(), GETUTCDATE()), s.last_commit_time)
  FROM sys.availability_databases_cluster AS d
  LEFT JOIN sys.dm_hadr_database_replica_states AS s
    ON s.group_id = d.group_id AND s.group_database_id = d.group_database_id AND s.is_local = 1
  LEFT JOIN sys.dm_hadr_database_replica_cluster_states AS c
    ON c.replica_id = s.replica_id AND c.group_database_id = s.group_database_id
 WHERE d.group_id = {{group}}
 ORDER BY d.database_name
"""

_REPLICAS = """
SELECT r.replica_server_name, r.availability_mode_desc, s.is_local, s.connected_state_desc, s.synchronization_health_desc
  FROM sys.availability_replicas AS r
  LEFT JOIN sys.dm_hadr_availability_replica_states AS s ON s.replica_id = r.replica_id
 WHERE r.group_id = {group}
 ORDER BY r.replica_server_name
"""

_DATABASE = """
SELECT CAST(DATABASEPROPERTYEX({database}, 'Status') AS NVARCHAR(60)),
       CAST(DATABASEPROPERTYEX({database}, 'Updateability') AS NVARCHAR(60)), SYSUTCDATETIME()
"""

_FORK = """
SELECT CAST(recovery_fork_guid AS NVARCHAR(36)) FROM sys.database_recovery_status WHERE database_id = DB_ID({database})
"""

_KNOWN = "SELECT name, value FROM {table} WHERE name IN ('database_id', 'environment', 'epoch', 'fork')"

# Without them, a login sees no group, or gets an error.
SERVER_RIGHTS = ("VIEW SERVER STATE", "VIEW ANY DEFINITION")
"""The rights needed to see a group."""

_MOVING = ("SYNCHRONIZED", "SYNCHRONIZING")


class MssqlMember(AvailabilityMember):
    """A connection to one replica.

    Args:
        driver: a connection to `master` on that server.
        translate: translates a driver's error to a `CustctlError`.
        database: custctl's database.
        schema: the schema of custctl's tables.
        patience: timeout in seconds for an answer.
    """

    def __init__(
        self,
        node: Node,
        driver: Connection,
        translate: Callable[[pyodbc.Error], CustctlError],
        database: str,
        schema: str,
        patience: float,
    ) -> None:
        self.node = node
        self._driver = driver
        self._translate = translate
        self._database = database
        self._schema = schema
        self._patience = patience

    def close(self) -> None:
        self._driver.close()

    # -- asking ------------------------------------------------------------------------------------

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        self._driver.patience = self._patience
        try:
            return self._driver.run(query)
        except pyodbc.Error as error:
            raise self._translate(error) from None

    def _look(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query; none if the server does not support it, or this login may not run it."""
        self._driver.patience = self._patience
        try:
            return self._driver.run(query)
        except pyodbc.Error as error:
            if is_lost(error):
                raise self._translate(error) from None
            return []

    def observe(self) -> Observation:
        status, updateability, now = self._ask(_DATABASE.format(database=literal(self._database)))[0]
        writable = status in (None, "ONLINE") and updateability == "READ_WRITE"
        fork = self._look(_FORK.format(database=literal(self._database)))
        known = self._known()
        seen = Observation(
            role=Role.PRIMARY if writable else Role.STANDBY,
            writable=writable,
            now=_utc(now),
            database_id=known.get("database_id"),
            environment=known.get("environment"),
            epoch=int(known["epoch"]) if known.get("epoch", "").isdigit() else None,
            # custctl records the fork and the operation that made it.
            fork=known["fork"].split(" ")[0] if "fork" in known else None,
            branch=fork[0][0] if fork else None,
        )
        found = self._look(GROUP.format(database=literal(self._database)))
        return self._in_group(seen, found[0]) if found else seen

    def _known(self) -> dict[str, str]:
        """Return what the database has recorded about its own history; empty if it cannot be read here."""
        table = ".".join(map(quote, (self._database, self._schema, "custctl_metadata")))
        return dict(self._look(_KNOWN.format(table=table)))

    def _in_group(self, seen: Observation, row: tuple[Any, ...]) -> Observation:

        group_id, name, cluster_type, required, replica, role, connected = row
        databases = self._look(_DATABASES.format(group=literal(group_id)))
        replicas = self._look(_REPLICAS.format(group=literal(group_id)))
        quorum = self._look(_QUORUM) if cluster_type == "WSFC" else []
        state = GroupState(
            name=name,
            cluster_type=str(cluster_type).upper(),
            replica=replica,
            role=role,
            quorum=quorum[0][0] if quorum else None,
            required_synchronized=required or 0,
            modes={each: mode for each, mode, *_ in replicas},
            databases=tuple(
                GroupDatabase(
                    each, state, None if ready is None else bool(ready), bool(suspended), _on_disk(role, hardened, end)
                )
                for each, state, ready, suspended, hardened, _, end, *_ in databases
            ),
        )
        primary = role == "PRIMARY"
        seen = replace(
            seen,
            role=Role.PRIMARY if primary else Role.STANDBY,
            writable=seen.writable and primary,
            cluster_id=group_id,
            server=f"{group_id} {replica}",
            name=replica,
            group=state,
            attached=tuple(
                Attached(each, "sync" if mode == "SYNCHRONOUS_COMMIT" and health == "HEALTHY" else "async")
                for each, mode, local, link, health in replicas
                if primary and not local and link == "CONNECTED"
            ),
        )
        mine = next((each for each in databases if each[0].lower() == self._database.lower()), None)
        if mine is None:
            return seen
        _, moving, _, _, hardened, redone, end_of_log, lag, last_commit = mine
        if primary:
            return replace(seen, position=_whole(end_of_log))
        return replace(
            seen,
            position=_whole(hardened),
            replayed=_whole(redone),
            lag=max(float(lag), 0.0) if lag is not None else None,
            last_commit=_utc(last_commit),
            receiving=connected == "CONNECTED" and moving in _MOVING,
        )

    # -- rights ------------------------------------------------------------------------------------

    def missing_rights(self, group: str | None) -> Sequence[str]:
        asked = {right: f"HAS_PERMS_BY_NAME(NULL, NULL, {literal(right)})" for right in SERVER_RIGHTS}
        if group is not None:
            asked[f"ALTER ON AVAILABILITY GROUP::{quote(group)}"] = (
                f"HAS_PERMS_BY_NAME({literal(quote(group))}, N'AVAILABILITY GROUP', N'ALTER')"
            )
            # Rights from a database role cannot be read while the database is closed.
            asked["ALTER ANY DATABASE"] = (
                "CASE WHEN HAS_PERMS_BY_NAME(NULL, NULL, N'ALTER ANY DATABASE') = 0"
                f" AND HAS_PERMS_BY_NAME({literal(quote(self._database))}, N'DATABASE', N'ALTER') = 0 THEN 0 ELSE 1 END"
            )
        rows = self._look(f"SELECT SUSER_SNAME(), {', '.join(asked.values())}")
        if not rows:
            return []
        login, *has = rows[0]
        lacking = [right for right, granted in zip(asked, has, strict=True) if granted == 0]
        return [f"GRANT {right} TO {quote(login)}" for right in lacking]

    def try_lock(self) -> bool:
        self._driver.patience = self._patience
        try:
            answer = take_lock(self._driver, resource("", "replication"), owner="Session", timeout=_SOON)
        except pyodbc.Error as error:
            raise self._translate(error) from None
        if answer < _NO_LOCK:
            raise UnavailableError(
                f"node `{self.node.name}` does not grant an application lock: `sp_getapplock` said {answer}"
            )
        return answer != _NO_LOCK

    # -- managing ----------------------------------------------------------------------------------

    def _run(self, statement: str) -> None:
        """Run a statement outside any transaction, as all of these require.

        Raises:
            RefusedError: the server refuses it in its current state.
            CustctlError: translated from the driver's error.
        """
        self._driver.patience = _STEERING
        try:
            self._driver.limit_statements(_STEERING)
            self._driver.run(statement)
        except pyodbc.Error as error:
            code = number(error)
            if code is not None and (41000 <= code < 42000 or 35200 <= code < 35300):
                raise RefusedError(
                    f"node `{self.node.name}` refuses: {words(error)}", hint="the server's error log has more"
                ) from None
            raise self._translate(error) from None

    def _alter(self, group: str, clause: str) -> None:
        self._run(f"ALTER AVAILABILITY GROUP {quote(group)} {clause}")

    def set_mode(self, group: str, replica: str, mode: str) -> None:
        self._alter(group, f"MODIFY REPLICA ON {literal(replica)} WITH (AVAILABILITY_MODE = {mode})")

    def require_synchronized(self, group: str, count: int) -> None:
        self._alter(group, f"SET (REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = {count})")

    def take_offline(self, group: str) -> None:
        self._alter(group, "OFFLINE")

    def fail_over(self, group: str, *, forced: bool) -> None:
        self._alter(group, "FORCE_FAILOVER_ALLOW_DATA_LOSS" if forced else "FAILOVER")

    def become_secondary(self, group: str) -> None:
        self._alter(group, "SET (ROLE = SECONDARY)")

    def resume(self, database: str) -> None:
        self._run(f"ALTER DATABASE {quote(database)} SET HADR RESUME")


def _whole(number: Any) -> int | None:
    """Return a NUMERIC(25, 0) as an exact integer."""
    return None if number is None else int(number)


def _on_disk(role: str, hardened: Any, end_of_log: Any) -> int | None:
    """Return the position up to which a node has a database's log.

    On any node but a secondary, the hardened position is that of its secondaries, so the end of the log counts too.
    """
    known = [hardened] if role == "SECONDARY" else [hardened, end_of_log]
    return max((int(position) for position in known if position is not None), default=None)


def _utc(moment: datetime | None) -> datetime | None:
    """Return a server's time in UTC; the driver returns it without a zone."""
    return None if moment is None else moment.replace(tzinfo=UTC)
