"""Reads go on without a primary, and say so; what cannot be known then is never told as not there."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.conftest import Project
from tests.faults.conftest import LastProxy, meanwhile, wait_until, within
from tests.replicas.reads import GET, Reads
from tests.servers.cluster import SUPPORT_USER, Cluster

CONNECT = 1.0  # seconds, as the profile has it
DEADLINE = CONNECT + 1.5
ROUTES = pytest.mark.parametrize("route", ["replica", "primary"])


@pytest.fixture
def reads(project: Project, cluster: Cluster) -> Iterator[Reads]:
    with Reads.on(cluster, project) as made:
        yield made


def _profile(reads: Reads, route: str) -> None:
    reads.profile(reads=route, connect_timeout=f"{CONNECT:g}s")
    reads.inside.ok("customer", "update", "1", "--company", "Analytical")
    reads.cluster.wait_streaming()


@ROUTES
def test_with_the_primary_dead_reads_go_on_and_writes_do_not(reads: Reads, route: str) -> None:
    _profile(reads, route)
    reads.cluster.kill("a")
    with within(DEADLINE):
        found = reads.run(*GET)
    assert (found.code, found.json["source"], found.json["company"]) == (0, "replica", "Analytical")
    told = found.told
    assert told[0].startswith("the primary does not answer: read from replica `")
    assert told[0].endswith(" s behind")
    assert told[1].startswith("source: replica `")
    arguments: tuple[str, ...]
    for arguments in (("list",), ("search", "ada"), ("history", "1"), ("export",)):
        done = reads.run("customer", *arguments)
        assert done.code == 0, done.err
        assert done.err.count("the primary does not answer") == 1
        assert "Analytical" in done.out
    for arguments in (("get", "99"), ("get", "nobody@example.com"), ("history", "99"), ("delete", "99", "--yes")):
        done = reads.run("customer", *arguments, "-o", "json")
        assert (done.code, done.error["code"]) == (3, "unavailable"), done.err
    for arguments in (("update", "1", "--phone", "1"), ("delete", "1", "--yes")):
        done = reads.run("customer", *arguments, "-o", "json")
        assert done.code == 3, done.err
        assert "node `a`" in done.error["message"]
        assert "is a standby; nothing was written" in done.error["message"]


@ROUTES
def test_with_the_primary_frozen_reads_go_on_within_the_deadline(reads: Reads, route: str) -> None:
    _profile(reads, route)
    reads.cluster.freeze("a")
    with within(DEADLINE if route == "primary" else 1.5):
        found = reads.run(*GET)
    assert (found.code, found.json["source"], found.json["company"]) == (0, "replica", "Analytical")
    # A replica that looks fresh is so: a frozen primary commits nothing.
    assert ("the primary does not answer" in found.err) is (route == "primary")
    reads.cluster.detach("b", "c")
    with within(DEADLINE):
        found = reads.run(*GET)
    assert found.code == 0
    assert "the primary does not answer: read from replica `" in found.err
    with within(DEADLINE):
        assert reads.run("customer", "get", "99").code == 3


def test_the_freshest_replica_serves_and_tells_what_it_lacks(reads: Reads) -> None:
    _profile(reads, "replica")
    reads.cluster.detach("b", "c")
    reads.inside.ok("customer", "update", "1", "--company", "Lost")
    reads.cluster.attach("c", "a")
    reads.cluster.wait_streaming("c")
    reads.inside.ok("customer", "update", "1", "--city", "Lost")
    reads.cluster.wait_streaming("c")
    reads.cluster.kill("a")
    assert "it does not have" not in reads.run(*GET).err
    found = reads.run(*GET)
    assert (found.json["node"], found.json["city"]) == ("c", "Lost")
    reads.cluster.kill("c")
    found = reads.run(*GET)
    assert (found.json["node"], found.json["company"], found.json["city"]) == ("b", "Analytical", None)
    assert found.told[0].endswith(" s behind; it does not have the last write from this machine")
    reads.cluster.kill("b")
    for arguments in (
        GET,
        ("customer", "get", "99"),
        ("customer", "list"),
        ("customer", "update", "1", "--phone", "1"),
    ):
        with within(DEADLINE):
            assert reads.run(*arguments).code == 3


def test_a_replica_without_the_schema_is_no_reason_to_migrate_while_nobody_knows(reads: Reads) -> None:
    _profile(reads, "replica")
    reads.cluster.pause_replay("c")
    reads.cluster.sql("ALTER TABLE custctl_metadata RENAME TO gone")
    reads.cluster.wait_streaming("b")
    reads.cluster.kill("a", "c")
    assert reads.run(*GET).code == 3


@ROUTES
@pytest.mark.parametrize("arrives", [True, False])
def test_a_commit_that_a_failover_interrupts_is_settled_at_the_new_primary(
    reads: Reads, route: str, arrives: bool
) -> None:
    a = reads.cluster.nodes["a"]
    with LastProxy(a.host, a.port) as last:
        reads.cluster.profile(reads.inside, through={**reads.proxies, "a": last}, reads=route)
        if arrives:
            last.cut_answer(b"COMMIT; ")
        else:
            last.cut_before(b"COMMIT; ")

        def fail_over() -> None:
            wait_until(lambda: last.stats.cut == 1)
            reads.cluster.wait_streaming()
            if arrives:
                reads.cluster.kill("a")
            else:
                # Fenced, it can be asked, and what is not there cannot be kept from coming.
                a.sql("ALTER SYSTEM SET default_transaction_read_only = on")
                a.sql("SELECT pg_reload_conf()")
                wait_until(lambda: a.sql("SHOW default_transaction_read_only") == [("on",)])
                last.accept()
            time.sleep(1)
            reads.cluster.nodes["b"].sql("SELECT pg_promote()")

        with meanwhile(fail_over):
            done = reads.run("customer", "update", "1", "--company", "Kept", "-o", "json")
    assert done.code == (0 if arrives else 3), done.err
    company = "Kept" if arrives else None
    assert reads.cluster.sql("SELECT company FROM customer WHERE id = 1", node="b") == [(company,)]
    voids = reads.cluster.sql("SELECT count(*) FROM customer_audit WHERE action = 'void'", node="b")
    assert voids == [(0 if arrives else 1,)]
    if not arrives:
        assert "nothing was written" in done.error["message"]


@ROUTES
def test_a_fenced_primary_is_read_from_and_not_written_to(reads: Reads, route: str) -> None:
    _profile(reads, route)
    reads.cluster.sql("ALTER SYSTEM SET default_transaction_read_only = on")
    reads.cluster.sql("SELECT pg_reload_conf()", node="a")
    reads.cluster.detach("b", "c")
    found = reads.run(*GET)
    assert (found.code, found.json["source"], found.json["node"]) == (0, "primary", "a")
    assert found.told[0].startswith("no node accepts writes: read from `a`")
    assert reads.run("customer", "update", "1", "--phone", "1").code == 7


@ROUTES
def test_a_fenced_former_primary_is_not_taken_for_the_primary(reads: Reads, route: str) -> None:
    _profile(reads, route)
    reads.cluster.sql("ALTER SYSTEM SET default_transaction_read_only = on")
    reads.cluster.sql("SELECT pg_reload_conf()", node="a")
    reads.cluster.nodes["b"].sql("SELECT pg_promote()")
    for number in range(4):
        done = reads.inside.ok("customer", "update", "1", "--phone", str(number), "-o", "json")
        assert done.json["phone"] == str(number)
        found = reads.get()
        assert (found["node"], found["phone"]) == ("b", str(number))
    assert reads.remembered()["primary"] == "b"


@ROUTES
def test_a_login_that_is_not_to_write_makes_no_node_a_fenced_one(reads: Reads, route: str) -> None:
    reads.cluster.sql(f"ALTER ROLE {SUPPORT_USER} SET default_transaction_read_only = on")
    reads.cluster.wait_streaming()
    reads.profile(reads=route, user=SUPPORT_USER)
    for _ in range(2):
        done = reads.run("customer", "get", "99")
        assert (done.code, "read from" in done.err) == (6, False)


def test_all_nodes_that_answer_being_standbys_is_a_refusal(reads: Reads) -> None:
    _profile(reads, "primary")
    reads.cluster.profile(reads.inside, nodes=["b", "c"], through=reads.proxies)
    assert reads.run("customer", "update", "1", "--phone", "1").code == 7
    found = reads.run(*GET)
    assert found.told[0].startswith("no node is the primary: read from replica `")
    assert reads.run("customer", "get", "99").code == 3
