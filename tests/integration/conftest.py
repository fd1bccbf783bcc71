"""A project with scripts of its own, for the tests of migrations."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.conftest import Project, Result
from tests.inside import inside

SLOW = """
CREATE TABLE slow (n INTEGER);
WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {turns}) INSERT INTO slow SELECT max(n) FROM c;
"""


class Workshop:
    """Writes scripts into the project's `sql/` folder and looks into its databases behind custctl's back."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.folder = project.path / "sql" / "sqlite"
        (self.folder / "migrations").mkdir(parents=True)
        project.environ.pop("CUSTCTL_SQL_DIR", None)

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a script: `0001_a` into `migrations/`, `repeatable/x` and the like where they say."""
        path = self.folder / (f"{name}.sql" if "/" in name else f"migrations/{name}.sql")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def tables(self, *names: str) -> None:
        """Write one script a table: `tables("a", "b")` are 0001_a and 0002_b."""
        for number, name in enumerate(names, 1):
            self.write(f"{number:04d}_{name}", f"CREATE TABLE {name} (x INTEGER);\nINSERT INTO {name} VALUES (1);\n")

    def migrate(self, *arguments: str, env: str = "dev") -> Result:
        """Run `custctl migrate`."""
        return self.project.run("migrate", *arguments, "--env", env)

    def ok(self, *arguments: str, env: str = "dev") -> Result:
        """Run `custctl migrate` and expect exit code 0."""
        return self.project.ok("migrate", *arguments, "--env", env)

    def refused(self, *arguments: str, env: str = "dev", code: int = 11) -> str:
        """Run `custctl migrate`, expect an exit code and return stderr."""
        result = self.migrate(*arguments, env=env)
        assert result.code == code, f"exit {result.code}\n{result.err}"
        assert "Traceback" not in result.err
        assert "unexpected" not in result.err
        return result.err

    def query(self, sql: str, *, name: str = "dev") -> list[tuple[object, ...]]:
        """Ask a database."""
        connection = self.project.database(name)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def change(self, sql: str, *, name: str = "dev") -> None:
        """Run statements on a database behind custctl's back."""
        connection = self.project.database(name)
        try:
            connection.executescript(sql)
        finally:
            connection.close()

    def journal(self, *, name: str = "dev") -> Mapping[str, tuple[str, int]]:
        """Return state and statements applied of each script in the journal."""
        rows = self.query("SELECT name, state, statements_applied FROM schema_migration ORDER BY id", name=name)
        return {str(script).split("/")[-1].removesuffix(".sql"): (str(state), int(str(n))) for script, state, n in rows}

    def names(self, *, name: str = "dev") -> set[str]:
        """Return the tables that are not custctl's own."""
        found = {
            str(table) for (table,) in self.query("SELECT name FROM sqlite_master WHERE type = 'table'", name=name)
        }
        return found - {"schema_migration", "custctl_metadata", "sqlite_sequence"}

    def wait_for(self, condition: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float = 60) -> None:
        """Wait until a condition holds on the database, while a process works."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if condition():
                    return
            except sqlite3.OperationalError:
                pass  # not there yet
            assert process.poll() is None, "the process ended first"
            time.sleep(0.01)
        raise AssertionError("the time ran out")


@pytest.fixture
def shop(project: Project) -> Workshop:
    """A project with an empty folder of scripts, whose commands start no processes."""
    return Workshop(inside(project, migrate=False))
