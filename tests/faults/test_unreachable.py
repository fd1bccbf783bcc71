"""Servers that cannot be reached: every command ends in time, says which nodes it tried, and leaves nothing running."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest
import yaml

from tests.conftest import Project, Result
from tests.faults.conftest import Commands, Site, meanwhile, within
from tests.inside import Inside
from tests.servers import ports
from tests.servers.fixtures import PostgresqlServers
from tests.servers.projects import on_engine, postgresql_place

CONNECT, STATEMENT = 2, 2
START = 4  # seconds for the start of a Python on a busy machine, and for ending it
FAST = 2  # seconds, in the test's own process

Port = Callable[[], AbstractContextManager[int]]


class Nowhere(Inside):
    """A project whose `dev` is on ports behind which there is no server."""

    def place(self, engine: str, *found: int, tls: str = "require") -> None:
        """Write the profile, with a node a port: `a`, `b` and so on."""
        database: dict[str, Any] = {
            "engine": engine,
            "name": "customers",
            "user": "custctl",
            "auth": "password",
            "nodes": [
                {"name": name, "host": "127.0.0.1", "port": port} for name, port in zip("abcdef", found, strict=False)
            ],
            "tls": tls,
            "connect_timeout": f"{CONNECT}s",
            "statement_timeout": f"{STATEMENT}s",
        }
        self.environ["CUSTCTL_DB_PASSWORD"] = "not to be seen"
        text = yaml.safe_dump({"environment": "development", "database": database})
        (self.path / "profiles" / "dev.yaml").write_text(text)

    def unavailable(self, *arguments: str, seconds: float) -> str:
        """Run a command that is to end with exit code 3, and return its message."""
        with within(seconds):
            result = self.run(*arguments, "-o", "json")
        assert result.code == 3, result.err
        assert "not to be seen" not in result.out + result.err
        message: str = result.error["message"]
        assert result.error["hint"]
        return message


@pytest.fixture
def nowhere(project: Project) -> Nowhere:
    """A project whose `dev` is nowhere yet."""
    return Nowhere(project.path, project.environ)


ENGINES = pytest.mark.parametrize("engine", ["postgresql", "mssql"])


@ENGINES
@pytest.mark.parametrize("tls", ["require", "verify-full", "strict", "off"])
@pytest.mark.parametrize("port", [ports.refused, ports.garbage, ports.closing], ids=lambda port: port.__name__)
def test_a_port_without_a_server_is_told_at_once(nowhere: Nowhere, engine: str, port: Port, tls: str) -> None:
    with port() as number:
        nowhere.place(engine, number, tls=tls)
        message = nowhere.unavailable("customer", "get", "1", seconds=FAST)
    assert f"node `a` (127.0.0.1:{number})" in message
    assert message == message.strip().rstrip(":")
    if port is ports.refused:
        assert message.lower().endswith("connection refused")


@ENGINES
@pytest.mark.parametrize("tls", ["require", "verify-full"])
def test_a_port_that_says_nothing_is_given_up_in_time(nowhere: Nowhere, engine: str, tls: str) -> None:
    with ports.silent() as number:
        nowhere.place(engine, number, tls=tls)
        message = nowhere.unavailable("customer", "get", "1", seconds=CONNECT + FAST)
    assert f"node `a` (127.0.0.1:{number})" in message


@ENGINES
def test_each_of_several_nodes_is_named_and_they_are_tried_at_once(nowhere: Nowhere, engine: str) -> None:
    with ExitStack() as stack:
        kinds: list[Port] = [ports.refused, ports.silent, ports.silent, ports.garbage, ports.closing]
        numbers = [stack.enter_context(kind()) for kind in kinds]
        nowhere.place(engine, *numbers)
        message = nowhere.unavailable("customer", "get", "1", seconds=CONNECT + FAST)
    for name, number in zip("abcde", numbers, strict=True):
        assert message.count(f"node `{name}` (127.0.0.1:{number})") == 1


COMMANDS = [
    ("customer", "get", "1"),
    ("customer", "add", "--email", "a@example.com", "--first-name", "A", "--last-name", "B"),
    ("customer", "list"),
    ("customer", "export"),
    ("customer", "import", "rows.csv"),
    ("migrate",),
    ("migrate", "status"),
    ("seed", "--customers", "3"),
    ("audit", "verify"),
]


@ENGINES
def test_every_command_as_a_process_ends_in_time(nowhere: Nowhere, engine: str) -> None:
    (nowhere.path / "rows.csv").write_text("email,first_name,last_name\na@example.com,A,B\n")
    commands = Commands(nowhere)
    with ports.silent() as number:
        nowhere.place(engine, number)
        began = time.monotonic()
        started = [commands.start(*arguments) for arguments in COMMANDS]
        for arguments, process in zip(COMMANDS, started, strict=True):
            left = CONNECT + START + len(COMMANDS) - (time.monotonic() - began)
            result = commands.end(process, max(left, 0.1))
            assert result.code == 3, (arguments, result.err)
            assert f"node `a` (127.0.0.1:{number})" in result.err


@ENGINES
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_process_that_waits_for_an_answer_can_be_interrupted(
    nowhere: Nowhere, engine: str, number: signal.Signals, code: int
) -> None:
    commands = Commands(nowhere)
    with ports.silent() as silent:
        nowhere.place(engine, silent)
        path = nowhere.path / "profiles" / "dev.yaml"
        path.write_text(path.read_text().replace("connect_timeout: 2s", "connect_timeout: 40s"))
        process = commands.start("migrate")
        assert process.stderr is not None
        # It tells what it is about to change, and connects then.
        assert process.stderr.readline().startswith(b"dev (development)")
        time.sleep(0.5)
        process.send_signal(number)
        result = commands.end(process, 3)
    assert result.code == code
    assert result.err.startswith("error: interrupted")


# -- beside one that answers -----------------------------------------------------------------------


@pytest.mark.parametrize("bad", [ports.refused, ports.silent, ports.garbage], ids=lambda port: port.__name__)
@pytest.mark.parametrize("first", [True, False])
def test_a_bad_node_beside_a_good_one_costs_no_time(site: Site, bad: Port, first: bool) -> None:
    good = {"name": "good", "host": site.proxy.host, "port": site.proxy.port}
    with bad() as number:
        other = {"name": "bad", "host": "127.0.0.1", "port": number}
        site.profile(nodes=[other, good] if first else [good, other], connect_timeout="10s")
        with within(FAST):
            assert site.ok("customer", "list", "-o", "json").json["items"] == []
        commands = Commands(site.project)
        # The attempt on the bad one goes on in its thread, and does not keep the process.
        assert commands.end(commands.start("customer", "list", "-o", "json"), START).code == 0


def test_a_wrong_password_is_told_and_not_the_node_that_is_down(site: Site) -> None:
    site.project.environ["CUSTCTL_DB_PASSWORD"] = "wrong"
    with ports.refused() as number:
        good = {"name": "good", "host": site.proxy.host, "port": site.proxy.port}
        site.profile(nodes=[{"name": "bad", "host": "127.0.0.1", "port": number}, good])
        result = site.run("customer", "list", "-o", "json")
    assert result.code == 4
    assert "node `good`" in result.error["message"]


# -- a server that is still starting ---------------------------------------------------------------


def test_migrate_waits_for_a_server_that_is_starting(project: Project, postgresql_servers: PostgresqlServers) -> None:
    server = postgresql_servers.own()
    made = on_engine(project, postgresql_place(server))
    inside = Inside(made.path, made.environ)
    server.stop()

    def refused() -> Result:
        with within(FAST):
            return inside.run("migrate", "-o", "json")

    assert refused().code == 3

    def start() -> None:
        time.sleep(1.5)
        server.start()

    with meanwhile(start), within(1.5 + 8):
        result = inside.run("migrate", "--wait", "20s", "-o", "json")
    assert result.code == 0, result.err
    assert result.json["applied"]
    server.stop()
    with within(1 + FAST):
        assert inside.run("migrate", "--wait", "1s").code == 3
    server.close()


@ENGINES
def test_migrate_waits_for_a_name_that_does_not_resolve_yet(nowhere: Nowhere, engine: str) -> None:
    nowhere.place(engine, 5432)
    path = nowhere.path / "profiles" / "dev.yaml"
    path.write_text(path.read_text().replace("127.0.0.1", "not-there-yet.invalid"))
    result = nowhere.run("migrate", "--wait", "1s", "-v", "-o", "json")
    assert result.code == 3
    waited = [told for told in result.told if told.startswith("waiting: ")]
    assert len(waited) > 1
    assert all("not-there-yet.invalid" in told for told in waited)
