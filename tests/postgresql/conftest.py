"""A project on PostgreSQL with scripts of its own, for the tests of migrations."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ADA, Project, Result
from tests.inside import Inside
from tests.servers.fixtures import PostgresqlServers
from tests.servers.postgresql import Database
from tests.servers.projects import EngineProject, on_engine, postgresql_place

OFF = "-- custctl: transaction=off\n"
GATE = "SELECT pg_advisory_lock(42);\nSELECT pg_advisory_unlock(42);\n"
"""Statements that wait as long as a test is in `Workshop.gate`."""
OURS = "datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'custctl%'"
"""The sessions of custctl in `pg_stat_activity`."""


@dataclass(slots=True)
class Workshop:
    """Writes scripts into the project's `sql/` folder and looks into its databases behind custctl's back.

    Attributes:
        project: where commands are run; one that is only run to its end needs no process of its own.
    """

    project: EngineProject

    @property
    def folder(self) -> Path:
        """Where the scripts are."""
        return self.project.path / "sql" / "postgresql"

    @property
    def database(self) -> Database:
        """The database of the profile `dev`."""
        found = self.project.databases["dev"]
        assert isinstance(found, Database)
        return found

    def write(self, name: str, text: str) -> Path:
        """Write a script: `0001_a` into `migrations/`, `repeatable/x` and the like where they say."""
        path = self.folder / (f"{name}.sql" if "/" in name else f"migrations/{name}.sql")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def tables(self, *names: str) -> None:
        """Write one script a table: `tables("a", "b")` are 0001_a and 0002_b."""
        for number, name in enumerate(names, 1):
            self.write(f"{number:04d}_{name}", f"CREATE TABLE {name} (x INTEGER);\nINSERT INTO {name} VALUES (1);\n")

    def migrate(self, *arguments: str, env: str = "dev") -> Result:
        """Run `custctl migrate` in this process."""
        return Inside.run(self.project, "migrate", *arguments, "--env", env)  # type: ignore[arg-type]

    def ok(self, *arguments: str, env: str = "dev") -> Result:
        """Run `custctl migrate` and expect exit code 0."""
        result = self.migrate(*arguments, env=env)
        assert result.code == 0, f"exit {result.code}\n{result.err}"
        return result

    def refused(self, *arguments: str, env: str = "dev", code: int = 11) -> str:
        """Run `custctl migrate`, expect an exit code and return stderr."""
        result = self.migrate(*arguments, env=env)
        assert result.code == code, f"exit {result.code}\n{result.err}"
        assert "Traceback" not in result.err
        assert "unexpected" not in result.err
        return result.err

    def run(self, *arguments: str | Path, stdin: str | bytes | None = None) -> Result:
        """Run any command in this process."""
        return Inside.run(self.project, *arguments, stdin=stdin)  # type: ignore[arg-type]

    def start(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Start `custctl migrate` as a process and go on."""
        return self.project.start("migrate", *arguments)

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the database, as its superuser."""
        return self.database.sql(sql, *values)

    def journal(self) -> Mapping[str, tuple[str, int]]:
        """Return state and statements applied of each script in the journal."""
        rows = self.query("SELECT name, state, statements_applied FROM schema_migration ORDER BY id")
        return {str(script).split("/")[-1].removesuffix(".sql"): (state, applied) for script, state, applied in rows}

    def names(self, schema: str = "public") -> set[str]:
        """Return the tables of a schema that are not custctl's own."""
        found = {name for (name,) in self.query("SELECT tablename FROM pg_tables WHERE schemaname = %s", schema)}
        return found - {"schema_migration", "custctl_metadata"}

    def indexes(self, like: str = "%", *, valid: bool = True) -> set[str]:
        """Return the indexes of the database that are valid, or those that are not."""
        rows = self.query(
            "SELECT c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid"
            " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
            " WHERE n.nspname !~ '^pg_' AND c.relname LIKE %s AND i.indisvalid = %s",
            like,
            valid,
        )
        return {name for (name,) in rows}

    def sessions(self, condition: str = "true") -> list[int]:
        """Return the server's processes that work for custctl."""
        return [pid for (pid,) in self.query(f"SELECT pid FROM pg_stat_activity WHERE {OURS} AND ({condition})")]

    @contextmanager
    def gate(self) -> Iterator[None]:
        """Keep a script that has `GATE` among its statements waiting there during the block."""
        with self.database.connect() as connection:
            connection.execute("SELECT pg_advisory_lock(42)")
            yield

    def at_gate(self) -> bool:
        """Tell whether a script has come to the gate."""
        return bool(self.sessions("wait_event_type = 'Lock' AND query LIKE '%lock(42)%'"))

    def wait_for(
        self,
        condition: Callable[[], object],
        process: subprocess.Popen[bytes] | None = None,
        seconds: float = 120,
    ) -> None:
        """Wait until a condition holds, while a process works."""
        import psycopg

        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if condition():
                    return
            except psycopg.errors.UndefinedTable:
                pass  # not there yet
            if process is not None and process.poll() is not None:
                raise AssertionError(f"the process ended first\n{process.communicate()[1].decode()}")
            time.sleep(0.01)
        raise AssertionError("the time ran out")


def end(process: subprocess.Popen[bytes], seconds: float = 60) -> Result:
    """Wait for a process and return what it left behind."""
    out, err = process.communicate(timeout=seconds)
    return Result(process.returncode, out.decode(), err.decode())


def _workshop(project: Project, servers: PostgresqlServers, version: str) -> Iterator[Workshop]:
    project.environ.pop("CUSTCTL_SQL_DIR", None)
    made = Workshop(on_engine(project, servers.place(version)))
    (made.folder / "migrations").mkdir(parents=True)
    yield made
    made.project.drop()


@pytest.fixture
def shop(project: Project, postgresql_servers: PostgresqlServers) -> Iterator[Workshop]:
    """A project with an empty folder of scripts and an empty database on PostgreSQL 18."""
    yield from _workshop(project, postgresql_servers, "postgresql18")


@pytest.fixture(params=["postgresql17", "postgresql18"])
def each_shop(
    request: pytest.FixtureRequest, project: Project, postgresql_servers: PostgresqlServers
) -> Iterator[Workshop]:
    """The same on each version in turn."""
    yield from _workshop(project, postgresql_servers, request.param)


@contextmanager
def with_own_fields(project: Project, servers: PostgresqlServers, *statements: str) -> Iterator[EngineProject]:
    """Yield a project with a customer, to whose table these statements have added fields."""
    made = on_engine(project, postgresql_place(servers.shared("postgresql18")))
    inside = Inside(made.path, made.environ)
    inside.ok("migrate")
    inside.ok("customer", "add", *ADA)
    for statement in statements:
        made.sql(statement)
    inside.ok("migrate")  # records the own fields
    yield made
    made.drop()
