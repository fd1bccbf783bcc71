"""Fixtures: databases on real servers, which are started when a test first asks for one and run on for the others.

`postgresql` runs a test on every version, `postgresql17` and `postgresql18` on that one alone; they give a fresh
`Database` on a shared server, which must be left running. `own_postgresql` gives a server to be killed and frozen.
`engine_project` runs a test of the program on every engine.

`cluster` and `synchronous_cluster` give a primary and two standbys in their first state, which a test may do anything to:
the next one gets them as new. `patroni` is a cluster that Patroni keeps, in its first state but for who leads.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.servers.installations import installations
from tests.servers.workplace import Workplace

if TYPE_CHECKING:
    from tests.conftest import Project
    from tests.servers.cluster import Cluster
    from tests.servers.mssql import MssqlServer
    from tests.servers.patroni import PatroniCluster
    from tests.servers.postgresql import Database, PostgresqlServer
    from tests.servers.projects import EngineProject, Place
    from tests.servers.proxy import Proxy

_VERSIONS = list(installations())
ENGINES = ["sqlite", *_VERSIONS, *(["mssql"] if os.environ.get("CUSTCTL_TEST_MSSQL_URL") else [])]


class PostgresqlServers:
    """The servers of one worker, by version."""

    def __init__(self, workplace: Workplace) -> None:
        self.workplace = workplace
        self._shared: dict[str, PostgresqlServer] = {}
        self._own: list[PostgresqlServer] = []
        self._clusters: dict[tuple[str, bool], Cluster] = {}
        self._patroni: PatroniCluster | None = None
        self._fronts: dict[str, Proxy] = {}

    def shared(self, name: str) -> PostgresqlServer:
        """Return the running server of a version: `postgresql17`."""
        if name not in self._shared:
            self._shared[name] = self._create(name)
        server = self._shared[name]
        if not server.running:
            server.start()
        return server

    def own(self, name: str = "postgresql18", *, start: bool = True) -> PostgresqlServer:
        """Return a new server of a version, closed at the end of the run unless that has been done."""
        server = self._create(name)
        self._own.append(server)
        if start:
            server.start()
        return server

    def cluster(self, name: str = "postgresql18", *, synchronous: bool = False) -> Cluster:
        """Return a version's primary and standbys in their first state."""
        from tests.servers.cluster import Cluster

        key = name, synchronous
        if key in self._clusters:
            self._clusters[key].reset()
        else:
            self._clusters[key] = Cluster.create(installations()[name], self.workplace, synchronous=synchronous)
        return self._clusters[key]

    def patroni(self) -> PatroniCluster:
        """Return a cluster that Patroni keeps, all of whose nodes are well."""
        from tests.servers.patroni import PatroniCluster

        if self._patroni is None:
            self._patroni = PatroniCluster.create(installations()["postgresql18"], self.workplace)
        else:
            self._patroni.restore()
        return self._patroni

    def _create(self, name: str) -> PostgresqlServer:
        from tests.servers.postgresql import PostgresqlServer

        return PostgresqlServer.create(installations()[name], self.workplace)

    def place(self, name: str) -> Place:
        """Return how profiles reach a version's shared server; one without TLS gets a proxy that has it."""
        from tests.servers.postgresql import make_certificates
        from tests.servers.projects import postgresql_place
        from tests.servers.proxy import Proxy

        server = self.shared(name)
        if server.certificates is not None:
            return postgresql_place(server)
        certificates = make_certificates(self.workplace)
        if name not in self._fronts:
            self._fronts[name] = Proxy(server.host, server.port, certificate=certificates.server)
            self._fronts[name].open()
        return postgresql_place(server, tls_port=self._fronts[name].port, ca=certificates.ca)

    def close(self) -> None:
        """End all servers."""
        for front in self._fronts.values():
            front.close()
        if self._patroni is not None:
            self._patroni.close()
        servers: list[Cluster | PostgresqlServer] = [*self._clusters.values(), *self._shared.values(), *self._own]
        for server in servers:
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


@pytest.fixture(params=_VERSIONS)
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


@pytest.fixture
def cluster(request: pytest.FixtureRequest, postgresql_servers: PostgresqlServers) -> Cluster:
    """A primary `a` and its standbys `b` and `c`, PostgreSQL 18 unless another is named by indirect parametrisation."""
    return postgresql_servers.cluster(getattr(request, "param", "postgresql18"))


@pytest.fixture
def synchronous_cluster(request: pytest.FixtureRequest, postgresql_servers: PostgresqlServers) -> Cluster:
    """The same, where each commit waits for one of the other nodes."""
    return postgresql_servers.cluster(getattr(request, "param", "postgresql18"), synchronous=True)


@pytest.fixture
def patroni(postgresql_servers: PostgresqlServers) -> PatroniCluster:
    """Three nodes that Patroni keeps, PostgreSQL 18; a test leaves them to it."""
    return postgresql_servers.patroni()


@pytest.fixture(scope="session")
def mssql_server() -> Iterator[MssqlServer]:
    """The SQL Server that `CUSTCTL_TEST_MSSQL_URL` names; a test that may run without one takes `engine_project`."""
    from tests.servers.mssql import URL, named_server

    server = named_server()
    assert server is not None, f"{URL} names no server"
    yield server
    server.close()


@pytest.fixture(params=ENGINES)
def engine_project(request: pytest.FixtureRequest, project: Project) -> Iterator[EngineProject]:
    """A project on each engine in turn; SQL Server is among them where `CUSTCTL_TEST_MSSQL_URL` names one."""
    from tests.servers.projects import on_engine

    made = on_engine(project, place(request))
    yield made
    made.drop()


def place(request: pytest.FixtureRequest) -> Place | None:
    """Return how profiles reach the engine that `request.param` names; None for sqlite."""
    if request.param == "sqlite":
        return None
    if request.param != "mssql":
        return request.getfixturevalue("postgresql_servers").place(request.param)
    from tests.servers.projects import mssql_place

    return mssql_place(request.getfixturevalue("mssql_server"))


def _fresh(servers: PostgresqlServers, name: str) -> Iterator[Database]:
    database = servers.shared(name).create_database()
    yield database
    database.drop()
