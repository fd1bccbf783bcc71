"""A standby's own setting is no proof where its primary is known to have waited for nobody."""

from __future__ import annotations

from tests.conftest import Project
from tests.servers.cluster import Cluster


def test_a_primary_that_was_made_asynchronous_is_remembered(synchronous_cluster: Cluster, project: Project) -> None:
    synchronous_cluster.project(project)
    synchronous_cluster.kill("a", "c")
    accepted = ("--primary-is-stopped", "--allow-data-loss", "--yes")
    done = project.run("replica", "failover", "--to", "b", *accepted)
    assert done.code == 0, done.err
    assert "acknowledged without a standby" in done.err
    # It comes back with the setting that its own file has, which is not that of the primary.
    synchronous_cluster.rejoin("a", "b")
    told = project.run("replica", "status", "-o", "json").json
    assert any("differ in `synchronous_standby_names`" in reason for reason in told["reasons"])
    synchronous_cluster.kill("b")
    refused = project.run("replica", "failover", "--to", "a", "--primary-is-stopped", "--yes")
    assert refused.code == 7, refused.err
    assert "waited for `no standby`" in refused.err


def test_what_a_primary_waits_for_is_recorded_anew(synchronous_cluster: Cluster, project: Project) -> None:
    synchronous_cluster.project(project)
    assert project.run("replica", "switchover", "--to", "b", "--yes").code == 0
    synchronous_cluster.rejoin("a", "b")
    for node in ("a", "b", "c"):
        for statement in ("ALTER SYSTEM SET synchronous_standby_names = 'ANY 2 (a, b, c)'", "SELECT pg_reload_conf()"):
            synchronous_cluster.nodes[node].sql(statement)
    told = project.run("replica", "status", "-o", "json").json
    assert any("waits for other standbys than is recorded" in reason for reason in told["reasons"])
    assert project.run("replica", "switchover", "--to", "b", "--yes").code == 0
    assert project.run("replica", "status", "--check").code == 0
    synchronous_cluster.kill("b")
    done = project.run("replica", "failover", "--primary-is-stopped", "--yes")
    assert done.code == 0, done.err
