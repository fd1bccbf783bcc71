"""Projects on PostgreSQL, reached through a proxy that cuts and freezes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import Project, Result
from tests.inside import Inside
from tests.servers.fixtures import PostgresqlServers
from tests.servers.postgresql import PostgresqlServer
from tests.servers.projects import EngineProject, nodes, on_engine, postgresql_place
from tests.servers.proxy import Fault, Proxy

SERVER = "postgresql17"
COMMIT = b"COMMIT\0"
"""The message that commits; `READ COMMITTED` is none."""


class LastProxy(Proxy):
    """A proxy that takes no new connections after its first fault."""

    def count(self, fault: Fault) -> None:
        """Count a connection that a fault has struck; its client does not know yet."""
        super().count(fault)
        self.refuse()


@dataclass(frozen=True, slots=True)
class Site:
    """A project whose `dev` is reached through a proxy.

    Attributes:
        project: its `start` starts real processes, its `sql` goes past the proxy.
        inside: the same commands in the test's own process.
        proxy: forwards everything until it is told otherwise.
    """

    project: EngineProject
    inside: Inside
    proxy: Proxy

    def profile(self, **changes: Any) -> None:
        """Write `dev` anew, through the proxy."""
        self.project.profile("dev", "development", **{"nodes": nodes(self.proxy.host, self.proxy.port), **changes})

    @contextmanager
    def unreachable_after_fault(self) -> Iterator[Proxy]:
        """Let `dev` go through another proxy meanwhile, which takes no new connections after its first fault."""
        with LastProxy(self.project.databases["dev"].host, self.project.databases["dev"].port) as proxy:
            self.profile(nodes=nodes(proxy.host, proxy.port))
            yield proxy
        self.profile()

    def run(self, *arguments: str, stdin: str | bytes | None = None) -> Result:
        """Run a command in the test's process; no failure is a traceback or a bug."""
        result = self.inside.run(*arguments, stdin=stdin)
        assert "Traceback" not in result.err
        assert result.code != 1, result.err
        return result

    def ok(self, *arguments: str, stdin: str | bytes | None = None) -> Result:
        """Run a command and expect exit code 0."""
        result = self.run(*arguments, stdin=stdin)
        assert result.code == 0, result.err
        return result

    def actions(self) -> list[str]:
        """Return the audit's actions in their order."""
        return [action for (action,) in self.project.sql("SELECT action FROM customer_audit ORDER BY id")]

    def emails(self) -> list[str]:
        """Return the customers' addresses by id."""
        return [email for (email,) in self.project.sql("SELECT email FROM customer ORDER BY id")]


class Commands:
    """Real processes of custctl, which are not waited for longer than is due."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command."""
        return self._project.start(*arguments)

    def end(self, process: subprocess.Popen[bytes], seconds: float) -> Result:
        """Return what a command left behind, which has ended by itself in so many seconds."""
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            _, err = process.communicate()
            pytest.fail(f"{process.args!r} has not ended in {seconds:g} s: {err.decode()}")
        assert b"Traceback" not in err
        return Result(process.returncode, out.decode(), err.decode())


@pytest.fixture
def empty_site(project: Project, postgresql_servers: PostgresqlServers) -> Iterator[Site]:
    """A site whose database is empty."""
    server = postgresql_servers.shared(SERVER)
    made = on_engine(project, postgresql_place(server))
    with Proxy(server.host, server.port) as proxy:
        site = Site(made, Inside(made.path, made.environ), proxy)
        site.profile()
        yield site
    made.drop()


@pytest.fixture
def site(empty_site: Site) -> Site:
    """A site whose database has the schema."""
    empty_site.ok("migrate")
    return empty_site


def wait_for_standbys(server: PostgresqlServer, names: str) -> None:
    """Set which standbys commits wait for, without waiting for them itself."""
    with server.connect() as connection:
        connection.execute("SET synchronous_commit = local")
        connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        connection.execute("SELECT pg_reload_conf()")


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Return when a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.005)


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Do something in another thread while the block runs; what it raises is raised here."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work)
        yield
        done.result()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail where the block takes longer."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took < seconds, f"it took {took:.1f} s, and {seconds:g} s were given"
