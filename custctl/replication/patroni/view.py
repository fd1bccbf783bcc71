"""Patroni's view of its cluster, merged from the APIs of all nodes and compared with what PostgreSQL reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from custctl.support.errors import CustctlError, RefusedError, UnavailableError
from custctl.support.text import visible

if TYPE_CHECKING:
    from custctl.engines.model import Node
    from custctl.replication.topology import Topology

_LEADER = ("leader", "standby_leader")
_WELL = ("running", "streaming", "in archive recovery")
SYNCHRONOUS = "sync_standby"


@dataclass(frozen=True, slots=True)
class ClusterMember:
    """A node as Patroni knows it.

    Attributes:
        name: Patroni's name for it.
        role: leader, standby_leader, sync_standby, quorum_standby or replica.
        state: of its PostgreSQL: running, streaming, stopped, start failed and so on.
        tags: from its configuration, such as `nofailover`.
    """

    name: str
    role: str
    state: str
    host: str | None = None
    port: int | None = None
    tags: Mapping[str, Any] = field(default_factory=dict)

    @property
    def never_leads(self) -> bool:
        """Whether its configuration prevents it from becoming the leader."""
        return bool(self.tags.get("nofailover")) or self.tags.get("failover_priority") == 0


@dataclass(frozen=True, slots=True)
class Status:
    """What the API of one node reports.

    Attributes:
        name: Patroni's name for the node; empty if this Patroni is too old to report it.
        scope: the cluster's name.
        members: all nodes, as last known to this one.
        paused: whether the cluster is in maintenance mode, in which Patroni promotes no node by itself.
        scheduled: a scheduled switchover, in words.
    """

    name: str
    scope: str
    members: tuple[ClusterMember, ...]
    paused: bool = False
    scheduled: str | None = None


def read_status(about: Any, cluster: Any) -> Status:
    """Parse the documents `/patroni` and `/cluster` of one node.

    Raises:
        UnavailableError: they are not Patroni's.
    """
    try:
        members = tuple(
            ClusterMember(
                name=visible(str(each["name"])),
                role=str(each["role"]),
                state=str(each["state"]),
                host=each.get("host"),
                port=each.get("port"),
                tags=dict(each.get("tags") or {}),
            )
            for each in cluster["members"]
        )
        scheduled = cluster.get("scheduled_switchover")
        return Status(
            name=visible(str(about["patroni"].get("name", ""))),
            scope=visible(str(about["patroni"]["scope"])),
            members=members,
            paused=bool(cluster.get("pause")),
            scheduled=_scheduled(scheduled) if scheduled else None,
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UnavailableError(
            "the service that answers there is not Patroni", hint="check `api_port` of the node"
        ) from None


def _scheduled(given: Mapping[str, Any]) -> str:
    target = f" to `{given['to']}`" if given.get("to") else ""
    return visible(f"a switchover{target} is scheduled at {given['at']}")


@dataclass(frozen=True, slots=True)
class View:
    """What the APIs of all nodes report together.

    Attributes:
        answers: for each node of the profile, what its API reports, or why it does not answer.
        nodes: the nodes of the profile.
    """

    answers: Mapping[str, Status | CustctlError]
    nodes: Sequence[Node]

    @property
    def statuses(self) -> dict[str, Status]:
        """The reports of the nodes that answer."""
        return {name: each for name, each in self.answers.items() if isinstance(each, Status)}

    @property
    def members(self) -> dict[str, ClusterMember]:
        """All members that Patroni knows, by their name in the profile; by Patroni's name if not in the profile."""
        # All nodes read the same store, so any answer will do.
        first = next(iter(self.statuses.values()), None)
        return {self._name_here(member): member for member in first.members} if first else {}

    def _name_here(self, member: ClusterMember) -> str:
        for name, status in self.statuses.items():
            if status.name == member.name:
                return name
        for node in self.nodes:
            if (node.host, node.port) == (member.host, member.port):
                return node.name
        return member.name

    @property
    def leader(self) -> str | None:
        """The node that holds the leader's key."""
        return next((name for name, member in self.members.items() if member.role in _LEADER), None)

    @property
    def is_synchronous(self) -> bool:
        """Whether Patroni keeps a list of standbys that have every acknowledged write."""
        return any(member.role == SYNCHRONOUS for member in self.members.values())

    @property
    def paused(self) -> bool:
        """Whether the cluster is in maintenance mode."""
        return any(status.paused for status in self.statuses.values())

    @property
    def scheduled(self) -> tuple[str, ...]:
        """The scheduled switchovers, in words; empty if there are none."""
        return tuple(dict.fromkeys(status.scheduled for status in self.statuses.values() if status.scheduled))

    def require(self, group: str | None) -> None:
        """Check that Patroni answers, and that it manages the profile's cluster.

        Args:
            group: the scope in the profile.

        Raises:
            UnavailableError: no node's API answers.
            RefusedError: a node has another scope.
        """
        if not self.statuses:
            raise UnavailableError("; ".join(self._silent()), hint=self.way_out)
        for name, scope in self._foreign(group):
            raise RefusedError(
                f"Patroni on `{name}` keeps the cluster `{scope}`, but the profile is for `{group or self._scopes()[0]}`",
                hint="check `database.replication.group` and the nodes in the profile",
            )

    @property
    def way_out(self) -> str | None:
        """What to do if no node's API answers; None if one does."""
        hints = [each.hint for each in self.answers.values() if isinstance(each, CustctlError)]
        return next(iter(hints), None) if not self.statuses else None

    def _silent(self) -> Iterator[str]:
        for name, answer in self.answers.items():
            if isinstance(answer, CustctlError):
                yield f"`{name}`: {answer.message}"

    def _scopes(self) -> list[str]:
        return list(dict.fromkeys(status.scope for status in self.statuses.values()))

    def _foreign(self, group: str | None) -> Iterator[tuple[str, str]]:
        wanted = group or next(iter(self._scopes()), None)
        for name, status in self.statuses.items():
            if status.scope != wanted:
                yield name, status.scope

    def troubles(self, topology: Topology, group: str | None) -> Iterator[str]:
        """Yield all problems, and where Patroni and PostgreSQL contradict each other."""
        if not self.statuses:
            yield from (f"Patroni does not answer on {each}" for each in self._silent())
        for name, scope in self._foreign(group):
            yield f"Patroni on `{name}` keeps the cluster `{scope}`, which is not the profile's"
        for name, member in self.members.items():
            if member.state not in _WELL:
                yield f"Patroni says that `{name}` is {visible(member.state) or 'in an unknown state'}"
        leader = self.leader
        primary = topology.primary[0].name if topology.primary else None
        if self.statuses and leader is None:
            yield "Patroni has no leader"
        elif leader is not None and primary is not None and leader != primary:
            yield f"Patroni says that `{leader}` leads, but `{primary}` accepts writes"
        elif leader is not None and primary is None and leader in [node.name for node, _ in topology.answered()]:
            yield f"Patroni says that `{leader}` leads, but it does not accept writes"

    def notes(self) -> Iterator[str]:
        """Yield what else a person should know; does not affect the health."""
        if self.paused:
            yield "Patroni is paused: it does not promote any node until `patronictl resume`"
        yield from self.scheduled
        # Silent APIs are a note only: any node that answers takes requests for the whole cluster.
        if self.statuses:
            yield from self._silent()
        known = {node.name for node in self.nodes}
        for name in self.members:
            if name not in known:
                yield f"Patroni knows `{name}`, which is not a node in the profile"
