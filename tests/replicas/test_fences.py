"""Single nodes: fenced, given back, brought back as standbys."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Project, Result
from tests.inside import Inside
from tests.replicas.support import SWITCHOVER, accepts_writes, add_customers, wait_until
from tests.servers.cluster import NODES, REPLICATION_MARK, REPLICATION_PASSWORD, REPLICATION_USER, Cluster
from tests.servers.hooks import Hooks
from tests.servers.postgresql import PASSWORD, SUPERUSER, USER

FENCED = {"a": "fenced", "b": "standby", "c": "standby"}
SWITCHED = {"a": "fenced", "b": "primary", "c": "standby"}


@pytest.fixture
def site(cluster: Cluster, project: Project) -> Inside:
    """The profiles `dev` and `prod` on the cluster in its first state, for commands inside the test's own process."""
    made = cluster.project(project)
    return Inside(made.path, made.environ)


@pytest.fixture
def hooks(cluster: Cluster) -> Iterator[Hooks]:
    """The cluster's hooks."""
    with Hooks(cluster) as made:
        yield made


def _refused(result: Result, code: int, *words: str) -> None:
    assert result.code == code, result.err
    for word in words:
        assert word in result.err
    assert "Traceback" not in result.err


def _client(cluster: Cluster, node: str) -> psycopg.Connection[tuple[object, ...]]:
    server = cluster.nodes[node]
    return psycopg.connect(
        host=server.host, port=server.port, dbname="customers", user=USER, password=PASSWORD, autocommit=True
    )


# -- fence -----------------------------------------------------------------------------------------


def test_a_fence_holds_writers_off_and_ends_their_sessions(site: Inside, cluster: Cluster) -> None:
    with _client(cluster, "a") as client:
        client.execute("SELECT 1")
        done = site.ok("replica", "fence", "--yes", "-o", "json").json
        with pytest.raises(psycopg.OperationalError):
            client.execute("SELECT 1")
    assert (done["node"], done["fenced"]) == ("a", True)
    assert "a session that sets `default_transaction_read_only` off can still write" in done["by"]
    assert cluster.roles() == FENCED
    _refused(site.run("replica", "status", "--check"), 3, "`a` is fenced")
    # Nothing is lost by doing it again.
    site.ok("replica", "fence", "a", "--yes")
    back = site.ok("replica", "unfence", "-o", "json").json
    assert (back["node"], back["fenced"]) == ("a", False)
    assert accepts_writes(cluster, "a")


def test_what_a_fence_by_sql_does_not_hold_off_is_said_truly(site: Inside, cluster: Cluster) -> None:
    site.ok("replica", "fence", "--yes")
    with _client(cluster, "a") as client:
        client.execute("SET default_transaction_read_only = off")
        client.execute("INSERT INTO customer (email, first_name, last_name) VALUES ('x@example.com', 'A', 'B')")


def test_a_fence_lasts_beyond_a_restart(site: Inside, cluster: Cluster) -> None:
    site.ok("replica", "fence", "--yes")
    cluster.kill("a")
    cluster.start("a")
    assert cluster.roles() == FENCED


def test_a_fence_by_a_hook_is_said_to_be_one(hooks: Hooks, site: Inside, cluster: Cluster) -> None:
    cluster.profile(site, hooks=hooks.commands)
    done = site.ok("replica", "fence", "a", "--yes", "-o", "json").json
    assert "by SQL only" in done["by"]
    assert "by the hook `fence`" in done["by"]
    assert cluster.roles() == {**FENCED, "a": "down"}


def test_a_fence_that_fails_half_way_says_how_the_node_is_left(hooks: Hooks, site: Inside, cluster: Cluster) -> None:
    cluster.profile(site, hooks=hooks.commands)
    hooks.failing.add("fence")
    _refused(
        site.run("replica", "fence", "a", "--yes"),
        3,
        "the hook `fence` for `a` failed",
        "new sessions on `a` are read-only already",
        "`custctl replica fence a` tries again",
        "`custctl replica unfence a` undoes it",
    )
    assert cluster.roles() == FENCED
    site.ok("replica", "unfence", "a")
    assert accepts_writes(cluster, "a")


def test_an_end_of_a_fence_is_refused_before_its_hook_has_run(site: Inside, cluster: Cluster, tmp_path: Path) -> None:
    site.ok(*SWITCHOVER, "b")
    cluster.profile(site, hooks={"unfence": ["touch", str(tmp_path / "ran")]})
    _refused(site.run("replica", "unfence", "a"), 7, "`b` accepts writes")
    assert not (tmp_path / "ran").exists()


def test_an_end_of_a_fence_that_fails_says_how_the_node_is_left(site: Inside, cluster: Cluster) -> None:
    site.ok("replica", "fence", "a", "--yes")
    cluster.profile(site, hooks={"unfence": ["false"]})
    _refused(
        site.run("replica", "unfence", "a"), 3, "failed with exit code 1; new sessions on `a` are read-only already"
    )
    assert cluster.roles() == FENCED


def test_a_node_that_does_not_answer_is_fenced_by_a_hook_or_not_at_all(
    hooks: Hooks, site: Inside, cluster: Cluster
) -> None:
    cluster.profile(site, connect_timeout="1s")
    cluster.freeze("a")
    _refused(site.run("replica", "fence", "a", "--yes"), 3)
    cluster.profile(site, connect_timeout="1s", hooks=hooks.commands)
    site.ok("replica", "fence", "a", "--yes")
    assert cluster.roles() == {**FENCED, "a": "down"}


def test_what_cannot_be_fenced(site: Inside, cluster: Cluster) -> None:
    _refused(site.run("replica", "fence", "b", "--yes"), 7, "`b` is a standby")
    _refused(site.run("replica", "fence", "d", "--yes"), 6, "no node `d`")
    _refused(site.run("replica", "fence"), 7, "--yes")
    _refused(site.run("replica", "fence", "--env", "prod", "--yes"), 7, "--confirm prod")
    _refused(site.run("replica", "unfence"), 7, "expected exactly one fenced node")
    assert cluster.roles() == {**FENCED, "a": "primary"}


def test_a_server_whose_settings_somebody_else_manages(site: Inside, cluster: Cluster) -> None:
    for node in cluster.nodes.values():
        with (node.data / "postgresql.conf").open("a") as settings:
            settings.write("allow_alter_system = off\n")
        node.sql("SELECT pg_reload_conf()")
    wait_until(lambda: cluster.sql("SHOW allow_alter_system", node="a") == [("off",)], "the setting to apply")
    for command in ("fence a --yes", "unfence a", "switchover --to b --yes", "switchover --to b --dry-run"):
        refused = site.run("replica", *command.split(), "-o", "json")
        assert refused.code == 7, refused.err
        assert "`allow_alter_system` is off" in refused.error["message"]
    assert accepts_writes(cluster, "a")


def test_a_login_without_the_rights(site: Inside, cluster: Cluster) -> None:
    cluster.profile(site, user="support")
    _refused(site.run("replica", "fence", "a", "--yes"), 4)
    assert cluster.roles() == {**FENCED, "a": "primary"}
    assert accepts_writes(cluster, "a")


def test_a_former_primary_is_not_given_back(site: Inside, cluster: Cluster) -> None:
    site.ok(*SWITCHOVER, "b")
    _refused(site.run("replica", "unfence", "a"), 7, "`b` accepts writes", "`custctl replica rejoin a`")
    # Nor where its successor is fenced as well.
    site.ok("replica", "fence", "b", "--yes")
    _refused(site.run("replica", "unfence", "a"), 7, "`b` is on a newer timeline")
    assert cluster.roles() == {"a": "fenced", "b": "fenced", "c": "standby"}
    site.ok("replica", "unfence", "b")
    assert cluster.roles() == SWITCHED


# -- rejoin ----------------------------------------------------------------------------------------


def test_the_commands_that_rejoin_prints_bring_a_former_primary_back(site: Inside, cluster: Cluster) -> None:
    site.ok(*SWITCHOVER, "b")
    told = site.run("replica", "rejoin", "a", "-o", "json")
    assert told.code == 12, told.err
    assert told.json["follows"] is False
    commands = told.json["commands"]
    assert REPLICATION_MARK not in told.out + told.err
    server = cluster.nodes["a"]
    stop, rewind, otherwise, signal, start = commands
    assert stop == f"pg_ctl stop -D {server.data} -m fast"
    assert "pg_basebackup" in otherwise
    assert start == f"pg_ctl start -D {server.data}"
    # The test's servers are started and stopped by it alone; what lies between is typed as it is printed.
    cluster.stop("a")
    program, *arguments = shlex.split(rewind)
    server.tool(program, *(_with_password(cluster, argument) for argument in arguments))
    assert signal == f"touch {server.data}/standby.signal"
    (server.data / "standby.signal").touch()
    _name(cluster, "a", "b")
    cluster.start("a")
    cluster.wait_streaming("a")
    verified = site.ok("replica", "rejoin", "a", "-o", "json").json
    assert (verified["follows"], verified["commands"]) == (True, [])
    assert cluster.roles() == {"a": "standby", "b": "primary", "c": "standby"}


def _with_password(cluster: Cluster, argument: str) -> str:
    """Give a connection the superuser's own way in, which an administrator would have in his `.pgpass`."""
    found = cluster.nodes["b"]
    return argument.replace(f"host={found.host} ", f"host={found.folder} ") if SUPERUSER in argument else argument


def _name(cluster: Cluster, node: str, source: str) -> None:
    """Give a node its own name and its own login back, which are the administrator's to see to."""
    cluster._name_again(node, source)
    with (cluster.nodes[node].data / "postgresql.auto.conf").open("a") as settings:
        password = REPLICATION_PASSWORD.replace("'", "\\\\''")
        upstream = cluster.nodes[source]
        settings.write(
            f"primary_conninfo = 'host={upstream.host} port={upstream.port} user={REPLICATION_USER}"
            f" password=''{password}'' application_name={node}'\n"
        )


def test_rejoin_by_the_hook(hooks: Hooks, site: Inside, cluster: Cluster) -> None:
    cluster.profile(site, hooks={"rejoin": hooks.commands["rejoin"]})
    site.ok(*SWITCHOVER, "b")
    add_customers(cluster, 3, node="b")
    _refused(site.run("replica", "rejoin", "a"), 7, "--yes")
    done = site.ok("replica", "rejoin", "a", "--yes", "-o", "json").json
    assert (done["node"], done["follows"]) == ("a", True)
    assert hooks.calls == [("rejoin", "a", "b")]
    cluster.wait_streaming()
    assert cluster.sql("SELECT count(*) FROM customer", node="a") == [(3,)]
    # It is one, and nothing is run again.
    site.ok("replica", "rejoin", "a", "--yes")
    assert len(hooks.calls) == 1
    site.ok("replica", "status", "--check")


def test_rejoin_by_a_hook_that_fails(hooks: Hooks, site: Inside, cluster: Cluster) -> None:
    cluster.profile(site, hooks=hooks.commands)
    site.ok(*SWITCHOVER, "b")
    hooks.failing.add("rejoin")
    _refused(site.run("replica", "rejoin", "a", "--yes"), 3, "the hook `rejoin` for `a` failed", "fails on purpose")
    assert cluster.roles() == SWITCHED


def test_rejoin_by_a_hook_that_says_it_has_done_what_it_has_not(
    site: Inside, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custctl.replication.streaming.driver._REJOINING", 0.5)
    cluster.profile(site, hooks={"rejoin": ["true"]})
    site.ok(*SWITCHOVER, "b")
    _refused(site.run("replica", "rejoin", "a", "--yes"), 12, "`a` does not follow the primary", "its log shows why")


def test_a_standby_that_has_lost_its_source_follows_once_it_is_told(site: Inside, cluster: Cluster) -> None:
    cluster.detach("c")
    _refused(site.run("replica", "status", "--check"), 12, "`c` does not receive from any node")
    assert site.ok("replica", "rejoin", "c", "-o", "json").json["follows"] is True
    cluster.wait_streaming("c")
    assert REPLICATION_MARK in str(cluster.sql("SHOW primary_conninfo", node="c"))
    site.ok("replica", "status", "--check")


def test_a_standby_that_was_away_during_a_switchover_follows_the_new_primary(site: Inside, cluster: Cluster) -> None:
    cluster.profile(site, connect_timeout="1s")
    cluster.freeze("c")
    assert "must follow later" in site.ok(*SWITCHOVER, "b").err
    cluster.thaw("c")
    wait_until(lambda: site.run("replica", "status", "--check").code == 12, "`c` to be told of")
    site.ok("replica", "rejoin", "c")
    cluster.wait_streaming("c")


def test_what_cannot_rejoin(site: Inside, cluster: Cluster) -> None:
    _refused(site.run("replica", "rejoin", "a"), 7, "`a` is the primary")
    _refused(site.run("replica", "rejoin", "d"), 6, "no node `d`")
    assert site.ok("replica", "rejoin", "b", "-o", "json").json["follows"] is True
    cluster.kill("a")
    cluster.detach("b")
    _refused(site.run("replica", "rejoin", "b"), 7, "there is no primary to follow")
    cluster.kill(*NODES)
    assert site.run("replica", "rejoin", "b").code in (3, 7)
