"""Streaming replication managed by SQL only: there is no cluster manager, and the operator decides."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from custctl.engines.at_once import at_once
from custctl.engines.members import Role, StreamingMember
from custctl.replication import planning
from custctl.replication.driver import Driver
from custctl.replication.streaming import plan as streaming_plan
from custctl.replication.streaming.loss import assess_loss
from custctl.replication.streaming.turning import Turning
from custctl.replication.topology import is_to_record, position_text
from custctl.support.errors import (
    CustctlError,
    IncompleteError,
    InterruptedRunError,
    RefusedError,
    UnavailableError,
)
from custctl.support.signals import Terminated

if TYPE_CHECKING:
    from custctl.engines.members import Observation
    from custctl.engines.model import Node
    from custctl.replication.journal import Intent
    from custctl.replication.plan import Accepted, Loss, Plan, Step
    from custctl.replication.topology import Replica, Topology

_FENCING = 10.0  # seconds for the old primary's last transactions to end
_CATCHING_UP = 10.0  # maximum seconds without writes before the old primary is unfenced
_PROMOTING = 60.0  # seconds; a standby first replays everything it has received
_REJOINING = 30.0  # seconds for a rejoined node to follow
_TURNING = 5.0  # seconds for a standby to follow its new source
_ANSWERING = 6.0  # seconds for a live primary to accept a standby's new connection; standbys retry every 5 s by default
_RECORDING = 3.0  # seconds for a primary to apply changed settings
_POLL = 0.005

_BY_SQL = "by SQL only: a session that sets `default_transaction_read_only` off can still write"


class StreamingDriver(Driver):
    """PostgreSQL's streaming replication without a cluster manager."""

    name = "streaming"
    irrevocable: ClassVar[str] = "promote"
    _locked: Topology
    """The state of the nodes when they were locked."""
    _turning: Turning | None = None

    # -- planning ----------------------------------------------------------------------------------

    def _plan_switchover(self, topology: Topology, target: str, operation_id: str, unfinished: Intent | None) -> Plan:
        return streaming_plan.plan_switchover(topology, target, operation_id, unfinished)

    def _plan_failover(
        self, topology: Topology, target: str, accepted: Accepted, operation_id: str, unfinished: Intent | None
    ) -> Plan:
        can_fence = self._has_hook("fence")
        return streaming_plan.plan_failover(topology, target, accepted, operation_id, unfinished, can_fence=can_fence)

    def refreshed(self, topology: Topology) -> Topology:
        """Record the standbys the primary's commits wait for, if that has changed since the last record."""
        found = topology.primary
        if found is None or not is_to_record(found[1]) or found[1].environment != self._profile.environment:
            return topology
        if any(seen.manager is not None for _, seen in topology.answered()):
            return topology
        try:
            recorded = self._steered(found[0].name).record(found[1].waited_for, _RECORDING)
        except CustctlError as error:
            self._means.note(
                f"the standbys that commits on `{found[0].name}` wait for could not be recorded: {error.message}"
            )
            return topology
        return self.observe() if recorded else topology

    def candidate(self, topology: Topology) -> str:
        return streaming_plan.candidate(topology)

    def _require_ours(self, topology: Topology) -> None:
        """Refuse a cluster that a cluster manager owns, or that belongs to another environment."""
        for node, seen in topology.answered():
            if seen.manager is not None:
                raise RefusedError(
                    f"{seen.manager} owns `{node.name}`: it would undo a promotion made without it, or worse",
                    hint="use its own commands"
                    + ("; `driver: patroni` in the profile controls it" if seen.manager == "Patroni" else ""),
                )
        planning.require_environment(topology, self._profile)

    def _require_rights(self, topology: Topology) -> None:
        """Check, before anything is planned or changed, that this login has all the rights it needs."""
        lacking = at_once(
            {node.name: self._steered(node.name).missing_rights for node, _ in topology.answered()},
            self._profile.database.connect_timeout,
        )
        planning.require_rights(lacking, "a superuser run")

    # -- steps -------------------------------------------------------------------------------------

    def _steered(self, name: str) -> StreamingMember:
        member = self.member(name)
        assert isinstance(member, StreamingMember)
        return member

    def _steps(self) -> Mapping[str, Callable[[Plan, Step], str]]:
        return {
            "hook": self._hook,
            "lock": self._lock,
            "fence": self._fence,
            "catch-up": self._catch_up,
            "confirm": self._confirm,
            "stop-waiting": self._stop_waiting,
            "promote": self._promote,
            "follow": self._follow,
            "record": self._record,
            "verify": self._verify,
        }

    def undo(self, plan: Plan, step: Step) -> str:
        if step.name == "fence" and not plan.facts["was_fenced"]:
            try:
                self._steered(step.node).unfence(_FENCING)
            except Exception:  # noqa: BLE001 - whatever it is, a new connection may not have it
                # The connection may be lost, or in an unknown state.
                self.reconnect(step.node)
                self._steered(step.node).unfence(_FENCING)
            return f"`{step.node}` accepts writes again"
        if step.name == "catch-up" and self._turning is not None:
            return self._turning.turn_back()
        if step.name == "stop-waiting":
            for name, standbys in plan.facts["synchronous"].items():
                self._steered(name).wait_for(standbys)
        return ""

    def _lock(self, plan: Plan, step: Step) -> str:
        """Lock all nodes that answer, and check that the plan still applies to them."""
        topology = self.observe()
        if len(topology.silent) > len(plan.facts["silent"]):
            # Another run's fence may have ended our session: look again to report what it did.
            topology = self.observe()
        for node, _ in topology.answered():
            if not self._steered(node.name).try_lock():
                raise UnavailableError(
                    f"another switchover or failover is running at `{node.name}`", hint="wait until it ends"
                )
        streaming_plan.check_still(plan, topology)
        self._locked = topology
        return ""

    def _fence(self, plan: Plan, step: Step) -> str:
        left = self._steered(step.node).fence(_FENCING)
        return f"{_BY_SQL}{f'; {left}' if left else ''}"

    def _catch_up(self, plan: Plan, step: Step) -> str:
        assert plan.old is not None
        wanted = self._steered(plan.old).last_position()
        target = self._steered(step.node)
        self._await(target, wanted)
        self._turning = self._turning_to(plan, target)
        self._await(target, self._turning.turn())
        self._make_ready(target)
        return f"it has everything up to {position_text(wanted)}"

    @staticmethod
    def _await(target: StreamingMember, wanted: int) -> None:
        """Wait until the target has received everything up to a position."""
        deadline = time.monotonic() + _CATCHING_UP
        while (reached := target.position()) < wanted:
            if time.monotonic() >= deadline:
                raise UnavailableError(
                    f"`{target.node.name}` has {position_text(reached)} of {position_text(wanted)} after"
                    f" {_CATCHING_UP:g} s",
                    hint="find out why it does not receive, then try again",
                )
            time.sleep(_POLL)

    def _turning_to(self, plan: Plan, target: StreamingMember) -> Turning:
        """Choose the standbys to turn to the target before it is promoted."""
        followers = [step.node for step in plan.steps if step.name == "follow"]
        _, found = planning.answering(self._locked, plan.target)
        # Others wait with the change of their source until they have replayed; one that feeds the target keeps its own.
        turned = [
            node.name
            for node, seen in self._locked.standbys
            if node.name in followers
            and seen.source == found.source
            and not seen.replay_paused
            and not seen.apply_delay
        ]
        return Turning({name: self._steered(name) for name in turned}, target, found.source or "")

    @staticmethod
    def _make_ready(target: StreamingMember) -> None:
        """Remove a fence left on a standby from when it was the primary."""
        target.unfence(_FENCING)

    def _confirm(self, plan: Plan, step: Step) -> str:
        """Check again what the standbys have: if they still receive, the old primary is not stopped."""
        # Reuse the state from the lock step: each new look waits for the silent nodes, while writes are down.
        topology = self._locked
        node, found = planning.answering(topology, plan.target)
        before, positions = plan.facts["positions"], streaming_plan.positions(topology)
        receiving = streaming_plan.fed_from_outside(topology)
        fed = [name for name in receiving if positions[name] > before.get(name, 0)] or self._still_fed(receiving)
        if fed:
            raise RefusedError(
                f"`{fed[0]}` receives from it: the old primary is still running",
                hint="stop it first; if it answers, see `custctl replica switchover --help`",
            )
        told = planning.confirmed(plan, assess_loss(topology, node, found))
        self._make_ready(self._steered(plan.target))
        return told

    def _still_fed(self, standbys: Sequence[str]) -> list[str]:
        """Return those standbys that seem to be connected to the old primary and can reconnect to it.

        An idle primary may send nothing for a long time, so unchanged positions prove nothing.
        """
        calls = {name: partial(self._steered(name).reconnects_to_source, _ANSWERING) for name in standbys}
        answers = at_once(calls, _ANSWERING + self._profile.database.connect_timeout)
        return [name for name, answer in answers.items() if answer is True]

    def _stop_waiting(self, plan: Plan, step: Step) -> str:
        for name in plan.facts["synchronous"]:
            self._steered(name).wait_for("")
        return ""

    def synchronous(self, primary: Observation) -> str | None:
        return primary.waited_for

    def _promote(self, plan: Plan, step: Step) -> str:
        self._steered(step.node).promote(_PROMOTING)
        return ""

    def _follow(self, plan: Plan, step: Step) -> str:
        primary = self._steered(plan.target)
        standby = self._steered(step.node)
        slot = standby.upstream().slot
        return standby.follow(self.node(plan.target), primary.make_slots([slot]) if slot else ())

    def loss(self, plan: Plan) -> Loss:
        if plan.loss.none:
            return plan.loss
        found = self._steered(plan.target).observe()
        return planning.unproven(found, plan.loss.why, plan.loss.bytes)

    # -- single nodes ------------------------------------------------------------------------------

    def fence(self, node: str) -> str:
        self.node(node)
        topology = self.observe()
        self._require_ours(topology)
        seen = topology.find(node)
        told = []
        if seen is not None and seen.observation is not None:
            if seen.observation.role is Role.STANDBY:
                raise RefusedError(f"`{node}` is a standby: it does not accept writes")
            with self._adding_state(node, "fence", "unfence"):
                left = self._steered(node).fence(_FENCING)
            told.append(f"{_BY_SQL}{f'; {left}' if left else ''}")
        if self._has_hook("fence"):
            with self._adding_state(node, "fence", "unfence"):
                last = self._run_hook("fence", node)
            told.append(f"by the hook `fence`{f': {last}' if last else ''}")
        if not told:
            raise (seen and seen.fault) or UnavailableError(f"no `{node}`")
        return "; ".join(told)

    @contextmanager
    def _adding_state(self, node: str, again: str, back: str) -> Iterator[None]:
        """Add to an error while fencing or unfencing how the node was left, and the commands to continue.

        Args:
            again: the verb that retries.
            back: the verb that undoes it.
        """
        try:
            yield
        except (CustctlError, KeyboardInterrupt) as error:
            told = error
            if not isinstance(told, CustctlError):
                told = InterruptedRunError("interrupted", terminated=isinstance(error, Terminated))
            told.message += f"; {self._how_left(node)}"
            way = {"fence": f"`custctl replica fence {node}`", "unfence": f"`custctl replica unfence {node}`"}
            ways = f"{way[again]} tries again, {way[back]} undoes it"
            told.hint = f"{told.hint}; {ways}" if told.hint else ways
            raise told from error.__cause__

    def _how_left(self, node: str) -> str:
        try:
            self.reconnect(node)
            found = self._steered(node).observe()
        except CustctlError:
            return f"it is unknown whether `{node}` accepts writes now: it does not answer"
        if found.writable:
            return f"`{node}` accepts writes"
        return f"new sessions on `{node}` are read-only already"

    def unfence(self, node: str) -> str:
        self.node(node)
        self._require_no_successor(node)
        told = []
        if self._has_hook("unfence"):
            with self._adding_state(node, "unfence", "fence"):
                self._run_hook("unfence", node)
            told.append("by the hook `unfence`")
            self._require_no_successor(node)
        with self._adding_state(node, "unfence", "fence"):
            self._steered(node).unfence(_FENCING)
        return "; ".join([*told, "it accepts writes"])

    def _require_no_successor(self, node: str) -> None:
        topology = self.observe()
        self._require_ours(topology)
        mine = topology.find(node)
        for other, seen in topology.answered():
            if other.name == node:
                continue
            newer = (
                mine is not None
                and mine.observation is not None
                and (seen.timeline or 0) > (mine.observation.timeline or 0)
            )
            if seen.writable or newer:
                raise RefusedError(
                    f"`{other.name}` {'accepts writes' if seen.writable else 'is on a newer timeline'}: `{node}` would"
                    " continue alone, from an outdated history",
                    hint=f"`custctl replica rejoin {node}`",
                )

    def _rejoin(self, topology: Topology, node: Node, primary: Replica) -> Sequence[str]:
        if topology.follows(node.name):
            return ()
        if self._has_hook("rejoin"):
            last = self._run_hook("rejoin", node.name, primary[0])
            self._means.note(f"the hook `rejoin` has ended{f': {last}' if last else ''}")
            if not self._follows_within(node.name, _REJOINING):
                raise IncompleteError(
                    f"`{node.name}` does not follow the primary, although the hook `rejoin` ended without an error",
                    hint="its log shows why; `custctl replica status` shows the current state",
                )
            return ()
        seen = topology.find(node.name)
        folder = None
        if seen is not None and seen.observation is not None:
            member = self._steered(node.name)
            folder = member.folder()
            if seen.observation.role is Role.STANDBY and self._follow_again(member, primary[0]):
                return ()
        return self._steered(primary[0].name).rejoin_commands(folder)

    def _follow_again(self, standby: StreamingMember, primary: Node) -> bool:
        """Point a standby that has lost its source at the primary, and tell whether it follows."""
        slot = standby.upstream().slot
        standby.follow(primary, self._steered(primary.name).make_slots([slot]) if slot else ())
        return self._follows_within(standby.node.name, _TURNING)
