"""Fixtures: databases on real servers, which are started when a test first asks for one and run on for the others.

`postgresql` runs a test on every version, `postgresql17` and `postgresql18` on that one alone; they give a fresh
`Database` on a shared server, which must be left running. `own_postgresql` gives a server to be killed and frozen.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from tests.servers.installations import installations
from tests.servers.postgresql import Database, PostgresqlServer
from tests.servers.workplace import Workplace


class PostgresqlServers:
    """The servers of one worker, by version."""

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace
        self._shared: dict[str, PostgresqlServer] = {}
        self._own: list[PostgresqlServer] = []

    def shared(self, name: str) -> PostgresqlServer:
        """Return the running server of a version: `postgresql17`."""
        if name not in self._shared:
            self._shared[name] = PostgresqlServer.create(installations()[name], self._workplace)
        server = self._shared[name]
        if not server.running:
            server.start()
        return server

    def own(self, name: str = "postgresql18", *, start: bool = True) -> PostgresqlServer:
        """Return a new server of a version, closed at the end of the run unless that has been done."""
        server = PostgresqlServer.create(installations()[name], self._workplace)
        self._own.append(server)
        if start:
            server.start()
        return server

    def close(self) -> None:
        """End all servers."""
        for server in (*self._shared.values(), *self._own):
            if server.folder.exists():
                server.close()


@pytest.fixture(scope="session")
def postgresql_servers() -> Iterator[PostgresqlServers]:
    """The servers of this worker; none is started by asking for this."""
    workplace = Workplace(os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid.uuid4().hex)[:12])
    servers = PostgresqlServers(workplace)
    try:
        yield servers
    finally:
        servers.close()
        workplace.close()


@pytest.fixture(params=list(installations()))
def postgresql(request: pytest.FixtureRequest, postgresql_servers: PostgresqlServers) -> Iterator[Database]:
    """A fresh database, on each version in turn."""
    yield from _fresh(postgresql_servers, request.param)


@pytest.fixture
def postgresql17(postgresql_servers: PostgresqlServers) -> Iterator[Database]:
    """A fresh database on PostgreSQL 17: C locale, TLS."""
    yield from _fresh(postgresql_servers, "postgresql17")


@pytest.fixture
def postgresql18(postgresql_servers: PostgresqlServers) -> Iterator[Database]:
    """A fresh database on PostgreSQL 18: built-in C.UTF-8 locale, no TLS."""
    yield from _fresh(postgresql_servers, "postgresql18")


@pytest.fixture
def own_postgresql(request: pytest.FixtureRequest, postgresql_servers: PostgresqlServers) -> Iterator[PostgresqlServer]:
    """A running server of the test's own, PostgreSQL 18 unless another is named by indirect parametrisation."""
    server = postgresql_servers.own(getattr(request, "param", "postgresql18"))
    yield server
    server.close()


def _fresh(servers: PostgresqlServers, name: str) -> Iterator[Database]:
    database = servers.shared(name).create_database()
    yield database
    database.drop()
