"""A commit that waits for a synchronous standby that is dead: not seen, and not absent either."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator

import pytest

from tests.conftest import ADA, Project
from tests.faults.conftest import Commands, wait_for_standbys, wait_until
from tests.inside import Inside
from tests.servers.postgresql import PostgresqlServer
from tests.servers.projects import EngineProject, nodes, on_engine, postgresql_place


@pytest.fixture
def waiting(project: Project, own_postgresql: PostgresqlServer) -> Iterator[tuple[EngineProject, Inside]]:
    """A project on a server whose commits wait for a standby that never comes."""
    made = on_engine(project, postgresql_place(own_postgresql))
    inside = Inside(made.path, made.environ)
    inside.ok("migrate")
    inside.ok("customer", "add", "--email", "grace@example.com", "--first-name", "Grace", "--last-name", "Hopper")
    reached = nodes(own_postgresql.host, own_postgresql.port)
    made.profile("dev", "development", nodes=reached, statement_timeout="4s")
    wait_for_standbys(own_postgresql, "dead")
    yield made, inside
    own_postgresql.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
    # A test that has failed may have left it so, and to drop a database is a commit too.
    wait_for_standbys(own_postgresql, "")
    made.drop()


@pytest.mark.parametrize(
    "command",
    [
        ("customer", "add", *ADA),
        ("customer", "update", "grace@example.com", "--city", "Arlington"),
        ("customer", "delete", "grace@example.com", "--yes"),
    ],
    ids=lambda command: command[1],
)
def test_a_commit_that_is_pending_is_told_as_pending(
    waiting: tuple[EngineProject, Inside], own_postgresql: PostgresqlServer, command: tuple[str, ...]
) -> None:
    _, inside = waiting
    operation = str(uuid.uuid4())
    lost = inside.run(*command, "--operation-id", operation, "-o", "json", timeout=120)
    assert lost.code == 13, lost.err
    assert "the commit is pending" in lost.error["message"]
    assert lost.error["details"]["commit_pending"] is True
    assert f"--operation-id {operation}" in lost.error["hint"]
    assert "nothing written" not in lost.err
    listed = inside.ok("audit", "list", "--operation", operation)
    assert operation not in listed.out
    assert "pending" in listed.err
    # What it waited for is there again.
    wait_for_standbys(own_postgresql, "")
    again = inside.ok(*command, "--operation-id", operation, "-o", "json")
    assert again.code == 0
    assert len(inside.ok("audit", "list", "--operation", operation, "-o", "json").json["items"]) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_a_commit_is_pending_is_told_with_what_became_of_it(
    waiting: tuple[EngineProject, Inside], own_postgresql: PostgresqlServer, number: signal.Signals, code: int
) -> None:
    """What an interrupt ends is the wait: the server then keeps the commit, on this node alone."""
    made, inside = waiting
    commands = Commands(made)
    process = commands.start("customer", "add", *ADA)
    pending = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    wait_until(lambda: own_postgresql.sql(pending) == [(1,)])
    process.send_signal(number)
    done = commands.end(process, 20)
    assert done.code == code
    assert made.sql(f"SELECT count(*) FROM customer WHERE email = '{ADA[1]}'") == [(1,)]
    assert "nothing was written" not in done.err
    assert "rolled back" not in done.err
    assert "error: interrupted" in done.err
    assert "was committed" in done.err or "the commit is pending" in done.err, done.err
    wait_for_standbys(own_postgresql, "")
    assert len(inside.ok("audit", "list", "-o", "json").json["items"]) == 2


READ_ONLY = "default_transaction_read_only"
WRITERS = (
    ("customer", "add", *ADA),
    ("migrate",),
    ("migrate", "repair", "--yes"),
    ("migrate", "baseline", "5"),
    ("seed", "--set", "reference"),
)


@pytest.mark.parametrize("whose", ["ROLE {login}", "DATABASE {database}", "ROLE {login} IN DATABASE {database}"])
def test_a_login_that_is_read_only_by_itself_is_told_so(
    project: Project, own_postgresql: PostgresqlServer, whose: str
) -> None:
    made = on_engine(project, postgresql_place(own_postgresql))
    inside = Inside(made.path, made.environ)
    inside.ok("migrate")
    whose = whose.format(login="custctl", database=made.names["dev"])
    own_postgresql.sql(f"ALTER {whose} SET {READ_ONLY} = on")
    for command in WRITERS:
        refused = inside.run(*command, "-o", "json")
        assert refused.code == 7, refused.err
        assert f"`{READ_ONLY}` is on for this login or database" in refused.error["message"]
        assert "standby" not in refused.error["message"]
        assert "fenced" not in refused.error["message"]
        assert f"`ALTER {whose} RESET {READ_ONLY}`" in refused.error["hint"].replace('"', "")
    assert inside.ok("customer", "list", "-o", "json").json["items"] == []
    # The hint can be pasted.
    own_postgresql.sql(refused.error["hint"].split("`")[1])
    inside.ok("customer", "add", *ADA)
    made.drop()


def test_a_fenced_server_is_told_as_fenced(project: Project, own_postgresql: PostgresqlServer) -> None:
    made = on_engine(project, postgresql_place(own_postgresql))
    inside = Inside(made.path, made.environ)
    inside.ok("migrate")
    own_postgresql.sql(f"ALTER SYSTEM SET {READ_ONLY} = on")
    own_postgresql.sql("SELECT pg_reload_conf()")
    for command in WRITERS:
        refused = inside.run(*command, "-o", "json")
        assert refused.code == 7, refused.err
        assert f"is fenced: `{READ_ONLY}` is on for the whole server" in refused.error["message"]
        assert "custctl replica unfence" in refused.error["hint"]
    own_postgresql.sql(f"ALTER SYSTEM RESET {READ_ONLY}")
    own_postgresql.sql("SELECT pg_reload_conf()")
    made.drop()
