"""Planning a switchover or failover under streaming replication: pure functions of what was observed.

A promotion is safe where the target has every acknowledged write and no other node takes another one. A switchover
sees to both; a failover can only judge by what the nodes that are left tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING

from custctl.engines.members import Role
from custctl.replication.driver import require_one_history
from custctl.replication.plan import FAILOVER, NO_LOSS, SWITCHOVER, UNKNOWN_LOSS, Accepted, Loss, Plan, Step
from custctl.replication.quorum import holders, parse_synchronous, silent_members
from custctl.replication.topology import Topology, in_time, is_recorded_otherwise, is_uncounted
from custctl.support.errors import RefusedError, UnavailableError
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.engines.base import Node
    from custctl.engines.members import Observation
    from custctl.replication.journal import Intent

Standby = tuple["Node", "Observation"]


def plan_switchover(topology: Topology, target: str, operation_id: str, unfinished: Intent | None) -> Plan:
    """Plan a switchover to a node of the topology; see `Driver.plan_switchover`."""
    require_one_history(topology)
    node, found = answering(topology, target)
    if found.writable:
        return _completion(topology, node, found, SWITCHOVER, operation_id, unfinished)
    old = _old_primary(topology, unfinished.old if unfinished is not None else None)
    if old is None or old[0].name == target:
        raise RefusedError(
            f"no primary answers that could be switched over from to `{target}`",
            hint="`custctl replica unfence` where it is fenced; `custctl replica failover` where it is gone",
        )
    primary, leading = old
    _check_follows(node, found, primary, leading)
    if found.replay_paused:
        raise RefusedError(f"the replay of `{target}` is paused", hint="`SELECT pg_wal_replay_resume()` there")
    check_not_delayed(node, found)
    if found.lag is None or found.lag > topology.max_lag:
        behind = f"{found.lag:.1f} s behind" if found.lag is not None else "behind, nobody can tell how far"
        raise RefusedError(
            f"`{target}` is {behind}, and `max_lag` is {topology.max_lag:g} s",
            hint="wait until it has caught up; `custctl replica status --watch` shows it",
        )
    followers = [standby for standby in topology.standbys if standby[0].name != target]
    ours = unfinished is not None and unfinished.old == primary.name and not unfinished.facts.get("was_fenced")
    facts = {"was_fenced": not leading.writable and not ours, "silent": [seen.name for seen in topology.silent]}
    steps = [
        Step("lock", target, "lock the nodes, so that nobody else switches over"),
        Step("fence", primary.name, f"fence `{primary.name}`"),
        Step("catch-up", target, f"let `{target}` receive what `{primary.name}` has acknowledged"),
    ]
    warnings = [f"`{seen.name}` does not answer: it has to follow later" for seen in topology.silent]
    return _promoting(
        Plan(SWITCHOVER, operation_id, primary.name, target, tuple(steps), NO_LOSS, tuple(warnings), facts),
        found,
        followers,
    )


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
    require_one_history(topology)
    node, found = answering(topology, target)
    if found.writable:
        return _completion(topology, node, found, FAILOVER, operation_id, unfinished)
    standing = standing_primary(topology, found)
    if standing is not None:
        raise RefusedError(
            f"`{standing.name}` answers, and is the primary",
            hint=f"`custctl replica switchover --to {target}` loses nothing; where it does not serve any more,"
            f" stop it first, as by `custctl replica fence {standing.name}` with a hook",
        )
    old = _lost_primary(topology, found, unfinished)
    _check_silence(topology, accepted, old, can_fence=can_fence)
    loss = assess_loss(topology, node, found)
    ahead = [each.name for each, seen in topology.standbys if _reach(seen) > _reach(found)]
    if ahead and not accepted.data_loss:
        raise RefusedError(
            f"`{ahead[0]}` has received more than `{node.name}`",
            hint=f"`custctl replica failover --to {ahead[0]}`, or accept the loss by `--allow-data-loss`",
            details={"loss": loss.as_dict()},
        )
    if not loss.none and not accepted.data_loss:
        raise RefusedError(
            str(loss),
            hint="get the old primary back where you can; `--allow-data-loss` goes on without it",
            details={"loss": loss.as_dict()},
        )
    followers = [(each, seen) for each, seen in topology.standbys if each.name != node.name and each.name not in ahead]
    steps = [Step("hook", name, f"run the hook `fence` for `{name}`") for name in (old if can_fence else ())]
    steps += [
        Step("lock", node.name, "lock the nodes, so that nobody else fails over"),
        Step(
            "confirm",
            node.name,
            f"make sure that nothing has reached the standbys since, and `{node.name}` has the most",
        ),
    ]
    warnings = [f"`{name}` has received more than `{node.name}`: it has to rejoin" for name in ahead]
    warnings += replayed_at_once(node, found)
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
    """Refuse to carry out a plan whose ground has gone: it may have waited for an answer while somebody else acted.

    Raises:
        RefusedError: the nodes are not what they were.
        UnavailableError: one that is needed does not answer any more.
        SplitBrainError: two nodes accept writes.
    """
    require_one_history(topology)
    hint = "`custctl replica status` shows how things stand"
    node, found = answering(topology, plan.target)
    if found.role is Role.PRIMARY:
        raise RefusedError(f"`{plan.target}` is no standby any more", hint=hint)
    if plan.kind == FAILOVER:
        standing = standing_primary(topology, found)
        if standing is not None:
            raise RefusedError(f"`{standing.name}` answers again, and is the primary", hint=hint)
        return
    assert plan.old is not None
    answering(topology, plan.old)
    old = _old_primary(topology, plan.old)
    if old is None or old[0].name != plan.old:
        raise RefusedError(f"`{plan.old}` is not the primary any more", hint=hint)
    _check_follows(node, found, *old)


def standing_primary(topology: Topology, target: Observation) -> Node | None:
    """Return the primary that answers, whatever stands in the way of its being used; None where there is none.

    A former primary that is fenced, and was followed by another before the target's timeline began, is none any more.

    Args:
        target: the standby to fail over to.
    """
    for node, seen in topology.primaries:
        if seen.writable or (seen.timeline or 0) >= (target.timeline or 0):
            return node
    return None


def candidate(topology: Topology) -> str:
    """Return the node to fail over to: the standby that has received most, or who was promoted by a run that was killed.

    Raises:
        UnavailableError: none answers.
    """
    if topology.primary is not None and is_uncounted(topology.primary[1]):
        return topology.primary[0].name
    if not topology.standbys:
        raise UnavailableError(
            "no standby answers: there is no node to fail over to", hint="bring one back; `custctl replica status`"
        )
    # What can be read at once decides between those that have the same.
    return max(topology.standbys, key=lambda each: (_reach(each[1]), each[1].replayed or 0))[0].name


def positions(topology: Topology) -> dict[str, int]:
    """Return how much each standby that answers has received."""
    return {node.name: seen.position or 0 for node, seen in topology.standbys}


def fed_from_outside(topology: Topology) -> list[str]:
    """Return the standbys that receive from a node that does not answer here: all but those that another standby feeds."""
    addresses = {f"{node.host}:{node.port}" for node, _ in topology.standbys}
    names = [seen.name for _, seen in topology.standbys]
    # Where a profile calls a node otherwise than the standbys do; a name that two of them share tells nothing.
    fed = {
        attached.name for _, seen in topology.standbys for attached in seen.attached if names.count(attached.name) == 1
    }
    return [
        node.name
        for node, seen in topology.standbys
        if seen.receiving and seen.source not in addresses and seen.name not in fed
    ]


def assess_loss(topology: Topology, node: Node, found: Observation) -> Loss:
    """Return what the old primary may have acknowledged and a standby may lack.

    Under synchronous replication a commit is acknowledged when some standbys have it. Where so few of them are silent
    that one which answers must have it, none is lost on the one that has received most. The old primary's own setting
    cannot be asked for any more: what was recorded of it, on this branch of the history, is taken for it, and the standbys'
    must all be the same. A standby that has the record has all that was acknowledged before it; the proof is that of
    settings that nobody has changed on the primary since, and names their time.
    """
    standbys = topology.standbys
    reach = _reach(found)
    known = max([seen.reported or 0 for _, seen in standbys] + [seen.position or 0 for _, seen in standbys])
    missing = max(0, known - (found.position or 0))
    since = found.last_commit
    seconds = max(0.0, (found.now - since).total_seconds()) if since is not None and found.now is not None else None
    settings = {seen.synchronous for _, seen in standbys}
    wanted = parse_synchronous(found.synchronous) if len(settings) == 1 else None
    if len(settings) > 1:
        why = "the nodes differ in `synchronous_standby_names`"
    elif wanted is None:
        why = "replication is asynchronous"
    elif not all(seen.waits_for_standbys for _, seen in standbys):
        why = "`synchronous_commit` lets commits be acknowledged before a standby has them"
    elif found.recorded_synchronous is None or is_uncounted(found):
        why = "which standbys the primary's commits waited for was never recorded"
    elif is_recorded_otherwise(found):
        why = f"the primary waited for `{found.recorded_synchronous or 'no standby'}` when that was last recorded"
    else:
        names = [seen.name or "" for _, seen in standbys]
        silent = silent_members(wanted, names, [each.name for each in topology.silent])
        listed = [_reach(seen) for _, seen in standbys if wanted.lists(seen.name)]
        if not holders(wanted, names, silent):
            why = (
                f"{plural(silent, 'synchronous standby is', 'synchronous standbys are')} silent, and a commit waits for"
                f" {wanted.count}"
            )
        elif reach < max(listed):
            why = "another synchronous standby has received more"
        else:
            return Loss(
                none=True,
                why=f"`{node.name}` has all that `{found.synchronous}` has acknowledged{_as_recorded(found)}",
                bytes=0,
            )
    return Loss(none=False, why=why, since=since, seconds=seconds, bytes=missing)


def _as_recorded(found: Observation) -> str:
    at = found.recorded_at
    return f"; the primary waited for it at {at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if at is not None else ""


# -- what both have in common ----------------------------------------------------------------------


def _promoting(plan: Plan, found: Observation, followers: Sequence[Standby]) -> Plan:
    """Return the plan with the steps from the promotion on."""
    steps, warnings, facts = list(plan.steps), list(plan.warnings), dict(plan.facts)
    wanted = parse_synchronous(found.synchronous)
    # One whose replay is paused does not turn to another primary before it is resumed, nor a delayed one soon.
    soon = [seen.name for _, seen in followers if not seen.replay_paused and not seen.apply_delay]
    if wanted is not None and sum(map(wanted.lists, soon)) < wanted.count:
        # Its first commit would wait for ever. The others must not be taken later to prove what it does not keep.
        facts["synchronous"] = {plan.target: found.synchronous} | {
            node.name: seen.synchronous for node, seen in followers
        }
        steps.append(Step("stop-waiting", plan.target, f"let commits on `{plan.target}` wait for no standby"))
        warnings.append(
            f"`{plan.target}` would wait for `{found.synchronous}`, which it will not have: its commits will be"
            " acknowledged without a standby, until `synchronous_standby_names` is set again there"
        )
    steps.append(Step("promote", plan.target, f"promote `{plan.target}`"))
    steps += [Step("follow", node.name, f"let `{node.name}` follow `{plan.target}`") for node, _ in followers]
    steps += _closing(plan.target)
    return Plan(plan.kind, plan.operation_id, plan.old, plan.target, tuple(steps), plan.loss, tuple(warnings), facts)


def _closing(target: str) -> list[Step]:
    return [
        Step("record", target, f"count the fork of the history on `{target}`"),
        Step("verify", target, f"verify that `{target}` alone accepts writes"),
    ]


def _completion(
    topology: Topology, node: Node, found: Observation, kind: str, operation_id: str, unfinished: Intent | None
) -> Plan:
    """Plan what is left to do where the target is the primary already."""
    ours = unfinished is not None and unfinished.operation_id == operation_id
    loss = loss_of_fork(operation_id, unfinished)
    astray = [each for each, seen in topology.standbys if not seen.receiving or seen.timeline != found.timeline]
    steps = [Step("follow", each.name, f"let `{each.name}` follow `{node.name}`") for each in astray]
    # A database without a count is on its first branch, or was promoted by somebody else.
    uncounted = is_uncounted(found) or (found.fork is None and found.timeline != 1) or is_recorded_otherwise(found)
    if steps or uncounted:
        steps += _closing(node.name)
    old = unfinished.old if unfinished is not None and ours else None
    return Plan(kind, operation_id, old, node.name, tuple(steps), loss if uncounted else NO_LOSS)


def loss_of_fork(operation_id: str, unfinished: Intent | None) -> Loss:
    """Return what may have been lost when a node became the primary that is one already: as an earlier run told."""
    if unfinished is None or unfinished.operation_id != operation_id or "promote" not in unfinished.began:
        return UNKNOWN_LOSS
    return unfinished.loss


def answering(topology: Topology, name: str) -> Standby:
    """Return a node that is to become the primary, and what it says.

    Raises:
        UnavailableError: it says nothing.
    """
    seen = topology.find(name)
    if seen is None or seen.observation is None:
        why = f": {seen.fault.message}" if seen is not None and seen.fault is not None else ""
        raise UnavailableError(f"`{name}` does not answer{why}", hint="choose another node, or bring it back first")
    return seen.node, seen.observation


def _old_primary(topology: Topology, expected: str | None) -> Standby | None:
    """Return the node to switch over from: the primary, or one that is fenced for it."""
    found = topology.primaries
    if topology.primary is not None:
        return topology.primary
    if expected is not None:
        found = [(node, seen) for node, seen in found if node.name == expected] or found
    newest = max((seen.timeline or 0 for _, seen in found), default=0)
    leading = [(node, seen) for node, seen in found if seen.timeline == newest]
    return leading[0] if len(leading) == 1 else None


def _check_follows(node: Node, found: Observation, primary: Node, leading: Observation) -> None:
    if found.cluster_id != leading.cluster_id:
        raise RefusedError(
            f"`{node.name}` is of another cluster than `{primary.name}`: their system identifiers differ"
        )
    if found.role == leading.role:
        raise RefusedError(
            f"`{node.name}` is a fenced former primary, not a standby of `{primary.name}`",
            hint=f"`custctl replica rejoin {node.name}`",
        )
    if not found.receiving or found.timeline != leading.timeline:
        raise RefusedError(
            f"`{node.name}` does not receive from `{primary.name}`",
            hint=f"`custctl replica rejoin {node.name}`, or choose a standby that does",
        )
    if leading.prepared:
        raise RefusedError(
            f"`{primary.name}` has {plural(leading.prepared, 'prepared transaction', 'prepared transactions')}, which"
            " a fence does not hold off",
            hint="commit them or roll them back; `pg_prepared_xacts` lists them",
        )


def check_not_delayed(node: Node, found: Observation) -> None:
    """Refuse to switch over to a standby that is behind on purpose: to wait for it ends never, while there are writes.

    Raises:
        RefusedError: it is delayed.
    """
    if found.apply_delay:
        delay = in_time(found.apply_delay)
        raise RefusedError(
            f"`{node.name}` replays {delay} late on purpose (`recovery_min_apply_delay`): it is kept for mistakes, and"
            " does not catch up",
            hint="choose another standby; or end its delay there first, by `ALTER SYSTEM SET recovery_min_apply_delay = 0`"
            " and `SELECT pg_reload_conf()`",
            details={"delay_s": found.apply_delay},
        )


def replayed_at_once(node: Node, found: Observation) -> list[str]:
    """Return what is to be known of a failover to a delayed standby; nothing where it is none."""
    if not found.apply_delay:
        return []
    delay = in_time(found.apply_delay)
    return [f"`{node.name}` replays {delay} late on purpose: its promotion replays at once all that it has received"]


def _reach(seen: Observation) -> tuple[int, int]:
    """Return how far a standby has come, in an order across branches of the history."""
    return seen.timeline or 0, seen.position or 0


def _lost_primary(topology: Topology, found: Observation, unfinished: Intent | None) -> list[str]:
    """Return the silent nodes that may be the old primary."""
    silent = {seen.name: seen.node for seen in topology.silent}
    sources = {seen.source for _, seen in topology.standbys if seen.source} | {found.source}
    named = [name for name, node in silent.items() if f"{node.host}:{node.port}" in sources]
    if not named and unfinished is not None and unfinished.old in silent:
        named = [unfinished.old]
    return named or list(silent)


def _check_silence(topology: Topology, accepted: Accepted, old: Sequence[str], *, can_fence: bool) -> None:
    """Refuse where the old primary may be alive, though it does not answer here."""
    if accepted.primary_is_stopped:
        return
    names = ", ".join(f"`{name}`" for name in old) or "the old primary"
    receiving = fed_from_outside(topology)
    hint = "make sure that it is stopped and stays so, then say so by `--primary-is-stopped`"
    if receiving:
        raise RefusedError(
            f"{names} does not answer here, and `{receiving[0]}` is still connected to it: it may well be alive",
            hint=hint,
        )
    if not can_fence or not old:
        raise RefusedError(
            f"{names} does not answer, which does not mean that it is stopped: two primaries would be the end of it",
            hint=f"{hint}; a hook `fence` in the profile would stop it",
        )
