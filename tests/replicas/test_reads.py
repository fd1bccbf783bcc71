"""Reads go to replicas that are fresh enough, over to another one where one fails, and to the primary at last."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import make_project
from tests.faults.conftest import wait_until, within
from tests.replicas.reads import GET, Reads
from tests.servers import ports
from tests.servers.cluster import SUPPORT_USER
from tests.servers.fixtures import PostgresqlServers

SOON = 1.5  # seconds: a wave or two, and not a time-out (5 s)
EVERY_READ = (
    ("customer", "get", "ada@example.com"),
    ("customer", "list"),
    ("customer", "list", "--limit", "0"),
    ("customer", "search", "ada"),
    ("customer", "history", "1"),
    ("customer", "export"),
)


@pytest.fixture(scope="module")
def module_reads(postgresql_servers: PostgresqlServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reads]:
    with Reads.on(postgresql_servers.cluster(), make_project(tmp_path_factory.mktemp("reads"))) as made:
        yield made


@pytest.fixture
def reads(module_reads: Reads) -> Iterator[Reads]:
    """One cluster for all of these: a test leaves it as it was, and the others know nothing of what it wrote."""
    module_reads.profile()
    yield module_reads
    module_reads.cluster.resume_replay("b", "c")
    for proxy in module_reads.proxies.values():
        proxy.accept()
        assert proxy.pending == 0
    module_reads.cluster.wait_streaming("b", "c")


# -- spread ----------------------------------------------------------------------------------------


def test_reads_are_spread_over_the_replicas_and_leave_the_primary_alone(reads: Reads) -> None:
    reads.know_primary()
    before = reads.accepted()
    served = reads.nodes(40)
    assert set(served) == {"b", "c"}
    # By chance it is less in one of 40,000 runs.
    assert min(served.values()) >= 8
    for arguments in EVERY_READ:
        done = reads.inside.ok(*arguments, "-v")
        assert done.err.startswith(("source: replica `b`", "source: replica `c`")), done.err
        assert "ada@example.com" in done.out
    assert reads.accepted()["a"] == before["a"]


def test_a_profile_that_reads_from_the_primary_leaves_the_replicas_alone_but_for_asking_who_they_are(
    reads: Reads,
) -> None:
    reads.profile(reads="primary")
    for arguments in (*EVERY_READ, GET):
        assert "source: primary `a`" in reads.inside.ok(*arguments, "-v").err


def test_the_source_is_told_in_the_fields_of_a_customer_only_where_it_is_asked_for(reads: Reads) -> None:
    found = reads.get()
    assert list(found)[-5:] == ["source", "node", "lag_s", "stale", "age_s"]
    assert (found["source"], found["lag_s"], found["stale"]) == ("replica", 0, False)
    quiet = reads.inside.ok("customer", "get", "1", "-o", "json")
    assert (list(quiet.json), quiet.err) == (list(found)[:-5], "")
    assert reads.inside.ok("customer", "get", "1", "-v", "-o", "tsv").out.split("\n")[0].endswith("\tupdated_at")


def test_a_login_without_the_rights_of_a_monitor_reads_from_replicas(reads: Reads) -> None:
    reads.profile(user=SUPPORT_USER)
    assert set(reads.nodes(8)) <= {"b", "c"}


def test_the_read_half_of_a_write_is_the_primary_s(reads: Reads) -> None:
    reads.profile(max_lag="1h")
    reads.cluster.pause_replay("b", "c")
    # By another: the replicas have the version before.
    reads.cluster.sql("UPDATE customer SET company = 'Analytical'")
    assert reads.get()["company"] is None
    assert reads.inside.ok("customer", "update", "1", "--company", "", "-o", "json").json["company"] is None
    reads.inside.environ["EDITOR"] = "sed -i s/Lovelace/Byron/"
    reads.cluster.sql("UPDATE customer SET city = 'London'")
    edited = reads.inside.ok("customer", "edit", "1", "-o", "json").json
    assert (edited["last_name"], edited["city"]) == ("Byron", "London")
    reads.cluster.sql("UPDATE customer SET city = NULL, last_name = 'Lovelace'")


# -- fresh enough ----------------------------------------------------------------------------------


def test_a_replica_that_is_too_far_behind_does_not_serve(reads: Reads) -> None:
    reads.know_primary()
    reads.profile(max_lag="300ms")
    reads.cluster.pause_replay("b")
    # By another than this operator, who would know.
    reads.cluster.sql("UPDATE customer SET company = 'Analytical'")
    reads.cluster.wait_streaming("c")
    time.sleep(0.4)
    assert reads.replicas(6) == {"c"}
    assert reads.get()["company"] == "Analytical"
    reads.cluster.pause_replay("c")
    reads.cluster.sql("UPDATE customer SET company = NULL")
    time.sleep(0.4)
    found = reads.get()
    assert (found["source"], found["node"], found["lag_s"], found["company"]) == ("primary", "a", 0, None)


def test_a_replica_that_follows_nobody_does_not_serve(reads: Reads) -> None:
    reads.cluster.detach("c")
    try:
        assert reads.replicas(6) == {"b"}
    finally:
        reads.cluster.attach("c", "a")


# -- one that fails --------------------------------------------------------------------------------


def test_a_replica_that_refuses_connections_costs_next_to_nothing(reads: Reads) -> None:
    reads.proxies["b"].refuse()
    with within(6 * SOON / 2):
        assert reads.replicas(6) == {"c"}


def test_a_frozen_replica_costs_a_moment(reads: Reads) -> None:
    reads.know_primary()
    reads.cluster.freeze("b")
    try:
        for _ in range(4):
            with within(SOON):
                assert reads.get()["node"] == "c"
    finally:
        reads.cluster.thaw("b")


def test_a_node_that_is_no_database_at_all_is_passed_over(reads: Reads) -> None:
    with ports.garbage() as number:
        path = reads.inside.path / "profiles" / "dev.yaml"
        path.write_text(path.read_text().replace(f"port: {reads.proxies['b'].port}", f"port: {number}"))
        assert set(reads.nodes(4)) <= {"c", "a"}


@pytest.mark.parametrize("arguments", EVERY_READ, ids=" ".join)
def test_a_read_that_a_replica_fails_in_is_done_elsewhere(reads: Reads, arguments: tuple[str, ...]) -> None:
    expected = reads.inside.ok(*arguments).out
    for name in ("b", "c"):
        reads.proxies[name].cut_answer(b".customer")
    done = reads.inside.ok(*arguments, "-v")
    assert done.err == f"source: primary `a` (127.0.0.1:{reads.proxies['a'].port})\n"
    assert done.out == expected


# -- long ones -------------------------------------------------------------------------------------


def _customers(reads: Reads, count: int, filling: int = 0) -> list[int]:
    """Add customers, and return all ids."""
    reads.cluster.sql(
        "INSERT INTO customer (email, first_name, last_name, company, address_line)"
        f" SELECT 'c' || i || '@example.com', 'C', 'D', NULLIF(repeat('x', {filling}), ''), NULLIF(repeat('y', {filling}), '')"
        f" FROM generate_series(1, {count}) AS i"
    )
    reads.cluster.wait_streaming()
    return [row_id for (row_id,) in reads.cluster.sql("SELECT id FROM customer ORDER BY id")]


def _ids(lines: str) -> list[int]:
    return [json.loads(line)["id"] for line in lines.splitlines()]


def test_what_fails_midway_goes_on_behind_the_last_row(reads: Reads) -> None:
    expected = _customers(reads, 4500)
    try:
        for name in ("b", "c"):
            reads.proxies[name].cut_before(b"FETCH FORWARD 2000", nth=2)
        exported = reads.inside.ok("customer", "export", "-o", "jsonl")
        assert _ids(exported.out) == expected
        assert exported.err.count("failed midway") == 2
        assert "the rest is read from another node, in a later state" in exported.err
        for name in ("b", "c"):
            reads.proxies[name].cut_before(b".customer.id > ", nth=2)
        listed = reads.inside.ok("customer", "list", "--limit", "0", "-o", "jsonl")
        assert _ids(listed.out) == expected
        assert listed.err.count("failed midway") == 2
    finally:
        reads.cluster.sql("DELETE FROM customer WHERE id > 1")


def test_an_export_that_a_conflict_with_recovery_ends_goes_on_elsewhere(reads: Reads) -> None:
    expected = _customers(reads, 4500)
    try:
        for name in ("b", "c"):
            reads.cluster.nodes[name].sql("ALTER SYSTEM SET max_standby_streaming_delay = 0")
            reads.cluster.nodes[name].sql("SELECT pg_reload_conf()")
        with _export(reads, "-o", "jsonl") as (process, head):
            # It is held up by its reader, and holds the table's lock: the replica ends it, to replay this.
            reads.cluster.sql("BEGIN; LOCK TABLE customer IN ACCESS EXCLUSIVE MODE; COMMIT")
            reads.cluster.wait_streaming()
            out, err = process.communicate(timeout=60)
    finally:
        for name in ("b", "c"):
            reads.cluster.nodes[name].sql("ALTER SYSTEM RESET max_standby_streaming_delay")
            reads.cluster.nodes[name].sql("SELECT pg_reload_conf()")
        reads.cluster.sql("DELETE FROM customer WHERE id > 1")
    assert process.returncode == 0, err
    assert b"conflict with recovery" in err
    assert _ids((head + out).decode()) == expected


def test_an_export_whose_replica_is_lost_neither_loses_nor_doubles_a_row(reads: Reads) -> None:
    # More than pipes and sockets hold between here and there.
    expected = _customers(reads, 40_000, filling=190)
    try:
        with _export(reads) as (process, head):
            for name in ("b", "c"):
                reads.cluster.nodes[name].sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY (%'"
                )
            out, err = process.communicate(timeout=60)
    finally:
        reads.cluster.sql("DELETE FROM customer WHERE id > 1")
    assert process.returncode == 0, err
    assert b"failed midway" in err
    rows = csv.DictReader(io.StringIO((head + out).decode()))
    assert [int(row["id"]) for row in rows] == expected


@contextmanager
def _export(reads: Reads, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], bytes]]:
    """Start an export of which no more is read than its beginning, so that it is held up."""
    process = reads.inside.start("customer", "export", *arguments, bufsize=0)
    assert process.stdout is not None
    try:
        yield process, process.stdout.read(1000)
    finally:
        process.kill()
        process.wait()


# -- what is not there, and whom nobody answers ----------------------------------------------------


def test_what_has_not_arrived_at_a_replica_is_found_at_the_primary(reads: Reads) -> None:
    reads.cluster.pause_replay("b", "c")
    reads.cluster.sql("ALTER TABLE customer RENAME COLUMN phone TO telephone")
    try:
        # The replicas have the old schema, and the primary one that is not ours.
        assert reads.get()["email"] == "ada@example.com"
        reads.cluster.resume_replay("b", "c")
        reads.cluster.wait_streaming()
        assert reads.run(*GET).code == 8
    finally:
        reads.cluster.sql("ALTER TABLE customer RENAME COLUMN telephone TO phone")


def test_nobody_is_not_found_where_a_replica_is_fresh(reads: Reads) -> None:
    assert reads.run("customer", "get", "nobody@example.com").code == 6


def test_what_is_refused_everywhere_is_unavailable(reads: Reads) -> None:
    for proxy in reads.proxies.values():
        proxy.refuse()
    for arguments in (*EVERY_READ, ("customer", "get", "nobody@example.com")):
        with within(SOON):
            done = reads.run(*arguments)
        assert done.code == 3, done.err
        for name in ("a", "b", "c"):
            assert f"node `{name}`" in done.err


def test_a_process_ends_at_once_though_a_node_is_silent(reads: Reads) -> None:
    reads.cluster.freeze("b")
    try:
        process = reads.inside.start(*GET)
        out, err = process.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    finally:
        reads.cluster.thaw("b")
    assert process.returncode == 0, err
    assert json.loads(out)["node"] != "b"
    wait_until(lambda: reads.cluster.roles()["b"] == "standby")
