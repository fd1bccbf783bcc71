"""Projects whose profiles name databases on real servers.

The four profiles are as in the project they are made of. Their databases have names of their own; `dev` is created,
the others are where a test asks for them: on some servers that takes a second each.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml

from tests.conftest import Project
from tests.servers.mssql import MssqlServer
from tests.servers.postgresql import PASSWORD, USER, PostgresqlServer

ENVIRONMENTS = {"dev": "development", "test": "test", "staging": "staging", "prod": "production"}
SEEDS = {"dev": ["reference", "demo"], "test": ["reference", "demo"], "staging": ["reference"], "prod": ["reference"]}
PASSWORD_VARIABLE = "CUSTCTL_DB_PASSWORD"


class ServerDatabase(Protocol):
    """A database on a server, whatever engine."""

    name: str

    @property
    def host(self) -> str:
        """Where it is."""

    @property
    def port(self) -> int:
        """Where it is."""

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        """Run literal SQL and return its rows."""

    def drop(self) -> None:
        """Drop it."""


@dataclass(frozen=True, slots=True)
class Place:
    """How profiles reach a server.

    Attributes:
        engine: as in a profile.
        user: who logs in.
        password: his password.
        create: creates a database of a given name.
        plain: the keys of a profile's `database` for development and test: `nodes`, `tls` and the like.
        protected: those for staging and production.
    """

    engine: str
    user: str
    password: str
    create: Callable[[str], ServerDatabase]
    plain: dict[str, Any]
    protected: dict[str, Any]


@dataclass(slots=True)
class EngineProject(Project):
    """A project on one of the engines, whose `dev` database is there and empty.

    Attributes:
        place: how to reach the server; None for sqlite, whose files need no creation.
        databases: those that were created, by profile.
    """

    place: Place | None = None
    databases: dict[str, ServerDatabase] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    @property
    def engine(self) -> str:
        """The engine as a profile names it."""
        return self.place.engine if self.place else "sqlite"

    def create(self, profile: str) -> None:
        """Create a profile's database, which is empty."""
        if self.place is not None:
            self.databases[profile] = self.place.create(self.names[profile])

    def sql(self, query: str, *, name: str = "dev") -> list[tuple[Any, ...]]:
        """Run literal SQL behind custctl's back, in autocommit mode, and return its rows.

        Args:
            query: without parameters.
            name: the profile.
        """
        if self.place is not None:
            return self.databases[name].sql(query)
        with contextlib.closing(self.database(name)) as connection:
            return connection.execute(query).fetchall()

    def database(self, name: str = "dev") -> sqlite3.Connection:
        """Open a profile's file; only where the engine is sqlite."""
        assert self.place is None, "`database` is for sqlite: use `sql`"
        return Project.database(self, name)

    def profile(self, name: str, environment: str, **changes: Any) -> None:
        """Write a profile.

        Args:
            name: its name; with it goes a database's, new at the first time.
            environment: the kind of environment.
            changes: keys of `database` to set, or to leave out where the value is None; `seed`, the sets.
        """
        seed = list(changes.pop("seed", SEEDS.get(name, ["reference"])))
        if self.place is None:
            reached: dict[str, Any] = {"path": f"{name}.db"}
        else:
            place = self.place
            protected = environment in ("staging", "production")
            reached = {
                "name": self.names.setdefault(name, f"custctl_{name}_{secrets.token_hex(6)}"),
                "user": place.user,
                "auth": "password",
                **(place.protected if protected else place.plain),
            }
        given = {"engine": self.engine, **reached, **changes}
        database = {key: value for key, value in given.items() if value is not None}
        text = yaml.safe_dump({"environment": environment, "database": database, "seed": seed}, sort_keys=False)
        (self.path / "profiles" / f"{name}.yaml").write_text(text)

    def drop(self) -> None:
        """Drop the databases that were created."""
        with contextlib.ExitStack() as stack:
            for database in self.databases.values():
                stack.callback(database.drop)


def on_engine(project: Project, place: Place | None) -> EngineProject:
    """Return a project with the four profiles on an engine, and its `dev` database created.

    Args:
        project: whose folder and environment it takes over.
        place: the server; None for sqlite.
    """
    made = EngineProject(project.path, project.environ, place)
    if place is not None:
        made.environ[PASSWORD_VARIABLE] = place.password
    for name, environment in ENVIRONMENTS.items():
        made.profile(name, environment)
    made.create("dev")
    return made


def nodes(host: str, port: int) -> list[dict[str, str | int]]:
    """Return a profile's list of one node."""
    return [{"name": "a", "host": host, "port": port}]


def postgresql_place(server: PostgresqlServer, *, tls_port: int | None = None, ca: Path | None = None) -> Place:
    """Return how profiles reach a PostgreSQL server: plain in development and test, verified TLS elsewhere.

    Args:
        server: a running one.
        tls_port: for a server without TLS, the port of a proxy that has it; without one, there is no TLS anywhere,
            and the program refuses `prod`.
        ca: the file that the proxy's certificate is verified with.
    """
    if server.certificates is not None:
        tls_port, ca = server.port, server.certificates.ca
    plain = {"nodes": nodes(server.host, server.port), "tls": "off"}
    protected = {"nodes": nodes(server.host, tls_port), "tls": "verify-full", "tls_ca": str(ca)} if tls_port else plain
    return Place("postgresql", USER, PASSWORD, server.create_database, plain, protected)


def mssql_place(server: MssqlServer) -> Place:
    """Return how profiles reach a SQL Server: with the TLS of its URL, everywhere.

    With limits as for one that is far away: on a busy machine a login alone may take seconds.
    """
    reached = {
        "nodes": nodes(server.host, server.port),
        "tls": server.tls,
        "tls_ca": server.tls_ca,
        "connect_timeout": "60s",
        "statement_timeout": "180s",
    }
    return Place("mssql", server.user, server.password, server.create_database, reached, reached)
