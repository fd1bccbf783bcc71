"""Plans a switchover or failover of a cluster that Patroni manages: pure functions of what nodes and Patroni report.

Patroni ensures that there is one leader, and shuts the old one down before it promotes another. This module checks what
Patroni does not: what may be lost, and whether the operator accepts it for this target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from custctl.replication import planning
from custctl.replication.patroni.view import SYNCHRONOUS
from custctl.replication.plan import FAILOVER, SWITCHOVER, Accepted, Loss, Plan, Step
from custctl.replication.topology import Replica, Topology, is_to_count
from custctl.support.errors import RefusedError

if TYPE_CHECKING:
    from custctl.engines.members import Observation
    from custctl.engines.model import Node
    from custctl.replication.journal import Intent
    from custctl.replication.patroni.view import View

REQUEST = "request"

_IN_ORDER = Loss(
    none=True,
    why="Patroni shuts the old primary down cleanly, which waits until the streaming standbys have its whole log",
)
_BY_ITSELF = Loss(
    none=False,
    why="Patroni has promoted it by itself, which loses nothing in its synchronous mode, and else up to"
    " `maximum_lag_on_failover` bytes of the log",
)


def plan_switchover(topology: Topology, view: View, target: str, operation_id: str, unfinished: Intent | None) -> Plan:
    """Plan a switchover to a node of the topology; see `Driver.plan_switchover`."""
    replica = planning.answering(topology, target)
    if replica[1].writable:
        return _completion(SWITCHOVER, replica, operation_id, unfinished)
    if topology.primary is None:
        raise RefusedError(
            "no primary answers, so no switchover is possible",
            hint=f"if it is gone, run `custctl replica failover --to {target}`",
        )
    old, _ = topology.primary
    _check_leader(view, old)
    _check_candidate(view, target)
    planning.check_one_cluster(replica, topology.primary)
    planning.check_receives(replica, topology.primary)
    planning.check_not_delayed(*replica)
    planning.check_lag(topology, *replica)
    _check_synchronous(view, target)
    warnings = (
        *(f"`{seen.name}` does not answer" for seen in topology.silent),
        *(f"{scheduled}, which this one replaces" for scheduled in view.scheduled),
    )
    steps = (*_steps(old.name, target), _returning(old.name, target))
    return Plan(SWITCHOVER, operation_id, old.name, target, steps, _IN_ORDER, warnings)


def plan_failover(
    topology: Topology, view: View, target: str, accepted: Accepted, operation_id: str, unfinished: Intent | None
) -> Plan:
    """Plan a failover to a node of the topology; see `Driver.plan_failover`."""
    node, found = planning.answering(topology, target)
    if found.writable:
        return _completion(FAILOVER, (node, found), operation_id, unfinished)
    for leading, seen in topology.primaries:
        counts = f"; where Patroni has just promoted `{leading.name}`, `custctl replica failover` records that"
        planning.refuse_primary(leading, target, counts if is_to_count(seen) else "")
    _check_leaderless(topology, view)
    _check_candidate(view, target)
    _check_silence(topology, accepted)
    loss = _assess_loss(topology, view, node, found)
    planning.check_loss(node, loss, (), accepted, ", or choose a standby that has more")
    warnings = tuple(planning.replayed_at_once(node, found))
    return Plan(FAILOVER, operation_id, _lost(topology, unfinished), target, _steps(target, target), loss, warnings)


def candidate(topology: Topology, view: View) -> str:
    """Return the node to fail over to by default: the current leader, or the best standby.

    Raises:
        UnavailableError: no standby that may lead answers.
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
        planning.refuse_all()
    return max(able)[-1]


def _steps(asked: str, target: str) -> tuple[Step, ...]:
    return (
        Step("check", asked, "check that Patroni answers and nothing has changed"),
        Step(REQUEST, target, f"let Patroni make `{target}` the primary"),
        *planning.ending(target),
    )


def _returning(old: str, target: str) -> Step:
    return Step("follow", old, f"wait until `{old}` follows `{target}` under Patroni")


def _completion(kind: str, replica: Replica, operation_id: str, unfinished: Intent | None) -> Plan:
    """Plan the remaining steps when the target is already the primary."""
    node, found = replica
    ours = unfinished is not None and unfinished.operation_id == operation_id
    asked = ours and unfinished is not None and REQUEST in unfinished.began
    old = unfinished.old if ours and unfinished is not None else None
    loss = _IN_ORDER if asked and kind == SWITCHOVER else _BY_ITSELF
    if not (ours or is_to_count(found)):
        return Plan(kind, operation_id, old, node.name, (), loss)
    warnings = () if asked else (f"`{node.name}` is already the primary, but not because of this command",)
    returning = [_returning(old, node.name)] if kind == SWITCHOVER and old is not None else []
    steps = (*planning.ending(node.name), *returning)
    return Plan(kind, operation_id, old, node.name, steps, loss, warnings)


def _check_leader(view: View, old: Node) -> None:
    if view.paused:
        raise RefusedError("Patroni is paused", hint="`patronictl resume` ends its maintenance mode")
    if view.leader != old.name:
        leading = f"`{view.leader}` leads" if view.leader else "nobody leads"
        raise RefusedError(
            f"Patroni says that {leading}, but `{old.name}` accepts writes",
            hint="`custctl replica status` shows the current state; Patroni may be about to see it",
        )


def _check_leaderless(topology: Topology, view: View) -> None:
    """Refuse if Patroni has a leader or is about to have one: a failover must not compete with it."""
    if view.leader is None:
        return
    seen = topology.find(view.leader)
    if seen is not None and seen.observation is not None:
        raise RefusedError(
            f"Patroni is making `{view.leader}` the primary", hint="run the same command again in a moment"
        )
    raise RefusedError(
        f"Patroni still has `{view.leader}` as its leader, although no primary answers here: it may still be running",
        hint="if it is gone, Patroni promotes another node by itself as soon as the leader's key has expired (`ttl`);"
        " run the same again then",
    )


def _check_candidate(view: View, target: str) -> None:
    member = view.members.get(target)
    if member is None:
        raise RefusedError(
            f"Patroni does not know `{target}`",
            hint="check that Patroni is running there: `patronictl list` shows its members",
        )
    if member.never_leads:
        raise RefusedError(
            f"`{target}` must never lead: in Patroni it has the tag `nofailover` or priority 0",
            hint="choose another node, or change its tags",
        )


def _check_synchronous(view: View, target: str) -> None:
    synchronous = [name for name, member in view.members.items() if member.role == SYNCHRONOUS]
    if synchronous and target not in synchronous:
        raise RefusedError(
            f"`{target}` is not a synchronous standby, and Patroni switches over only to a synchronous one",
            hint=f"synchronous: {planning.quoted(synchronous)}",
        )


def _check_silence(topology: Topology, accepted: Accepted) -> None:
    """Refuse if a silent node may be a primary that still runs, as it can in Patroni's maintenance mode."""
    if topology.silent and not accepted.primary_is_stopped:
        names = planning.quoted(seen.name for seen in topology.silent)
        raise RefusedError(
            f"{names} {'does' if len(topology.silent) == 1 else 'do'} not answer, which does not mean that the old primary"
            " is stopped",
            hint="make sure that it is stopped and stays stopped, then confirm with `--primary-is-stopped`",
        )


def _assess_loss(topology: Topology, view: View, node: Node, found: Observation) -> Loss:
    member = view.members[node.name]
    if member.role == SYNCHRONOUS:
        # Source: https://patroni.readthedocs.io/en/latest/replication_modes.html#synchronous-mode-implementation
        return Loss(
            none=True, why=f"Patroni's key `sync` names `{node.name}`, which every acknowledged write has reached"
        )
    why = "Patroni's key `sync` does not name it" if view.is_synchronous else "replication is asynchronous"
    # A standby's `synchronous_standby_names` proves nothing: Patroni changes the leader's as standbys come and go.
    return planning.unproven(found, why, planning.missing_bytes(topology, found))


def _lost(topology: Topology, unfinished: Intent | None) -> str | None:
    """Return the lost primary; None if it is not known which node it was."""
    silent = [seen.name for seen in topology.silent]
    if unfinished is not None and unfinished.old in silent:
        return unfinished.old
    return silent[0] if len(silent) == 1 else None
