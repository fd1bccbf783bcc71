"""Plans a switchover or failover of an availability group: pure functions of what was observed.

The group's cluster type decides who may change roles. In a Windows cluster (WSFC) the replicas carry out a failover
themselves, and the server refuses one that would lose data. An external manager (EXTERNAL) is the only one that may
fail over its group. Without a cluster (NONE) every failover is forced, and custctl must ensure that no data is lost.

Sources, below https://learn.microsoft.com/sql/database-engine/availability-groups/windows/:
  perform-a-planned-manual-failover-of-an-availability-group-sql-server,
  perform-a-forced-manual-failover-of-an-availability-group-sql-server,
  failover-and-failover-modes-always-on-availability-groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from custctl.replication import planning
from custctl.replication.availability_group.loss import (
    CONFIGURATION,
    NORMAL_QUORUM,
    SYNCHRONOUS,
    WSFC,
    assess_loss,
    group_of,
    hardened,
    lacks,
    unseen,
)
from custctl.replication.plan import FAILOVER, NO_LOSS, SWITCHOVER, UNKNOWN_LOSS, Accepted, Plan, Step
from custctl.replication.topology import Replica, is_uncounted
from custctl.support.errors import RefusedError, UnavailableError

if TYPE_CHECKING:
    from custctl.engines.members import GroupState, Observation
    from custctl.engines.model import Node
    from custctl.replication.journal import Intent
    from custctl.replication.topology import Topology

EXTERNAL, NONE = "EXTERNAL", "NONE"
_LOST_QUORUM = "UNKNOWN_QUORUM"

# A database in one of these states cannot start as a primary.
_UNFIT = ("REVERTING", "INITIALIZING")
_FORCING = (
    "https://learn.microsoft.com/sql/sql-server/failover-clusters/windows/"
    "wsfc-disaster-recovery-through-forced-quorum-sql-server"
)


def plan_switchover(topology: Topology, target: str, operation_id: str, unfinished: Intent | None) -> Plan:
    """Plan a switchover to a node of the topology; see `Driver.plan_switchover`."""
    node, found = planning.answering(topology, target)
    if group_of(found).role == "PRIMARY":
        return _completion(topology, node, found, Plan(SWITCHOVER, operation_id, None, target, ()), unfinished)
    group = group_of(found)
    refuse_external(group, f"move to `{group.replica}`")
    primary, leading = _old_primary(topology, target, unfinished)
    if found.cluster_id != leading.cluster_id:
        raise RefusedError(f"`{target}` belongs to a different availability group than `{primary.name}`")
    _check_fit(node, group)
    warnings = tuple(planning.left_behind(topology))
    facts = _facts(group_of(leading), group, primary.name, unfinished)
    plan = Plan(SWITCHOVER, operation_id, primary.name, target, (), NO_LOSS, warnings, facts)
    followers = [each for each, _ in topology.standbys if each.name != target]
    if group.cluster_type == WSFC:
        _check_ready(node, group)
        loss = replace(NO_LOSS, why=f"`{target}` is synchronized, and the server fails over to no other replica")
        steps = [*planning.beginning(SWITCHOVER, target), Step("promote", target, f"fail over to `{target}`")]
        return _closing(replace(plan, loss=loss, steps=tuple(steps)), [primary, *followers], group)
    if group_of(leading).role == "PRIMARY":
        _check_receives(topology, (node, found), (primary, leading))
    steps = [
        *planning.beginning(SWITCHOVER, target),
        Step("synchronize", target, f"let `{primary.name}` wait for `{target}`, until it is synchronized"),
        Step("require", primary.name, f"let commits on `{primary.name}` wait for every synchronous secondary"),
        Step("fence", primary.name, f"take the group offline on `{primary.name}`"),
        Step("catch-up", target, f"check that `{target}` has everything that `{primary.name}` has acknowledged"),
        Step("promote", target, f"force the failover to `{target}`, which has everything"),
        Step("restore", target, "restore the group's settings"),
    ]
    return _closing(replace(plan, steps=tuple(steps)), [primary, *followers], group)


def plan_failover(
    topology: Topology,
    target: str,
    accepted: Accepted,
    operation_id: str,
    unfinished: Intent | None,
    *,
    can_fence: bool,
) -> Plan:
    """Plan a failover to a node of the topology; see `Driver.plan_failover`.

    Args:
        can_fence: whether the profile has a hook that stops the old primary.
    """
    node, found = planning.answering(topology, target)
    if group_of(found).role == "PRIMARY" and unfinished is not None and unfinished.target == target:
        return _completion(topology, node, found, Plan(FAILOVER, operation_id, None, target, ()), unfinished)
    _refuse_primary(topology, target)
    group = group_of(found)
    refuse_external(group, f"move to `{group.replica}`")
    if group.cluster_type == WSFC and group.quorum == _LOST_QUORUM:
        raise RefusedError(
            "the Windows cluster has no quorum: no replica can become the primary",
            hint=f"bring its nodes back, or force the quorum first: {_FORCING}",
        )
    _check_fit(node, group)
    loss = assess_loss(topology, node, found)
    forced = not (group.cluster_type == WSFC and loss.none)
    silent = [seen.name for seen in topology.silent]
    if forced:
        receiving = [each.name for each, seen in topology.standbys if seen.receiving]
        if away := silent or sorted(unseen(topology)):
            planning.check_silence(accepted, away, receiving, can_fence=can_fence and bool(silent))
    ahead = [each.name for each, seen in topology.standbys if each.name != node.name and lacks(found, seen)]
    planning.check_loss(node, loss, () if loss.none else ahead, accepted)
    steps = [
        *planning.beginning(FAILOVER, target, silent if forced and can_fence else ()),
        Step("confirm", node.name, "check that nothing has changed and no primary answers"),
        Step("promote", node.name, f"{'force the failover' if forced else 'fail over'} to `{node.name}`"),
    ]
    warnings = [f"`{name}` has received more than `{node.name}`: the extra writes are undone" for name in ahead]
    facts: dict[str, Any] = {
        "group": group.name,
        "forced": forced,
        "stopped_by_word": accepted.primary_is_stopped,
        "data_loss": accepted.data_loss,
        "hardened": {each.name: hardened(seen) for each, seen in topology.standbys},
    }
    followers = [each for each, _ in topology.standbys if each.name != node.name]
    able = [each for each in followers if group.modes.get(_replica(topology, each.name)) == SYNCHRONOUS]
    before = unfinished.facts.get("required") if unfinished is not None else None
    required = min(len(able), group.required_synchronized if before is None else before)
    if forced and group.required_synchronized > required:
        # The target's first commit would wait forever; or a failed switchover has left the setting behind.
        facts |= {"required": required}
        steps.append(Step("stop-waiting", node.name, f"let commits wait for {required} synchronized secondaries"))
        warnings.append(
            f"REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT is {group.required_synchronized}, and will be {required}:"
            " restore it when the replicas are back"
        )
    if forced and group.cluster_type == NONE:
        warnings.append(
            "the old primary still considers itself the primary when it comes back: keep clients away from it until"
            " `replica fence` and `replica rejoin`"
        )
    old = silent[0] if len(silent) == 1 else unfinished.old if unfinished is not None else None
    plan = Plan(FAILOVER, operation_id, old, node.name, tuple(steps), loss, tuple(warnings), facts)
    return _closing(plan, followers, group)


def leads(topology: Topology, name: str) -> bool:
    """Tell whether a node answers and has the primary role."""
    return any(node.name == name and group_of(seen).role == "PRIMARY" for node, seen in topology.answered())


def candidate(topology: Topology) -> str:
    """Return the node to fail over to by default: the one that has received the most.

    Raises:
        RefusedError: a primary answers.
        UnavailableError: no secondary that could become the primary answers.
    """
    _refuse_primary(topology, "NODE")
    fit = [
        (node, seen)
        for node, seen in topology.standbys
        if group_of(seen).availability_mode != CONFIGURATION and group_of(seen).synchronization not in _UNFIT
    ]
    if not fit:
        raise UnavailableError(
            "no secondary that could become the primary answers", hint="bring one back; `custctl replica status`"
        )

    def rank(replica: Replica) -> tuple[bool, int, int, int]:
        _, seen = replica
        most = sum(not lacks(seen, other) for _, other in fit)
        return group_of(seen).failover_ready, most, seen.position or 0, seen.replayed or 0

    return max(fit, key=rank)[0].name


# -- shared by both --------------------------------------------------------------------------------


def refuse_external(group: GroupState, what: str) -> None:
    """Refuse to change the roles of a group that a cluster manager owns.

    Source: https://learn.microsoft.com/sql/linux/sql-server-linux-availability-group-failover-ha

    Raises:
        RefusedError: the group's cluster type is EXTERNAL.
    """
    if group.cluster_type == EXTERNAL:
        raise RefusedError(
            f"a cluster manager owns the group `{group.name}` (CLUSTER_TYPE = EXTERNAL): it alone may change its roles",
            hint=f"to {what}, on a node of the cluster, RESOURCE being the group's: `sudo pcs resource move"
            f" RESOURCE-master {group.replica} --master`, then `sudo pcs resource clear RESOURCE-master`; on SLES"
            f" `crm resource migrate RESOURCE {group.replica}`, then `crm resource clear RESOURCE`",
        )


def _closing(plan: Plan, followers: Sequence[Node], group: GroupState) -> Plan:
    """Return the plan with the steps after the promotion.

    Rows written before the fork is counted get the old epoch, so it is counted right away, unless that commit would
    have to wait for a secondary.
    """
    target = plan.target
    following = planning.follow(dict.fromkeys(each.name for each in followers), target)
    record, verify = planning.ending(target)
    waits = plan.facts.get("required", group.required_synchronized) > 0
    steps = [*plan.steps, *([*following, record] if waits else [record, *following])]
    if plan.facts.get("modes"):
        steps.append(Step("modes", target, "restore the replicas' availability modes"))
    return replace(plan, steps=(*steps, verify))


def _completion(topology: Topology, node: Node, found: Observation, plan: Plan, unfinished: Intent | None) -> Plan:
    """Plan the remaining steps when the target is already the primary."""
    astray = [each for each, seen in topology.standbys if not seen.receiving]
    plan = replace(plan, facts={"group": group_of(found).name}, loss=UNKNOWN_LOSS if is_uncounted(found) else NO_LOSS)
    steps = [] if found.writable else [Step("promote", node.name, f"wait until `{node.name}` accepts writes")]
    ours = unfinished is not None and unfinished.target == node.name
    if ours and unfinished is not None:
        plan = replace(
            plan, old=unfinished.old, facts=unfinished.facts, loss=planning.loss_of_fork(plan.operation_id, unfinished)
        )
        if "required" in plan.facts:
            steps.append(Step("restore", node.name, f"let commits wait for {plan.facts['required']} secondaries"))
    plan = replace(plan, steps=tuple(steps))
    return _closing(plan, astray, group_of(found)) if ours or steps or astray or is_uncounted(found) else plan


def _facts(leading: GroupState, group: GroupState, primary: str, unfinished: Intent | None) -> dict[str, Any]:
    """Return what the steps of a switchover need: the settings as they were before any change."""
    facts: dict[str, Any] = {"group": group.name, "forced": group.cluster_type != WSFC}
    if group.cluster_type == WSFC:
        return facts
    changed = [each for each in (leading.replica, group.replica) if leading.modes.get(each) != SYNCHRONOUS]
    facts |= {"required": leading.required_synchronized, "modes": {each: leading.modes.get(each) for each in changed}}
    before = unfinished.facts if unfinished is not None and unfinished.old == primary else {}
    if "modes" in before:
        facts |= {"required": before["required"], "modes": {**facts["modes"], **before["modes"]}}
    return facts


def _replica(topology: Topology, name: str) -> str:
    seen = topology.find(name)
    return group_of(seen.observation).replica if seen is not None and seen.observation is not None else ""


def _old_primary(topology: Topology, target: str, unfinished: Intent | None) -> Replica:
    """Return the node to switch over from: the primary, or the one that an earlier run took offline."""
    if topology.primary is not None:
        return topology.primary
    for node, seen in topology.answered():
        group = group_of(seen)
        ours = unfinished is not None and unfinished.old == node.name and "fence" in unfinished.began
        if ours and node.name != target and group.role == "RESOLVING" and group.cluster_type == NONE:
            synchronous = [replica for replica, mode in group.modes.items() if mode == SYNCHRONOUS]
            # That run made commits wait for every synchronous secondary, so none of them lacks an acknowledged commit.
            if _replica(topology, target) in synchronous and group.required_synchronized == len(synchronous) - 1:
                return node, seen
    raise RefusedError(
        f"no primary answers, so no switchover to `{target}` is possible",
        hint="`custctl replica unfence` if it was taken offline; `custctl replica failover` if it is gone",
    )


def _refuse_primary(topology: Topology, target: str) -> None:
    for node, _ in topology.primaries:
        planning.refuse_primary(node, target, "; if it no longer serves, stop it first")


def _check_fit(node: Node, group: GroupState) -> None:
    if group.availability_mode == CONFIGURATION:
        raise RefusedError(f"`{node.name}` holds the group's configuration but no data")
    for database in group.databases:
        if database.synchronization in _UNFIT:
            raise RefusedError(
                f"the database `{database.name}` on `{node.name}` is {database.synchronization}: as a primary it would"
                " not start",
                hint="wait until it is synchronizing, or choose another node",
            )


def _check_ready(node: Node, group: GroupState) -> None:
    unready = [database.name for database in group.databases if not database.failover_ready]
    if group.quorum not in (NORMAL_QUORUM, None):
        raise RefusedError(
            f"the Windows cluster has no normal quorum ({group.quorum})", hint="bring its nodes back first"
        )
    if unready or not group.databases:
        mode = group.availability_mode
        raise RefusedError(
            f"`{node.name}` is not ready for a failover: {', '.join(f'`{name}`' for name in unready) or 'no database'}"
            " is not synchronized",
            hint="wait until it is" if mode == SYNCHRONOUS else "first set it and its primary to synchronous commit",
        )


def _check_receives(topology: Topology, replica: Replica, primary: Replica) -> None:
    node, found = replica
    planning.check_receives(replica, primary, "secondary")
    if found.lag is not None:
        planning.check_lag(topology, node, found)
    reachable = {group_of(seen).replica.lower(): (each, seen) for each, seen in topology.answered()}
    for name, mode in group_of(found).modes.items():
        if mode != SYNCHRONOUS or name.lower() == group_of(found).replica.lower():
            continue
        known = reachable.get(name.lower())
        if known is None or (known[0].name != primary[0].name and group_of(known[1]).synchronization != "SYNCHRONIZED"):
            # The server refuses to take a group offline while a synchronous replica is behind.
            raise RefusedError(
                f"the replica `{name}` is set to synchronous commit but is not synchronized",
                hint="bring it back, or set it to asynchronous commit in the meantime",
            )
