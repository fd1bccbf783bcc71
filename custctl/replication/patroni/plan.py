"""Planning a switchover or failover of a cluster that Patroni keeps: pure functions of what the nodes and Patroni said.

Patroni makes sure that there is one leader, and shuts the old one down before another one is promoted. What it does not
judge by the operator's standards is asked here: what may be lost, and whether he means this node.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from custctl.replication.patroni.view import SYNCHRONOUS
from custctl.replication.plan import FAILOVER, SWITCHOVER, Accepted, Loss, Plan, Step
from custctl.replication.streaming.plan import assess_loss, check_not_delayed, replayed_at_once
from custctl.replication.topology import Topology, is_uncounted
from custctl.support.errors import RefusedError, UnavailableError

if TYPE_CHECKING:
    from custctl.engines.base import Node
    from custctl.engines.members import Observation
    from custctl.replication.journal import Intent
    from custctl.replication.patroni.view import View

REQUEST = "request"

_IN_ORDER = Loss(
    none=True,
    why="Patroni shuts the old primary down in good order, which waits until the standbys that stream have its whole log",
)
_BY_ITSELF = Loss(
    none=False,
    why="Patroni has promoted it by itself, which loses nothing in its synchronous mode, and else up to"
    " `maximum_lag_on_failover` bytes of the log",
)


def plan_switchover(topology: Topology, view: View, target: str, operation_id: str, unfinished: Intent | None) -> Plan:
    """Plan a switchover to a node of the topology; see `Driver.plan_switchover`."""
    node, found = _answering(topology, target)
    if found.writable:
        return _completion(SWITCHOVER, node, found, operation_id, unfinished)
    if topology.primary is None:
        raise RefusedError(
            "no primary answers that could be switched over from",
            hint=f"where it is gone, `custctl replica failover --to {target}`",
        )
    old, leading = topology.primary
    _check_leader(view, old)
    _check_candidate(view, target)
    if found.cluster_id != leading.cluster_id:
        raise RefusedError(f"`{target}` is of another cluster than `{old.name}`: their system identifiers differ")
    if not found.receiving or found.timeline != leading.timeline:
        raise RefusedError(
            f"`{target}` does not receive from `{old.name}`",
            hint=f"`custctl replica rejoin {target}`, or choose a standby that does",
        )
    check_not_delayed(node, found)
    if found.lag is None or found.lag > topology.max_lag:
        behind = f"{found.lag:.1f} s behind" if found.lag is not None else "behind, nobody can tell how far"
        raise RefusedError(
            f"`{target}` is {behind}, and `max_lag` is {topology.max_lag:g} s",
            hint="wait until it has caught up; `custctl replica status --watch` shows it",
        )
    _check_synchronous(view, target)
    warnings = (
        *(f"`{seen.name}` does not answer" for seen in topology.silent),
        *(f"{scheduled}, which this one replaces" for scheduled in view.scheduled),
    )
    steps = (*_steps(old.name, target), _returning(old.name, target))
    return Plan(SWITCHOVER, operation_id, old.name, target, steps, _IN_ORDER, warnings)


def plan_failover(
    topology: Topology,
    view: View,
    target: str,
    accepted: Accepted,
    operation_id: str,
    unfinished: Intent | None,
) -> Plan:
    """Plan a failover to a node of the topology; see `Driver.plan_failover`."""
    node, found = _answering(topology, target)
    if found.writable:
        return _completion(FAILOVER, node, found, operation_id, unfinished)
    for leading, seen in topology.primaries:
        hint = f"`custctl replica switchover --to {target}` loses nothing"
        if _is_to_count(seen):
            hint += f"; where Patroni has just promoted `{leading.name}`, `custctl replica failover` counts that"
        raise RefusedError(f"`{leading.name}` answers, and is the primary", hint=hint)
    _check_leaderless(topology, view)
    _check_candidate(view, target)
    _check_silence(topology, accepted)
    loss = _assess_loss(topology, view, node, found)
    if not loss.none and not accepted.data_loss:
        raise RefusedError(
            str(loss),
            hint="get the old primary back where you can, or choose a standby that has more;"
            " `--allow-data-loss` goes on without it",
            details={"loss": loss.as_dict()},
        )
    warnings = tuple(replayed_at_once(node, found))
    return Plan(FAILOVER, operation_id, _lost(topology, unfinished), target, _steps(target, target), loss, warnings)


def candidate(topology: Topology, view: View) -> str:
    """Return the node to fail over to where none is named: the leader that there is, or the best standby.

    Raises:
        UnavailableError: no standby answers that may lead.
    """
    if topology.primary is not None:
        return topology.primary[0].name
    members = view.members
    able = [
        (seen.timeline or 0, members[node.name].role == SYNCHRONOUS, seen.position or 0, node.name)
        for node, seen in topology.standbys
        if node.name in members and not members[node.name].never_leads
    ]
    if not able:
        raise UnavailableError(
            "no standby answers: there is no node to fail over to", hint="bring one back; `custctl replica status`"
        )
    return max(able)[-1]


def _steps(asked: str, target: str) -> tuple[Step, ...]:
    return (
        Step("check", asked, "make sure that Patroni answers, and nothing has changed"),
        Step(REQUEST, target, f"let Patroni make `{target}` the primary"),
        *_closing(target),
    )


def _closing(target: str) -> tuple[Step, ...]:
    return (
        Step("record", target, f"count the fork of the history on `{target}`"),
        Step("verify", target, f"verify that `{target}` alone accepts writes"),
    )


def _returning(old: str, target: str) -> Step:
    return Step("follow", old, f"wait until Patroni has `{old}` follow `{target}`")


def _completion(kind: str, node: Node, found: Observation, operation_id: str, unfinished: Intent | None) -> Plan:
    """Plan what is left to do where the target is the primary already."""
    ours = unfinished is not None and unfinished.operation_id == operation_id
    asked = ours and unfinished is not None and REQUEST in unfinished.began
    old = unfinished.old if ours and unfinished is not None else None
    loss = _IN_ORDER if asked and kind == SWITCHOVER else _BY_ITSELF
    if not (ours or _is_to_count(found)):
        return Plan(kind, operation_id, old, node.name, (), loss)
    warnings = () if asked else (f"`{node.name}` is the primary already, and not by this command",)
    steps = _closing(node.name)
    if kind == SWITCHOVER and old is not None:
        steps += (_returning(old, node.name),)
    return Plan(kind, operation_id, old, node.name, steps, loss, warnings)


def _is_to_count(primary: Observation) -> bool:
    # A database without a count is on its first branch, or was promoted by somebody else.
    return is_uncounted(primary) or (primary.fork is None and primary.timeline != 1)


def _answering(topology: Topology, name: str) -> tuple[Node, Observation]:
    seen = topology.find(name)
    if seen is None or seen.observation is None:
        why = f": {seen.fault.message}" if seen is not None and seen.fault is not None else ""
        raise UnavailableError(f"`{name}` does not answer{why}", hint="choose another node, or bring it back first")
    return seen.node, seen.observation


def _check_leader(view: View, old: Node) -> None:
    if view.paused:
        raise RefusedError("Patroni is paused", hint="`patronictl resume` ends its maintenance mode")
    if view.leader != old.name:
        leading = f"`{view.leader}` leads" if view.leader else "nobody leads"
        raise RefusedError(
            f"Patroni says that {leading}, and `{old.name}` accepts writes",
            hint="`custctl replica status` shows how things stand; Patroni may be about to see it",
        )


def _check_leaderless(topology: Topology, view: View) -> None:
    """Refuse where Patroni has a leader, or is about to have one: it must not be overtaken."""
    if view.leader is None:
        return
    seen = topology.find(view.leader)
    if seen is not None and seen.observation is not None:
        raise RefusedError(f"Patroni is making `{view.leader}` the primary", hint="run the same again in a moment")
    raise RefusedError(
        f"Patroni still has `{view.leader}` as its leader, though no primary answers here: it may well be alive",
        hint="where it is gone, Patroni promotes another node by itself as soon as the leader's key has expired (`ttl`);"
        " run the same again then",
    )


def _check_candidate(view: View, target: str) -> None:
    member = view.members.get(target)
    if member is None:
        raise RefusedError(f"Patroni does not know `{target}`", hint="is Patroni running there? `patronictl list`")
    if member.never_leads:
        raise RefusedError(
            f"`{target}` is never to lead: Patroni has it tagged `nofailover`, or of priority 0",
            hint="choose another node, or change its tags",
        )


def _check_synchronous(view: View, target: str) -> None:
    synchronous = [name for name, member in view.members.items() if member.role == SYNCHRONOUS]
    if synchronous and target not in synchronous:
        names = ", ".join(f"`{name}`" for name in synchronous)
        raise RefusedError(
            f"`{target}` is no synchronous standby, and Patroni switches over to such a one alone",
            hint=f"synchronous: {names}",
        )


def _check_silence(topology: Topology, accepted: Accepted) -> None:
    """Refuse where a node that does not answer may be a primary that goes on by itself, as in Patroni's maintenance mode."""
    if topology.silent and not accepted.primary_is_stopped:
        names = ", ".join(f"`{seen.name}`" for seen in topology.silent)
        raise RefusedError(
            f"{names} {'does' if len(topology.silent) == 1 else 'do'} not answer, which does not mean that the old primary"
            " is stopped",
            hint="make sure that it is stopped and stays so, then say so by `--primary-is-stopped`",
        )


def _assess_loss(topology: Topology, view: View, node: Node, found: Observation) -> Loss:
    member = view.members[node.name]
    if member.role == SYNCHRONOUS:
        # Source: https://patroni.readthedocs.io/en/latest/replication_modes.html#synchronous-mode-implementation
        return Loss(
            none=True, why=f"Patroni's key `sync` names `{node.name}`, which every acknowledged write has reached"
        )
    why = "Patroni's key `sync` does not name it" if view.is_synchronous else "replication is asynchronous"
    # A standby's own `synchronous_standby_names` proves nothing: Patroni changes the leader's as standbys come and go.
    return replace(assess_loss(topology, node, found), none=False, why=why)


def _lost(topology: Topology, unfinished: Intent | None) -> str | None:
    """Return the primary that is gone, where it can be told."""
    silent = [seen.name for seen in topology.silent]
    if unfinished is not None and unfinished.old in silent:
        return unfinished.old
    return silent[0] if len(silent) == 1 else None
