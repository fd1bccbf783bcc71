"""The one interface to what keeps the replicas."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from custctl.engines.at_once import at_once
from custctl.engines.members import Member, Observation
from custctl.replication.topology import UNCONFIRMED, Health, Seen, Topology, missing_confirmations
from custctl.support.errors import (
    CustctlError,
    IncompleteError,
    NotFoundError,
    PendingError,
    RefusedError,
    SplitBrainError,
    UnavailableError,
)
from custctl.support.text import nearest

if TYPE_CHECKING:
    from custctl.engines.base import Database, Node
    from custctl.profiles import Profile
    from custctl.replication.journal import Intent
    from custctl.replication.plan import Accepted, Loss, Plan, Step


_VERIFYING = 10.0  # seconds in which the other standbys are to have found the new primary
_LOOK = 0.05  # seconds between two looks
_ONE_HISTORY = "decide which of them to keep, then `replica fence` and `replica rejoin` the other"


@dataclass(frozen=True, slots=True)
class Means:
    """What a driver works with.

    Attributes:
        profile: whose nodes they are.
        database: connects to them.
        environ: the process environment, for hooks and for a manager's own variables.
        actor: who is recorded.
        told: called with what happens meanwhile, for a person.
    """

    profile: Profile
    database: Database
    environ: Mapping[str, str]
    actor: str
    told: Callable[[str], None]


class Driver(ABC):
    """What keeps the replicas: how they are observed, and how another node becomes the primary.

    Connections to the nodes are opened by the first look and kept until `close`.

    Attributes:
        database_id: the id of the database, once a node has told it.
        counted: the epoch, once a step has counted the fork.
    """

    name: ClassVar[str]
    irrevocable: ClassVar[str]
    """The step from which there is no way back: what fails before it is undone, what fails behind it is left to a
    rerun."""
    brings_back: ClassVar[bool] = False
    """Whether a manager has former primaries follow by itself, and copies a node anew where `rejoin` asks for it."""

    is_experimental: ClassVar[bool] = False
    """Whether it has never run on a real cluster, so that the profile has to allow what it changes."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._profile = means.profile
        self._members: dict[str, Member | CustctlError] = {}
        self._highest_epoch = 0
        self.database_id: str | None = None
        self.counted: int | None = None

    @property
    def max_lag(self) -> float:
        """Seconds that a standby may be behind and still serve reads."""
        return self._profile.database.replication.max_lag

    # -- the nodes ---------------------------------------------------------------------------------

    def observe(self) -> Topology:
        """Ask all nodes at once, and whatever else looks after them."""
        return self._look()

    def _look(self) -> Topology:
        """Ask all nodes at once; those that were lost since the last look are connected to anew."""
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
        return Topology(tuple(self._seen(node.name, seen) for node in self._nodes()), self.max_lag)

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
            NotFoundError: it has none of it.
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

    def connect_anew(self, name: str) -> None:
        """Connect to a node once more, whose connection may have been lost."""
        member = self._members.get(name)
        if isinstance(member, Member):
            member.close()
        self._members.update(self._means.database.members([name]))

    def close(self) -> None:
        """Hang up, which lets go of what was locked."""
        members, self._members = self._members, {}
        for member in members.values():
            if isinstance(member, Member):
                member.close()

    def refreshed(self, topology: Topology) -> Topology:
        """Record what a later failover is judged by, where the primary lives and this login may; return the nodes then."""
        return topology

    def require_permission(self) -> None:
        """Make sure that the profile lets this driver change anything.

        Raises:
            RefusedError: it does not.
        """
        if self.is_experimental and not self._profile.database.replication.experimental:
            raise RefusedError(
                f"the driver `{self.name}` is written from documentation and has never run on a real cluster: it changes"
                " nothing until the profile allows it",
                hint="try it on a test cluster first, with"
                f" `replication: {{driver: {self.name}, experimental: true}}` in {self._profile.source};"
                " `custctl replica status` and `--dry-run` work without",
            )

    # -- planning ----------------------------------------------------------------------------------

    def operation_id(self, unfinished: Intent | None, kind: str, target: str) -> str:
        """Return what a plan is journalled and audited under: what an earlier run of the same was, where there is one.

        Raises:
            RefusedError: an earlier run may have made another node the primary, which is still to come.
        """
        import uuid

        if unfinished is None:
            return str(uuid.uuid4())
        if (unfinished.kind, unfinished.target) == (kind, target):
            return unfinished.operation_id
        if self.irrevocable in unfinished.began and unfinished.target != target:
            raise RefusedError(
                f"`{unfinished.target}` was told at {unfinished.at} to become the primary, and may yet",
                hint=f"run `custctl replica {unfinished.kind} --to {unfinished.target}` again, which brings it to an end",
            )
        return str(uuid.uuid4())

    @abstractmethod
    def plan_switchover(self, topology: Topology, target: str, unfinished: Intent | None) -> Plan:
        """Plan to make a standby the primary while the old one runs; without loss, or not at all.

        Args:
            unfinished: what an earlier run was about that did not come to its end.

        Raises:
            RefusedError: it cannot be done safely as things are.
            NotFoundError: the profile has no such node.
            UnavailableError: the target does not answer.
            SplitBrainError: two nodes accept writes.
        """

    @abstractmethod
    def plan_failover(
        self, topology: Topology, target: str | None, accepted: Accepted, unfinished: Intent | None
    ) -> Plan:
        """Plan to make a standby the primary when the old one is gone.

        Args:
            target: None for the standby that has the most.

        Raises:
            As `plan_switchover`.
        """

    @abstractmethod
    def candidate(self, topology: Topology) -> str:
        """Return the node to fail over to where none is named.

        Raises:
            CustctlError: there is none.
        """

    def way_out(self, topology: Topology) -> str | None:
        """Return what an operator does about a cluster on which writes do not end well; None for any other."""
        if topology.health is Health.SPLIT_BRAIN:
            return _ONE_HISTORY
        if topology.primary is not None:
            return UNCONFIRMED if missing_confirmations(*topology.primary) else None
        if topology.primaries:
            return f"`custctl replica unfence {topology.primaries[-1][0].name}` lets it accept writes again"
        try:
            target = self.candidate(topology)
        except CustctlError:
            return None
        return (
            "bring the primary back; or make sure that it is stopped, and look at what"
            f" `custctl replica failover --to {target} --primary-is-stopped --dry-run` would do"
        )

    # -- carrying out ------------------------------------------------------------------------------

    def perform(self, plan: Plan, step: Step) -> str:
        """Carry out one step, and return in words what came of it.

        Raises:
            CustctlError: it failed; what it had begun may be there.
        """
        return self._steps()[step.name](plan, step)

    @abstractmethod
    def _steps(self) -> Mapping[str, Callable[[Plan, Step], str]]:
        """Return what carries out each kind of step; `hook`, `record` and `verify` are here."""

    def _hook(self, plan: Plan, step: Step) -> str:
        """Stop the old primary by the profile's hook; one that fails will do where the operator has seen to it."""
        from custctl.replication.hooks import run_hook

        try:
            return run_hook(self._profile, "fence", self.node(step.node), self._means.environ)
        except UnavailableError as error:
            if not plan.facts["stopped_by_word"]:
                raise
            return f"{error.message}; it is stopped, by the operator's word"

    def _record(self, plan: Plan, step: Step) -> str:
        """Raise the epoch on the new primary."""
        from custctl.replication.epochs import record_fork

        target = self.member(step.node).observe()
        detail = {"from": plan.old, "to": plan.target, "loss": self.loss(plan).as_dict()}
        with closing(self._means.database.at(step.node)) as database:
            epoch = record_fork(
                database,
                self.fork(target, plan),
                at_least=self._next_epoch(plan),
                synchronous=self.synchronous(target),
                environment=self._profile.environment,
                actor=self._means.actor,
                operation_id=plan.operation_id,
                action=plan.kind,
                detail=detail,
            )
        self.counted = epoch
        return f"epoch {epoch}"

    def _next_epoch(self, plan: Plan) -> int:
        """Return the lowest number that the new history may get.

        Where writes may be lost, the one that counted an earlier fork may be among them: its number must not come again.
        Nobody who is left may know it, but the time is later than it was.
        """
        return max(self._highest_epoch + 1, 0 if self.loss(plan).none else int(time.time()))

    def loss(self, plan: Plan) -> Loss:
        """Return what may be lost, as it is known when the target is the primary."""
        return plan.loss

    def synchronous(self, primary: Observation) -> str | None:
        """Return which standbys a new primary's commits wait for, where a later failover is judged by that."""
        return None

    def fork(self, primary: Observation, plan: Plan) -> str:
        """Return the branch of the history that a primary is on, as it is counted."""
        return str(primary.timeline)

    def _verify(self, plan: Plan, step: Step) -> str:
        """Look until the target alone accepts writes, and all standbys that answer follow it.

        Raises:
            SplitBrainError: another node accepts writes too.
            IncompleteError: a standby does not follow in time.
        """
        deadline = time.monotonic() + _VERIFYING
        while True:
            topology = self._look()
            require_one_history(topology)
            missing = [node.name for node, _ in topology.standbys if not topology.follows(node.name)]
            # A delayed one turns to the new primary when it has replayed what it has of the old one.
            late = [node.name for node, seen in topology.standbys if node.name in missing and seen.apply_delay]
            missing = [name for name in missing if name not in late]
            found = topology.primary
            if found is not None and found[0].name == plan.target and not missing:
                told = f"; {_names(late)} will, after its delay" if late else ""
                return f"`{plan.target}` accepts writes, and {_following(topology, but=late)}{told}"
            # Those that have what the target has not will never follow it by themselves.
            hopeless = found is not None and found[0].name == plan.target and set(missing) <= _astray(plan)
            if hopeless or time.monotonic() >= deadline:
                break
            time.sleep(_LOOK)
        if found is None or found[0].name != plan.target:
            raise UnavailableError(
                f"`{plan.target}` does not accept writes", hint="`custctl replica status` shows how things stand"
            )
        names = ", ".join(f"`{name}`" for name in missing)
        raise IncompleteError(
            f"{names} {'does' if len(missing) == 1 else 'do'} not follow it",
            hint=f"`custctl replica rejoin {missing[0]}`",
        )

    @abstractmethod
    def undo(self, plan: Plan, step: Step) -> str:
        """Take back a step before the point of no return, begun or done; empty where there is nothing to take back."""

    # -- single nodes ------------------------------------------------------------------------------

    @abstractmethod
    def fence(self, node: str) -> str:
        """Keep a node from accepting writes, and return in words what keeps it from that."""

    @abstractmethod
    def unfence(self, node: str) -> str:
        """Let a fenced node accept writes again, and return in words what was done."""

    @abstractmethod
    def rejoin(self, node: str) -> Sequence[str]:
        """Make a former primary a standby of the present one.

        Returns:
            The commands that an administrator has to type, where that cannot be done from here; empty where the node
            is a standby now.
        """


def require_one_history(topology: Topology) -> None:
    """Refuse to go on where two nodes accept writes.

    Raises:
        SplitBrainError: they do.
    """
    if len(topology.writable) > 1:
        names = " and ".join(f"`{node.name}`" for node, _ in topology.writable)
        raise SplitBrainError(
            f"{names} accept writes, each by itself",
            hint=_ONE_HISTORY,
            details={"nodes": [node.name for node, _ in topology.writable]},
        )


def require_environment(topology: Topology, profile: Profile) -> None:
    """Refuse to change nodes that are stamped with another environment than the profile's, or with none.

    Raises:
        RefusedError: they are.
        PendingError: they have no schema of custctl.
    """
    stamps = {seen.environment for _, seen in topology.answered()}
    for stamp in stamps - {None, profile.environment}:
        raise RefusedError(
            f"{profile.location} is stamped `{stamp}`, and the profile is of `{profile.environment}`",
            hint=f"use a profile of `{stamp}`",
            details={"stamp": stamp, "profile": str(profile.environment)},
        )
    if stamps == {None}:
        raise PendingError(
            f"{profile.location} does not say which environment's it is", hint="run `custctl migrate` first"
        )


def _astray(plan: Plan) -> set[str]:
    """Return the standbys that a plan leaves behind."""
    return set(plan.facts.get("astray", ()))


def _following(topology: Topology, *, but: Sequence[str] = ()) -> str:
    names = [node.name for node, _ in topology.standbys if node.name not in but]
    return f"{_names(names)} {'follows' if len(names) == 1 else 'follow'} it" if names else "no standby follows it"


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
