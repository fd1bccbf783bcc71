"""Servers that stand still: every command ends in time and tells the node, whatever it was in the midst of."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from custctl.engines.postgresql import connection
from tests.conftest import ADA, Project
from tests.faults.conftest import Commands, Site, meanwhile, wait_until, within
from tests.inside import Inside
from tests.servers.postgresql import PostgresqlServer
from tests.servers.projects import EngineProject, nodes, on_engine, postgresql_place

CONNECT, STATEMENT = 2, 2
SLACK = 3  # seconds

ADD = ("customer", "add", "--email", "b@example.com", "--first-name", "B", "--last-name", "C")


@pytest.fixture
def frosty(project: Project, own_postgresql: PostgresqlServer) -> Iterator[EngineProject]:
    """A project on a server of its own, which can be frozen; one customer is in it."""
    made = on_engine(project, postgresql_place(own_postgresql))
    _write_profile(made, own_postgresql)
    inside = Inside(made.path, made.environ)
    inside.ok("migrate")
    inside.ok("customer", "add", *ADA)
    (made.path / "rows.csv").write_text("email,first_name,last_name\nc@example.com,C,D\n")
    yield made
    own_postgresql.thaw()
    made.drop()


def _write_profile(made: EngineProject, server: PostgresqlServer) -> None:
    made.profile(
        "dev",
        "development",
        nodes=nodes(server.host, server.port),
        connect_timeout=f"{CONNECT}s",
        statement_timeout=f"{STATEMENT}s",
    )


@contextmanager
def _locked(server: PostgresqlServer, name: str) -> Iterator[Callable[[], bool]]:
    """Lock the customers; gives what tells whether somebody waits for them, from another session."""
    with server.connect(dbname=name, autocommit=False) as holder, server.connect(dbname=name) as watcher:
        holder.execute("LOCK TABLE customer IN ACCESS EXCLUSIVE MODE")
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        try:
            yield lambda: watcher.execute(query).fetchone() != (0,)
        finally:
            # A server that is frozen would not even let them go.
            server.thaw()


def test_a_server_that_is_frozen_before_it_is_asked(frosty: EngineProject, own_postgresql: PostgresqlServer) -> None:
    commands = Commands(frosty)
    own_postgresql.freeze()
    asked = [ADD, ("customer", "export"), ("customer", "import", "rows.csv"), ("migrate",), ("audit", "verify")]
    began = time.monotonic()
    started = [commands.start(*arguments) for arguments in asked]
    for process in started:
        # So many at once take their time to start.
        left = CONNECT + STATEMENT + SLACK + len(asked) - (time.monotonic() - began)
        result = commands.end(process, max(left, 0.1))
        assert result.code == 3
        assert (
            f"node `a` ({own_postgresql.host}:{own_postgresql.port}) cannot be reached: no answer in time" in result.err
        )
    own_postgresql.thaw()
    assert frosty.sql("SELECT count(*) FROM customer") == [(1,)]


@pytest.mark.parametrize(
    "arguments",
    [ADD, ("customer", "get", "1"), ("customer", "export"), ("customer", "import", "rows.csv")],
    ids=lambda arguments: arguments[1],
)
def test_a_server_that_is_frozen_in_the_midst_of_a_statement(
    frosty: EngineProject, own_postgresql: PostgresqlServer, arguments: tuple[str, ...]
) -> None:
    inside = Inside(frosty.path, frosty.environ)
    frozen = threading.Event()
    with _locked(own_postgresql, frosty.names["dev"]) as is_awaited:

        def freeze() -> None:
            wait_until(is_awaited)
            own_postgresql.freeze()
            frozen.set()

        with meanwhile(freeze), within(CONNECT + STATEMENT + SLACK):
            result = inside.run(*arguments, "-o", "jsonl" if arguments[1] == "export" else "json")
        assert frozen.is_set()
    assert result.code == 3, result.err
    assert "Traceback" not in result.err
    assert f"the connection to node `a` ({own_postgresql.host}:{own_postgresql.port}) was lost: no answer" in result.err
    wait_until(lambda: frosty.sql("SELECT count(*) FROM customer") == [(1,)])


@pytest.mark.parametrize("message", [b"SELECT", b"BEGIN"])
def test_a_connection_that_freezes_before_its_first_statement(site: Site, message: bytes) -> None:
    site.profile(connect_timeout=f"{CONNECT}s", statement_timeout=f"{STATEMENT}s")
    site.proxy.freeze_on(message)
    with within(CONNECT + STATEMENT + SLACK):
        result = site.run(*(ADD if message == b"BEGIN" else ("customer", "list")), "-o", "json")
    assert result.code == 3
    assert f"node `a` ({site.proxy.host}:{site.proxy.port}) was lost: no answer within 3 s" in result.error["message"]
    assert site.emails() == []


def test_an_import_that_freezes_between_its_batches_goes_on_later(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("custctl.customers.importing.BATCH", 4)
    path = tmp_path / "rows.csv"
    path.write_text("email,first_name,last_name\n" + "".join(f"c{n}@example.com,C,D\n" for n in range(10)))
    site.profile(connect_timeout=f"{CONNECT}s", statement_timeout=f"{STATEMENT}s")
    # The first one looks, the second one commits a batch.
    site.proxy.freeze_on(b"BEGIN", 3)
    with within(CONNECT + STATEMENT + SLACK):
        assert site.run("customer", "import", str(path)).code == 3
    assert len(site.emails()) == 4
    assert site.ok("customer", "import", str(path), "-o", "json").json["inserted"] == 10
    assert len(site.emails()) == 10


# -- scripts, which have no time limit --------------------------------------------------------------


@pytest.fixture
def sleeping(frosty: EngineProject) -> EngineProject:
    """A project with one more script, which takes its time."""
    frosty.environ.pop("CUSTCTL_SQL_DIR")
    folder = frosty.path / "sql" / "postgresql" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_slow.sql").write_text("CREATE TABLE slow (x INTEGER);\nSELECT pg_sleep(2.5);\n")
    frosty.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION custctl")
    return frosty


def _sleeps(project: EngineProject) -> bool:
    return project.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == [(1,)]


def test_a_script_may_take_longer_than_any_statement_while_the_server_answers(
    sleeping: EngineProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_SILENCE", 0.2)
    inside = Inside(sleeping.path, sleeping.environ)
    inside.ok("migrate")
    assert sleeping.sql("SELECT state FROM schema_migration") == [("applied",)]


def test_a_server_without_a_free_session_is_alive(
    sleeping: EngineProject, own_postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_SILENCE", 0.2)
    inside = Inside(sleeping.path, sleeping.environ)

    def occupy() -> None:
        wait_until(lambda: _sleeps(sleeping))
        sleeping.sql(f"ALTER DATABASE {sleeping.names['dev']} CONNECTION LIMIT 0")

    with meanwhile(occupy):
        inside.ok("migrate")


def test_a_server_that_is_frozen_in_the_midst_of_a_script(
    sleeping: EngineProject, own_postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_SILENCE", 0.5)
    inside = Inside(sleeping.path, sleeping.environ)

    def freeze() -> None:
        wait_until(lambda: _sleeps(sleeping))
        own_postgresql.freeze()

    with meanwhile(freeze), within(0.5 + CONNECT + STATEMENT + SLACK):
        result = inside.run("migrate", "-o", "json")
    assert result.code == 3, result.err
    message = result.error["message"]
    assert message.startswith("migrations/0001_slow.sql:")
    assert "failed: the server no longer answers" in message
    assert f"node `a` ({own_postgresql.host}:{own_postgresql.port})" in message
    own_postgresql.thaw()
    # The backend goes on, and has nobody to answer; the next run waits for its lock.
    inside.ok("migrate")
    assert sleeping.sql("SELECT name, state FROM schema_migration") == [("migrations/0001_slow.sql", "applied")]
    # Whoever still holds the error: no session waits for an attempt that was given up.
    assert result.error
    wait_until(lambda: sleeping.sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'starting'") == [(0,)], 10)


# -- interrupts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("kind", ["statement", "script"])
def test_a_command_that_hangs_can_be_interrupted(
    frosty: EngineProject, own_postgresql: PostgresqlServer, number: signal.Signals, code: int, kind: str
) -> None:
    commands = Commands(frosty)
    frosty.profile("dev", "development", nodes=nodes(own_postgresql.host, own_postgresql.port), statement_timeout="60s")
    if kind == "script":
        frosty.environ.pop("CUSTCTL_SQL_DIR")
        folder = frosty.path / "sql" / "postgresql" / "seed" / "reference"
        folder.mkdir(parents=True)
        (folder / "slow.sql").write_text("SELECT count(*) FROM customer;\n")
    with _locked(own_postgresql, frosty.names["dev"]) as is_awaited:
        process = commands.start(*(("seed", "--set", "reference") if kind == "script" else ADD))
        wait_until(is_awaited)
        own_postgresql.freeze()
        process.send_signal(number)
        result = commands.end(process, SLACK)
    assert result.code == code
    assert "error: interrupted" in result.err
    assert "cancellation" not in result.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_ends_what_a_living_server_does(
    frosty: EngineProject, own_postgresql: PostgresqlServer, number: signal.Signals, code: int
) -> None:
    commands = Commands(frosty)
    with _locked(own_postgresql, frosty.names["dev"]) as is_awaited:
        process = commands.start(*ADD)
        wait_until(is_awaited)
        process.send_signal(number)
        assert commands.end(process, SLACK).code == code
        wait_until(lambda: not is_awaited(), 1)
