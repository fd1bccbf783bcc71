"""A switchover or failover that is killed anywhere, and run again, comes to the same end."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.replicas import at_step
from tests.replicas.support import FAILOVER, SWITCHOVER, epoch, other_machine, recorded
from tests.servers.cluster import NODES, Cluster
from tests.servers.writer import Writer

KILLS = int(os.environ.get("CUSTCTL_TEST_KILLS", "0"))

STEPS = {
    "switchover": ("lock", "fence", "catch-up", "promote", "follow", "record", "verify"),
    "failover": ("lock", "confirm", "promote", "follow", "record", "verify"),
}


def _moments(kind: str) -> Iterator[str]:
    """Yield when to kill: where a step is done and not yet journalled; at length, where it is journalled and not begun."""
    few = ["after:begin", *(f"before:done:{step}" for step in STEPS[kind]), "before:end"]
    many = [*few, *(f"after:begun:{step}" for step in STEPS[kind]), "before:begin", "after:end"]
    for number in range(KILLS or len(few)):
        yield many[number % len(many)]


def _cases(kind: str) -> list[tuple[str, str]]:
    """Return when to kill, and from where to run it again: one after the other."""
    return [(moment, ("here", "elsewhere")[number % 2]) for number, moment in enumerate(_moments(kind))]


@pytest.fixture
def operator(synchronous_cluster: Cluster, project: Project) -> Project:
    """Profiles on the synchronous cluster in its first state, whose primary is recorded to be so."""
    made = synchronous_cluster.project(project)
    assert made.ok("replica", "status", "-o", "json").json["recorded"]["synchronous"]
    synchronous_cluster.wait_streaming()
    return made


@pytest.mark.parametrize(("moment", "again"), _cases("switchover"))
def test_a_switchover_that_is_killed_and_run_again(
    moment: str, again: str, operator: Project, synchronous_cluster: Cluster, tmp_path: Path
) -> None:
    cluster = synchronous_cluster
    with Writer(cluster.nodes) as writer:
        assert at_step.run(operator, f"{moment}=kill", *SWITCHOVER, "b").code == -9
        where = operator if again == "here" else other_machine(operator, tmp_path / "elsewhere")
        where.ok(*SWITCHOVER, "b")
        writer.wait_for_write()
    assert cluster.roles() == {"a": "fenced", "b": "primary", "c": "standby"}
    _check_end(cluster, where, writer, "switchover")


@pytest.mark.parametrize(("moment", "again"), _cases("failover"))
def test_a_failover_that_is_killed_and_run_again(
    moment: str, again: str, operator: Project, synchronous_cluster: Cluster, tmp_path: Path
) -> None:
    cluster = synchronous_cluster
    with Writer(cluster.nodes) as writer:
        cluster.kill("a")
        assert at_step.run(operator, f"{moment}=kill", *FAILOVER, "--to", best(cluster)).code == -9
        target = cluster.primary if "primary" in cluster.roles().values() else best(cluster)
        where = operator if again == "here" else other_machine(operator, tmp_path / "elsewhere")
        where.ok(*FAILOVER, "--to", target)
        writer.wait_for_write()
    assert sorted(cluster.roles().values()) == ["down", "primary", "standby"]
    assert cluster.primary == target
    _check_end(cluster, where, writer, "failover")


@pytest.mark.parametrize("number", range(KILLS or 4))
def test_a_switchover_that_is_ended_at_any_moment(number: int, operator: Project, synchronous_cluster: Cluster) -> None:
    """Not only between two writes of its journal; by a signal that it can answer, the old primary is given back."""
    cluster = synchronous_cluster
    by, code = ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9))[number % 3]
    with Writer(cluster.nodes) as writer:
        process = operator.start(*SWITCHOVER, "b")
        assert process.stderr is not None
        # Its first line tells what is going to be changed, before any node is asked.
        process.stderr.readline()
        time.sleep(random.Random(number).uniform(0.02, 0.25))
        process.send_signal(by)
        told = process.communicate(timeout=60)[1].decode()
        assert process.returncode in (0, code), told
        assert "Traceback" not in told
        roles = cluster.roles()
        if process.returncode == code and by != signal.SIGKILL and roles["b"] == "standby":
            assert roles["a"] == "primary", told
        operator.ok(*SWITCHOVER, "b")
        writer.wait_for_write()
    assert cluster.roles() == {"a": "fenced", "b": "primary", "c": "standby"}
    cluster.wait_streaming()
    assert writer.lost(cluster.nodes["b"]) == []
    assert len(recorded(cluster)) == 1
    assert epoch(cluster) == 2


def best(cluster: Cluster) -> str:
    """Return the standby that has received most; of two that have the same, the first."""
    received = {
        name: cluster.sql("SELECT pg_last_wal_receive_lsn() - '0/0'", node=name)[0][0]
        for name in NODES
        if name in cluster.standbys()
    }
    return max(received, key=lambda name: received[name])


def _check_end(cluster: Cluster, where: Project, writer: Writer, kind: str) -> None:
    cluster.wait_streaming()
    assert writer.lost(cluster.nodes[cluster.primary]) == []
    assert [action for action, _ in recorded(cluster)] == [kind]
    # Another machine cannot know what was lost, and takes a number that cannot have been lost with it.
    assert epoch(cluster) == 2 or epoch(cluster) > 1_000_000_000
    history = where.ok("replica", "history", "-o", "json").json["items"]
    assert [(change["kind"], change["outcome"]) for change in history] == [(kind, "done")]
