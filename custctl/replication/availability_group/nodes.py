"""Operations on single nodes of an availability group: observe, fence, unfence, rejoin."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from custctl.engines.members import AvailabilityMember
from custctl.replication.availability_group.loss import group_of, hardened, lacks, unseen
from custctl.replication.availability_group.plan import NONE, refuse_external
from custctl.replication.driver import Driver
from custctl.replication.journal import Journal
from custctl.replication.planning import require_environment, require_one_history, require_rights
from custctl.support.errors import (
    CustctlError,
    IncompleteError,
    OutcomeUnknownError,
    RefusedError,
    UnavailableError,
)

if TYPE_CHECKING:
    from custctl.engines.members import Observation
    from custctl.engines.model import Node
    from custctl.replication.topology import Replica, Topology

ADMINISTRATOR = "an administrator run there"
PROMOTING = 60.0  # seconds; the command returns before the databases are recovered
FOLLOWING = 30.0  # seconds for a replica to receive again
_LOOK = 0.1  # seconds between two polls


class AvailabilityNodes(Driver):
    """Operations on one node."""

    def _require_ours(self, topology: Topology) -> None:
        """Refuse nodes outside the profile's group, or whose databases belong to another environment."""
        wanted = self._profile.database.replication.group
        for node, seen in topology.answered():
            if seen.group is None:
                require_rights({node.name: self._steered(node.name).missing_rights(None)}, ADMINISTRATOR)
                raise RefusedError(
                    f"`{node.name}` reports no availability group with this database",
                    hint="list its replicas in `database.nodes`, and set the driver in `database.replication.driver`",
                )
            if wanted is not None and seen.group.name.lower() != wanted.lower():
                raise RefusedError(
                    f"the database on `{node.name}` is in the group `{seen.group.name}`, but the profile names `{wanted}`",
                    hint="correct `database.replication.group`",
                )
        # A secondary that serves no reads cannot report its stamp; the new primary's is checked before any write.
        if topology.primary is not None or any(seen.environment is not None for _, seen in topology.answered()):
            require_environment(topology, self._profile)

    # -- looking -----------------------------------------------------------------------------------

    def _steered(self, name: str) -> AvailabilityMember:
        member = self.member(name)
        assert isinstance(member, AvailabilityMember)
        return member

    def _of(self, name: str) -> Observation:
        """Return what a node reports, after reconnecting if necessary.

        Raises:
            CustctlError: it does not answer, or reports no group.
        """
        seen = self._look().find(name)
        assert seen is not None
        if seen.observation is None:
            raise seen.fault or UnavailableError(f"`{name}` does not answer")
        if seen.observation.group is None:
            raise UnavailableError(f"`{name}` no longer reports an availability group")
        return seen.observation

    def _wait(self, name: str, until: Callable[[Observation], bool], timeout: float) -> bool:
        """Poll a node until a condition holds; False on timeout."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                if until(self._of(name)):
                    return True
            except CustctlError:
                pass  # a role change ends sessions, so the node may not answer for a moment
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK)

    def _bring_back(self, name: str, group: str) -> None:
        """Make a node a secondary, and wait until it receives.

        Raises:
            IncompleteError: it does not receive in time.
            CustctlError: it does not answer, or refuses.
        """
        deadline = time.monotonic() + FOLLOWING
        demoted = False
        while not (found := self._of(name)).receiving:
            state = group_of(found)
            if found.writable:
                require_one_history(self._look())
            if state.role != "SECONDARY" and state.cluster_type == NONE and not demoted:
                self._steered(name).become_secondary(group)
                demoted = True
            elif state.role == "SECONDARY":
                for database in state.databases:
                    if database.suspended:
                        self._steered(name).resume(database.name)
            if time.monotonic() >= deadline:
                raise IncompleteError(
                    f"`{name}` is {state.role}, and {state.synchronization or 'in an unknown state'}: it does not follow"
                    " the primary",
                    hint="the server's error log shows why; `custctl replica status` shows the current state",
                )
            time.sleep(_LOOK)

    def _become_primary_again(self, node: str, group: str, facts: Mapping[str, Any]) -> None:
        """Return the primary role to the last primary, and restore the group's settings.

        A forced failover to that replica loses nothing, but suspends the others.

        Raises:
            OutcomeUnknownError: the node was asked to, and does not accept writes in time.
        """
        self._steered(node).fail_over(group, forced=True)
        if not self._wait(node, lambda seen: seen.writable, PROMOTING):
            raise OutcomeUnknownError(
                f"`{node}` was asked to become the primary again and does not accept writes after {PROMOTING:g} s",
                hint="`custctl replica status` shows the current state",
            )
        # Do this first: its commits may wait for suspended secondaries.
        self._put_back_required(node, facts)
        for each, _ in self._look().standbys:
            try:
                self._bring_back(each.name, group)
            except CustctlError as error:
                self._means.note(f"`{each.name}` does not follow `{node}` again: {error.message}")

    def _put_back_required(self, node: str, facts: Mapping[str, Any]) -> str:
        """Let commits on a primary wait for the number of secondaries in an operation's facts."""
        group = group_of(self._of(node))
        wanted = facts.get("required", group.required_synchronized)
        if group.required_synchronized != wanted:
            self._steered(node).require_synchronized(group.name, wanted)
        return f"commits wait for {wanted}"

    def _put_back_modes(self, node: str, facts: Mapping[str, Any]) -> str:
        """Restore the replicas' availability modes from an operation's facts, on the primary."""
        group = group_of(self._of(node))
        for replica, mode in facts.get("modes", {}).items():
            if group.modes.get(replica) != mode:
                self._steered(node).set_mode(group.name, replica, mode)
        return ""

    # -- single nodes ------------------------------------------------------------------------------

    def fence(self, node: str) -> str:
        self.node(node)
        topology = self._look()
        self._require_ours(topology)
        seen = topology.find(node)
        found = seen.observation if seen is not None else None
        told = []
        if found is not None and group_of(found).role == "SECONDARY":
            raise RefusedError(f"`{node}` is a secondary: it does not accept writes")
        if self._has_hook("fence"):
            last = self._run_hook("fence", node)
            told.append(f"by the hook `fence`{f': {last}' if last else ''}")
        elif found is None:
            raise (seen and seen.fault) or UnavailableError(f"no `{node}`")
        else:
            told.append(self._fence_by_sql(node, found, topology))
        return "; ".join(told)

    def _fence_by_sql(self, node: str, found: Observation, topology: Topology) -> str:
        group = group_of(found)
        if group.cluster_type != NONE:
            raise RefusedError(
                f"a cluster owns the group `{group.name}` (CLUSTER_TYPE = {group.cluster_type}): T-SQL cannot stop its"
                " primary from accepting writes",
                hint="stop the group's role in the cluster (`Stop-ClusterGroup`, `pcs resource disable`), or add a"
                " `fence` hook to the profile",
            )
        if group.role == "PRIMARY" and any(each.name != node for each, _ in topology.primaries):
            # Taking the group offline would need this primary's secondaries, which follow the other primary.
            self._steered(node).become_secondary(group.name)
            return f"by T-SQL: it is a secondary now, its databases suspended until `custctl replica rejoin {node}`"
        if group.role == "PRIMARY":
            self._steered(node).take_offline(group.name)
        return "by T-SQL: the group is offline there until someone fails over to it"

    def unfence(self, node: str) -> str:
        self.node(node)
        topology = self._look()
        self._require_ours(topology)
        if self._has_hook("unfence"):
            # It may start a server that still considers itself the primary.
            _require_no_other_primary(topology, node)
            if not any(group_of(seen).cluster_type != NONE for _, seen in topology.answered()):
                _require_answers([each.name for each in topology.silent if each.name != node], node)
            self._run_hook("unfence", node)
            topology = self._look()
            self._require_ours(topology)
        found = self._of(node)
        group = group_of(found)
        if found.writable:
            return "it accepts writes"
        if group.cluster_type != NONE:
            raise RefusedError(
                f"a cluster owns the group `{group.name}` (CLUSTER_TYPE = {group.cluster_type})",
                hint="start the group's role in the cluster (`Start-ClusterGroup`, `pcs resource enable`)",
            )
        _require_no_other_primary(topology, node)
        if group.role != "RESOLVING":
            raise RefusedError(f"`{node}` is a secondary", hint=f"`custctl replica failover --to {node}`")
        _require_answers(sorted(unseen(topology)), node)
        ahead = [each.name for each, seen in topology.standbys if lacks(found, seen)]
        if ahead or None in hardened(found).values():
            raise RefusedError(
                f"it is unknown whether `{node}` was the last primary: `{(ahead or [node])[0]}` may have more",
                hint=f"`custctl replica failover --to {(ahead or [node])[0]}`",
            )
        unfinished = Journal.of(self._profile, self._means.environ).unfinished()
        facts = unfinished.facts if unfinished is not None and unfinished.old == node else {}
        self._become_primary_again(node, group.name, facts)
        self._put_back_modes(node, facts)
        return "it accepts writes"

    def _rejoin(self, topology: Topology, node: Node, primary: Replica) -> Sequence[str]:
        leading, group = primary[0], group_of(primary[1])
        if self._has_hook("rejoin"):
            self._run_hook("rejoin", node.name, leading)
        seen = self._look().find(node.name)
        if seen is None or seen.observation is None:
            return rejoin_commands(group.name, group.cluster_type, [database.name for database in group.databases])
        if not seen.observation.receiving:
            if group_of(seen.observation).role != "SECONDARY":
                refuse_external(group_of(seen.observation), f"start `{node.name}` as a secondary again")
            require_rights({node.name: self._steered(node.name).missing_rights(group.name)}, ADMINISTRATOR)
            self._means.note(f"`{node.name}` loses what `{leading.name}` does not have")
            self._bring_back(node.name, group.name)
        return ()


def _require_no_other_primary(topology: Topology, node: str) -> None:
    others = [other.name for other, _ in topology.primaries if other.name != node]
    if others:
        raise RefusedError(f"`{others[0]}` is the primary", hint=f"`custctl replica rejoin {node}`")


def _require_answers(silent: Sequence[str], node: str) -> None:
    if silent:
        raise RefusedError(
            f"`{silent[0]}` does not answer: it may be the primary",
            hint=f"bring it back, or run `custctl replica failover --to {node}`",
        )


def rejoin_commands(group: str, cluster_type: str, databases: Sequence[str]) -> Sequence[str]:
    """Return the T-SQL with which an administrator makes a former primary follow, once its server runs.

    This undoes the writes that the new primary lacks; a database snapshot made before keeps them.
    """
    names = [f"[{name.replace(']', ']]')}]" for name in (group, *databases)]
    demote = [f"ALTER AVAILABILITY GROUP {names[0]} SET (ROLE = SECONDARY)"] if cluster_type == NONE else []
    return [*demote, *(f"ALTER DATABASE {name} SET HADR RESUME" for name in names[1:])]
