"""Plans a switchover or failover with streaming replication: pure functions of what was observed.

A promotion is safe if the target has every acknowledged write and no other node accepts more. A switchover ensures
both; a failover can only judge by what the remaining nodes report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from custctl.engines.members import Role
from custctl.replication import planning
from custctl.replication.plan import FAILOVER, NO_LOSS, SWITCHOVER, Accepted, Plan, Step
from custctl.replication.quorum import parse_synchronous
from custctl.replication.streaming.loss import assess_loss, reach
from custctl.replication.topology import Replica, Topology, is_recorded_otherwise, is_to_count, is_uncounted
from custctl.support.errors import RefusedError
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.engines.members import Observation
    from custctl.engines.model import Node
    from custctl.replication.journal import Intent


def plan_switchover(topology: Topology, target: str, operation_id: str, unfinished: Intent | None) -> Plan:
    """Plan a switchover to a node of the topology; see `Driver.plan_switchover`."""
    planning.require_one_history(topology)
    node, found = planning.answering(topology, target)
    if found.writable:
        return _completion(topology, node, found, SWITCHOVER, operation_id, unfinished)
    old = _old_primary(topology, unfinished.old if unfinished is not None else None)
    if old is None or old[0].name == target:
        raise RefusedError(
            f"no primary answers, so no switchover to `{target}` is possible",
            hint="`custctl replica unfence` if it is fenced; `custctl replica failover` if it is gone",
        )
    primary, leading = old
    _check_follows((node, found), old)
    if found.replay_paused:
        raise RefusedError(f"the replay of `{target}` is paused", hint="`SELECT pg_wal_replay_resume()` there")
    planning.check_not_delayed(node, found)
    planning.check_lag(topology, node, found)
    followers = [standby for standby in topology.standbys if standby[0].name != target]
    ours = unfinished is not None and unfinished.old == primary.name and not unfinished.facts.get("was_fenced")
    facts = {"was_fenced": not leading.writable and not ours, "silent": [seen.name for seen in topology.silent]}
    steps = [
        *planning.beginning(SWITCHOVER, target),
        Step("fence", primary.name, f"fence `{primary.name}`"),
        Step("catch-up", target, f"let `{target}` receive what `{primary.name}` has acknowledged"),
    ]
    warnings = tuple(planning.left_behind(topology))
    plan = Plan(SWITCHOVER, operation_id, primary.name, target, tuple(steps), NO_LOSS, warnings, facts)
    return _promoting(plan, found, followers)


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
    planning.require_one_history(topology)
    node, found = planning.answering(topology, target)
    if found.writable:
        return _completion(topology, node, found, FAILOVER, operation_id, unfinished)
    standing = standing_primary(topology, found)
    if standing is not None:
        stop = f"stop it first, for example with `custctl replica fence {standing.name}` with a hook"
        planning.refuse_primary(standing, target, f"; if it no longer serves, {stop}")
    old = _lost_primary(topology, found, unfinished)
    if len(old) == 1 and not can_fence:
        _check_not_running(topology, old[0])
    planning.check_silence(accepted, old, fed_from_outside(topology), can_fence=can_fence and bool(old))
    loss = assess_loss(topology, node, found)
    ahead = [each.name for each, seen in topology.standbys if reach(seen) > reach(found)]
    planning.check_loss(node, loss, ahead, accepted)
    followers = [(each, seen) for each, seen in topology.standbys if each.name != node.name and each.name not in ahead]
    still = f"check that the standbys have received nothing since, and that `{node.name}` has the most"
    steps = [*planning.beginning(FAILOVER, target, old if can_fence else ()), Step("confirm", target, still)]
    warnings = [f"`{name}` has received more than `{node.name}`: it must rejoin" for name in ahead]
    warnings += planning.replayed_at_once(node, found)
    facts = {
        "positions": positions(topology),
        "stopped_by_word": accepted.primary_is_stopped,
        "data_loss": accepted.data_loss,
        "silent": [seen.name for seen in topology.silent],
        "astray": ahead,
    }
    plan = Plan(
        FAILOVER, operation_id, old[0] if len(old) == 1 else None, node.name, tuple(steps), loss, tuple(warnings), facts
    )
    return _promoting(plan, found, followers)


def check_still(plan: Plan, topology: Topology) -> None:
    """Refuse to carry out an outdated plan: somebody else may have acted while it waited for a confirmation.

    Raises:
        RefusedError: the roles of the nodes have changed.
        UnavailableError: a required node no longer answers.
        SplitBrainError: two nodes accept writes.
    """
    planning.require_one_history(topology)
    hint = "`custctl replica status` shows the current state"
    node, found = planning.answering(topology, plan.target)
    if found.role is Role.PRIMARY:
        raise RefusedError(f"`{plan.target}` is no longer a standby", hint=hint)
    if plan.kind == FAILOVER:
        standing = standing_primary(topology, found)
        if standing is not None:
            raise RefusedError(f"`{standing.name}` answers again, and is the primary", hint=hint)
        return
    assert plan.old is not None
    planning.answering(topology, plan.old)
    old = _old_primary(topology, plan.old)
    if old is None or old[0].name != plan.old:
        raise RefusedError(f"`{plan.old}` is no longer the primary", hint=hint)
    _check_follows((node, found), old)


def standing_primary(topology: Topology, target: Observation) -> Node | None:
    """Return the primary that answers, even if it is fenced; None if there is none.

    A fenced primary on an older timeline than the target's is a former one, and does not count.

    Args:
        target: the standby to fail over to.
    """
    for node, seen in topology.primaries:
        if seen.writable or (seen.timeline or 0) >= (target.timeline or 0):
            return node
    return None


def candidate(topology: Topology) -> str:
    """Return the node to fail over to: the standby that has received the most, or the one that a killed run promoted.

    Raises:
        UnavailableError: no standby answers.
    """
    if topology.primary is not None and is_uncounted(topology.primary[1]):
        return topology.primary[0].name
    if not topology.standbys:
        planning.refuse_all()
    # Among equals, prefer the standby that has replayed the most.
    return max(topology.standbys, key=lambda each: (reach(each[1]), each[1].replayed or 0))[0].name


def positions(topology: Topology) -> dict[str, int]:
    """Return how much each standby that answers has received."""
    return {node.name: seen.position or 0 for node, seen in topology.standbys}


def fed_from_outside(topology: Topology) -> list[str]:
    """Return the standbys that receive from a node that does not answer here, rather than from another standby."""
    addresses = {f"{node.host}:{node.port}" for node, _ in topology.standbys}
    names = [seen.name for _, seen in topology.standbys]
    # The profile's address of a node may differ from the standbys', so match names too, unless two share one.
    fed = {
        attached.name for _, seen in topology.standbys for attached in seen.attached if names.count(attached.name) == 1
    }
    return [
        node.name
        for node, seen in topology.standbys
        if seen.receiving and seen.source not in addresses and seen.name not in fed
    ]


# -- shared by both --------------------------------------------------------------------------------


def _promoting(plan: Plan, found: Observation, followers: Sequence[Replica]) -> Plan:
    """Return the plan with the promotion and all later steps added."""
    steps, warnings, facts = list(plan.steps), list(plan.warnings), dict(plan.facts)
    wanted = parse_synchronous(found.synchronous)
    # A standby with paused replay does not follow a new primary until resumed, and a delayed one does so late.
    soon = [seen.name for _, seen in followers if not seen.replay_paused and not seen.apply_delay]
    if wanted is not None and sum(map(wanted.lists, soon)) < wanted.count:
        # The target's first commit would wait forever. Reset the followers' setting too: a later failover must not
        # take it as proof of a guarantee that the target does not give.
        facts["synchronous"] = {plan.target: found.synchronous} | {
            node.name: seen.synchronous for node, seen in followers
        }
        steps.append(Step("stop-waiting", plan.target, f"let commits on `{plan.target}` wait for no standby"))
        warnings.append(
            f"`{plan.target}` would wait for `{found.synchronous}`, which it will not have: its commits will be"
            " acknowledged without a standby, until `synchronous_standby_names` is set again there"
        )
    steps.append(Step("promote", plan.target, f"promote `{plan.target}`"))
    steps += planning.follow([node.name for node, _ in followers], plan.target)
    steps += planning.ending(plan.target)
    return replace(plan, steps=tuple(steps), warnings=tuple(warnings), facts=facts)


def _completion(
    topology: Topology, node: Node, found: Observation, kind: str, operation_id: str, unfinished: Intent | None
) -> Plan:
    """Plan the remaining steps when the target is already the primary."""
    ours = unfinished is not None and unfinished.operation_id == operation_id
    loss = planning.loss_of_fork(operation_id, unfinished)
    astray = [each.name for each, seen in topology.standbys if not seen.receiving or seen.timeline != found.timeline]
    steps = planning.follow(astray, node.name)
    uncounted = is_to_count(found) or is_recorded_otherwise(found)
    if steps or uncounted:
        steps += planning.ending(node.name)
    old = unfinished.old if unfinished is not None and ours else None
    return Plan(kind, operation_id, old, node.name, tuple(steps), loss if uncounted else NO_LOSS)


def _old_primary(topology: Topology, expected: str | None) -> Replica | None:
    """Return the node to switch over from: the primary, or one that an earlier run fenced."""
    found = topology.primaries
    if topology.primary is not None:
        return topology.primary
    if expected is not None:
        found = [(node, seen) for node, seen in found if node.name == expected] or found
    newest = max((seen.timeline or 0 for _, seen in found), default=0)
    leading = [(node, seen) for node, seen in found if seen.timeline == newest]
    return leading[0] if len(leading) == 1 else None


def _check_follows(replica: Replica, old: Replica) -> None:
    (node, found), (primary, leading) = replica, old
    planning.check_one_cluster(replica, old)
    if found.role == leading.role:
        raise RefusedError(
            f"`{node.name}` is a fenced former primary, not a standby of `{primary.name}`",
            hint=f"`custctl replica rejoin {node.name}`",
        )
    planning.check_receives(replica, old)
    if leading.prepared:
        raise RefusedError(
            f"`{primary.name}` has {plural(leading.prepared, 'prepared transaction', 'prepared transactions')}, which"
            " a fence does not block",
            hint="commit them or roll them back; `pg_prepared_xacts` lists them",
        )


def _check_not_running(topology: Topology, name: str) -> None:
    """Refuse if the old primary does answer: it is starting, or has no free session."""
    seen = topology.find(name)
    fault = seen.fault if seen is not None else None
    if fault is not None and str(fault.details.get("sqlstate", "")).startswith(("53", "57P")):
        raise RefusedError(
            f"`{name}` is not stopped: {fault.message}",
            hint="wait until it serves again, or stop it; `custctl replica status` shows the current state",
        )


def _lost_primary(topology: Topology, found: Observation, unfinished: Intent | None) -> list[str]:
    """Return the silent nodes that may be the old primary."""
    silent = {seen.name: seen.node for seen in topology.silent}
    sources = {seen.source for _, seen in topology.standbys if seen.source} | {found.source}
    named = [name for name, node in silent.items() if f"{node.host}:{node.port}" in sources]
    if not named and unfinished is not None and unfinished.old in silent:
        named = [unfinished.old]
    return named or list(silent)
