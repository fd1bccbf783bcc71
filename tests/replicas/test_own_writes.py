"""An operator reads his own writes, whichever of his processes has written; a former primary is not written to."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator

import pytest

from custctl.engines.postgresql.connection import LimitedConnection
from custctl.engines.postgresql.freshness import read_freshness
from custctl.engines.reads import LogPosition
from tests.conftest import Project, make_project
from tests.replicas.reads import GET, Reads
from tests.servers.fixtures import PostgresqlServers
from tests.servers.postgresql import PASSWORD, USER

# In the suite commands are run in the test's own process; by this number, in one each.
PAIRS = int(os.environ.get("CUSTCTL_TEST_PAIRS", "0"))
COMMIT = b"COMMIT; "
"""The message that commits, and asks for the position behind it."""


@pytest.fixture(scope="module")
def module_reads(postgresql_servers: PostgresqlServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reads]:
    with Reads.on(postgresql_servers.cluster(), make_project(tmp_path_factory.mktemp("own"))) as made:
        yield made


@pytest.fixture
def reads(module_reads: Reads) -> Iterator[Reads]:
    """One cluster for all of these; how far a replica is behind matters to none."""
    module_reads.profile(max_lag="1h")
    yield module_reads
    module_reads.cluster.resume_replay("b", "c")
    for proxy in module_reads.proxies.values():
        proxy.accept()
        assert proxy.pending == 0
    module_reads.cluster.wait_streaming()


# -- reading what was written ----------------------------------------------------------------------


def test_no_read_is_older_than_the_write_before_it(reads: Reads) -> None:
    reads.cluster.pause_replay("b")
    # A replica that is not asked what it has would be half of them.
    assert reads.nodes(16)["b"] > 0
    commands = Project(reads.inside.path, reads.inside.environ) if PAIRS else reads.inside
    served = set()
    for number in range(PAIRS or 100):
        commands.run("customer", "update", "1", "--phone", str(number))
        found = json.loads(commands.run(*GET).out)
        assert found["phone"] == str(number)
        served.add(found["node"])
    assert served <= {"a", "c"}


def test_every_kind_of_write_is_remembered_by_processes_of_their_own(reads: Reads) -> None:
    rows = "email,first_name,last_name\ngrace@example.com,Grace,Hopper\n"
    reads.cluster.pause_replay("b", "c")
    for arguments, typed in (
        (("customer", "import", "-"), rows),
        (("seed", "--customers", "2"), None),
        (("customer", "delete", "grace@example.com", "--yes"), None),
        (("customer", "set-password", "1", "--stdin"), "correct horse battery staple 9\n"),
    ):
        reads.forget()
        assert reads.get()["source"] == "replica"
        done = reads.inside.start(*arguments, stdin=-1).communicate(typed.encode() if typed else b"", timeout=60)
        assert reads.get()["source"] == "primary", done
        assert reads.inside.ok("customer", "list", "-v").err.startswith("source: primary")
    assert len(reads.inside.ok("customer", "list", "-o", "json").json["items"]) == 3


def test_scripts_are_remembered_too(reads: Reads) -> None:
    scripts = reads.inside.path / "sql"
    (scripts / "postgresql" / "seed" / "reference").mkdir(parents=True)
    script = scripts / "postgresql" / "seed" / "reference" / "closed.sql"
    script.write_text(f"INSERT INTO custctl_metadata VALUES ('x{uuid.uuid4()}', '');\n")
    reads.cluster.pause_replay("b", "c")
    assert reads.get()["source"] == "replica"
    reads.inside.ok("seed", "--set", "reference", "--sql-dir", str(scripts))
    assert reads.get()["source"] == "primary"


def test_a_replica_serves_again_when_it_has_come_so_far(reads: Reads) -> None:
    reads.cluster.pause_replay("b", "c")
    reads.inside.ok("customer", "update", "1", "--city", "London")
    assert reads.get()["node"] == "a"
    reads.cluster.resume_replay("b")
    reads.cluster.wait_streaming("b")
    assert reads.replicas(4) == {"b"}


def test_what_others_write_need_not_be_seen(reads: Reads) -> None:
    reads.inside.ok("customer", "update", "1", "--city", "Paris")
    reads.cluster.wait_streaming()
    reads.cluster.pause_replay("b", "c")
    reads.cluster.sql("UPDATE customer SET city = 'Rome'")
    assert (found := reads.get())["source"] == "replica"
    assert found["city"] == "Paris"


def test_a_commit_that_is_not_flushed_yet_is_waited_for_too(reads: Reads) -> None:
    reads.cluster.sql("ALTER ROLE custctl SET synchronous_commit = off")
    reads.cluster.sql("ALTER SYSTEM SET wal_writer_delay = '10s'")
    reads.cluster.sql("SELECT pg_reload_conf()")
    try:
        for number in range(5):
            reads.inside.ok("customer", "update", "1", "--phone", f"async {number}")
            assert reads.get()["phone"] == f"async {number}"
    finally:
        reads.cluster.sql("ALTER ROLE custctl RESET synchronous_commit")
        reads.cluster.sql("ALTER SYSTEM RESET wal_writer_delay")
        reads.cluster.sql("SELECT pg_reload_conf()")


def test_a_standby_has_reached_the_end_of_the_log_where_that_is_a_page_s(reads: Reads) -> None:
    def end() -> tuple[int, int]:
        [(written, inserted)] = reads.cluster.sql(
            "SELECT (pg_current_wal_lsn() - '0/0')::bigint, (pg_current_wal_insert_lsn() - '0/0')::bigint"
        )
        return written, inserted

    def emit(size: int) -> None:
        reads.cluster.sql(f"SELECT pg_logical_emit_message(false, '', repeat('x', {size}), true)")

    def reached(name: str) -> LogPosition:
        server = reads.cluster.nodes[name]
        with LimitedConnection.connect(
            host=server.host, port=server.port, user=USER, password=PASSWORD, dbname="customers", autocommit=True
        ) as driver:
            found = read_freshness(driver, "public")
            assert found is not None
            return found.reached

    for _ in range(20):
        _, before = end()
        emit(800)
        _, now = end()
        room = 8192 - now % 8192
        if now // 8192 == before // 8192 and room > 1200:
            # What a message takes besides its text is the same for both.
            emit(room - (now - before - 800))
            break
    else:
        pytest.fail("somebody else writes to the log all the time")
    written, inserted = end()
    assert (written % 8192, inserted - written) in ((0, 24), (0, 40))
    reads.cluster.wait_streaming()
    assert reached("a").position >= inserted  # the server may write by itself meanwhile
    assert reached("b").position >= inserted
    reads.cluster.pause_replay("b")
    emit(0)
    reads.cluster.wait_streaming("c")
    assert reached("b").position < reached("a").position <= reached("c").position


# -- where the position is not learnt, or not kept -------------------------------------------------


def test_the_position_of_a_commit_whose_answer_was_lost_is_remembered(reads: Reads) -> None:
    reads.cluster.pause_replay("b", "c")
    reads.proxies["a"].cut_answer(COMMIT)
    reads.inside.ok("customer", "update", "1", "--region", "Lost")
    assert reads.proxies["a"].stats.cut == 1
    found = reads.get()
    assert (found["source"], found["region"]) == ("primary", "Lost")


def test_a_commit_that_never_arrives_is_told_as_not_written(reads: Reads) -> None:
    reads.proxies["a"].cut_before(COMMIT)
    done = reads.run("customer", "update", "1", "--region", "Nowhere", "-o", "json")
    assert done.code == 3
    assert "nothing was written" in done.error["message"]
    assert reads.get()["region"] != "Nowhere"


def test_what_is_not_written_is_told_by_the_commit_itself(reads: Reads) -> None:
    """An error of the message's first part is the commit's own."""
    reads.cluster.sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'not on a Monday'; END$$;"
        " CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON customer DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    try:
        done = reads.inside.run("customer", "update", "1", "--region", "Monday")
        assert "not on a Monday" in done.err
        assert done.code != 0
    finally:
        reads.cluster.sql("DROP TRIGGER refuse ON customer; DROP FUNCTION refuse")
    reads.cluster.wait_streaming()
    assert reads.get()["region"] != "Monday"


def test_a_memory_that_cannot_be_kept_is_a_warning(reads: Reads) -> None:
    blocked = reads.inside.path / "file"
    blocked.touch()
    reads.inside.environ["XDG_STATE_HOME"] = str(blocked)
    try:
        done = reads.inside.ok("customer", "update", "1", "--region", "Kent")
        assert "warning: `" in done.err
        assert "reads go to the primary, as replicas may lack what you wrote" in done.err
        reads.cluster.wait_streaming()
        for _ in range(4):
            assert reads.inside.ok(*GET).json["source"] == "primary"
    finally:
        del reads.inside.environ["XDG_STATE_HOME"]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"epoch": 1}', b"\xff", b'{"database_id": "x", "epoch": "y"}'])
def test_a_damaged_memory_makes_no_read_stale_and_heals(reads: Reads, damage: bytes) -> None:
    reads.inside.ok("customer", "update", "1", "--region", "Sussex")
    reads.memory.write_bytes(damage)
    assert reads.get()["source"] == "primary"
    reads.cluster.wait_streaming()
    assert reads.get()["source"] == "replica"
    assert reads.remembered()["primary"] == "a"


def test_the_memory_is_its_owner_s_alone(reads: Reads) -> None:
    reads.inside.ok("customer", "update", "1", "--region", "Surrey")
    assert reads.memory.stat().st_mode & 0o777 == 0o600
    assert reads.memory.parent.stat().st_mode & 0o077 == 0
    assert set(reads.remembered()) == {"database_id", "epoch", "position", "primary"}


def test_writers_side_by_side_never_turn_the_memory_back(reads: Reads) -> None:
    before = 0
    processes = [
        reads.inside.start("customer", "add", "--email", f"{n}@x.example.com", "--first-name", "X", "--last-name", "Y")
        for n in range(4)
    ]
    while any(process.poll() is None for process in processes):
        for path in reads.state.glob("replicas/*.json"):
            now = json.loads(path.read_text())["position"]
            assert now >= before
            before = now
    assert [process.wait() for process in processes] == [0] * 4
    # Each has asked for the end of the log behind its own commit.
    [(last,)] = reads.cluster.sql("SELECT pg_current_wal_lsn() - '0/0'")
    assert before <= last
    for process in processes:
        process.communicate()
    reads.cluster.wait_streaming()
    assert {f"{n}@x.example.com" for n in range(4)} <= {
        row["email"] for row in reads.inside.ok("customer", "list", "-o", "json").json["items"]
    }


# -- histories -------------------------------------------------------------------------------------


def test_a_replica_of_an_earlier_epoch_does_not_serve(reads: Reads) -> None:
    reads.cluster.pause_replay("b")
    reads.cluster.sql("UPDATE custctl_metadata SET value = '2' WHERE name = 'epoch'")
    reads.inside.ok("customer", "update", "1", "--region", "Essex")
    assert reads.remembered()["epoch"] == 2
    # Behind the fork a position says nothing of what is there.
    reads.know(epoch=2, position=1)
    reads.cluster.wait_streaming("c")
    assert reads.replicas(8) == {"c"}


def test_a_former_primary_that_came_back_is_not_written_to(reads: Reads) -> None:
    reads.inside.ok("customer", "update", "1", "--region", "Devon")
    held = reads.remembered()
    reads.memory.write_text(json.dumps({**held, "epoch": held["epoch"] + 1}))
    for arguments in (("update", "1", "--region", "Dorset"), ("delete", "1", "--yes")):
        done = reads.run("customer", *arguments, "-o", "json")
        assert (done.code, done.error["code"]) == (14, "split_brain")
        assert "nothing was written" in done.error["message"]
    found = reads.run(*GET)
    assert found.json["region"] == "Devon"
    assert "a former primary that came back" in found.err
    # It is no history of another database.
    reads.memory.write_text(json.dumps({**held, "epoch": 9, "database_id": str(uuid.uuid4())}))
    reads.inside.ok("customer", "update", "1", "--region", "Dorset")


def test_a_frozen_answer_to_a_commit_is_settled(reads: Reads) -> None:
    reads.profile(max_lag="1h", statement_timeout="1s")
    reads.proxies["a"].freeze_answer(COMMIT)
    reads.cluster.pause_replay("b", "c")
    done = reads.inside.ok("customer", "update", "1", "--region", "Norfolk", "-o", "json")
    assert done.json["region"] == "Norfolk"
    found = reads.get()
    assert (found["source"], found["region"]) == ("primary", "Norfolk")
