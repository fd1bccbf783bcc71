"""`replica status` tells how a cluster is, quickly, whatever has become of its nodes."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

import pytest
import yaml

from tests.conftest import Project
from tests.faults.conftest import within
from tests.inside import Inside
from tests.replicas.support import epoch, wait_until
from tests.servers.cluster import NODES, Cluster
from tests.servers.projects import PASSWORD_VARIABLE
from tests.servers.proxy import Proxy

STATUS = ("replica", "status")
CHECK = (*STATUS, "--check")
CONNECT = 1.0  # seconds, as the profile has it
DEADLINE = 4 * CONNECT + 4.0  # to connect and to be answered, twice, and the program itself on a loaded machine

KEYS = {"health", "reasons", "driver", "primary", "epoch", "max_lag_s", "items", "next"}
NODE_KEYS = {
    *("node", "host", "port", "reachable", "fault", "role", "writable", "system_id", "timeline", "epoch", "received"),
    *("replayed", "lag_s", "behind_bytes", "sync_state", "source"),
}


@pytest.fixture
def site(cluster: Cluster, project: Project) -> Inside:
    """The profile `dev` on the cluster in its first state, for commands inside the test's own process."""
    cluster.profile(project, connect_timeout=f"{CONNECT:g}s")
    return Inside(project.path, project.environ)


def _judged(site: Inside, code: int, health: str, *reasons: str) -> None:
    """Expect a health, its exit code and its reasons; and that without `--check` there is none to fail with."""
    judged = site.run(*CHECK, "-o", "json")
    assert judged.code == code, judged.err
    assert judged.json["health"] == health
    for reason in reasons:
        assert any(reason in told for told in judged.json["reasons"]), judged.json["reasons"]
    if code:
        assert judged.error["exit_code"] == code
        assert judged.error["details"]["health"] == health
    assert site.run(*STATUS).code == 0


@pytest.mark.parametrize("sought", ["read-write", "primary", "standby", "read-only", "prefer-standby"])
def test_what_libpq_is_told_to_look_for_hides_no_node(site: Inside, sought: str) -> None:
    site.environ["PGTARGETSESSIONATTRS"] = sought
    _judged(site, 0, "healthy")


def test_a_healthy_cluster(site: Inside, cluster: Cluster) -> None:
    _judged(site, 0, "healthy")
    document = site.ok(*STATUS, "-o", "json").json
    assert set(document) >= KEYS
    assert (document["driver"], document["primary"], document["epoch"], document["max_lag_s"]) == (
        "streaming",
        "a",
        1,
        5,
    )
    assert document["reasons"] == []
    assert all(set(row) >= NODE_KEYS for row in document["items"])
    first, *others = document["items"]
    assert (first["role"], first["writable"], first["lag_s"], first["sync_state"]) == ("primary", True, None, None)
    server = cluster.nodes["a"]
    for row in others:
        assert (row["role"], row["writable"], row["sync_state"]) == ("standby", False, "async")
        assert (row["timeline"], row["system_id"]) == (first["timeline"], first["system_id"])
        assert row["source"] == f"{server.host}:{server.port}"
        assert row["lag_s"] < 5
    assert re.fullmatch(r"[0-9A-F]+/[0-9A-F]+", first["received"])


def test_a_pipe_gets_a_row_for_each_node(site: Inside) -> None:
    header, *rows = site.ok(*STATUS).out.splitlines()
    assert header.split("\t")[0] == "node"
    assert [row.split("\t")[:4] for row in rows] == [
        ["a", "primary", "true", "true"],
        ["b", "standby", "false", "true"],
        ["c", "standby", "false", "true"],
    ]
    assert site.ok(*STATUS, "--fields", "node,role").out == "node\trole\na\tprimary\nb\tstandby\nc\tstandby\n"
    assert site.run(*STATUS, "--fields", "node,rol").code == 2


def test_the_quorum_is_shown(synchronous_cluster: Cluster, project: Project) -> None:
    synchronous_cluster.profile(project)
    site = Inside(project.path, project.environ)
    assert [row["sync_state"] for row in site.ok(*STATUS, "-o", "json").json["items"]] == [None, "quorum", "quorum"]
    synchronous_cluster.kill("b", "c")
    _judged(site, 12, "degraded", "and none is attached: they never finish")


def test_a_dead_standby(site: Inside, cluster: Cluster) -> None:
    cluster.kill("c")
    _judged(site, 12, "degraded", "`c` does not answer")
    [row] = [row for row in site.ok(*STATUS, "-o", "json").json["items"] if row["node"] == "c"]
    assert row["reachable"] is False
    assert "refused" in row["fault"]


@pytest.mark.parametrize("node", ["a", "c"])
def test_a_frozen_node_is_told_of_in_time(node: str, site: Inside, cluster: Cluster) -> None:
    cluster.freeze(node)
    with within(DEADLINE):
        judged = site.run(*CHECK, "-o", "json")
    assert judged.json["health"] == ("no_primary" if node == "a" else "degraded")
    assert judged.code == (3 if node == "a" else 12)
    assert f"`{node}` does not answer" in judged.json["reasons"][0]


def test_all_nodes_frozen(site: Inside, cluster: Cluster) -> None:
    cluster.freeze(*NODES)
    with within(DEADLINE):
        assert site.run(*STATUS).code == 3


def test_all_nodes_dead(site: Inside, cluster: Cluster) -> None:
    cluster.kill(*NODES)
    assert site.run(*STATUS).code == 3
    assert site.run(*CHECK, "-o", "json").error["code"] == "unavailable"


def test_a_standby_that_receives_from_nobody(site: Inside, cluster: Cluster) -> None:
    cluster.detach("b")
    _judged(site, 12, "degraded", "`b` does not receive from any node")


def test_a_standby_whose_replay_is_paused(site: Inside, cluster: Cluster) -> None:
    cluster.pause_replay("b")
    _judged(site, 12, "degraded", "the replay of `b` is paused")


def test_no_primary(site: Inside, cluster: Cluster) -> None:
    cluster.kill("a")
    _judged(site, 3, "no_primary", "no node that answers is the primary")


def test_a_split_brain(site: Inside, cluster: Cluster) -> None:
    cluster.nodes["b"].sql("SELECT pg_promote()")
    _judged(site, 14, "split_brain", "`a` and `b` accept writes independently")


@pytest.mark.parametrize("command", [STATUS, ("replica", "failover", "--to", "b", "--yes"), ("doctor",)])
def test_one_server_under_two_addresses_is_no_split_brain(
    command: tuple[str, ...], site: Inside, cluster: Cluster
) -> None:
    profile = site.path / "profiles" / "dev.yaml"
    document = yaml.safe_load(profile.read_text())
    port = cluster.nodes["a"].port
    with Proxy("127.0.0.1", port) as proxy:
        document["database"]["nodes"].append({"name": "alias", "host": proxy.host, "port": proxy.port})
        profile.write_text(yaml.safe_dump(document))
        refused = site.run(*command, "-o", "json")
    assert refused.code == 2
    message = refused.error["message"] if command[0] == "replica" else refused.out
    assert (
        f"the nodes `a` (127.0.0.1:{port}) and `alias` ({proxy.host}:{proxy.port}) of profile `dev` are the same server"
        in message
    )


def test_a_fork_that_nobody_counted(site: Inside, cluster: Cluster) -> None:
    site.ok("replica", "switchover", "--to", "b", "--yes")
    cluster.wait_streaming("c")
    cluster.kill("b")
    cluster.nodes["c"].sql("SELECT pg_promote()")
    cluster.profile(site, nodes=["c"])
    _judged(site, 12, "degraded", "the history has forked since epoch 2", "custctl replica switchover --to c")
    site.ok("replica", "switchover", "--to", "c", "--yes")
    _judged(site, 0, "healthy")
    # What that fork has lost is not known: no number that it may have lost comes again.
    assert epoch(cluster) > 1_000_000_000


def test_another_cluster_by_mistake(site: Inside, cluster: Cluster, postgresql18: object) -> None:
    profile = site.path / "profiles" / "dev.yaml"
    [(port,)] = postgresql18.sql("SHOW port")  # type: ignore[attr-defined]
    name = postgresql18.name  # type: ignore[attr-defined]
    text = profile.read_text().replace(str(cluster.nodes["c"].port), port)
    profile.write_text(text)
    # The other server has no database of that name, or one of another cluster: never a healthy third node.
    assert name != "customers"
    judged = site.run(*CHECK, "-o", "json")
    assert judged.code in (12, 14), judged.err
    assert judged.json["health"] != "healthy"


def test_a_login_that_is_refused(site: Inside) -> None:
    site.environ[PASSWORD_VARIABLE] = "s0methingElse"
    refused = site.run(*STATUS)
    assert refused.code == 4, refused.err
    assert "s0methingElse" not in refused.err


@pytest.mark.parametrize("user", ["support", "operator"])
def test_a_login_that_may_only_read_sees_roles_and_health(user: str, site: Inside, cluster: Cluster) -> None:
    cluster.profile(site, user=user)
    document = site.ok(*STATUS, "-o", "json").json
    assert [row["role"] for row in document["items"]] == ["primary", "standby", "standby"]
    assert document["health"] == "healthy", document["reasons"]


def test_profiles_without_replicas(project: Project, cluster: Cluster) -> None:
    site = Inside(project.path, project.environ)
    for profile, why in (("dev", "sqlite has no replicas"), ("none", "does not configure replication")):
        if profile == "none":
            cluster.profile(site, "none", driver="none")
        for arguments in (STATUS, ("replica", "switchover", "--to", "b", "--yes"), ("replica", "fence", "--yes")):
            refused = site.run(*arguments, "--env", profile)
            assert refused.code == 7, refused.err
            assert why in refused.err


# -- --watch ---------------------------------------------------------------------------------------


def test_watching_repaints_and_draws_the_course_until_ctrl_c(site: Inside, cluster: Cluster) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 220, 0, 0))
    process = site.start(*STATUS, "--watch", "--fields", "node,role,course", stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        seen = _read_until(ours, lambda text: text.count("\x1b[H\x1b[J") >= 3)
        cluster.kill("c")
        seen = _read_until(ours, lambda text: "degraded" in text)
        process.send_signal(signal.SIGINT)
        seen += _read_until(ours, lambda _: process.poll() is not None)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert process.returncode == 130
    assert "Traceback" not in seen
    last = seen.split("\x1b[H\x1b[J")[-1]
    assert re.search(r"a\W+primary\W+·{3,}", last), last
    assert re.search(r"b\W+standby\W+▁{3,}", last), last
    assert re.search(r"c\W+▁+·", last), last


def _read_until(terminal: int, reached: object, seconds: float = 30.0) -> str:
    """Read what a program writes to its terminal until that is so."""
    text = b""
    end = time.monotonic() + seconds
    while not reached(text.decode(errors="replace")):  # type: ignore[operator]
        assert time.monotonic() < end, text.decode(errors="replace")
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                text += os.read(terminal, 65536)
            except OSError:
                wait_until(lambda: reached(""), "the program to end")  # type: ignore[operator]
                break
    return text.decode(errors="replace")
