"""The workload that failovers are measured by, and the hooks that they call, do what they say."""

from __future__ import annotations

import subprocess
import threading
import time

import pytest

from tests.servers.cluster import Cluster
from tests.servers.hooks import Hooks
from tests.servers.writer import Writer


def test_what_is_acknowledged_is_there_and_the_gap_is_that_of_the_outage(cluster: Cluster) -> None:
    with Writer(cluster.nodes) as writer:
        time.sleep(0.3)
        cluster.freeze("a")
        time.sleep(0.5)
        cluster.thaw("a")
        thawed = time.monotonic()
        assert writer.wait_for_write() < 1
        time.sleep(0.1)
    assert 0.4 < writer.longest_gap() < 1.5
    assert writer.longest_gap(since=thawed) < 0.4
    assert len(writer.acknowledged) > 20
    assert writer.lost(cluster.nodes["a"]) == []
    assert writer.writers() == {"a"}


def test_it_goes_on_at_the_new_primary_and_knows_what_was_lost(cluster: Cluster) -> None:
    with Writer(cluster.nodes) as writer:
        cluster.wait_streaming()
        cluster.detach("b", "c")
        cut = time.monotonic()
        time.sleep(0.2)
        cluster.kill("a")
        cluster.nodes["b"].sql("SELECT pg_promote()")
        promoted = time.monotonic()
        writer.wait_for_write()
    assert writer.writers(since=promoted) == {"b"}
    lost = writer.lost(cluster.nodes["b"])
    assert len(lost) > 5
    assert {write.node for write in lost} == {"a"}
    # Of what came before the cut, all is there.
    assert lost[0].moment > cut - 0.5
    cluster.sql("DELETE FROM customer WHERE email = %s", writer.acknowledged[-1].key)
    assert len(writer.lost(cluster.nodes["b"])) == len(lost) + 1


def test_two_nodes_that_take_writes_are_both_seen(cluster: Cluster) -> None:
    with Writer(cluster.nodes) as writer:
        cluster.nodes["c"].sql("SELECT pg_promote()")
        promoted = time.monotonic()
        time.sleep(0.2)
    assert writer.writers(since=promoted) == {"a", "c"}


def test_a_write_that_no_standby_confirmed_is_not_taken_for_acknowledged(synchronous_cluster: Cluster) -> None:
    cluster = synchronous_cluster
    with Writer(cluster.nodes) as writer:
        cluster.stop("b", "c")
        time.sleep(0.1)
        stuck = len(writer.acknowledged)
        cluster.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", node="a")
        end = time.monotonic() + 60
        while not writer.local:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert len(writer.acknowledged) == stuck
        # Whoever hangs now is let go.
        cluster.kill("a")


def test_where_no_node_takes_writes_it_says_so_and_ends(cluster: Cluster) -> None:
    with Writer(cluster.nodes) as writer:
        cluster.kill("a")
        # What was on its way.
        time.sleep(0.05)
        with pytest.raises(TimeoutError, match="no node took a write"):
            writer.wait_for_write(0.1)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("writer")]


def test_hooks_stop_a_node_and_bring_it_back(cluster: Cluster) -> None:
    with Hooks(cluster) as hooks:
        fence, rejoin = hooks.commands["fence"], hooks.commands["rejoin"]

        def call(command: list[str], node: str, primary: str = "") -> subprocess.CompletedProcess[str]:
            words = [word.replace("{node}", node).replace("{primary}", primary) for word in command]
            return subprocess.run(words, capture_output=True, text=True, check=False)

        assert call(fence, "a").returncode == 0
        # What is down stays down.
        assert call(fence, "a").returncode == 0
        assert cluster.roles()["a"] == "down"
        cluster.nodes["b"].sql("SELECT pg_promote()")
        assert call(rejoin, "a", "b").returncode == 0
        cluster.wait_streaming("a")
        hooks.failing.add("fence")
        failed = call(fence, "b")
        assert (failed.returncode, failed.stderr) == (1, "fence b: fails on purpose\n")
        assert call(rejoin, "a", "none").stderr.startswith("rejoin a none: KeyError")
        assert hooks.calls == [
            ("fence", "a"),
            ("fence", "a"),
            ("rejoin", "a", "b"),
            ("fence", "b"),
            ("rejoin", "a", "none"),
        ]
