"""A standby's own setting is no proof where its primary is known to have waited for nobody."""

from __future__ import annotations

import pytest

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
    told = project.run("replica", "status", "--check", "-o", "json")
    assert told.code == 0, told.err
    assert told.json["recorded"]["synchronous"] == "ANY 2 (a, b, c)"
    synchronous_cluster.wait_streaming()
    synchronous_cluster.kill("b")
    done = project.run("replica", "failover", "--primary-is-stopped", "--yes")
    assert done.code == 0, done.err


def _set(cluster: Cluster, nodes: str, setting: str) -> None:
    for node in nodes:
        for statement in (f"ALTER SYSTEM SET {setting}", "SELECT pg_reload_conf()"):
            cluster.nodes[node].sql(statement)


@pytest.mark.parametrize("command", [("replica", "status"), ("doctor",)])
def test_synchronous_replication_that_was_turned_on_later_is_believed_once_it_was_seen(
    command: tuple[str, ...], cluster: Cluster, project: Project
) -> None:
    cluster.project(project)
    assert project.run("replica", "switchover", "--to", "b", "--yes").code == 0
    cluster.rejoin("a", "b")
    _set(cluster, "abc", "synchronous_standby_names = 'ANY 1 (a, b, c)'")
    cluster.wait_streaming()
    project.run(*command)
    cluster.wait_streaming()
    cluster.kill("b")
    done = project.run("replica", "failover", "--primary-is-stopped", "--yes", "-o", "json")
    assert done.code == 0, done.err
    assert done.json["loss"]["none"] is True


def test_a_guarantee_that_was_given_up_is_recorded_too(synchronous_cluster: Cluster, project: Project) -> None:
    cluster = synchronous_cluster
    cluster.project(project)
    project.ok("replica", "status")
    _set(cluster, "a", "synchronous_standby_names = ''")
    told = project.run("replica", "status", "-o", "json").json
    assert told["recorded"]["synchronous"] == ""
    cluster.wait_streaming()
    cluster.kill("a")
    refused = project.run("replica", "failover", "--primary-is-stopped", "--yes")
    assert refused.code == 7, refused.err
    assert "waited for `no standby`" in refused.err


def test_one_that_was_changed_and_changed_back_is_recorded_anew(synchronous_cluster: Cluster, project: Project) -> None:
    cluster = synchronous_cluster
    cluster.project(project)
    before = project.ok("replica", "status", "-o", "json").json["recorded"]
    same = project.ok("replica", "status", "-o", "json").json["recorded"]
    assert same["at"] == before["at"]
    _set(cluster, "a", "synchronous_standby_names = ''")
    _set(cluster, "a", "synchronous_standby_names = 'ANY 1 (a, b, c)'")
    after = project.ok("replica", "status", "-o", "json").json["recorded"]
    assert (after["synchronous"], after["at"] > before["at"]) == (before["synchronous"], True)


@pytest.mark.parametrize("weak", ["ALTER ROLE support SET synchronous_commit = off", None])
def test_commits_that_may_be_acknowledged_early_prove_nothing(
    weak: str | None, synchronous_cluster: Cluster, project: Project
) -> None:
    cluster = synchronous_cluster
    cluster.project(project)
    if weak:
        cluster.nodes["a"].sql(weak)
    else:
        _set(cluster, "a", "synchronous_commit = local")
    assert project.run("replica", "status", "-o", "json").json["recorded"]["synchronous"] == ""
    cluster.wait_streaming()
    cluster.kill("a")
    assert project.run("replica", "failover", "--primary-is-stopped", "--yes").code == 7


def test_a_login_that_may_not_record_shows_what_is_recorded(synchronous_cluster: Cluster, project: Project) -> None:
    synchronous_cluster.project(project)
    synchronous_cluster.profile(project, user="support")
    assert project.ok("replica", "status", "-o", "json").json["recorded"] is None


def test_it_waits_for_no_standby_itself(synchronous_cluster: Cluster, project: Project) -> None:
    synchronous_cluster.project(project)
    synchronous_cluster.kill("b", "c")
    told = project.run("replica", "status", "-o", "json").json
    assert told["recorded"]["synchronous"] == "ANY 1 (a, b, c)"
