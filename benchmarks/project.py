"""A project for custctl in a folder of its own, and the command lines that work on it."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.measure import Case, run

ROOT = Path(__file__).resolve().parent.parent

_PROFILE = """
environment: development
database:
  engine: sqlite
  path: customers.db
seed: [reference]
"""


class Project:
    """Profile and database in a folder.

    Args:
        folder: made where it is missing.
        sql: the folder of scripts; the repository's own by default.
    """

    def __init__(self, folder: Path, sql: Path = ROOT / "sql") -> None:
        self.folder = folder
        self.database = folder / "customers.db"
        self._sql = sql
        profiles = folder / "profiles"
        profiles.mkdir(parents=True, exist_ok=True)
        (profiles / "dev.yaml").write_text(_PROFILE)

    def argv(self, *arguments: str | Path) -> list[str | Path]:
        """Return a command line of custctl, run by this process's own Python."""
        return [sys.executable, "-m", "custctl", "--profiles-dir", self.folder / "profiles", *arguments]

    def migrate_argv(self) -> list[str | Path]:
        """Return the command line of `custctl migrate`."""
        return self.argv("migrate", "--sql-dir", self._sql)

    def migrate(self) -> None:
        """Bring the database to the newest schema."""
        run(Case("custctl migrate", self.migrate_argv(), cwd=self.folder))

    def drop(self) -> None:
        """Remove the database and what lies beside it."""
        for path in self.folder.glob(f"{self.database.name}*"):
            path.unlink()
