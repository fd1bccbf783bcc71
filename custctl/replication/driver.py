"""The interface to whatever manages the replicas."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from custctl.replication.hooks import has_hook, run_hook
from custctl.replication.nodes import Means, Nodes
from custctl.replication.plan import FAILOVER, SWITCHOVER
from custctl.replication.planning import ONE_HISTORY, quoted, require_one_history
from custctl.replication.topology import UNCONFIRMED, Health, missing_confirmations
from custctl.support.errors import CustctlError, IncompleteError, RefusedError, UnavailableError

if TYPE_CHECKING:
    from custctl.engines.members import Observation
    from custctl.engines.model import Node
    from custctl.replication.journal import Intent
    from custctl.replication.plan import Accepted, Loss, Plan, Step
    from custctl.replication.topology import Replica, Topology

_VERIFYING = 10.0  # seconds the other standbys have to find the new primary
_LOOK = 0.05  # seconds between two polls


class Driver(Nodes, ABC):
    """Manages the replicas: observes them, and makes another node the primary.

    Attributes:
        counted: the epoch, once a step has recorded the fork.
        hooked: the nodes for which a hook was started, whatever became of it.
    """

    name: ClassVar[str]
    irrevocable: ClassVar[str]
    """The point of no return: a failure before this step is undone, a failure after it is left to a rerun."""
    brings_back: ClassVar[bool] = False
    """Whether a cluster manager makes former primaries follow by itself, and `rejoin` asks it to copy a node again."""

    is_experimental: ClassVar[bool] = False
    """Whether this driver has never run on a real cluster; the profile must then allow changes."""

    def __init__(self, means: Means) -> None:
        super().__init__(means)
        self.counted: int | None = None
        self.hooked: list[str] = []

    # -- looking -----------------------------------------------------------------------------------

    def observe(self) -> Topology:
        """Query all nodes at once, and the cluster manager if there is one."""
        return self._look()

    def refreshed(self, topology: Topology) -> Topology:
        """Record what a later failover is judged by, if the primary is up and this login may; return the new state."""
        return topology

    def require_permission(self) -> None:
        """Check that the profile lets this driver make changes.

        Raises:
            RefusedError: it does not.
        """
        if self.is_experimental and not self._profile.database.replication.experimental:
            raise RefusedError(
                f"the driver `{self.name}` was written from documentation and has never run on a real cluster: it changes"
                " nothing until the profile allows it",
                hint="try it on a test cluster first, with"
                f" `replication: {{driver: {self.name}, experimental: true}}` in {self._profile.source};"
                " `custctl replica status` and `--dry-run` work without",
            )

    # -- planning ----------------------------------------------------------------------------------

    def operation_id(self, unfinished: Intent | None, kind: str, target: str) -> str:
        """Return the id a plan is journalled and audited under; a rerun reuses the id of the unfinished run.

        Raises:
            RefusedError: an earlier run asked another node to become the primary, and it may still do so.
        """
        import uuid

        if unfinished is None:
            return str(uuid.uuid4())
        if (unfinished.kind, unfinished.target) == (kind, target):
            return unfinished.operation_id
        if self.irrevocable in unfinished.began and unfinished.target != target:
            raise RefusedError(
                f"`{unfinished.target}` was asked at {unfinished.at} to become the primary and may still do so",
                hint=f"run `custctl replica {unfinished.kind} --to {unfinished.target}` again to complete it",
            )
        return str(uuid.uuid4())

    def plan_switchover(self, topology: Topology, target: str, unfinished: Intent | None) -> Plan:
        """Plan to make a standby the primary while the old one runs. Never loses data.

        Args:
            unfinished: an earlier run that did not finish.

        Raises:
            RefusedError: it is not safe in the current state.
            NotFoundError: the profile has no such node.
            UnavailableError: the target does not answer.
            SplitBrainError: two nodes accept writes.
        """
        self.node(target)
        self._require_sound(topology)
        self._require_rights(topology)
        operation_id = self.operation_id(unfinished, SWITCHOVER, target)
        return self._plan_switchover(topology, target, operation_id, unfinished)

    def plan_failover(
        self, topology: Topology, target: str | None, accepted: Accepted, unfinished: Intent | None
    ) -> Plan:
        """Plan to make a standby the primary when the old one is gone.

        Args:
            target: None for the standby that has received the most.

        Raises:
            As `plan_switchover`.
        """
        if target is not None:
            self.node(target)
        self._require_sound(topology)
        self._require_rights(topology)
        begun = unfinished if unfinished is not None and unfinished.kind == FAILOVER else None
        resumed = begun.target if begun is not None and self._is_begun(topology, begun) else None
        target = self.node(target or resumed or self.candidate(topology)).name
        operation_id = self.operation_id(unfinished, FAILOVER, target)
        return self._plan_failover(topology, target, accepted, operation_id, unfinished)

    def _require_sound(self, topology: Topology) -> None:
        """Refuse nodes that do not share one history, or do not belong to the profile."""
        require_one_history(topology)
        self._require_ours(topology)

    def _require_rights(self, topology: Topology) -> None:
        """Refuse to plan what this login is not permitted to do, if that is known in advance."""

    def _is_begun(self, topology: Topology, failover: Intent) -> bool:
        """Tell whether an earlier failover may have made its target the primary, and must be resumed."""
        return self.irrevocable in failover.began

    @abstractmethod
    def _require_ours(self, topology: Topology) -> None:
        """Refuse a cluster that is not the profile's, or belongs to another environment."""

    @abstractmethod
    def _plan_switchover(self, topology: Topology, target: str, operation_id: str, unfinished: Intent | None) -> Plan:
        """Plan a switchover to a node of the profile."""

    @abstractmethod
    def _plan_failover(
        self, topology: Topology, target: str, accepted: Accepted, operation_id: str, unfinished: Intent | None
    ) -> Plan:
        """Plan a failover to a node of the profile."""

    @abstractmethod
    def candidate(self, topology: Topology) -> str:
        """Return the node to fail over to by default.

        Raises:
            CustctlError: there is none.
        """

    def way_out(self, topology: Topology) -> str | None:
        """Return what an operator can do about a cluster that cannot complete writes; None if it can."""
        if topology.health is Health.SPLIT_BRAIN:
            return ONE_HISTORY
        if topology.primary is not None:
            return UNCONFIRMED if missing_confirmations(*topology.primary) else None
        if topology.primaries:
            return f"`custctl replica unfence {topology.primaries[-1][0].name}` lets it accept writes again"
        try:
            target = self.candidate(topology)
        except CustctlError:
            return None
        return (
            "bring the primary back; or make sure that it is stopped, and check what"
            f" `custctl replica failover --to {target} --primary-is-stopped --dry-run` would do"
        )

    # -- carrying out ------------------------------------------------------------------------------

    def perform(self, plan: Plan, step: Step) -> str:
        """Carry out one step, and return its result in words.

        Raises:
            CustctlError: it failed, and may have taken effect in part.
        """
        return self._steps()[step.name](plan, step)

    @abstractmethod
    def _steps(self) -> Mapping[str, Callable[[Plan, Step], str]]:
        """Map each kind of step to its method; this class has `_hook`, `_record` and `_verify`."""

    def _hook(self, plan: Plan, step: Step) -> str:
        """Stop the old primary with the profile's hook; ignore a failure if the operator says it is stopped."""
        try:
            return self._run_hook("fence", step.node)
        except UnavailableError as error:
            if not plan.facts["stopped_by_word"]:
                raise
            return f"{error.message}; the operator says that it is stopped"

    def _run_hook(self, name: str, node: str, primary: Node | None = None) -> str:
        return run_hook(
            self._profile,
            name,
            self.node(node),
            self._means.environ,
            primary=primary,
            note=self._means.note,
            began=partial(self.hooked.append, node),
        )

    def _has_hook(self, name: str) -> bool:
        return has_hook(self._profile, name)

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
        """Return the lowest epoch allowed for the new history.

        If writes may be lost, the write that raised the epoch at an earlier fork may be one of them. Its number must
        not be reused, and no surviving node may know it; the current Unix time is higher than any epoch before it.
        """
        return max(self._highest_epoch + 1, 0 if self.loss(plan).none else int(time.time()))

    def loss(self, plan: Plan) -> Loss:
        """Return what may be lost, as known once the target is the primary."""
        return plan.loss

    def synchronous(self, primary: Observation) -> str | None:
        """Return the standbys a new primary's commits wait for, if a later failover is judged by them."""
        return None

    def fork(self, primary: Observation, plan: Plan) -> str:
        """Return the branch of the history that a primary is on, as recorded with the epoch."""
        return str(primary.timeline)

    def _verify(self, plan: Plan, step: Step) -> str:
        """Poll until only the target accepts writes, and all reachable standbys follow it.

        Raises:
            SplitBrainError: another node accepts writes too.
            UnavailableError: the target does not accept writes in time.
            IncompleteError: a standby does not follow in time.
        """
        deadline = time.monotonic() + _VERIFYING
        while True:
            topology = self._look()
            require_one_history(topology)
            missing = [node.name for node, _ in topology.standbys if not topology.follows(node.name)]
            # A delayed standby follows the new primary only after replaying what it received from the old one.
            late = [node.name for node, seen in topology.standbys if node.name in missing and seen.apply_delay]
            missing = [name for name in missing if name not in late]
            found = topology.primary
            if found is not None and found[0].name == plan.target and not missing:
                told = f"; {quoted(late)} will, after its delay" if late else ""
                return f"`{plan.target}` accepts writes, and {_following(topology, but=late)}{told}"
            # Standbys with writes that the target lacks never follow it by themselves.
            hopeless = found is not None and found[0].name == plan.target and set(missing) <= _astray(plan)
            if hopeless or time.monotonic() >= deadline:
                break
            time.sleep(_LOOK)
        if found is None or found[0].name != plan.target:
            raise UnavailableError(
                f"`{plan.target}` does not accept writes", hint="`custctl replica status` shows the current state"
            )
        raise IncompleteError(
            f"{quoted(missing)} {'does' if len(missing) == 1 else 'do'} not follow it",
            hint=f"`custctl replica rejoin {missing[0]}`",
        )

    @abstractmethod
    def undo(self, plan: Plan, step: Step) -> str:
        """Undo a step before the point of no return, begun or done, and say what was undone; empty if nothing was."""

    # -- single nodes ------------------------------------------------------------------------------

    def to_fence(self) -> str:
        """Return the node to fence by default: the primary.

        Raises:
            RefusedError: there is none, or more than one.
        """
        primary = self.observe().primary
        if primary is None:
            raise RefusedError("expected exactly one primary", hint="name a node; `custctl replica status` shows them")
        return primary[0].name

    def to_unfence(self) -> str:
        """Return the node to unfence by default: the one that is fenced.

        Raises:
            RefusedError: there is none, or more than one.
        """
        fenced = [node.name for node, seen in self.observe().primaries if not seen.writable]
        if len(fenced) != 1:
            raise RefusedError(
                "expected exactly one fenced node", hint="name a node; `custctl replica status` shows them"
            )
        return fenced[0]

    @property
    def rejoins(self) -> bool:
        """Whether `rejoin` makes a node follow and discards the node's own writes; otherwise it prints the commands."""
        return self.brings_back or self._has_hook("rejoin")

    @abstractmethod
    def fence(self, node: str) -> str:
        """Stop a node from accepting writes, and return in words how."""

    @abstractmethod
    def unfence(self, node: str) -> str:
        """Let a fenced node accept writes again, and return in words what was done."""

    def rejoin(self, node: str) -> Sequence[str]:
        """Make a former primary a standby of the current one.

        Returns:
            The commands an administrator must run, if it cannot be done from here; empty if the node is now a standby.
        """
        named = self.node(node)
        topology = self.observe()
        self._require_sound(topology)
        if topology.primary is None:
            raise RefusedError("there is no primary to follow", hint="`custctl replica status` shows the current state")
        if topology.primary[0].name == node:
            raise RefusedError(f"`{node}` is the primary")
        return self._rejoin(topology, named, topology.primary)

    @abstractmethod
    def _rejoin(self, topology: Topology, node: Node, primary: Replica) -> Sequence[str]:
        """Make a node follow the current primary."""

    def _follows_within(self, node: str, seconds: float) -> bool:
        """Poll until a node follows the primary; False on timeout."""
        deadline = time.monotonic() + seconds
        while not self._look().follows(node):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK)
        return True


def _astray(plan: Plan) -> set[str]:
    """Return the standbys that a plan leaves on the old history."""
    return set(plan.facts.get("astray", ()))


def _following(topology: Topology, *, but: Sequence[str] = ()) -> str:
    names = [node.name for node, _ in topology.standbys if node.name not in but]
    return f"{quoted(names)} {'follows' if len(names) == 1 else 'follow'} it" if names else "no standby follows it"
