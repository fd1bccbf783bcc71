"""Many small scripts on SQLite beside dbmate, yoyo and alembic: `python -m benchmarks.migrations`.

Each script makes a table and an index and inserts a row, the same SQL for all. Each tool runs each script in a
transaction of its own, which is the default of all but alembic, where `transaction_per_migration` asks for it; dbmate
does not write a schema file. The peers make their database in SQLite's own default, with a rollback journal, and custctl
makes one with a write-ahead log, synchronised at each commit. dbmate is measured on both; its SQLite is built not to
synchronise a write-ahead log at each commit, so that its fastest figure is of commits that a power cut can take away.

The rerun finds nothing to do. `customer get` works on a database with custctl's own schema.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Case, interleave, report, run
from benchmarks.peers import peer
from benchmarks.project import Project

_STATEMENTS = (
    """CREATE TABLE account_{number} (
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL,
  balance    INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
)""",
    "CREATE INDEX account_{number}_by_name ON account_{number} (name)",
    "INSERT INTO account_{number} (name, balance) VALUES ('opening balance; of {number}', {number})",
)
_ALEMBIC_INI = """
[alembic]
script_location = %(here)s
sqlalchemy.url = sqlite:///%(here)s/peer.db
"""
_ALEMBIC_ENV = """
from alembic import context
from sqlalchemy import create_engine, pool

engine = create_engine(context.config.get_main_option("sqlalchemy.url"), poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""
_ALEMBIC_REVISION = """
from alembic import op

revision = "{number:04}"
down_revision = {before!r}


def upgrade():
    for statement in {statements!r}:
        op.execute(statement)
"""


class Peer:
    """A tool with its scripts and its database in a folder.

    Args:
        wal: whether the database is there before, empty and with a write-ahead log.
    """

    def __init__(self, folder: Path, *, wal: bool = False) -> None:
        self.folder = folder
        self.database = folder / "peer.db"
        self._wal = wal
        self.scripts = folder / "scripts"
        self.scripts.mkdir(parents=True)

    def renew(self) -> None:
        """Begin without a database."""
        for path in self.folder.glob("peer.db*"):
            path.unlink()
        if self._wal:
            connection = sqlite3.connect(self.database)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.close()


def statements(number: int) -> list[str]:
    """Return the SQL of a script."""
    return [text.format(number=number) for text in _STATEMENTS]


def custctl(folder: Path, count: int) -> tuple[Project, Case]:
    """Return a project with `count` scripts, and its case."""
    scripts = folder / "sql"
    (scripts / "sqlite" / "migrations").mkdir(parents=True)
    for number in range(1, count + 1):
        path = scripts / "sqlite" / "migrations" / f"{number:04}_create_account_{number}.sql"
        path.write_text(_sql(number))
    project = Project(folder, scripts)
    return project, Case("custctl migrate", project.migrate_argv(), cwd=folder)


def dbmate(folder: Path, count: int, *, wal: bool = False) -> tuple[Peer, Case]:
    """Return dbmate with `count` scripts, and its case."""
    made = Peer(folder, wal=wal)
    for number in range(1, count + 1):
        (made.scripts / f"{number:04}_create_account_{number}.sql").write_text(
            f"-- migrate:up\n{_sql(number)}-- migrate:down\nDROP TABLE account_{number};\n"
        )
    options: list[str | Path] = [
        "--url",
        f"sqlite:{made.database}",
        "--migrations-dir",
        made.scripts,
        "--no-dump-schema",
    ]
    name = "dbmate up, write-ahead log" if wal else "dbmate up"
    return made, Case(name, [peer("dbmate"), *options, "up"], cwd=folder)


def yoyo(folder: Path, count: int) -> tuple[Peer, Case]:
    """Return yoyo with `count` scripts, and its case."""
    made = Peer(folder)
    for number in range(1, count + 1):
        (made.scripts / f"{number:04}_create_account_{number}.sql").write_text(_sql(number))
    options = ["--batch", "--no-config-file", "--database", f"sqlite:///{made.database}"]
    return made, Case("yoyo apply", [peer("yoyo"), "apply", *options, made.scripts], cwd=folder)


def alembic(folder: Path, count: int) -> tuple[Peer, Case]:
    """Return alembic with `count` revisions, and its case."""
    made = Peer(folder)
    (folder / "alembic.ini").write_text(_ALEMBIC_INI)
    (folder / "env.py").write_text(_ALEMBIC_ENV)
    versions = folder / "versions"
    versions.mkdir()
    for number in range(1, count + 1):
        before = f"{number - 1:04}" if number > 1 else None
        text = _ALEMBIC_REVISION.format(number=number, before=before, statements=_escaped(statements(number)))
        (versions / f"{number:04}_create_account_{number}.py").write_text(text)
    return made, Case("alembic upgrade", [peer("alembic"), "upgrade", "head"], cwd=folder)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.migrations", description="scripts beside peers")
    parser.add_argument("--scripts", type=int, default=300, metavar="N", help="how many (default: 300)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="first runs of each tool (default: 5)")
    parser.add_argument("--reruns", type=int, default=21, metavar="N", help="reruns of each tool (default: 21)")
    arguments = parser.parse_args()
    count = arguments.scripts
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project, migrate = custctl(folder / "custctl", count)
        made = [
            (migrate, project.drop),
            *(
                (case, tool.renew)
                for tool, case in (
                    dbmate(folder / "dbmate", count),
                    dbmate(folder / "dbmate-wal", count, wal=True),
                    yoyo(folder / "yoyo", count),
                    alembic(folder / "alembic", count),
                )
            ),
        ]
        first = sorted((_first(case, renew) for case, renew in made), key=lambda case: case.name != "dbmate up")
        report(f"{count} scripts, first run", first, interleave(first, rounds=arguments.rounds))
        _check(folder, count)

        again = sorted((case for case, _ in made), key=lambda case: case.name != "dbmate up")
        get = _customer_get(folder / "customers")
        rerun = [get, _aimed(migrate, 1.2), *(case for case in again if case is not migrate)]
        report(f"{count} applied scripts, nothing to do", rerun, interleave(rerun, rounds=arguments.reruns))


def _first(case: Case, renew: Callable[[], None]) -> Case:
    target = 1 if case.name == "custctl migrate" else None
    return Case(case.name, case.argv, cwd=case.cwd, prepare=renew, target=target)


def _aimed(case: Case, target: float) -> Case:
    return Case(case.name, case.argv, cwd=case.cwd, target=target)


def _customer_get(folder: Path) -> Case:
    project = Project(folder)
    project.migrate()
    add = project.argv("customer", "add", "--email", "ada@example.com", "--first-name", "Ada", "--last-name", "Byron")
    run(Case("custctl customer add", add, cwd=folder))
    return Case("customer get 1 -o json", project.argv("customer", "get", "1", "-o", "json"), cwd=folder)


def _check(folder: Path, count: int) -> None:
    """Make sure that every tool did the work: the same tables, with a row each."""
    for path in (*folder.glob("*/peer.db"), folder / "custctl" / "customers.db"):
        connection = sqlite3.connect(path)
        found = [connection.execute(f"SELECT count(*) FROM account_{number}").fetchone()[0] for number in (1, count)]
        indexes = connection.execute(
            "SELECT count(*) FROM sqlite_master WHERE name LIKE 'account_%_by_name'"
        ).fetchone()
        connection.close()
        if found != [1, 1] or indexes != (count,):
            raise SystemExit(f"`{path}` does not hold what {count} scripts make")


def _sql(number: int) -> str:
    return "".join(f"{statement};\n\n" for statement in statements(number))


def _escaped(texts: list[str]) -> list[str]:
    # A colon before a word is a parameter to alembic's `text()`.
    return [text.replace(":", r"\:") for text in texts]


if __name__ == "__main__":
    main()
