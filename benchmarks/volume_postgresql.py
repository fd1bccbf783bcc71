"""Import and export of many customers beside `psql \\copy`: `python -m benchmarks.volume_postgresql [ROWS]`.

Both sides fill and read the same table on the same PostgreSQL 18, made by `custctl migrate`: checks, trigger, substring
index and indexes. The CSV is that of `custctl.customers.synthetic`. `psql` connects over the same port with the same
login.

Import. `\\copy` takes all rows in one transaction. custctl does more: it validates every row, looks whether its email is
taken, commits every 10,000 rows, each with an audit row and the position where a rerun goes on, and reads the file
twice, first for its digest.

The file goes into a table that holds a fifth as many customers, and into an empty one: of such a first load custctl
builds the secondary indexes after the rows, which the base does not.

Export. `\\copy` of the same columns in the same order and spelling. custctl also makes formulas and control characters
harmless.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measure import MIB, Case, interleave, report
from benchmarks.project import ROOT, Project
from benchmarks.volume import FILLED, PEAK, write_apart
from custctl.customers.model import EDITABLE, FIELDS
from tests.servers.installations import installations
from tests.servers.postgresql import PASSWORD, USER, Database, PostgresqlServer
from tests.servers.workplace import Workplace

FIRST_LOAD_RATIO = 0.4
IMPORT_RATIO = 1.2
EXPORT_RATIO = 1.3

_PROFILE = """
environment: development
database:
  engine: postgresql
  name: {name}
  user: {user}
  nodes: [{{name: here, host: {host}, port: {port}}}]
"""
_TIME = """to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS {0}"""
_SPELLED = {
    "version": "'e1-' || version AS version",
    **{name: _TIME.format(name) for name in ("created_at", "updated_at")},
}


class Filled:
    """A database with the schema, emptied before each run."""

    def __init__(self, server: PostgresqlServer, folder: Path) -> None:
        self.database: Database = server.create_database()
        self.project = Project(folder)
        (folder / "profiles" / "dev.yaml").write_text(
            _PROFILE.format(name=self.database.name, user=USER, host=self.database.host, port=self.database.port)
        )
        # psql asks for nothing but what libpq finds.
        self.environ = {"CUSTCTL_DB_PASSWORD": PASSWORD, "PGPASSWORD": PASSWORD}
        self.run(self.project.argv("migrate", "--sql-dir", ROOT / "sql"))

    def run(self, argv: list[str | Path]) -> None:
        """Run a command, outside of any measurement."""
        from benchmarks.measure import run

        run(Case("preparation", argv, cwd=self.project.folder, environ=self.environ))

    def empty(self) -> None:
        """Take all customers away."""
        self.database.sql("TRUNCATE customer, customer_audit, customer_import CASCADE")
        self.database.sql("CHECKPOINT")

    def fill(self, file: Path) -> None:
        """Leave the customers of a file alone."""
        self.empty()
        self.run(self.project.argv("customer", "import", file))

    def psql(self, program: Path, command: str) -> list[str | Path]:
        """Return the command line of psql."""
        target = ["-h", self.database.host, "-p", str(self.database.port), "-U", USER, "-d", self.database.name]
        return [program, "-X", "-q", "-v", "ON_ERROR_STOP=1", *target, "-c", command]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.volume_postgresql", description="import and export")
    parser.add_argument("rows", type=int, nargs="?", default=1_000_000, metavar="ROWS", help="default: 1000000")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="runs of each command (default: 3)")
    arguments = parser.parse_args()
    workplace = Workplace("benchmark")
    installation = installations()["postgresql18"]
    server = PostgresqlServer.create(installation, workplace)
    server.start()
    try:
        with tempfile.TemporaryDirectory() as name:
            measure(server, installation.programs(workplace) / "psql", Path(name), arguments.rows, arguments.rounds)
    finally:
        server.close()
        workplace.close()


def measure(server: PostgresqlServer, psql: Path, folder: Path, rows: int, rounds: int) -> None:
    """Measure both ways on one server."""
    file, held = folder / "customers.csv", folder / "held.csv"
    write_apart(file, rows)
    write_apart(held, rows // FILLED, random_seed=2)
    place = Filled(server, folder / "project")
    own = partial(Case, cwd=place.project.folder, environ=place.environ)
    size = f"{rows:,} rows into PostgreSQL, {file.stat().st_size / MIB:.0f} MiB of CSV"
    for title, prepare, target in (
        (f"Import of {size}, beside {rows // FILLED:,} that are there", partial(place.fill, held), IMPORT_RATIO),
        (f"First load of {size}", place.empty, FIRST_LOAD_RATIO),
    ):
        cases = [
            own(
                "psql \\copy",
                place.psql(psql, f"\\copy customer ({', '.join(EDITABLE)}) from '{file}' csv header"),
                prepare=prepare,
            ),
            own(
                "custctl customer import",
                place.project.argv("customer", "import", file),
                prepare=prepare,
                target=target,
                peak_target=PEAK,
            ),
        ]
        samples = interleave(cases, rounds=rounds, warm_up=False)
        report(title, cases, samples)

    columns = ", ".join(_SPELLED.get(name, name) for name in FIELDS)
    outputs = [folder / "psql.csv", folder / "custctl.csv"]
    cases = [
        own(
            "psql \\copy",
            place.psql(psql, f"\\copy (SELECT {columns} FROM customer ORDER BY id) to '{outputs[0]}' csv header"),
        ),
        own(
            "custctl customer export",
            place.project.argv("customer", "export", "--raw", "--output-file", outputs[1]),
            target=EXPORT_RATIO,
            peak_target=PEAK,
        ),
        own(
            "custctl customer export, guarded",
            place.project.argv("customer", "export", "--output-file", folder / "guarded.csv"),
            target=EXPORT_RATIO,
            peak_target=PEAK,
        ),
    ]
    samples = interleave(cases, rounds=max(rounds, 3))
    report(f"Export of {rows:,} rows from PostgreSQL", cases, samples)
    if outputs[0].read_bytes() != outputs[1].read_bytes():
        raise SystemExit("the exports differ")


if __name__ == "__main__":
    main()
