"""Availability groups of SQL Server, managed by T-SQL.

The cluster type decides who stops the old primary from accepting writes: a Windows cluster and an external cluster
manager do it themselves; without a cluster, custctl first takes the group offline there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from custctl.engines.at_once import at_once
from custctl.replication import planning
from custctl.replication.availability_group import plan as group_plan
from custctl.replication.availability_group.loss import SYNCHRONOUS, assess_loss, group_of, hardened, lacks
from custctl.replication.availability_group.nodes import ADMINISTRATOR, FOLLOWING, PROMOTING, AvailabilityNodes
from custctl.replication.plan import SWITCHOVER, Plan, Step
from custctl.support.errors import CredentialError, CustctlError, OutcomeUnknownError, RefusedError, UnavailableError

if TYPE_CHECKING:
    from custctl.engines.members import AvailabilityMember, Observation
    from custctl.replication.journal import Intent
    from custctl.replication.plan import Accepted
    from custctl.replication.topology import Topology

_SYNCHRONIZING = 60.0  # seconds, during which the old primary still serves


class AvailabilityDriver(AvailabilityNodes):
    """An availability group."""

    name = "availability-group"
    irrevocable: ClassVar[str] = "promote"
    is_experimental: ClassVar[bool] = True

    # -- planning ----------------------------------------------------------------------------------

    def _plan_switchover(self, topology: Topology, target: str, operation_id: str, unfinished: Intent | None) -> Plan:
        return self._permitted(group_plan.plan_switchover(topology, target, operation_id, unfinished))

    def _plan_failover(
        self, topology: Topology, target: str, accepted: Accepted, operation_id: str, unfinished: Intent | None
    ) -> Plan:
        can_fence = self._has_hook("fence")
        plan = group_plan.plan_failover(topology, target, accepted, operation_id, unfinished, can_fence=can_fence)
        return self._permitted(plan)

    def _is_begun(self, topology: Topology, failover: Intent) -> bool:
        return group_plan.leads(topology, failover.target)

    def candidate(self, topology: Topology) -> str:
        return group_plan.candidate(topology)

    def _permitted(self, plan: Plan) -> Plan:
        """Return the plan, after checking that this login has the rights for all of its steps."""
        group = plan.facts["group"]
        steered = sorted({step.node for step in plan.steps if step.name != "hook"})
        lacking = at_once(
            {name: partial(self._steered(name).missing_rights, group) for name in steered},
            self._profile.database.connect_timeout,
        )
        planning.require_rights(lacking, ADMINISTRATOR)
        return plan

    # -- steps -------------------------------------------------------------------------------------

    def _steps(self) -> Mapping[str, Callable[[Plan, Step], str]]:
        return {
            "hook": self._hook,
            "lock": self._lock,
            "synchronize": self._synchronize,
            "require": self._require_all,
            "fence": self._take_offline,
            "catch-up": self._catch_up,
            "confirm": self._confirm,
            "promote": self._promote,
            "restore": self._restore,
            "stop-waiting": self._restore,
            "follow": self._follow,
            "record": self._record,
            "modes": self._restore_modes,
            "verify": self._verify,
        }

    def fork(self, primary: Observation, plan: Plan) -> str:
        # A failover that loses nothing starts no new recovery fork, but is counted too.
        return f"{primary.branch} {plan.operation_id}"

    def undo(self, plan: Plan, step: Step) -> str:
        if step.name == "fence":
            return self._give_back(plan, step.node)
        if step.name == "require" and plan.old is not None:
            self._put_back_required(plan.old, plan.facts)
        if step.name == "synchronize" and plan.old is not None:
            self._put_back_modes(plan.old, plan.facts)
        return ""

    def _give_back(self, plan: Plan, old: str) -> str:
        """Make the old primary the primary again, if it was taken offline."""
        if group_of(self._of(old)).role == "PRIMARY":
            return ""
        self._require_no_primary(self._look())
        self._become_primary_again(old, plan.facts["group"], plan.facts)
        return f"`{old}` accepts writes again"

    def _lock(self, plan: Plan, step: Step) -> str:
        """Lock all nodes that answer, and check that the primary is still the one in the plan."""
        topology = self._look()
        for node, _ in topology.answered():
            if not self._steered(node.name).try_lock():
                raise UnavailableError(
                    f"another switchover or failover is running at `{node.name}`", hint="wait until it ends"
                )
        self._require_no_primary(self._look(), but=plan.old if plan.kind == SWITCHOVER else None)
        return ""

    @staticmethod
    def _require_no_primary(topology: Topology, *, but: str | None = None) -> None:
        for node, _ in topology.primaries:
            if node.name != but:
                raise RefusedError(
                    f"`{node.name}` is the primary now", hint="`custctl replica status` shows the current state"
                )

    def _synchronize(self, plan: Plan, step: Step) -> str:
        assert plan.old is not None
        leading = group_of(self._of(plan.old))
        if leading.role != "PRIMARY":
            return "done before"
        for replica in plan.facts["modes"]:
            if leading.modes.get(replica) != SYNCHRONOUS:
                self._steered(plan.old).set_mode(leading.name, replica, SYNCHRONOUS)
        if not self._wait(step.node, lambda seen: group_of(seen).synchronization == "SYNCHRONIZED", _SYNCHRONIZING):
            raise UnavailableError(
                f"`{step.node}` is not synchronized after {_SYNCHRONIZING:g} s",
                hint="find out why it does not catch up, then try again",
            )
        return ""

    def _require_all(self, plan: Plan, step: Step) -> str:
        """Let commits wait for all synchronous secondaries, so that they wait for the target in any case."""
        leading = group_of(self._of(step.node))
        if leading.role != "PRIMARY":
            return "done before"
        count = sum(mode == SYNCHRONOUS for mode in leading.modes.values()) - 1
        if leading.required_synchronized != count:
            self._steered(step.node).require_synchronized(leading.name, count)
        return f"for {count}"

    def _take_offline(self, plan: Plan, step: Step) -> str:
        group = group_of(self._of(step.node))
        if group.role == "SECONDARY":
            raise RefusedError(f"`{step.node}` is a secondary now", hint="`custctl replica status` shows it")
        if group.role == "PRIMARY":
            self._steered(step.node).take_offline(group.name)
            if not self._wait(step.node, lambda seen: group_of(seen).role == "RESOLVING", FOLLOWING):
                raise UnavailableError(f"`{step.node}` was asked to take the group offline and has not done so")
        return "its databases are closed to clients"

    def _catch_up(self, plan: Plan, step: Step) -> str:
        """Check that no other secondary has more; the target has the old primary's writes, as commits waited for it."""
        target = self._of(step.node)
        if None in hardened(target).values():
            raise RefusedError(f"it is unknown how much `{step.node}` has received")
        for node, seen in self._look().standbys:
            if group_of(seen).role == "SECONDARY" and lacks(target, seen):
                raise RefusedError(
                    f"`{node.name}` has received more than `{step.node}`", hint=f"switch over to `{node.name}`"
                )
        return ""

    def _confirm(self, plan: Plan, step: Step) -> str:
        """Check again what the nodes have: if they still receive, the old primary is not stopped."""
        topology = self._look()
        before = plan.facts["hardened"]
        for node, seen in topology.standbys:
            known = before.get(node.name, {})
            if any((position or 0) > (known.get(name) or 0) for name, position in hardened(seen).items()):
                raise RefusedError(
                    f"`{node.name}` has received more in the meantime: the old primary is still running",
                    hint="stop it first; if it answers, see `custctl replica switchover --help`",
                )
        return planning.confirmed(plan, assess_loss(topology, self.node(step.node), self._of(step.node)))

    def _promote(self, plan: Plan, step: Step) -> str:
        before = group_of(self._of(step.node)).role
        if before != "PRIMARY":
            if plan.facts["forced"]:
                # No cluster would prevent two primaries.
                self._require_no_primary(self._look())
            self._tell_to_take_over(plan, self._steered(step.node), before)
        if not self._wait(step.node, lambda seen: seen.writable, PROMOTING):
            raise OutcomeUnknownError(
                f"`{step.node}` was asked to become the primary and does not accept writes after {PROMOTING:g} s",
                hint="its databases may still be recovering; check `custctl replica status`, then run the same command again",
            )
        return ""

    def _tell_to_take_over(self, plan: Plan, target: AvailabilityMember, before: str) -> None:
        """Tell a node to become the primary.

        Raises:
            RefusedError: it refuses, and nothing has changed.
            CredentialError: this login lacks the rights.
        """
        try:
            target.fail_over(plan.facts["group"], forced=plan.facts["forced"])
        except CredentialError:
            raise
        except CustctlError as error:
            name = target.node.name
            if isinstance(error, RefusedError) and self._wait(name, lambda seen: group_of(seen).role == before, 0.0):
                raise
            self._means.note(f"{error.message}; the server may still have accepted it")

    def _restore(self, plan: Plan, step: Step) -> str:
        return self._put_back_required(step.node, plan.facts)

    def _restore_modes(self, plan: Plan, step: Step) -> str:
        return self._put_back_modes(step.node, plan.facts)

    def _follow(self, plan: Plan, step: Step) -> str:
        self._bring_back(step.node, plan.facts["group"])
        return ""
