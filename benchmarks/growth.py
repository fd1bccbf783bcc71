"""Whether an import slows down as the table grows: `python -m benchmarks.growth [ROWS]`.

It imports one long file into an empty table, on SQLite and on PostgreSQL 18, and compares the last tenth of the rows with
the first. The time of each batch is what its row in `customer_audit` says. The indexes that are built after the rows count
in the whole time alone. With the ten million rows that it takes by default it runs for hours, so that `python -m benchmarks`
leaves it out.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from benchmarks.measure import MIB, Case, memory, run, seconds, table
from benchmarks.volume import BATCH, PEAK, Emptied, write_apart
from benchmarks.volume_postgresql import Filled
from tests.servers.installations import installations
from tests.servers.postgresql import PostgresqlServer
from tests.servers.workplace import Workplace

RATIO = 2.0
_TENTHS = 10
_TIMES = "SELECT happened_at FROM customer_audit WHERE action = 'import' ORDER BY part"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description="time a row as the table grows")
    parser.add_argument("rows", type=int, nargs="?", default=10_000_000, metavar="ROWS", help="default: 10000000")
    rows: int = parser.parse_args().rows
    if rows < 2 * BATCH * _TENTHS:
        parser.error(f"a tenth of ROWS must be two batches of {BATCH:,} rows at least")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "customers.csv"
        write_apart(file, rows)
        lines: list[tuple[str, ...]] = [
            ("", "first tenth", "last tenth", "ratio", "target", "", "whole time", "peak memory", "target", "")
        ]
        lines.append(measured(rows, *_on_sqlite(folder, file)))
        workplace = Workplace("benchmark")
        server = PostgresqlServer.create(installations()["postgresql18"], workplace)
        try:
            server.start()
            lines.append(measured(rows, *_on_postgresql(server, folder, file)))
        finally:
            server.close()
            workplace.close()
    print(f"\nImport of {rows:,} rows into an empty table\n")
    table(lines)


def measured(rows: int, case: Case, times: Callable[[], list[datetime]]) -> tuple[str, ...]:
    """Run a case, and return its line of the table.

    Args:
        times: returns when each batch was written.
    """
    sample = run(case)
    written, tenth = times(), rows // BATCH // _TENTHS
    # The last batch waits for the indexes.
    first = (written[tenth] - written[0]).total_seconds()
    last = (written[-2] - written[-2 - tenth]).total_seconds()
    ratio = last / first
    return (
        case.name,
        seconds(first),
        seconds(last),
        f"{ratio:.2f}",
        f"{RATIO:g}",
        "met" if ratio <= RATIO else "missed",
        seconds(sample.wall),
        memory(sample.peak),
        f"{PEAK / MIB:.0f} MiB",
        "met" if sample.peak <= PEAK else "missed",
    )


def _on_sqlite(folder: Path, file: Path) -> tuple[Case, Callable[[], list[datetime]]]:
    project = Emptied(folder / "sqlite").project("custctl")

    def times() -> list[datetime]:
        with closing(sqlite3.connect(project.database)) as connection:
            return [datetime.fromisoformat(time) for (time,) in connection.execute(_TIMES)]

    return Case("SQLite", project.argv("customer", "import", file), cwd=project.folder), times


def _on_postgresql(server: PostgresqlServer, folder: Path, file: Path) -> tuple[Case, Callable[[], list[datetime]]]:
    place = Filled(server, folder / "postgresql")
    argv = place.project.argv("customer", "import", file)

    def times() -> list[datetime]:
        return [time for (time,) in place.database.sql(_TIMES)]

    return Case("PostgreSQL", argv, cwd=place.project.folder, environ=place.environ), times


if __name__ == "__main__":
    main()
