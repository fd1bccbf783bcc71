"""Many small scripts on PostgreSQL beside dbmate, yoyo and alembic: `python -m benchmarks.migrations_postgresql`.

Each script makes a table and an index and inserts a row, the same SQL for all, on one PostgreSQL 18, each tool in a
database of its own that is empty before each run. Each runs each script in a transaction of its own, as in
`benchmarks.migrations`. dbmate does not write a schema file; it takes no lock, looks at no script's drift and journals
the number alone.

The server is the one of the tests: its files are in memory where there is room, and no commit waits for a disk. What
is left is the tools' own time, that of their start, and the server's. Where commits wait, all wait as often.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import quote

from benchmarks.measure import Case, interleave, report
from benchmarks.peers import peer
from tests.servers.installations import installations
from tests.servers.postgresql import PASSWORD, USER, PostgresqlServer
from tests.servers.workplace import Workplace

_STATEMENTS = (
    """CREATE TABLE account_{number} (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name       text NOT NULL,
  balance    bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now()
)""",
    "CREATE INDEX account_{number}_by_name ON account_{number} (name)",
    "INSERT INTO account_{number} (name, balance) VALUES ('opening balance; of {number}', {number})",
)
_PROFILE = """
environment: development
database:
  engine: postgresql
  name: custctl
  user: {user}
  tls: "off"
  nodes: [{{name: here, host: {host}, port: {port}}}]
"""
_ALEMBIC_INI = "[alembic]\nscript_location = %(here)s\n"
_ALEMBIC_ENV = """
from alembic import context
from sqlalchemy import create_engine, pool

engine = create_engine({url!r}, poolclass=pool.NullPool)
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


class Tools:
    """The tools, each with its scripts in a folder and a database that has its name.

    Args:
        server: a running one.
        folder: an empty one.
        count: how many scripts.
    """

    def __init__(self, server: PostgresqlServer, folder: Path, count: int) -> None:
        self._server = server
        self._folder = folder
        self._count = count

    def cases(self) -> list[Case]:
        """Return a case a tool, the one to be measured by first."""
        return [self._dbmate(), self._custctl(), self._yoyo(), self._alembic()]

    def check(self) -> None:
        """Make sure that every tool did the work."""
        for name in ("dbmate", "custctl", "yoyo", "alembic"):
            query = "SELECT count(*) FROM pg_indexes WHERE indexname ~ '^account_.*_by_name$'"
            if self._server.sql(query, dbname=name) != [(self._count,)]:
                raise SystemExit(f"{name} has not made what {self._count} scripts make")

    def _custctl(self) -> Case:
        folder = self._scripts("custctl", "sql/postgresql/migrations", _sql)
        (folder / "profiles").mkdir()
        server = self._server
        profile = _PROFILE.format(user=USER, host=server.host, port=server.port)
        (folder / "profiles" / "dev.yaml").write_text(profile)
        argv = [sys.executable, "-m", "custctl", "migrate", "--quiet"]
        return self._case("custctl", argv, {"CUSTCTL_DB_PASSWORD": PASSWORD}, target=1)

    def _dbmate(self) -> Case:
        self._scripts(
            "dbmate", "scripts", lambda n: f"-- migrate:up\n{_sql(n)}-- migrate:down\nDROP TABLE account_{n};\n"
        )
        url = self._url("postgres", "dbmate") + "?sslmode=disable"
        return self._case(
            "dbmate", [peer("dbmate"), "--url", url, "--migrations-dir", "scripts", "--no-dump-schema", "up"]
        )

    def _yoyo(self) -> Case:
        self._scripts("yoyo", "scripts", _sql)
        url = self._url("postgresql+psycopg", "yoyo")
        return self._case("yoyo", [peer("yoyo"), "apply", "--batch", "--no-config-file", "--database", url, "scripts"])

    def _alembic(self) -> Case:
        folder = self._scripts("alembic", "versions", self._revision, suffix="py")
        (folder / "alembic.ini").write_text(_ALEMBIC_INI)
        (folder / "env.py").write_text(_ALEMBIC_ENV.format(url=self._url("postgresql+psycopg", "alembic")))
        return self._case("alembic", [peer("alembic"), "upgrade", "head"])

    @staticmethod
    def _revision(number: int) -> str:
        before = f"{number - 1:04}" if number > 1 else None
        return _ALEMBIC_REVISION.format(number=number, before=before, statements=_statements(number))

    def _scripts(self, name: str, where: str, text: Callable[[int], str], suffix: str = "sql") -> Path:
        scripts = self._folder / name / where
        scripts.mkdir(parents=True)
        for number in range(1, self._count + 1):
            (scripts / f"{number:04}_create_account_{number}.{suffix}").write_text(text(number))
        return self._folder / name

    def _url(self, scheme: str, name: str) -> str:
        return f"{scheme}://{USER}:{quote(PASSWORD, safe='')}@{self._server.host}:{self._server.port}/{name}"

    def _case(
        self, name: str, argv: Sequence[str | Path], environ: dict[str, str] | None = None, target: float | None = None
    ) -> Case:
        prepare = partial(self._renew, name)
        return Case(name, argv, cwd=self._folder / name, environ=environ or {}, prepare=prepare, target=target)

    def _renew(self, name: str) -> None:
        self._server.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._server.create_database(name)
        # What making it has left to be written is none of the tool's.
        self._server.sql("CHECKPOINT")


def main() -> None:
    """Measure and print."""
    name = "python -m benchmarks.migrations_postgresql"
    parser = argparse.ArgumentParser(prog=name, description="scripts beside peers")
    parser.add_argument("--scripts", type=int, default=300, metavar="N", help="how many (default: 300)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="runs of each tool (default: 5)")
    arguments = parser.parse_args()
    workplace = Workplace("benchmark")
    server = PostgresqlServer.create(installations()["postgresql18"], workplace)
    try:
        server.start()
        with tempfile.TemporaryDirectory() as folder:
            tools = Tools(server, Path(folder), arguments.scripts)
            cases = tools.cases()
            samples = interleave(cases, rounds=arguments.rounds)
            report(f"{arguments.scripts} scripts on PostgreSQL, first run", cases, samples)
            tools.check()
    finally:
        server.close()
        workplace.close()


def _statements(number: int) -> list[str]:
    return [text.format(number=number) for text in _STATEMENTS]


def _sql(number: int) -> str:
    return "".join(f"{statement};\n\n" for statement in _statements(number))


if __name__ == "__main__":
    main()
