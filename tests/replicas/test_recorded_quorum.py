"""A standby's own setting is no proof where its primary is known to have waited for nobody."""

from __future__ import annotations

import shutil
import time

import pytest

from tests.conftest import REPOSITORY, Project
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


_ADDED = ("customer", "add", "--email", "ada@example.com", "--first-name", "Ada", "--last-name", "Lovelace")


@pytest.mark.parametrize("command", [("replica", "status"), ("doctor",), _ADDED])
def test_synchronous_replication_that_was_turned_on_later_is_believed_once_it_was_seen(
    command: tuple[str, ...], cluster: Cluster, project: Project
) -> None:
    cluster.project(project)
    assert project.run("replica", "switchover", "--to", "b", "--yes").code == 0
    cluster.rejoin("a", "b")
    _set(cluster, "abc", "synchronous_standby_names = 'ANY 1 (a, b, c)'")
    cluster.wait_streaming()
    if command[0] == "customer":
        time.sleep(1.1)  # a write does not wait until the server has taken its settings up: the next one records them
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


def test_a_primary_that_was_never_looked_at_proves_nothing(synchronous_cluster: Cluster, project: Project) -> None:
    """The standbys' own settings say nothing of it."""
    cluster = synchronous_cluster
    cluster.project(project)
    _set(cluster, "a", "synchronous_standby_names = ''")
    cluster.wait_streaming()
    cluster.kill("a")
    refused = project.run("replica", "failover", "--primary-is-stopped", "--yes")
    assert refused.code == 7, refused.err
    assert "was never recorded" in refused.err


def test_a_migration_records_it(synchronous_cluster: Cluster, project: Project) -> None:
    cluster = synchronous_cluster
    cluster.project(project)
    cluster.nodes["a"].sql("SELECT pg_sleep(1.1)")
    shutil.copytree(REPOSITORY / "sql", project.path / "sql")
    project.environ["CUSTCTL_SQL_DIR"] = str(project.path / "sql")
    script = project.path / "sql" / "postgresql" / "migrations" / "9001_branch.sql"
    script.write_text("CREATE TABLE branch (id integer PRIMARY KEY);\n")
    project.ok("migrate")
    query = "SELECT value FROM custctl_metadata WHERE name = 'synchronous'"
    assert cluster.sql(query) == [("ANY 1 (a, b, c)",)]


def test_a_write_records_once_and_only_what_has_changed(synchronous_cluster: Cluster, project: Project) -> None:
    cluster = synchronous_cluster
    cluster.project(project)
    cluster.nodes["a"].sql("SELECT pg_sleep(1.1)")
    held = "SELECT name, value FROM custctl_metadata WHERE name LIKE 'synchronous%' ORDER BY name"
    project.ok(*_ADDED)
    (first,) = [cluster.sql(held)]
    assert first[0] == ("synchronous", "ANY 1 (a, b, c)")
    project.ok("customer", "update", "1", "--city", "London")
    assert cluster.sql(held) == first
    _set(cluster, "a", "synchronous_standby_names = ''")
    project.ok("customer", "update", "1", "--city", "Paris")
    assert cluster.sql(held)[0] == ("synchronous", "")


def test_a_write_of_a_login_that_may_not_record_is_written_all_the_same(
    synchronous_cluster: Cluster, project: Project
) -> None:
    cluster = synchronous_cluster
    cluster.project(project)
    cluster.nodes["a"].sql("SELECT pg_sleep(1.1)")
    cluster.sql("GRANT custctl_operator TO support")
    cluster.profile(project, user="support")
    project.ok(*_ADDED)
    assert cluster.sql("SELECT count(*) FROM custctl_metadata WHERE name LIKE 'synchronous%'") == [(0,)]
