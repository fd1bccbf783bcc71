"""The other standbys of a switchover receive from the target before it is promoted: none of them can get ahead of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import psycopg
import pytest

from custctl.replication.streaming.driver import StreamingDriver
from tests.conftest import Project
from tests.inside import Inside
from tests.replicas.support import SWITCHOVER, accepts_writes, use_slot, wait_until
from tests.replicas.test_switchover import SWITCHOVERS
from tests.servers.cluster import NODES, Cluster
from tests.servers.hooks import Hooks

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


@contextmanager
def failing(step: str) -> Iterator[None]:
    """Raise an error once a step has done its work."""
    perform = StreamingDriver.perform

    def performing(driver: Any, plan: Any, each: Any) -> str:
        told = perform(driver, plan, each)
        if each.name == step:
            raise RuntimeError
        return told

    with mock.patch.object(StreamingDriver, "perform", performing):
        yield


def test_all_follow_although_the_fenced_primary_logs_by_itself(project: Project, cluster: Cluster) -> None:
    with Hooks(cluster) as hooks, logging_by_itself(cluster):
        # Lag is told by the last transaction, and there is none.
        cluster.profile(project, hooks=hooks.commands, max_lag="1h")
        for number in range(SWITCHOVERS):
            old, target = cluster.primary, NODES[(number + 1) % len(NODES)]
            project.ok(*SWITCHOVER, target)
            project.ok("replica", "rejoin", old, "--yes")


@pytest.mark.parametrize("slot", [False, True])
def test_a_standby_receives_from_the_target_before_the_promotion(slot: bool, site: Inside, cluster: Cluster) -> None:
    if slot:
        use_slot(cluster, "c")
        cluster.sql("ALTER ROLE custctl REPLICATION")
        cluster.wait_streaming()
    seen = []
    perform = StreamingDriver.perform

    def looking(driver: Any, plan: Any, step: Any) -> str:
        if step.name == "promote":
            wait_until(lambda: source(cluster, "c") == "b", "`c` to receive from `b`")
            seen.extend(cluster.sql("SELECT slot_name, active FROM pg_replication_slots", node="b"))
        return perform(driver, plan, step)

    with mock.patch.object(StreamingDriver, "perform", looking):
        site.ok(*SWITCHOVER, "b")
    assert seen == ([("slot_c", True)] if slot else [])
    cluster.wait_streaming("c")


@pytest.mark.parametrize("slot", [False, True])
def test_it_receives_as_before_if_the_switchover_is_undone(slot: bool, site: Inside, cluster: Cluster) -> None:
    if slot:
        use_slot(cluster, "c")
        cluster.sql("ALTER ROLE custctl REPLICATION")
        cluster.wait_streaming()
    before = cluster.sql(CONNINFO, node="c")
    with failing("catch-up"):
        result = site.run(*SWITCHOVER, "b")
    assert result.code == 1
    assert "`c` receives as before, `a` accepts writes again" in result.err
    assert accepts_writes(cluster, "a")
    cluster.wait_streaming("b", "c")
    assert (source(cluster, "b"), source(cluster, "c")) == ("a", "a")
    assert cluster.sql(CONNINFO, node="c") == before
    assert cluster.sql("SELECT slot_name FROM pg_replication_slots", node="b") == []
    site.ok(*SWITCHOVER, "b")


def test_a_slot_that_the_target_had_before_stays(site: Inside, cluster: Cluster) -> None:
    use_slot(cluster, "c")
    cluster.sql("SELECT pg_create_physical_replication_slot('slot_c')", node="b")
    with failing("catch-up"):
        site.run(*SWITCHOVER, "b")
    wait_until(
        lambda: cluster.sql("SELECT slot_name, active FROM pg_replication_slots", node="b") == [("slot_c", False)],
        "`c` to leave the slot",
    )
    cluster.wait_streaming("b", "c")


def test_a_standby_that_does_not_answer_then_holds_nothing_up(site: Inside, cluster: Cluster) -> None:
    perform = StreamingDriver.perform

    def freezing(driver: Any, plan: Any, step: Any) -> str:
        if step.name == "catch-up":
            cluster.freeze("c")
        return perform(driver, plan, step)

    with mock.patch.object(StreamingDriver, "perform", freezing):
        result = site.run(*SWITCHOVER, "b")
    assert result.code == 12, result.err
    assert cluster.roles() == {"a": "fenced", "b": "primary", "c": "frozen"}
    cluster.thaw("c")
    site.ok(*SWITCHOVER, "b")
    cluster.wait_streaming("c")
