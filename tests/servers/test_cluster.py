"""The cluster that tests run against is what it says."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest

from tests.conftest import Project
from tests.servers.cluster import NODES, REPLICATION_MARK, Cluster
from tests.servers.fixtures import PostgresqlServers
from tests.servers.postgresql import PASSWORD, USER

FIRST = {"a": "primary", "b": "standby", "c": "standby"}
BOTH = pytest.mark.parametrize("cluster", ["postgresql17", "postgresql18"], indirect=True)


@BOTH
def test_standbys_follow_the_primary_and_serve_reads(cluster: Cluster) -> None:
    assert cluster.roles() == FIRST
    cluster.sql("CREATE TABLE mark (x INTEGER)")
    cluster.wait_streaming()
    for name in NODES:
        assert cluster.sql("SELECT count(*) FROM mark", node=name) == [(0,)]
    assert len(cluster.sql("SELECT DISTINCT system_identifier FROM pg_control_system()")) == 1
    assert {row[0] for row in cluster.sql("SELECT application_name FROM pg_stat_replication")} == {"b", "c"}


def test_a_reset_brings_everything_back(cluster: Cluster) -> None:
    cluster.sql("CREATE TABLE mark (x INTEGER)")
    cluster.sql("ALTER SYSTEM SET default_transaction_read_only = on")
    cluster.kill("a")
    cluster.nodes["b"].sql("SELECT pg_promote()")
    cluster.freeze("c")
    assert cluster.roles() == {"a": "down", "b": "primary", "c": "frozen"}
    cluster.reset()
    assert cluster.roles() == FIRST
    assert cluster.sql("SELECT to_regclass('mark')") == [(None,)]


def test_a_commit_waits_for_one_standby_of_a_synchronous_cluster(synchronous_cluster: Cluster) -> None:
    cluster = synchronous_cluster
    cluster.stop("b")
    cluster.sql("CREATE TABLE mark (x INTEGER)")
    cluster.freeze("c")
    warnings: list[str | None] = []
    with cluster.nodes["a"].connect(dbname="customers") as connection:
        connection.add_notice_handler(lambda notice: warnings.append(notice.sqlstate))
        threading.Timer(0.3, connection.cancel_safe).start()
        # It ends because it is cancelled: committed here, and nowhere else.
        connection.execute("INSERT INTO mark VALUES (1)")
    assert warnings == ["01000"]


@BOTH
def test_a_former_primary_rejoins_rewound(cluster: Cluster) -> None:
    cluster.sql("CREATE TABLE mark (x INTEGER)")
    cluster.wait_streaming()
    cluster.detach("b", "c")
    cluster.sql("INSERT INTO mark VALUES (1)")
    cluster.kill("a")
    cluster.nodes["b"].sql("SELECT pg_promote()")
    cluster.sql("INSERT INTO mark VALUES (2)")
    kept = cluster.nodes["a"].data.stat().st_ino
    cluster.rejoin("a", "b")
    cluster.attach("c", "b")
    cluster.wait_streaming("a", "c")
    assert cluster.roles() == {"a": "standby", "b": "primary", "c": "standby"}
    assert cluster.nodes["a"].data.stat().st_ino == kept
    for name in NODES:
        assert cluster.sql("SELECT x FROM mark", node=name) == [(2,)]
        assert cluster.nodes[name].sql("SHOW cluster_name") == [(name,)]


def test_a_node_that_cannot_be_rewound_is_copied_anew(cluster: Cluster) -> None:
    cluster.stop("c")
    (cluster.nodes["c"].data / "global" / "pg_control").unlink()
    cluster.rejoin("c", "a")
    cluster.wait_streaming("c")
    assert cluster.roles() == FIRST


def test_a_standby_that_is_paused_receives_and_one_that_is_detached_does_not(cluster: Cluster) -> None:
    cluster.pause_replay("b")
    cluster.detach("c")
    cluster.sql("CREATE TABLE mark (x INTEGER)")
    [(position,)] = cluster.sql("SELECT pg_current_wal_flush_lsn()::text")

    def received(name: str) -> bool:
        [(reached,)] = cluster.nodes[name].sql(f"SELECT pg_last_wal_receive_lsn() >= '{position}'::pg_lsn")
        return bool(reached)

    end = time.monotonic() + 60
    while not received("b"):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert cluster.sql("SELECT to_regclass('mark')", node="b") == [(None,)]
    assert not received("c")
    cluster.resume_replay("b")
    cluster.attach("c", "a")
    cluster.wait_streaming("b", "c")
    assert cluster.sql("SELECT count(*) FROM mark", node="c") == [(0,)]


def test_who_works_there_is_no_superuser_and_may_fail_over(cluster: Cluster) -> None:
    with cluster.nodes["b"].connect(user=USER, dbname="customers") as connection:
        assert connection.execute("SHOW is_superuser").fetchone() == ("off",)
        assert REPLICATION_MARK in str(connection.execute("SHOW primary_conninfo").fetchone())
        assert connection.execute("SELECT pg_promote()").fetchone() == (True,)


def test_profiles_name_the_nodes_or_proxies_before_them(project: Project, cluster: Cluster) -> None:
    cluster.project(project, reads="replica")
    for environment in ("dev", "prod"):
        assert project.ok("customer", "list", "--env", environment, "-o", "json").json["items"] == []
    with cluster.proxies("a") as proxies:
        cluster.profile(project, through=proxies)
        proxies["a"].refuse()
        assert project.run("customer", "delete", "1", "--yes").code != 6
        proxies["a"].accept()
        assert project.run("customer", "delete", "1", "--yes").code == 6


def test_clusters_are_kept_apart(postgresql_servers: PostgresqlServers) -> None:
    one, other = postgresql_servers.cluster(), postgresql_servers.cluster(synchronous=True)
    assert one is postgresql_servers.cluster()
    assert one is not other
    with pytest.raises(psycopg.OperationalError):
        one.nodes["a"].connect(user=USER, password=PASSWORD + "x")
