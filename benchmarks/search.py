"""`customer search` on SQLite and PostgreSQL: who is found, and how fast: `python -m benchmarks.search [ROWS]`.

Found. The texts of `tests.callers`, among synthetic customers: how often the customer who is meant is on the first page,
by words, by `--exact`, and by what people write without a tool, a LIKE over all fields.

Time. What one page of 50 takes in this process, on an open connection: the query, its rows and their conversion. Words,
prefixes and phones are those of customers spread over the table. Page 1,000 is read from a cursor, as `--after` does.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from benchmarks.measure import Case, run, seconds, table
from benchmarks.project import Project
from benchmarks.volume import write_apart
from benchmarks.volume_postgresql import Filled
from tests.callers import CALLERS, SAID
from tests.servers.installations import installations
from tests.servers.postgresql import PostgresqlServer
from tests.servers.workplace import Workplace

if TYPE_CHECKING:
    from custctl.engines.base import Database

PAGE = 50  # rows
DEEP = 1000  # the page that is far away
SAMPLES = 100  # texts of each kind
TARGET = 0.05  # seconds for the 99th percentile of words and phones
SHARE = 0.98

_FIELDS = "email || ' ' || first_name || ' ' || last_name || ' ' || coalesce(company, '') || ' ' || coalesce(city, '')"
_LIKE = (
    f"SELECT email FROM customer WHERE lower({_FIELDS} || ' ' || coalesce(phone, '')) LIKE '{{}}' ORDER BY id LIMIT 50"
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description="who a search finds, and how fast")
    parser.add_argument("rows", type=int, nargs="?", default=100_000, metavar="ROWS", help="default: 100000")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [folder / "first.csv", folder / "callers.csv", folder / "last.csv"]
        write_apart(files[0], rows // 2, random_seed=1)
        _write_callers(files[1])
        write_apart(files[2], rows - rows // 2, random_seed=2)
        project = Project(folder / "sqlite")
        project.migrate()
        _measure("SQLite", project, {}, files, rows)
        workplace = Workplace("benchmark")
        server = PostgresqlServer.create(installations()["postgresql18"], workplace)
        server.start()
        try:
            filled = Filled(server, folder / "postgresql")
            # What autovacuum does a minute after an import.
            settle = partial(filled.database.sql, "VACUUM ANALYZE customer")
            _measure("PostgreSQL", filled.project, filled.environ, files, rows, settle)
        finally:
            server.close()
            workplace.close()


def _write_callers(path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(CALLERS[0].row))
        writer.writeheader()
        writer.writerows(caller.row for caller in CALLERS)


def _measure(
    engine: str,
    project: Project,
    environ: Mapping[str, str],
    files: Sequence[Path],
    rows: int,
    settle: Callable[[], object] = lambda: None,
) -> None:
    from custctl.cli.context import Context

    for file in files:
        run(Case("preparation", project.argv("customer", "import", file), cwd=project.folder, environ=environ))
    settle()
    database = Context({"env": ["dev"]}, {**os.environ, **environ}, project.folder).database
    try:
        _report_found(engine, database, rows)
        _report_times(engine, database, rows)
    finally:
        database.close()


def _report_found(engine: str, database: Database, rows: int) -> None:
    from custctl.customers.pages import read_page
    from custctl.customers.queries import Mode, search_query

    def searched(mode: Mode) -> Callable[[str], list[str]]:
        return lambda said: [each.email for each in read_page(database, search_query(said, mode), PAGE).items]

    def like(said: str) -> list[str]:
        # Percent signs are doubled for a driver that takes parameters; to LIKE two are as good as one.
        text = said.lower().replace("'", "''").replace("%", "")
        return list(database.read(lambda connection: connection.send(_LIKE.format(f"%%{text}%%")).scalars()))

    told = [["", "found", "median", "99th"]]
    for name, look in (("words", searched("words")), ("--exact", searched("exact")), ("LIKE", like)):
        times, found = [], 0
        for said, email in SAID:
            started = time.perf_counter()
            found += email in look(said)
            times.append(time.perf_counter() - started)
        aim = f" (aim: {SHARE:.0%})" if name == "words" else ""
        told.append([name, f"{found / len(SAID):.1%}{aim}", *_two(times)])
    print(f"\n{engine}: {len(SAID)} texts of callers among {rows} customers\n")
    table(told)


def _report_times(engine: str, database: Database, rows: int) -> None:
    from custctl.customers.pages import read_page
    from custctl.customers.queries import Position, Query, list_query, search_query

    def sampled(column: str) -> list[str]:
        query = f"SELECT {column} FROM customer WHERE {column} IS NOT NULL AND id > {{}} ORDER BY id LIMIT 1"
        ats = range(0, rows // 2, max(rows // 2 // SAMPLES, 1))[:SAMPLES]
        return database.read(lambda connection: [str(connection.send(query.format(at)).scalar()) for at in ats])

    def far() -> Position:
        at = min((DEEP - 1) * PAGE, rows // 2) - 1
        query = f"SELECT last_name, id FROM customer ORDER BY last_name, id LIMIT 1 OFFSET {at}"
        return Position(0, *database.read(lambda connection: connection.send(query).one()))

    names, firsts, phones = sampled("last_name"), sampled("first_name"), sampled("phone")
    listed = list_query("last_name")
    kinds: dict[str, list[tuple[Query, Position | None]]] = {
        "word": [(search_query(name), None) for name in names],
        "two words": [(search_query(f"{first} {name}"), None) for first, name in zip(firsts, names, strict=True)],
        "prefix of three": [(search_query(name[:3]), None) for name in names],
        "one letter": [(search_query(name[:1]), None) for name in names],
        "word and letter": [
            (search_query(f"{first} {name[:1]}"), None) for first, name in zip(firsts, names, strict=True)
        ],
        "phone": [(search_query(phone), None) for phone in phones],
        "last six digits": [(search_query("".join(filter(str.isdigit, phone))[-6:]), None) for phone in phones],
        "page 1": [(listed, None)] * SAMPLES,
        f"page {DEEP:,}": [(listed, far())] * SAMPLES,
    }
    told = [["", "median", "99th", ""]]
    for kind, queries in kinds.items():
        times = []
        for query, after in queries:
            started = time.perf_counter()
            read_page(database, query, PAGE, after)
            times.append(time.perf_counter() - started)
        aim = f"aim: {seconds(TARGET)}" if kind in ("word", "two words", "phone", "last six digits") else ""
        told.append([kind, *_two(times), aim])
    print(f"\n{engine}: a page of {PAGE} among {rows} customers\n")
    table(told)


def _two(times: Sequence[float]) -> tuple[str, str]:
    return seconds(median(times)), seconds(quantiles(times, n=100)[98])


if __name__ == "__main__":
    main()
