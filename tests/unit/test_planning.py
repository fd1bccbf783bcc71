"""What every driver's plan refuses, warns of and begins with, by what was observed: values alone, no server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from custctl.engines.members import Observation, Role
from custctl.engines.model import Node
from custctl.replication import planning
from custctl.replication.journal import Intent
from custctl.replication.plan import FAILOVER, NO_LOSS, SWITCHOVER, UNKNOWN_LOSS, Accepted, Loss, Plan
from custctl.replication.topology import Seen, Topology
from custctl.support.errors import (
    CredentialError,
    CustctlError,
    PendingError,
    RefusedError,
    SplitBrainError,
    UnavailableError,
)

NODES = tuple(Node(name, f"{name}.internal", 5432) for name in "abc")
PRIMARY = Observation(Role.PRIMARY, writable=True, cluster_id="1", timeline=2, position=300, environment="test")
STANDBY = replace(PRIMARY, role=Role.STANDBY, writable=False, position=200, lag=1.0, receiving=True)
GONE = UnavailableError("connection refused")
SOME_LOSS = Loss(none=False, why="nobody knows")
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def topology(**seen: Observation | None) -> Topology:
    """Return three nodes; `a` is the primary unless it is told otherwise, and None is one that does not answer."""
    found = {"a": PRIMARY, "b": STANDBY, "c": STANDBY} | seen
    return Topology(tuple(Seen(node, found[node.name], None if found[node.name] else GONE) for node in NODES), 5.0)


def test_two_histories_are_refused() -> None:
    planning.require_one_history(topology())
    with pytest.raises(SplitBrainError, match=r"^`a` and `c` accept writes independently$") as caught:
        planning.require_one_history(topology(c=PRIMARY))
    assert caught.value.details == {"nodes": ["a", "c"]}


def test_nodes_have_the_stamp_of_the_profiles_environment() -> None:
    profile: Any = SimpleNamespace(environment="test", location="here")
    planning.require_environment(topology(), profile)
    planning.require_environment(topology(c=replace(STANDBY, environment=None)), profile)
    with pytest.raises(RefusedError, match=r"^here is stamped `staging`, but the profile is for `test`$"):
        planning.require_environment(topology(c=replace(STANDBY, environment="staging")), profile)
    with pytest.raises(PendingError, match="no environment stamp"):
        planning.require_environment(topology(a=None, b=None, c=replace(STANDBY, environment=None)), profile)


def test_rights_that_are_missing_on_any_node_are_named() -> None:
    planning.require_rights({"a": [], "b": ()}, "an owner run")
    with pytest.raises(CredentialError, match="manage `b`") as caught:
        planning.require_rights({"a": [], "b": ["GRANT x", "GRANT y"]}, "an owner run")
    assert caught.value.hint == "let an owner run: GRANT x; GRANT y"
    assert caught.value.details == {"statements": ["GRANT x", "GRANT y"]}
    with pytest.raises(UnavailableError) as unknown:
        planning.require_rights({"a": GONE, "b": ["GRANT x"]}, "an owner run")
    assert unknown.value is GONE


@pytest.mark.parametrize(
    ("name", "message"), [("b", "`b` does not answer: connection refused"), ("d", "`d` does not answer")]
)
def test_a_target_that_does_not_answer(name: str, message: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        planning.answering(topology(b=None), name)
    assert caught.value.message == message
    assert planning.answering(topology(), "c") == (NODES[2], STANDBY)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lag": 5.0}, None),
        ({"lag": 5.1}, "`b` is 5.1 s behind, and `max_lag` is 5 s"),
        ({"lag": None}, "`b` is behind by an unknown time, and `max_lag` is 5 s"),
        ({"receiving": False}, "`b` does not receive from `a`"),
        ({"timeline": 1}, "`b` does not receive from `a`"),
        ({"cluster_id": "2"}, "`b` belongs to a different cluster than `a`: their system identifiers differ"),
        ({"apply_delay": 60.0}, "`b` replays 1m late on purpose (`recovery_min_apply_delay`): it protects"),
    ],
)
def test_a_target_of_a_switchover(changes: dict[str, Any], message: str | None) -> None:
    found, leading = replace(STANDBY, **changes), (NODES[0], PRIMARY)

    def check() -> None:
        planning.check_receives((NODES[1], found), leading)
        planning.check_one_cluster((NODES[1], found), leading)
        planning.check_not_delayed(NODES[1], found)
        planning.check_lag(topology(), NODES[1], found)

    if message is None:
        check()
        return
    with pytest.raises(RefusedError) as caught:
        check()
    assert caught.value.message.startswith(message)


STOPPED = "make sure that it is stopped and stays stopped, then confirm with `--primary-is-stopped`"
HOOK = "; a `fence` hook in the profile would stop it"
FENCED = "`custctl replica fence a` stops it with the profile's hook: run that, then fail over; or "


@pytest.mark.parametrize(
    ("away", "receiving", "can_fence", "message", "hint"),
    [
        (["a"], [], True, None, None),
        (["a"], [], False, "`a` does not answer, which does not mean that it is stopped", STOPPED + HOOK),
        ([], [], False, "the old primary does not answer, which does not mean", STOPPED + HOOK),
        (["a", "c"], [], False, "`a`, `c` does not answer, which does not mean", STOPPED + HOOK),
        (["a"], ["b", "c"], True, "`a` does not answer here, and `b` is still connected to it", FENCED + STOPPED),
        (["a", "c"], ["b"], True, "`a`, `c` does not answer here, and `b` is still", STOPPED),
        (["a"], ["b"], False, "`a` does not answer here, and `b` is still connected", STOPPED + HOOK),
    ],
)
def test_a_primary_that_is_silent_may_still_be_running(
    away: Sequence[str], receiving: Sequence[str], can_fence: bool, message: str | None, hint: str | None
) -> None:
    planning.check_silence(Accepted(primary_is_stopped=True), away, receiving, can_fence=can_fence)
    if message is None:
        planning.check_silence(Accepted(), away, receiving, can_fence=can_fence)
        return
    with pytest.raises(RefusedError) as caught:
        planning.check_silence(Accepted(data_loss=True), away, receiving, can_fence=can_fence)
    assert caught.value.message.startswith(message)
    assert caught.value.hint == hint


def test_a_loss_is_refused_unless_it_is_accepted() -> None:
    node, accepted = NODES[1], Accepted(data_loss=True)
    planning.check_loss(node, NO_LOSS, [], Accepted())
    planning.check_loss(node, SOME_LOSS, ["c"], accepted)
    for loss in (NO_LOSS, SOME_LOSS):
        with pytest.raises(RefusedError, match=r"^`c` has received more than `b`$") as caught:
            planning.check_loss(node, loss, ["c"], Accepted(primary_is_stopped=True))
        assert caught.value.details == {"loss": loss.as_dict()}
    with pytest.raises(RefusedError, match="nobody knows") as refused:
        planning.check_loss(node, SOME_LOSS, [], Accepted(), ", or wait")
    assert (refused.value.hint or "").startswith("bring the old primary back if you can, or wait; `--allow-data-loss`")


@pytest.mark.parametrize(("loss", "accepts"), [(NO_LOSS, False), (NO_LOSS, True), (SOME_LOSS, True)])
def test_a_loss_is_confirmed_once_more_when_the_nodes_are_locked(loss: Loss, accepts: bool) -> None:
    plan = Plan(FAILOVER, "op", "a", "b", (), facts={"data_loss": accepts})
    assert planning.confirmed(plan, loss) == str(loss)
    if not loss.none:
        with pytest.raises(RefusedError, match="nobody knows"):
            planning.confirmed(replace(plan, facts={"data_loss": False}), loss)


def test_a_loss_that_is_not_disproved_is_bounded_by_the_last_commit_that_is_there() -> None:
    found = replace(STANDBY, last_commit=MOMENT, now=MOMENT + timedelta(seconds=90))
    assert planning.unproven(found, "why", 5) == Loss(none=False, why="why", since=MOMENT, seconds=90.0, bytes=5)
    early = replace(found, now=MOMENT - timedelta(seconds=1))
    assert planning.unproven(early, "why").seconds == 0
    for unknown in (replace(found, now=None), replace(found, last_commit=None)):
        assert planning.unproven(unknown, "why", 5) == Loss(none=False, why="why", bytes=5)


def test_missing_is_what_any_standby_has_or_has_heard_of() -> None:
    further = replace(STANDBY, position=250, reported=None)
    assert planning.missing_bytes(topology(c=further), STANDBY) == 50
    assert planning.missing_bytes(topology(c=replace(further, reported=260)), STANDBY) == 60
    assert planning.missing_bytes(topology(c=replace(further, position=None)), STANDBY) == 0
    assert planning.missing_bytes(topology(c=further), further) == 0
    assert planning.missing_bytes(topology(), replace(STANDBY, position=None)) == 200
    # What the primary has is nothing that a standby could have.
    assert planning.missing_bytes(topology(b=None, c=None), STANDBY) == 0


def test_the_loss_of_a_fork_is_the_one_that_was_planned_for_it() -> None:
    ours = Intent("op", FAILOVER, "a", "b", "2026-01-02T03:04:05Z", "ada", loss=SOME_LOSS, began=("lock", "promote"))
    assert planning.loss_of_fork("op", ours) is SOME_LOSS
    for unfinished in (None, replace(ours, operation_id="other"), replace(ours, began=("lock",))):
        assert planning.loss_of_fork("op", unfinished) is UNKNOWN_LOSS


def test_the_steps_that_every_plan_has() -> None:
    assert [(step.name, step.node) for step in planning.beginning(FAILOVER, "b", ["a", "c"])] == [
        ("hook", "a"),
        ("hook", "c"),
        ("lock", "b"),
    ]
    for kind, word in ((SWITCHOVER, "switches"), (FAILOVER, "fails")):
        assert planning.beginning(kind, "b")[-1].what == f"lock the nodes, so that nobody else {word} over"
    assert [(step.name, step.node) for step in planning.follow("ac", "b")] == [("follow", "a"), ("follow", "c")]
    assert [(step.name, step.node) for step in planning.ending("b")] == [("record", "b"), ("verify", "b")]


def test_what_an_operator_is_warned_of() -> None:
    assert planning.left_behind(topology(b=None)) == ["`b` does not answer: it must follow later"]
    assert planning.replayed_at_once(NODES[1], STANDBY) == []
    [warning] = planning.replayed_at_once(NODES[1], replace(STANDBY, apply_delay=60.0))
    assert warning.startswith("`b` replays 1m late on purpose: its promotion immediately replays")


def test_a_failover_with_nothing_to_fail_over_from_or_to() -> None:
    with pytest.raises(RefusedError, match=r"^`a` answers, and is the primary$") as caught:
        planning.refuse_primary(NODES[0], "b", "; or wait")
    assert caught.value.hint == "`custctl replica switchover --to b` loses nothing; or wait"
    with pytest.raises(CustctlError, match="no standby answers"):
        planning.refuse_all()
