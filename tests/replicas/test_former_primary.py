"""A former primary that was never brought back stands in the way of nobody, and is never taken for the primary."""

from __future__ import annotations

from tests.conftest import Project
from tests.inside import inside
from tests.servers.cluster import Cluster


def test_its_answer_does_not_hold_off_a_failover_of_its_successor(project: Project, cluster: Cluster) -> None:
    run = inside(cluster.project(project), migrate=False)
    run.ok("replica", "switchover", "--to", "b", "--yes")
    cluster.wait_streaming("c")
    cluster.kill("b")
    assert cluster.roles() == {"a": "fenced", "b": "down", "c": "standby"}
    # It has nothing of what its successor took.
    for options in ((), ("--primary-is-stopped", "--allow-data-loss")):
        assert run.run("replica", "failover", "--to", "a", "--yes", *options).code == 7
    assert "asynchronous" in run.run("replica", "failover", "--to", "c", "--yes", "--primary-is-stopped").err
    run.ok("replica", "failover", "--to", "c", "--yes", "--primary-is-stopped", "--allow-data-loss")
    assert cluster.roles() == {"a": "fenced", "b": "down", "c": "primary"}


def test_one_that_takes_writes_is_reason_enough_to_refuse(project: Project, cluster: Cluster) -> None:
    run = inside(cluster.project(project), migrate=False)
    run.ok("replica", "switchover", "--to", "b", "--yes")
    cluster.wait_streaming("c")
    cluster.kill("b")
    cluster.nodes["a"].sql("ALTER SYSTEM RESET default_transaction_read_only")
    cluster.nodes["a"].sql("SELECT pg_reload_conf()")
    refused = run.run("replica", "failover", "--to", "c", "--yes", "--primary-is-stopped", "--allow-data-loss")
    assert refused.code == 7
    assert "`a` answers, and is the primary" in refused.err
    assert cluster.roles()["c"] == "standby"


def test_a_primary_that_is_merely_fenced_is_not_a_former_one(project: Project, cluster: Cluster) -> None:
    run = inside(cluster.project(project), migrate=False)
    run.ok("replica", "fence", "--yes")
    refused = run.run("replica", "failover", "--to", "c", "--yes", "--primary-is-stopped", "--allow-data-loss")
    assert refused.code == 7
    assert "`a` answers, and is the primary" in refused.err
