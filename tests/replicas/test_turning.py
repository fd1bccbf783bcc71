"""The other standbys of a switchover receive from the target before it is promoted: none of them can get ahead of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import psycopg
import pytest

from custctl.replication.streaming import turning
from custctl.replication.streaming.driver import StreamingDriver
from custctl.replication.streaming.turning import Turning
from tests.conftest import Project
from tests.inside import Inside
from tests.replicas import at_step
from tests.replicas.support import SWITCHOVER, accepts_writes, use_slot, wait_until
from tests.replicas.test_switchover import SWITCHOVERS
from tests.replicas.test_unforeseen import raising
from tests.servers.cluster import NODES, Cluster
from tests.servers.hooks import Hooks
from tests.servers.postgresql import USER

CONNINFO = "SELECT setting FROM pg_settings WHERE name = 'primary_conninfo'"


@pytest.fixture
def site(cluster: Cluster, project: Project) -> Inside:
    """The profiles `dev` and `prod` on the cluster in its first state, for commands inside the test's own process."""
    made = cluster.project(project)
    return Inside(made.path, made.environ)


@contextmanager
def logging_by_itself(cluster: Cluster) -> Iterator[None]:
    """Let every node that is not a standby write to its log without end, as a server does now and then, fenced or not."""
    ended = threading.Event()

    def log(name: str) -> None:
        while not ended.is_set():
            try:
                with cluster.nodes[name].connect() as connection:
                    while not ended.is_set():
                        connection.execute("SELECT pg_log_standby_snapshot() WHERE NOT pg_is_in_recovery()")
            except psycopg.Error:
                ended.wait(0.01)

    threads = [threading.Thread(target=log, args=(name,)) for name in NODES]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def source(cluster: Cluster, name: str) -> str | None:
    """Return the node that a standby receives from."""
    found = cluster.sql("SELECT sender_port FROM pg_stat_wal_receiver", node=name)
    return next((each for each in NODES if found and cluster.nodes[each].port == found[0][0]), None)


def slots(cluster: Cluster, name: str) -> list[tuple[str, bool]]:
    """Return the replication slots on a node, and whether each is in use."""
    return cluster.sql("SELECT slot_name, active FROM pg_replication_slots", node=name)


@contextmanager
def doing_before(step: str, act: Callable[[], object]) -> Iterator[None]:
    """Do something just before a step."""
    perform = StreamingDriver.perform

    def performing(driver: Any, plan: Any, each: Any) -> str:
        if each.name == step:
            act()
        return perform(driver, plan, each)

    with mock.patch.object(StreamingDriver, "perform", performing):
        yield


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine have the time that says nothing about the program."""
    monkeypatch.setattr(turning, "_TURNING", 60.0)


@pytest.fixture(params=[False, True], ids=["no slot", "slot"])
def slot(request: pytest.FixtureRequest, site: Inside, cluster: Cluster, _patient: None) -> bool:
    """Whether `c` uses a replication slot, which the operator may make elsewhere too."""
    if request.param:
        use_slot(cluster, "c")
        cluster.sql(f"ALTER ROLE {USER} REPLICATION")
        cluster.wait_streaming()
    return bool(request.param)


def test_all_follow_although_the_fenced_primary_logs_by_itself(project: Project, cluster: Cluster) -> None:
    with Hooks(cluster) as hooks, logging_by_itself(cluster):
        # Lag is told by the last transaction, and there is none.
        cluster.profile(project, hooks=hooks.commands, max_lag="1h")
        for number in range(SWITCHOVERS):
            old, target = cluster.primary, NODES[(number + 1) % len(NODES)]
            project.ok(*SWITCHOVER, target)
            project.ok("replica", "rejoin", old, "--yes")


def test_a_standby_receives_from_the_target_before_the_promotion(slot: bool, site: Inside, cluster: Cluster) -> None:
    seen = []

    def look() -> None:
        wait_until(lambda: source(cluster, "c") == "b", "`c` to receive from `b`")
        seen.extend(slots(cluster, "b"))

    with doing_before("promote", look):
        site.ok(*SWITCHOVER, "b")
    assert seen == ([("slot_c", True)] if slot else [])
    cluster.wait_streaming("c")


@pytest.mark.usefixtures("slot")
def test_it_receives_as_before_if_the_switchover_is_undone(site: Inside, cluster: Cluster) -> None:
    before = cluster.sql(CONNINFO, node="c")
    with raising(RuntimeError(), "catch-up", "after"):
        result = site.run(*SWITCHOVER, "b")
    assert result.code == 1
    assert "`c` receives as before, `a` accepts writes again" in result.err
    assert accepts_writes(cluster, "a")
    cluster.wait_streaming("b", "c")
    assert (source(cluster, "b"), source(cluster, "c")) == ("a", "a")
    assert cluster.sql(CONNINFO, node="c") == before
    assert slots(cluster, "b") == []
    site.ok(*SWITCHOVER, "b")


@pytest.mark.usefixtures("_patient")
def test_a_slot_that_the_target_had_before_stays(site: Inside, cluster: Cluster) -> None:
    use_slot(cluster, "c")
    cluster.sql("SELECT pg_create_physical_replication_slot('slot_c')", node="b")
    with raising(RuntimeError(), "catch-up", "after"):
        site.run(*SWITCHOVER, "b")
    wait_until(lambda: slots(cluster, "b") == [("slot_c", False)], "`c` to leave the slot")
    cluster.wait_streaming("b", "c")


def test_a_standby_that_does_not_answer_then_holds_nothing_up(site: Inside, cluster: Cluster) -> None:
    with doing_before("catch-up", lambda: cluster.freeze("c")):
        result = site.run(*SWITCHOVER, "b")
    assert result.code == 12, result.err
    assert cluster.roles() == {"a": "fenced", "b": "primary", "c": "frozen"}
    cluster.thaw("c")
    site.ok(*SWITCHOVER, "b")
    cluster.wait_streaming("c")


def test_a_standby_that_answers_after_the_undo_is_left_alone(site: Inside, cluster: Cluster) -> None:
    before = cluster.sql(CONNINFO, node="c")
    turn_back = Turning.turn_back
    asking: set[threading.Thread] = set()
    of_other_tests = frozenset(threading.enumerate())

    def turning_back(made: Turning) -> str:
        told = turn_back(made)
        asking.update(frozenset(threading.enumerate()) - of_other_tests)
        cluster.thaw("c")
        return told

    with (
        doing_before("catch-up", lambda: cluster.freeze("c")),
        raising(RuntimeError(), "catch-up", "after"),
        mock.patch.object(Turning, "turn_back", turning_back),
    ):
        result = site.run(*SWITCHOVER, "b")
    assert result.code == 1
    assert "`a` accepts writes again" in result.err
    for thread in asking:
        thread.join(5)
    assert cluster.sql(CONNINFO, node="c") == before
    cluster.wait_streaming("b", "c")
    assert source(cluster, "c") == "a"


@pytest.mark.parametrize("target", ["b", "c"])
def test_a_killed_switchover_can_go_on_to_any_standby(target: str, site: Inside, cluster: Cluster) -> None:
    at_step.run(site, "after:done:catch-up=kill", *SWITCHOVER, "b")
    site.ok(*SWITCHOVER, target)
    assert cluster.primary == target
    cluster.wait_streaming()


def test_a_killed_switchover_can_be_given_up(site: Inside, cluster: Cluster) -> None:
    at_step.run(site, "after:done:catch-up=kill", *SWITCHOVER, "b")
    site.ok("replica", "unfence")
    assert accepts_writes(cluster, "a")
    site.ok("replica", "status", "--check")
    site.ok(*SWITCHOVER, "b")
    cluster.wait_streaming("c")
