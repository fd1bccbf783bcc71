"""What `doctor` and `replica status` say of clusters on which writes do not end well, and what to do about it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.conftest import ADA, Project
from tests.inside import Inside
from tests.replicas.support import FAILOVER, SWITCHOVER, accepts_writes, add_customers, customers, wait_until
from tests.servers.cluster import Cluster


@pytest.fixture
def site(cluster: Cluster, project: Project) -> Inside:
    """The profiles `dev` and `prod` on the cluster in its first state, for commands inside the test's own process."""
    made = cluster.project(project)
    return Inside(made.path, made.environ)


def _doctor(site: Inside) -> dict[str, dict[str, Any]]:
    return {check["check"]: check for check in site.run("doctor", "-o", "json").json["items"]}


def _set(cluster: Cluster, node: str, setting: str) -> None:
    cluster.sql(f"ALTER SYSTEM SET {setting}", node=node)
    cluster.sql("SELECT pg_reload_conf()", node=node)


# -- no primary ------------------------------------------------------------------------------------


def test_on_a_dead_primary_the_way_out_is_a_failover(site: Inside, cluster: Cluster) -> None:
    cluster.detach("b")
    add_customers(cluster, 5)
    cluster.wait_streaming("c")
    cluster.kill("a")
    checks = _doctor(site)
    for check in ("writes", "replicas"):
        assert "`a` does not answer" in checks["replicas"]["value"]
        assert "replica failover --to c --primary-is-stopped --dry-run" in checks[check]["hint"]
        assert "database.nodes" not in checks[check]["hint"]
    judged = site.run("replica", "status", "--check")
    assert judged.code == 3
    assert "replica failover --to c --primary-is-stopped --dry-run" in judged.err


def test_where_no_node_answers_the_way_out_is_in_the_profile(site: Inside, cluster: Cluster) -> None:
    cluster.kill("a", "b", "c")
    assert "`database.nodes`" in _doctor(site)["server"]["hint"]


def test_on_a_fenced_primary_the_way_out_is_to_unfence_it(site: Inside) -> None:
    site.ok("replica", "fence", "a", "--yes")
    checks = _doctor(site)
    for check in ("writes", "replicas"):
        assert "replica unfence a" in checks[check]["hint"]


# -- Patroni that cannot be asked ------------------------------------------------------------------


def test_without_any_answer_of_patroni_the_cluster_is_degraded(site: Inside, cluster: Cluster) -> None:
    cluster.profile(site, driver="patroni")
    file = site.path / "profiles" / "dev.yaml"
    profile = yaml.safe_load(file.read_text())
    for number, node in enumerate(profile["database"]["nodes"], 1):
        node["api_port"] = number  # where nobody listens
    file.write_text(yaml.safe_dump(profile))
    judged = site.run("replica", "status", "--check", "-o", "json")
    assert judged.code == 12, judged.err
    told = [reason for reason in judged.json["reasons"] if "Patroni does not answer" in reason]
    assert len(told) == 3
    assert all("does not answer" in reason for reason in told)
    assert "api_port" in judged.error["hint"]
    assert "api_port" in _doctor(site)["replicas"]["hint"]
    # It asks what a switchover needs.
    assert site.run(*SWITCHOVER, "b").code == 3


# -- commits that do not end -----------------------------------------------------------------------


@pytest.mark.parametrize("names", ["dead", "ANY 2 (b, dead)", "FIRST 2 (dead, c, gone)"])
def test_synchronous_standbys_that_are_not_there_are_a_fault(names: str, site: Inside, cluster: Cluster) -> None:
    _set(cluster, "a", f"synchronous_standby_names = '{names}'")
    for driver, check in (("streaming", "replicas"), ("none", "commits")):
        cluster.profile(site, driver=driver)
        found = _doctor(site)[check]
        assert found["state"] == "fault"
        assert f"of `{names}`" in found["value"]
        assert "they never finish" in found["value"]
        assert "ALTER SYSTEM SET synchronous_standby_names" in found["hint"]
    cluster.profile(site)
    judged = site.run("replica", "status", "--check")
    assert judged.code == 12
    assert f"of `{names}`" in judged.err
    assert "ALTER SYSTEM SET synchronous_standby_names" in judged.err


@pytest.mark.parametrize("setting", ["synchronous_standby_names = 'ANY 1 (b, dead)'", "synchronous_commit = local"])
def test_commits_that_end_are_no_fault(setting: str, site: Inside, cluster: Cluster) -> None:
    if "local" in setting:
        _set(cluster, "a", "synchronous_standby_names = 'dead'")
    _set(cluster, "a", setting)
    cluster.profile(site, driver="none")
    assert "commits" not in _doctor(site)


# -- a delayed standby -----------------------------------------------------------------------------


def _delay(cluster: Cluster, node: str, delay: str) -> None:
    _set(cluster, node, f"recovery_min_apply_delay = '{delay}'")
    wait_until(
        lambda: cluster.sql("SHOW recovery_min_apply_delay", node=node) == [(delay,)], "the delay to be taken up"
    )


def test_a_switchover_to_a_delayed_standby_is_refused(site: Inside, cluster: Cluster) -> None:
    _delay(cluster, "b", "1h")
    refused = site.run(*SWITCHOVER, "b")
    assert refused.code == 7, refused.err
    assert "`b` replays 1h late on purpose (`recovery_min_apply_delay`)" in refused.err
    assert "ALTER SYSTEM SET recovery_min_apply_delay = 0" in refused.err
    assert cluster.roles()["a"] == "primary"
    # Its way out is one.
    _delay(cluster, "b", "0")
    site.ok(*SWITCHOVER, "b")


def test_a_delayed_standby_is_told_of_and_is_no_fault(site: Inside, cluster: Cluster) -> None:
    _delay(cluster, "b", "1h")
    add_customers(cluster)
    cluster.wait_streaming("c")
    shown = site.ok("replica", "status", "--check", "-o", "json").json
    assert [note for note in shown["notes"] if "`b` replays 1h late on purpose" in note]
    assert {row["node"]: row["delay_s"] for row in shown["items"]} == {"a": 0, "b": 3600, "c": 0}


def test_commits_that_wait_for_a_delayed_standby_are_a_fault(site: Inside, cluster: Cluster) -> None:
    _delay(cluster, "b", "1h")
    _set(cluster, "a", "synchronous_commit = remote_apply")
    for node in "abc":
        _set(cluster, node, "synchronous_standby_names = 'b'")
    wait_until(
        lambda: cluster.sql("SELECT sync_state FROM pg_stat_replication WHERE application_name = 'b'") == [("sync",)],
        "the standby to confirm commits",
    )
    judged = site.run("replica", "status", "--check")
    assert judged.code == 12
    assert "commits on `a` wait 1h: `synchronous_commit` is `remote_apply`" in judged.err
    assert "commits on `a` wait 1h" in _doctor(site)["replicas"]["value"]


def test_a_switchover_beside_a_delayed_standby_does_not_wait_for_it(site: Inside, cluster: Cluster) -> None:
    _delay(cluster, "c", "1h")
    add_customers(cluster)
    wait_until(lambda: customers(cluster, "b") == 1, "`b` to have it")
    done = site.ok(*SWITCHOVER, "b", "-o", "json").json
    assert cluster.primary == "b"
    assert "`c` will, after its delay" in done["steps"][-1]["detail"]


def test_a_failover_to_a_delayed_standby_replays_what_it_has(site: Inside, cluster: Cluster) -> None:
    cluster.kill("c")
    _delay(cluster, "b", "1h")
    add_customers(cluster, 3)
    wait_until(
        lambda: (
            cluster.sql(
                "SELECT pg_wal_lsn_diff(flush_lsn, pg_current_wal_lsn()) >= 0 FROM pg_stat_replication"
                " WHERE application_name = 'b'"
            )
            == [(True,)]
        ),
        "`b` to have received it",
    )
    cluster.kill("a")
    done = site.ok(*FAILOVER, "--allow-data-loss")
    assert "its promotion immediately replays everything that it has received" in done.err
    assert customers(cluster, "b") == 3
    assert accepts_writes(cluster, "b")


def test_a_delayed_standby_serves_no_read_that_it_is_behind_for(site: Inside, cluster: Cluster) -> None:
    for node in ("b", "c"):
        _delay(cluster, node, "1h")
    cluster.profile(site, reads="replica")
    add_customers(cluster)
    site.ok("customer", "add", *ADA)
    shown = site.ok("customer", "list", "--limit", "0", "-o", "json", "-v")
    assert len(shown.json["items"]) == 2
    assert "source: primary `a`" in shown.err
