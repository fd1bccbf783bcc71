"""What the plans of all drivers share: pure functions of what was observed.

Each driver has its own proof that nothing is lost. The checks before it, the messages of a refusal, and the first and
last steps of a plan are shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from custctl.replication.plan import SWITCHOVER, UNKNOWN_LOSS, Loss, Step
from custctl.support.errors import (
    CredentialError,
    CustctlError,
    PendingError,
    RefusedError,
    SplitBrainError,
    UnavailableError,
)
from custctl.support.units import format_duration

if TYPE_CHECKING:
    from custctl.engines.members import Observation
    from custctl.engines.model import Node
    from custctl.profiles import Profile
    from custctl.replication.journal import Intent
    from custctl.replication.plan import Accepted, Plan
    from custctl.replication.topology import Replica, Topology

ONE_HISTORY = "decide which one to keep, then `replica fence` and `replica rejoin` the other"
"""What an operator does when two nodes accept writes."""

# -- first checks ----------------------------------------------------------------------------------


def require_one_history(topology: Topology) -> None:
    """Refuse to continue if two nodes accept writes.

    Raises:
        SplitBrainError: they do.
    """
    if len(topology.writable) > 1:
        names = " and ".join(f"`{node.name}`" for node, _ in topology.writable)
        raise SplitBrainError(
            f"{names} accept writes independently",
            hint=ONE_HISTORY,
            details={"nodes": [node.name for node, _ in topology.writable]},
        )


def require_environment(topology: Topology, profile: Profile) -> None:
    """Refuse to change nodes whose environment stamp is not the profile's, or missing.

    Raises:
        RefusedError: a stamp differs from the profile's environment.
        PendingError: the nodes have no stamp.
    """
    stamps = {seen.environment for _, seen in topology.answered()}
    for stamp in stamps - {None, profile.environment}:
        raise RefusedError(
            f"{profile.location} is stamped `{stamp}`, but the profile is for `{profile.environment}`",
            hint=f"use a profile for `{stamp}`",
            details={"stamp": stamp, "profile": str(profile.environment)},
        )
    if stamps == {None}:
        raise PendingError(f"{profile.location} has no environment stamp", hint="run `custctl migrate` first")


def require_rights(lacking: Mapping[str, Sequence[str] | CustctlError], who: str) -> None:
    """Refuse to continue if this login may not manage a node.

    Args:
        lacking: for each node, the statements that would grant the missing rights, or the error if they are unknown;
            an error is raised.
        who: how the hint begins, such as "a superuser run".
    """
    for name, found in lacking.items():
        if isinstance(found, CustctlError):
            raise found
        if found:
            raise CredentialError(
                f"this login lacks the rights to manage `{name}`",
                hint=f"let {who}: {'; '.join(found)}",
                details={"statements": list(found)},
            )


def answering(topology: Topology, name: str) -> Replica:
    """Return the target node and what it reports.

    Raises:
        UnavailableError: it does not answer.
    """
    seen = topology.find(name)
    if seen is None or seen.observation is None:
        why = f": {seen.fault.message}" if seen is not None and seen.fault is not None else ""
        raise UnavailableError(f"`{name}` does not answer{why}", hint="choose another node, or bring it back first")
    return seen.node, seen.observation


# -- a switchover ----------------------------------------------------------------------------------


def check_receives(replica: Replica, primary: Replica, kind: str = "standby") -> None:
    """Refuse a target that does not follow the primary.

    Args:
        kind: what such nodes are called.
    """
    (node, found), (old, leading) = replica, primary
    if not found.receiving or found.timeline != leading.timeline:
        raise RefusedError(
            f"`{node.name}` does not receive from `{old.name}`",
            hint=f"`custctl replica rejoin {node.name}`, or choose a {kind} that does",
        )


def check_one_cluster(replica: Replica, primary: Replica) -> None:
    """Refuse a target that is a copy of another database."""
    if replica[1].cluster_id != primary[1].cluster_id:
        raise RefusedError(
            f"`{replica[0].name}` belongs to a different cluster than `{primary[0].name}`: their system identifiers differ"
        )


def check_not_delayed(node: Node, found: Observation) -> None:
    """Refuse a standby that is delayed on purpose: while there are writes, it never catches up."""
    if found.apply_delay:
        delay = format_duration(found.apply_delay)
        raise RefusedError(
            f"`{node.name}` replays {delay} late on purpose (`recovery_min_apply_delay`): it protects against"
            " mistakes and does not catch up",
            hint="choose another standby; or end its delay there first, by `ALTER SYSTEM SET recovery_min_apply_delay = 0`"
            " and `SELECT pg_reload_conf()`",
            details={"delay_s": found.apply_delay},
        )


def check_lag(topology: Topology, node: Node, found: Observation) -> None:
    """Refuse a standby that is further behind than the profile allows."""
    if found.lag is None or found.lag > topology.max_lag:
        behind = f"{found.lag:.1f} s behind" if found.lag is not None else "behind by an unknown time"
        raise RefusedError(
            f"`{node.name}` is {behind}, and `max_lag` is {topology.max_lag:g} s",
            hint="wait until it has caught up; `custctl replica status --watch` shows it",
        )


def left_behind(topology: Topology) -> list[str]:
    """Return a warning for each node that does not answer."""
    return [f"`{seen.name}` does not answer: it must follow later" for seen in topology.silent]


# -- a failover ------------------------------------------------------------------------------------


def refuse_primary(node: Node, target: str, otherwise: str = "") -> NoReturn:
    """Refuse to fail over while a primary answers.

    Args:
        otherwise: what else an operator can do, appended to the switchover.
    """
    raise RefusedError(
        f"`{node.name}` answers, and is the primary",
        hint=f"`custctl replica switchover --to {target}` loses nothing{otherwise}",
    )


def refuse_all() -> NoReturn:
    """Refuse a failover when no standby answers."""
    raise UnavailableError(
        "no standby answers: there is no node to fail over to", hint="bring one back; `custctl replica status`"
    )


def check_silence(accepted: Accepted, away: Sequence[str], receiving: Sequence[str], *, can_fence: bool) -> None:
    """Refuse if the old primary may still be running, though it does not answer here.

    Args:
        away: the nodes that may be the old primary.
        receiving: the standbys that seem to be connected to it.
        can_fence: whether the profile has a hook that stops them.
    """
    if accepted.primary_is_stopped:
        return
    names = quoted(away) or "the old primary"
    hint = "make sure that it is stopped and stays stopped, then confirm with `--primary-is-stopped`"
    if not can_fence:
        hint += "; a `fence` hook in the profile would stop it"
    elif len(away) == 1:
        hint = (
            f"`custctl replica fence {away[0]}` stops it with the profile's hook: run that, then fail over; or {hint}"
        )
    if receiving:
        raise RefusedError(
            f"{names} does not answer here, and `{receiving[0]}` is still connected to it: it may still be running",
            hint=hint,
        )
    if not can_fence:
        raise RefusedError(
            f"{names} does not answer, which does not mean that it is stopped: two primaries would corrupt data",
            hint=hint,
        )


def check_loss(node: Node, loss: Loss, ahead: Sequence[str], accepted: Accepted, otherwise: str = "") -> None:
    """Refuse a target that may lack acknowledged writes, unless the operator accepts that.

    Args:
        ahead: the nodes that have received more.
        otherwise: what else an operator can do, appended to bringing the old primary back.
    """
    if accepted.data_loss:
        return
    details = {"loss": loss.as_dict()}
    if ahead:
        raise RefusedError(
            f"`{ahead[0]}` has received more than `{node.name}`",
            hint=f"`custctl replica failover --to {ahead[0]}`, or accept the loss with `--allow-data-loss`",
            details=details,
        )
    if not loss.none:
        raise RefusedError(
            str(loss),
            hint=f"bring the old primary back if you can{otherwise}; `--allow-data-loss` continues without it",
            details=details,
        )


def confirmed(plan: Plan, loss: Loss) -> str:
    """Return in words what may be lost, checked again once the nodes are locked.

    Raises:
        RefusedError: more may be lost than the operator accepts.
    """
    if not loss.none and not plan.facts["data_loss"]:
        raise RefusedError(str(loss), hint="`--allow-data-loss` continues", details={"loss": loss.as_dict()})
    return str(loss)


def unproven(found: Observation, why: str, missing: int | None = None) -> Loss:
    """Return a loss that is bounded only by the time of the last write that a standby has.

    Args:
        missing: bytes of the log that are known to be missing.
    """
    since, now = found.last_commit, found.now
    if since is None or now is None:
        return Loss(none=False, why=why, bytes=missing)
    return Loss(none=False, why=why, since=since, seconds=max(0.0, (now - since).total_seconds()), bytes=missing)


def missing_bytes(topology: Topology, found: Observation) -> int:
    """Return how many bytes of the log one standby lacks, of what all standbys have or have heard of."""
    known = max(
        (position or 0 for _, seen in topology.standbys for position in (seen.reported, seen.position)), default=0
    )
    return max(0, known - (found.position or 0))


def loss_of_fork(operation_id: str, unfinished: Intent | None) -> Loss:
    """Return what may have been lost when the target became the primary, as an earlier run planned it."""
    if unfinished is None or unfinished.operation_id != operation_id or "promote" not in unfinished.began:
        return UNKNOWN_LOSS
    return unfinished.loss


def replayed_at_once(node: Node, found: Observation) -> list[str]:
    """Return the warning about a failover to a delayed standby; empty if it is not delayed."""
    if not found.apply_delay:
        return []
    delay = format_duration(found.apply_delay)
    return [
        f"`{node.name}` replays {delay} late on purpose: its promotion immediately replays everything that it has received"
    ]


# -- steps -----------------------------------------------------------------------------------------


def beginning(kind: str, target: str, stop: Iterable[str] = ()) -> list[Step]:
    """Return the steps that stop nodes with the profile's hook, and lock those that answer."""
    hooks = [Step("hook", name, f"run the hook `fence` for `{name}`") for name in stop]
    else_does = "switches" if kind == SWITCHOVER else "fails"
    return [*hooks, Step("lock", target, f"lock the nodes, so that nobody else {else_does} over")]


def follow(names: Iterable[str], target: str) -> list[Step]:
    """Return the steps that make standbys follow the new primary."""
    return [Step("follow", name, f"let `{name}` follow `{target}`") for name in names]


def ending(target: str) -> tuple[Step, Step]:
    """Return the steps that raise the epoch and verify the result."""
    return (
        Step("record", target, f"record the fork of the history on `{target}`"),
        Step("verify", target, f"verify that only `{target}` accepts writes"),
    )


def quoted(names: Iterable[str]) -> str:
    """Return names in backticks, separated by commas."""
    return ", ".join(f"`{name}`" for name in names)
