"""One node of a replicated database: what it reports, and what an operator can tell it to do.

A `Member` is a connection to exactly one node, whatever its role. Every call ends within the connection's timeout.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from custctl.engines.model import Node


class Role(StrEnum):
    """A node's role in the cluster."""

    PRIMARY = "primary"
    STANDBY = "standby"


@dataclass(frozen=True, slots=True)
class Attached:
    """A standby as its source sees it.

    Attributes:
        name: its application name or its replica name.
        sync_state: sync, quorum, potential or async; None if this login may not see it.
        streaming: whether it has caught up, so that it can confirm commits; true if this login may not see it.
    """

    name: str
    sync_state: str | None
    streaming: bool = True


@dataclass(frozen=True, slots=True)
class Observation:
    """What a node reports about itself at one moment.

    Positions are log positions as plain numbers, comparable only within one branch of the history. A value is None if
    this login may not see it or the engine does not have it.

    Attributes:
        role: the node's role.
        writable: whether it accepts writes: a primary that is not fenced.
        cluster_id: the id that all nodes of one database share: the system identifier, or the group's id.
        server: the id of the running server itself; the same under all its addresses.
        timeline: the branch of the history that it is on.
        database_id: the id that the database was stamped with.
        environment: the environment that the database is stamped with.
        epoch: custctl's count of the forks of the database's history.
        fork: the branch that the epoch was counted for, in the terms of `StreamingMember` or `AvailabilityMember`.
        branch: the current branch, in the same terms, if it is not a timeline.
        position: the end of its own log (a primary), or of what it has received (a standby).
        replayed: how much of that can be read.
        lag: seconds that its readers are behind; see `lag` of the engine. None for a primary.
        last_commit: commit time of the last transaction that it has replayed, by the clock of its primary at that time.
        now: the time on its own clock.
        receiving: whether a standby's connection to its source is up.
        source: the host and port that it receives from.
        reported: the end of its source's log, as last reported to it.
        name: the node's name on its source.
        attached: the standbys that receive from it.
        synchronous: the standbys that a commit waits for, in the engine's own syntax; empty if it waits for none.
        recorded_synchronous: the standbys that the primary's commits waited for when last recorded in the database.
        recorded_at: when that was recorded, by the clock of the primary at that time.
        configured: when the node last read its settings.
        waits_for_standbys: whether commits wait by default for synchronous standbys, if there are any, and no role or
            database overrides that.
        waits_for_replay: whether it then waits until they have replayed a commit.
        keeps_password: whether a standby's settings hold the password with which it receives.
        replay_paused: whether somebody has paused its replay.
        apply_delay: seconds that a standby is configured to wait before it replays a commit.
        prepared: the number of open prepared transactions.
        manager: the cluster manager that owns it.
        group: the state of its availability group, if it belongs to one.
    """

    role: Role
    writable: bool
    cluster_id: str | None = None
    server: str | None = None
    timeline: int | None = None
    database_id: str | None = None
    environment: str | None = None
    epoch: int | None = None
    fork: str | None = None
    branch: str | None = None
    position: int | None = None
    replayed: int | None = None
    lag: float | None = None
    last_commit: datetime | None = None
    now: datetime | None = None
    receiving: bool = False
    source: str | None = None
    reported: int | None = None
    name: str | None = None
    attached: tuple[Attached, ...] = ()
    synchronous: str = ""
    recorded_synchronous: str | None = None
    recorded_at: datetime | None = None
    configured: datetime | None = None
    waits_for_standbys: bool = False
    waits_for_replay: bool = False
    keeps_password: bool = False
    replay_paused: bool = False
    apply_delay: float = 0.0
    prepared: int = 0
    manager: str | None = None
    group: GroupState | None = None

    @property
    def waited_for(self) -> str:
        """`synchronous`, or empty if commits may be acknowledged without waiting."""
        return self.synchronous if self.waits_for_standbys else ""


@dataclass(frozen=True, slots=True)
class GroupDatabase:
    """A database of an availability group on one node.

    Attributes:
        synchronization: SYNCHRONIZED, SYNCHRONIZING, NOT SYNCHRONIZING, REVERTING or INITIALIZING.
        failover_ready: whether the group's metadata say that it is synchronized here.
        suspended: whether it receives nothing until somebody resumes it.
        hardened: the position up to which the node has its log on disk.
    """

    name: str
    synchronization: str | None = None
    failover_ready: bool | None = None
    suspended: bool = False
    hardened: int | None = None


@dataclass(frozen=True, slots=True)
class GroupState:
    """A node's state in an availability group, in SQL Server's own terms.

    Attributes:
        name: the group's name.
        cluster_type: WSFC, EXTERNAL or NONE.
        replica: the node's name within the group.
        role: PRIMARY, SECONDARY, or RESOLVING if it is neither: taken offline, or without a primary.
        quorum: NORMAL_QUORUM, FORCED_QUORUM or UNKNOWN_QUORUM of a Windows cluster; None if there is no such cluster or
            this login may not see it.
        required_synchronized: how many secondaries must have a commit before it is acknowledged.
        modes: the mode of every replica of the group: SYNCHRONOUS_COMMIT, ASYNCHRONOUS_COMMIT or CONFIGURATION_ONLY.
        databases: the group's databases.
    """

    name: str
    cluster_type: str
    replica: str
    role: str
    quorum: str | None = None
    required_synchronized: int = 0
    modes: Mapping[str, str] = field(default_factory=dict)
    databases: tuple[GroupDatabase, ...] = ()

    @property
    def availability_mode(self) -> str | None:
        """The node's own mode."""
        return self.modes.get(self.replica)

    @property
    def synchronization(self) -> str | None:
        """The worst state of its databases."""
        states = [database.synchronization for database in self.databases]
        return max(states, key=_WORSE.index) if states and None not in states else None

    @property
    def failover_ready(self) -> bool:
        """Whether every database is known to be ready for a failover to this node."""
        return bool(self.databases) and all(database.failover_ready for database in self.databases)


_WORSE = ("SYNCHRONIZED", "SYNCHRONIZING", "NOT SYNCHRONIZING", "REVERTING", "INITIALIZING")


@dataclass(frozen=True, slots=True)
class Upstream:
    """How a standby connects to the node it receives from.

    Attributes:
        conninfo: the connection string, which may hold a password.
        slot: its replication slot there; None if it uses none.
    """

    conninfo: str = field(repr=False)
    slot: str | None


class Member(ABC):
    """A connection to one node."""

    node: Node

    @abstractmethod
    def observe(self) -> Observation:
        """Return what the node reports about itself.

        Raises:
            CustctlError: it does not answer in time, or refuses.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""


class StreamingMember(Member):
    """A node whose replication can be controlled with SQL alone, one step at a time.

    Its fork is the timeline.
    """

    @abstractmethod
    def missing_rights(self) -> Sequence[str]:
        """Return the statements that grant this login its missing rights to control the node; empty if it has all."""

    @abstractmethod
    def try_lock(self) -> bool:
        """Keep other switchovers and failovers away from this node until `close`; False if another holds the lock."""

    @abstractmethod
    def fence(self, timeout: float) -> str:
        """Make a primary refuse writes, end its clients' sessions, and wait until no transaction can write any more.

        Fencing is idempotent.

        Args:
            timeout: seconds to wait.

        Returns:
            What the fence does not stop, in words; empty if nothing is known.

        Raises:
            RefusedError: something prevents it, and waiting does not help.
            UnavailableError: a transaction was still running after the timeout.
        """

    @abstractmethod
    def unfence(self, timeout: float) -> None:
        """Let a node accept writes again, now or once it is promoted, and verify that from another session."""

    @abstractmethod
    def last_position(self) -> int:
        """Return a position on a fenced primary; everything that it has ever acknowledged lies before it."""

    @abstractmethod
    def position(self) -> int:
        """Return how much a standby has received."""

    @abstractmethod
    def reconnects_to_source(self, timeout: float) -> bool:
        """Make a standby reconnect to its source, and tell whether the source answers within the timeout, in seconds.

        A source that has vanished from the network looks connected until its own timeout ends.
        """

    @abstractmethod
    def promote(self, timeout: float) -> None:
        """Make a standby the primary.

        Raises:
            CredentialError: this login may not promote it; nothing was started.
            UnavailableError: it does not answer; nothing was started.
            OutcomeUnknownError: the promotion was started, but the node is not a primary when the timeout, in seconds,
                ends, or it no longer answers.
        """

    @abstractmethod
    def wait_for(self, standbys: str) -> None:
        """Make commits wait for these standbys, in the engine's own syntax; if empty, for none."""

    @abstractmethod
    def record(self, standbys: str, timeout: float) -> bool:
        """Record in a primary's database which standbys its commits wait for, and when, without waiting for any.

        A node that has received the record has everything acknowledged before it; commits acknowledged later have
        waited for these standbys. So it is written only after the whole server has applied its settings.

        Args:
            timeout: seconds to wait for that.

        Returns:
            Whether it was written: false if this login may not, or the server has not applied them in time.
        """

    @abstractmethod
    def follow(self, primary: Node, slots: Sequence[str]) -> str:
        """Make a standby receive from another primary; its other connection settings stay.

        Args:
            slots: the replication slots that the primary has or could get.

        Returns:
            What else had to be changed, in words; empty if nothing.
        """

    @abstractmethod
    def upstream(self) -> Upstream:
        """Return how a standby connects to the node it receives from.

        Raises:
            CredentialError: this login may not read it.
        """

    @abstractmethod
    def set_upstream(self, upstream: Upstream) -> None:
        """Make a standby receive as it did when `upstream` returned this."""

    @abstractmethod
    def slots(self) -> Sequence[str]:
        """Return the names of the replication slots on a node."""

    @abstractmethod
    def make_slots(self, names: Sequence[str]) -> Sequence[str]:
        """Create missing replication slots on a node, and return those it has now; a login may lack the right."""

    @abstractmethod
    def drop_slot(self, name: str, timeout: float) -> None:
        """Drop a replication slot once nobody uses it; after the timeout, in seconds, it stays.

        Raises:
            UnavailableError: it stayed.
        """

    @abstractmethod
    def folder(self) -> str | None:
        """Return the node's data directory; None if this login may not see it."""

    @abstractmethod
    def rejoin_commands(self, folder: str | None) -> Sequence[str]:
        """Return the commands that an administrator runs to make a former primary a standby of this node.

        Args:
            folder: the former primary's data directory, if known.
        """


class AvailabilityMember(Member):
    """A node of an availability group. Its fork is the recovery fork of the database."""

    @abstractmethod
    def missing_rights(self, group: str | None) -> Sequence[str]:
        """Return the statements that grant this login the rights it lacks to see and control the group.

        Args:
            group: None if unknown; then only server-wide rights are checked.
        """

    @abstractmethod
    def try_lock(self) -> bool:
        """Keep other switchovers and failovers away from this node until `close`; False if another holds the lock."""

    @abstractmethod
    def set_mode(self, group: str, replica: str, mode: str) -> None:
        """Change a replica's availability mode; the node must be the primary."""

    @abstractmethod
    def require_synchronized(self, group: str, count: int) -> None:
        """Make commits wait for this many synchronized secondaries; the node must be the primary."""

    @abstractmethod
    def take_offline(self, group: str) -> None:
        """Take the group's databases offline on this primary, which is then RESOLVING.

        Raises:
            RefusedError: a synchronous secondary is not synchronized.
        """

    @abstractmethod
    def fail_over(self, group: str, *, forced: bool) -> None:
        """Tell a secondary to become the primary. Returns once the server accepts that, before it is done.

        Args:
            forced: fail over even if the secondary may lack commits; otherwise the server refuses in that case.
        """

    @abstractmethod
    def become_secondary(self, group: str) -> None:
        """Make a node without a cluster manager a secondary; its databases stay suspended until resumed."""

    @abstractmethod
    def resume(self, database: str) -> None:
        """Make a secondary's database follow the primary again; commits that the primary does not have are undone."""
