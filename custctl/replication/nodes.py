"""One connection per node of a profile: all are queried at once, and changed one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from custctl.engines.at_once import at_once
from custctl.engines.members import Member, Observation
from custctl.replication.topology import Seen, Topology
from custctl.support.errors import CustctlError, NotFoundError, UsageError
from custctl.support.text import nearest

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.model import Node
    from custctl.profiles import Profile


@dataclass(frozen=True, slots=True)
class Means:
    """What a driver works with.

    Attributes:
        profile: whose nodes they are.
        database: connects to them.
        environ: the process environment, for hooks and for a manager's own variables.
        actor: the name to record.
        note: called with progress messages for a person.
    """

    profile: Profile
    database: Database
    environ: Mapping[str, str]
    actor: str
    note: Callable[[str], None]


class Nodes:
    """The connections to the nodes, opened by the first look and kept until `close`.

    Attributes:
        database_id: the id of the database, once a node has reported it.
    """

    def __init__(self, means: Means) -> None:
        self._means = means
        self._profile = means.profile
        self._members: dict[str, Member | CustctlError] = {}
        self._highest_epoch = 0
        self.database_id: str | None = None

    @property
    def max_lag(self) -> float:
        """Seconds that a standby may be behind and still serve reads."""
        return self._profile.database.replication.max_lag

    def _look(self) -> Topology:
        """Query all nodes at once, and reconnect to those lost since the last look."""
        missing = [node.name for node in self._nodes() if not isinstance(self._members.get(node.name), Member)]
        if missing:
            self._members.update(self._means.database.members(missing))
        calls: dict[str, Callable[[], Observation]] = {
            name: member.observe for name, member in self._members.items() if isinstance(member, Member)
        }
        seen = at_once(calls, self._profile.database.connect_timeout)
        for name, answer in seen.items():
            if isinstance(answer, CustctlError):
                self._hang_up(name, answer)
            else:
                self._highest_epoch = max(self._highest_epoch, answer.epoch or 0)
                self.database_id = answer.database_id or self.database_id
        topology = Topology(tuple(self._seen(node.name, seen) for node in self._nodes()), self.max_lag)
        self._check_distinct(topology)
        return topology

    def _check_distinct(self, topology: Topology) -> None:
        """Refuse two nodes that are one server under two addresses: it would count twice, as a split brain too."""
        servers: dict[str, Node] = {}
        for node, found in topology.answered():
            other = servers.setdefault(found.server, node) if found.server is not None else node
            if other is not node:
                raise UsageError(
                    f"the nodes {other} and {node} of profile `{self._profile.name}` are the same server",
                    hint="correct `host` or `port` of one of them in `database.nodes`, or remove one of the two",
                )

    def _hang_up(self, name: str, why: CustctlError) -> None:
        member = self._members[name]
        if isinstance(member, Member):
            member.close()
        self._members[name] = why

    def _nodes(self) -> Sequence[Node]:
        return self._means.database.nodes

    def _seen(self, name: str, answers: Mapping[str, Observation | CustctlError]) -> Seen:
        answer = answers.get(name, self._members.get(name))
        node = self.node(name)
        if isinstance(answer, Observation):
            return Seen(node, answer)
        return Seen(node, None, answer if isinstance(answer, CustctlError) else None)

    def node(self, name: str) -> Node:
        """Return a node of the profile by its name.

        Raises:
            NotFoundError: there is no such node.
        """
        nodes = {node.name: node for node in self._nodes()}
        if name not in nodes:
            close = nearest(name, list(nodes))
            hint = f"did you mean `{close}`?" if close else f"nodes: {', '.join(nodes)}"
            raise NotFoundError(f"profile `{self._profile.name}` has no node `{name}`", hint=hint)
        return nodes[name]

    def member(self, name: str) -> Member:
        """Return the connection to a node.

        Raises:
            CustctlError: why there is none.
        """
        member = self._members[self.node(name).name]
        if isinstance(member, CustctlError):
            raise member
        return member

    def reconnect(self, name: str) -> None:
        """Reconnect to a node whose connection may be lost."""
        member = self._members.get(name)
        if isinstance(member, Member):
            member.close()
        self._members.update(self._means.database.members([name]))

    def close(self) -> None:
        """Close all connections, which releases their locks."""
        members, self._members = self._members, {}
        for member in members.values():
            if isinstance(member, Member):
                member.close()
