"""What the suite of behaviours shares: a project on any engine, raw SQL that all of them take, and races.

A test here says what a user can rely on whatever the engine: it names no engine, and expects no ids without gaps.
Commands run inside the test's own process, where a connection may cost most of a second and a start of Python more.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custctl.customers.model import EDITABLE, FIELDS
from tests.conftest import REPOSITORY, Result
from tests.inside import Inside
from tests.servers.projects import EngineProject

if TYPE_CHECKING:
    from custctl.engines.base import Database

KEPT = tuple(name for name in FIELDS if name not in EDITABLE)
"""What the database keeps itself: id, version and times."""

_TEXT_LITERAL = {"sqlite": "'{}'", "postgresql": "'{}'", "mssql": "N'{}'"}
# What SQL Server reads in one way whatever its language: without the zone, which is UTC.
_TIME_LITERAL = {"sqlite": "'{}Z'", "postgresql": "'{}Z'", "mssql": "'{}'"}
_INFORMATION_SCHEMA = "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES"
_TABLE_NAMES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgresql": _INFORMATION_SCHEMA,
    "mssql": _INFORMATION_SCHEMA,
}
# A statement a batch; on the others an empty line keeps the numbers of the lines the same.
_STATEMENT_END = {"sqlite": ";\n\n", "postgresql": ";\n\n", "mssql": ";\nGO\n"}


class Place(Inside, EngineProject):
    """A project on an engine whose `run` starts no process; `start` still does."""

    __slots__ = ()

    @classmethod
    def of(cls, project: EngineProject) -> Place:
        """Return the same project, its databases included."""
        return cls(project.path, project.environ, project.place, project.databases, project.names)

    # -- commands ----------------------------------------------------------------------------------

    def json(self, *arguments: str | Path, stdin: str | None = None) -> Any:
        """Run a command that succeeds and return its JSON."""
        return self.ok(*arguments, "-o", "json", stdin=stdin).json

    def items(self, *arguments: str | Path) -> list[dict[str, Any]]:
        """Run a command that succeeds and return the items of its list."""
        found: list[dict[str, Any]] = self.json(*arguments)["items"]
        return found

    def refused(self, code: int, *arguments: str | Path, stdin: str | None = None) -> dict[str, Any]:
        """Run a command that fails as it is meant to, and return its error."""
        result = self.run(*arguments, "-o", "json", stdin=stdin)
        assert result.code == code, f"{arguments}: exit {result.code}\n{result.err}"
        assert result.error["exit_code"] == code
        assert_no_bug(result)
        return result.error

    def add(self, **fields: str) -> dict[str, Any]:
        """Add a customer; a name that is not given is a letter."""
        found: dict[str, Any] = self.json("customer", "add", *options({"first_name": "F", "last_name": "L", **fields}))
        return found

    def emails(self) -> list[str]:
        """Return the emails of all customers in their order."""
        return [item["email"] for item in self.items("customer", "list", "--sort", "email", "--limit", "0")]

    def alias(self, name: str, environment: str) -> None:
        """Write a profile of an environment that names the database of `dev`."""
        if self.place is None:
            self.profile(name, environment, path="dev.db")
        else:
            self.names[name] = self.names["dev"]
            self.profile(name, environment)

    def open(self) -> Database:
        """Return the database of `dev` as the commands have it, on one connection; the caller closes it."""
        from custctl.cli.context import Context

        return Context({"env": ["dev"]}, self.environ, self.path).database

    # -- raw SQL -----------------------------------------------------------------------------------

    def literal(self, value: str | int | None) -> str:
        """Return a value as SQL spells it."""
        if value is None:
            return "NULL"
        if isinstance(value, int):
            return str(value)
        return _TEXT_LITERAL[self.engine].format(value.replace("'", "''"))

    def time(self, text: str) -> str:
        """Return a time, such as `2026-01-02T03:04:05.678`, as SQL spells it."""
        return _TIME_LITERAL[self.engine].format(text)

    def count(self, table: str, condition: str = "1 = 1") -> int:
        """Count rows behind custctl's back."""
        return int(self.sql(f"SELECT COUNT(*) FROM {table} WHERE {condition}")[0][0])

    def insert(self, rows: Iterable[Mapping[str, str | None]]) -> None:
        """Insert customers behind custctl's back, all in one statement; `*_at` are times without a zone."""
        made = list(rows)
        columns = list(made[0])
        values = [
            ", ".join(
                self.time(value) if name.endswith("_at") and value is not None else self.literal(value)
                for name, value in row.items()
            )
            for row in made
        ]
        self.sql(f"INSERT INTO customer ({', '.join(columns)}) VALUES {', '.join(f'({row})' for row in values)}")

    def integrity_errors(self) -> tuple[type[Exception], ...]:
        """Return what the engine's driver raises where a constraint forbids a statement."""
        if self.engine == "sqlite":
            return (sqlite3.IntegrityError,)
        if self.engine == "postgresql":
            import psycopg

            return (psycopg.IntegrityError,)
        import pyodbc

        return (pyodbc.IntegrityError,)

    def errors(self) -> tuple[type[Exception], ...]:
        """Return what the engine's driver raises at all."""
        if self.engine == "sqlite":
            return (sqlite3.Error,)
        if self.engine == "postgresql":
            import psycopg

            return (psycopg.Error,)
        import pyodbc

        return (pyodbc.Error,)

    # -- scripts -----------------------------------------------------------------------------------

    def write(self, name: str, *statements: str, folder: str = "migrations") -> Path:
        """Write a script of the project's own, its statements three lines apart but for the lines that they have."""
        self.environ.pop("CUSTCTL_SQL_DIR", None)
        path = self.path / "sql" / self.engine / folder / f"{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(statement + _STATEMENT_END[self.engine] for statement in statements))
        return path

    def copy_scripts(self) -> None:
        """Give the project a copy of the repository's scripts, to be added to."""
        shutil.copytree(REPOSITORY / "sql", self.path / "sql")
        self.environ.pop("CUSTCTL_SQL_DIR", None)

    def write_tables(self, *names: str) -> None:
        """Write one script a table, which holds one row: `0001_a`, `0002_b`."""
        for number, name in enumerate(names, 1):
            self.write(f"{number:04d}_{name}", f"CREATE TABLE {name} (x INTEGER)", f"INSERT INTO {name} VALUES (1)")

    def tables(self, *names: str) -> set[str]:
        """Return those of the named tables that are there."""
        query = _TABLE_NAMES[self.engine]
        return {str(name) for (name,) in self.sql(query)}.intersection(names)


def options(fields: Mapping[str, str | None]) -> list[str]:
    """Return fields as options of `add` and `update`."""
    return [part for name, value in fields.items() for part in ("--" + name.replace("_", "-"), value or "")]


def editable(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a customer without what the database keeps itself."""
    return {name: row[name] for name in row if name not in KEPT}


def ordered(rows: Sequence[Mapping[str, Any]], sort: str) -> list[int]:
    """Return ids in the order of a list: by code point, rows without a value last, ties by id."""
    field = sort.removeprefix("-")
    held = sorted((row for row in rows if row[field] is not None), key=lambda row: row["id"])
    held.sort(key=lambda row: row[field], reverse=sort != field)
    return [row["id"] for row in held] + sorted(row["id"] for row in rows if row[field] is None)


def assert_no_bug(result: Result) -> None:
    """Whatever a command comes to, it was foreseen."""
    assert "Traceback" not in result.err, result.err
    assert "unexpected" not in result.err, result.err


@dataclass(frozen=True, slots=True)
class Race:
    """What each process of a race came to, a result for each of its commands."""

    results: list[list[Result]]

    @property
    def codes(self) -> list[int]:
        """All exit codes, ascending."""
        return sorted(result.code for results in self.results for result in results)

    @property
    def json(self) -> list[Any]:
        """What the commands that succeeded printed."""
        return [result.json for results in self.results for result in results if result.code == 0]


def race(place: Place, *racers: Sequence[Sequence[str | Path]], batch: int = 10_000) -> Race:
    """Run lists of commands, each list in a process of its own, all processes at once.

    Args:
        batch: how many rows an import writes at once.
    """
    texts = json.dumps([[list(map(str, command)) for command in commands] for commands in racers])
    command = [sys.executable, "-m", "tests.behaviours.racer", place.engine, str(batch), texts]
    done = subprocess.run(
        command, cwd=place.path, env=place.environ, stdout=subprocess.PIPE, text=True, timeout=300, check=True
    )
    finished = Race([[Result(**result) for result in results] for results in json.loads(done.stdout)])
    for results in finished.results:
        for result in results:
            assert_no_bug(result)
    return finished
