"""One node of a replicated database at a time: what it says of itself, and what an operator can tell it to do.

A `Member` is a connection to one node and to no other, whatever its role. Every call ends within the time limit that the
connection was made with.
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
    """What a node is to the others."""

    PRIMARY = "primary"
    STANDBY = "standby"


@dataclass(frozen=True, slots=True)
class Attached:
    """A standby as the node that feeds it sees it.

    Attributes:
        name: how it is called there: its application name, or its replica's name.
        sync_state: sync, quorum, potential or async; None where this login is not allowed to see it.
        streaming: whether it has caught up, so that it can confirm commits; true where this login is not allowed to see it.
    """

    name: str
    sync_state: str | None
    streaming: bool = True


@dataclass(frozen=True, slots=True)
class Observation:
    """What a node says of itself at one moment.

    Positions are places in the log as plain numbers; they compare only within one branch of the history. What this
    login may not see, and what an engine does not have, is None.

    Attributes:
        role: what it is.
        writable: whether it accepts writes: a primary that is not fenced.
        cluster_id: what all nodes of one database have in common: the system identifier, or the group's id.
        timeline: the branch of the history that it is on.
        database_id: the id that the database was stamped with.
        environment: the environment that the database is stamped with.
        epoch: custctl's count of the forks of the database's history.
        fork: the branch that the epoch was counted for, as `StreamingMember` or `AvailabilityMember` name it.
        branch: the branch that it is on now, in the same words, where that is no timeline.
        position: the end of its own log (a primary's), or of what it has received (a standby's).
        replayed: how much of that can be read.
        lag: seconds that its readers are behind; see `lag` of the engine. A primary has none.
        last_commit: when the last transaction that it has replayed was committed, by the clock of its primary then.
        now: the time on its own clock.
        receiving: whether a standby's connection to its source is up.
        source: the host and port that it receives from.
        reported: the end of its source's log, as far as it has been told.
        name: how the node is called by the one that feeds it.
        attached: the standbys that it feeds.
        synchronous: which standbys a commit waits for, in the engine's own words; empty where it waits for none.
        recorded_synchronous: which standbys the primary's commits waited for when that was last recorded in the database.
        recorded_at: when that was, by the clock of the primary then.
        configured: when the node has last read its settings.
        waits_for_standbys: whether commits wait for standbys by default, where there are synchronous ones, and no role or
            database is set otherwise.
        replay_paused: whether somebody has paused its replay.
        apply_delay: seconds that a standby waits on purpose before it replays a commit.
        prepared: how many prepared transactions are open.
        manager: the cluster manager that owns it.
        group: the state of its availability group, where it belongs to one.
    """

    role: Role
    writable: bool
    cluster_id: str | None = None
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
    replay_paused: bool = False
    apply_delay: float = 0.0
    prepared: int = 0
    manager: str | None = None
    group: GroupState | None = None

    @property
    def waited_for(self) -> str:
        """The standbys that commits wait for, as `synchronous`; empty where they may be acknowledged before."""
        return self.synchronous if self.waits_for_standbys else ""


@dataclass(frozen=True, slots=True)
class GroupDatabase:
    """A database of an availability group, as one node has it.

    Attributes:
        synchronization: SYNCHRONIZED, SYNCHRONIZING, NOT SYNCHRONIZING, REVERTING or INITIALIZING.
        failover_ready: whether the group's metadata have it as synchronized here.
        suspended: whether it receives nothing until it is told to resume.
        hardened: the position up to which the node has it on disk.
    """

    name: str
    synchronization: str | None = None
    failover_ready: bool | None = None
    suspended: bool = False
    hardened: int | None = None


@dataclass(frozen=True, slots=True)
class GroupState:
    """A node's place in an availability group, in SQL Server's own words.

    Attributes:
        name: the group's.
        cluster_type: WSFC, EXTERNAL or NONE.
        replica: the node's name within the group.
        role: PRIMARY, SECONDARY, or RESOLVING where it is neither: taken offline, or without a primary.
        quorum: NORMAL_QUORUM, FORCED_QUORUM or UNKNOWN_QUORUM of a Windows cluster; None where there is none, or this
            login may not see it.
        required_synchronized: how many secondaries must have a commit before it is acknowledged.
        modes: every replica of the group and its mode: SYNCHRONOUS_COMMIT, ASYNCHRONOUS_COMMIT or CONFIGURATION_ONLY.
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


class Member(ABC):
    """A connection to one node."""

    node: Node

    @abstractmethod
    def observe(self) -> Observation:
        """Return what the node says of itself.

        Raises:
            CustctlError: it does not answer in time, or refuses to.
        """

    @abstractmethod
    def close(self) -> None:
        """Hang up."""


class StreamingMember(Member):
    """A node whose replication can be steered by SQL alone, one step at a time.

    Its fork is the timeline.
    """

    @abstractmethod
    def missing_rights(self) -> Sequence[str]:
        """Return the statements that would give this login what it lacks to steer the node; empty where nothing is."""

    @abstractmethod
    def try_lock(self) -> bool:
        """Keep other switchovers and failovers away from this node until `close`; False where another one holds it."""

    @abstractmethod
    def fence(self, timeout: float) -> str:
        """Make a primary refuse writes, end its clients' sessions, and wait until no transaction can write any more.

        Done again, it does no harm.

        Returns:
            What the fence does not hold off, in words; empty where nothing is known.

        Raises:
            RefusedError: something stands in the way that no waiting mends.
            UnavailableError: a transaction went on beyond the time, in seconds.
        """

    @abstractmethod
    def unfence(self, timeout: float) -> None:
        """Let a node accept writes again, or once it is promoted, and make sure of it from another session."""

    @abstractmethod
    def last_position(self) -> int:
        """Return the position before which everything lies that a fenced primary has ever acknowledged."""

    @abstractmethod
    def position(self) -> int:
        """Return how much a standby has received."""

    @abstractmethod
    def receives_anew(self, timeout: float) -> bool:
        """Let a standby connect to its source once more, and tell whether that answers within a time, in seconds.

        A source that has vanished from the network looks connected until a time-out of its own.
        """

    @abstractmethod
    def promote(self, timeout: float) -> None:
        """Make a standby the primary.

        Raises:
            CredentialError: this login may not, and nothing was begun.
            UnavailableError: it does not answer, and nothing was begun.
            OutcomeUnknownError: it was told to, and is none yet when the time, in seconds, is over, or answers no more.
        """

    @abstractmethod
    def wait_for(self, standbys: str) -> None:
        """Let commits wait for these standbys, in the engine's own words; for none where it is empty."""

    @abstractmethod
    def record(self, standbys: str, timeout: float) -> bool:
        """Write into a primary's database which standbys its commits wait for, and when, without waiting for any.

        Whoever has received that has all that was acknowledged before; what is acknowledged later has waited for these
        standbys. So it is not written before all of the server has taken its settings up.

        Returns:
            Whether it was written: this login may not, or the server has not taken them up in time, in seconds.
        """

    @abstractmethod
    def follow(self, primary: Node, slots: Sequence[str]) -> str:
        """Let a standby receive from another primary; what else its connection is made with stays.

        Args:
            slots: the replication slots that the primary has or could be given.

        Returns:
            What had to be changed besides, in words; empty where nothing had.
        """

    @abstractmethod
    def make_slots(self, names: Sequence[str]) -> Sequence[str]:
        """Make sure of replication slots on a primary, and return those that it has now; a login may not make any."""

    @abstractmethod
    def slot(self) -> str | None:
        """Return the slot that a standby asks its source for."""

    @abstractmethod
    def folder(self) -> str | None:
        """Return the node's data directory, where this login may know it."""

    @abstractmethod
    def rejoin_commands(self, folder: str | None) -> Sequence[str]:
        """Return what an administrator types to make a former primary a standby of this node.

        Args:
            folder: the former primary's data directory, where it is known.
        """


class AvailabilityMember(Member):
    """A node of an availability group. Its fork is the recovery fork of the database."""

    @abstractmethod
    def missing_rights(self, group: str | None) -> Sequence[str]:
        """Return the statements that would give this login what it lacks to see and steer the group.

        Args:
            group: None where it is not known; every right is then asked for that the server as a whole gives.
        """

    @abstractmethod
    def try_lock(self) -> bool:
        """Keep other switchovers and failovers away from this node until `close`; False where another one holds it."""

    @abstractmethod
    def set_mode(self, group: str, replica: str, mode: str) -> None:
        """Give a replica another availability mode; the node must be the primary."""

    @abstractmethod
    def require_synchronized(self, group: str, count: int) -> None:
        """Let commits wait for so many synchronized secondaries; the node must be the primary."""

    @abstractmethod
    def take_offline(self, group: str) -> None:
        """Take the group's databases away from the clients of this primary, which is then RESOLVING.

        Raises:
            RefusedError: a synchronous secondary is not synchronized.
        """

    @abstractmethod
    def fail_over(self, group: str, *, forced: bool) -> None:
        """Tell a secondary to become the primary; it returns when that is accepted, and before it is done.

        Args:
            forced: whatever it may lack. Otherwise the server itself refuses where that is anything.
        """

    @abstractmethod
    def become_secondary(self, group: str) -> None:
        """Make a node without a cluster manager a secondary; its databases stay suspended until they are resumed."""

    @abstractmethod
    def resume(self, database: str) -> None:
        """Let a secondary's database follow the primary again; what it has and the primary has not is undone."""
