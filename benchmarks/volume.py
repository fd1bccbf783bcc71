"""Import and export of many customers beside the `sqlite3` shell: `python -m benchmarks.volume [ROWS]`.

Both sides fill and read the same table, made by `custctl migrate`: triggers, checks, substring index and indexes, with a
write-ahead log and the same synchronised commits. The CSV is that of `custctl.customers.synthetic`.

Import. The shell's `.import` sets an empty cell as empty text, which the table refuses, and names no columns. The base
is therefore what a careful person does instead: `.import` into a temporary table, then one `INSERT … SELECT nullif(…)`,
all rows in one transaction. Beside it stand `.import` into a view whose trigger inserts (one transaction, row by row),
and the first way with a commit every 10,000 rows. custctl does more: it validates every row, commits every 10,000
rows, each with an audit row and the position where a rerun goes on, and reads the file twice, first for its digest.

The file goes into a table that holds a fifth as many customers, and into an empty one: of such a first load custctl
builds the secondary indexes after the rows, which the base does not.

Export. The shell's `.mode csv` writes the same columns of the same rows in the same order. custctl also makes formulas
and control characters harmless.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.measure import MIB, Case, interleave, report, run
from benchmarks.peers import sqlite_shell
from benchmarks.project import Project

BATCH = 10_000  # rows, as custctl commits them
PEAK = 150_000_000  # bytes
FIRST_LOAD_RATIO = 0.7
IMPORT_RATIO = 1.3
FILLED = 5  # rows of the file for each that is in a filled table
EXPORT_RATIO = 1.5

_COLUMNS = (
    "email",
    "first_name",
    "last_name",
    "phone",
    "company",
    "address_line",
    "city",
    "region",
    "postal_code",
    "country",
    "status",
)
_NAMES = ", ".join(_COLUMNS)
_STAGE = f"CREATE TEMP TABLE staged ({_NAMES});\n.import --csv --skip 1 '{{file}}' staged\n"
_INSERT = (
    f"INSERT INTO customer ({_NAMES}) SELECT {', '.join(f'''nullif({name}, '')''' for name in _COLUMNS)} FROM staged"
)
_VIEW = f"""CREATE TEMP VIEW incoming AS SELECT {_NAMES} FROM customer;
CREATE TEMP TRIGGER incoming_insert INSTEAD OF INSERT ON incoming
BEGIN
  INSERT INTO customer ({_NAMES}) VALUES ({", ".join(f"nullif(new.{name}, '')" for name in _COLUMNS)});
END;
.import --csv --skip 1 '{{file}}' incoming
"""
_EXPORT = f""".headers on
.mode csv
SELECT id, {_NAMES}, 'e1-' || version AS version, created_at, updated_at FROM customer ORDER BY id;
"""


def write_csv(path: Path, rows: int, random_seed: int = 1) -> None:
    """Write synthetic customers."""
    from custctl.customers.synthetic import synthetic_customers

    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(synthetic_customers(rows, random_seed=random_seed))


def write_apart(path: Path, rows: int, random_seed: int = 1) -> None:
    """Write synthetic customers in a process of its own: what this one holds counts as the least that its children hold.

    Raises:
        SystemExit: it failed.
    """
    writer = multiprocessing.get_context("spawn").Process(target=write_csv, args=(path, rows, random_seed))
    writer.start()
    writer.join()
    if writer.exitcode != 0:
        raise SystemExit("the CSV file could not be written")


class Emptied:
    """Projects for the cases, each brought back to the schema, and to the customers of a file, before a run.

    Args:
        held: that file; None where the table is empty.
    """

    def __init__(self, folder: Path, held: Path | None = None) -> None:
        self._folder = folder
        self._template = Project(folder / "template")
        self._template.migrate()
        if held is not None:
            run(Case("preparation", self._template.argv("customer", "import", held), cwd=self._template.folder))

    def project(self, name: str) -> Project:
        """Return a project of that name, brought back."""
        project = Project(self._folder / name)
        self.renew(project)
        return project

    def renew(self, project: Project) -> None:
        """Bring a project's database back."""
        project.drop()
        shutil.copyfile(self._template.database, project.database)


def imports(emptied: Emptied, file: Path, rows: int, target: float) -> tuple[list[Project], list[Case]]:
    """Return the ways to import the file, each with its project."""
    batches = "".join(
        f"{_INSERT} WHERE rowid BETWEEN {first} AND {first + BATCH - 1};\n" for first in range(1, rows + 1, BATCH)
    )
    scripts = {
        "sqlite3 .import, INSERT … SELECT": _STAGE + _INSERT + ";\n",
        "sqlite3, the same by 10,000 rows": _STAGE + batches,
        "sqlite3 .import into a view": _VIEW,
    }
    projects, cases = [], []
    for number, (name, script) in enumerate(scripts.items()):
        project = emptied.project(f"shell-{number}")
        text = ".bail on\n" + script.format(file=file)
        projects.append(project)
        cases.append(_shell(name, project, text, partial(emptied.renew, project)))
    project = emptied.project("custctl")
    projects.append(project)
    cases.append(
        Case(
            "custctl customer import",
            project.argv("customer", "import", file),
            cwd=project.folder,
            prepare=partial(emptied.renew, project),
            target=target,
            peak_target=PEAK,
        )
    )
    return projects, cases


def exports(project: Project, folder: Path) -> list[Case]:
    """Return the ways to export a project's customers into a file."""
    return [
        _shell("sqlite3 .mode csv", project, _EXPORT, output=folder / "shell.csv"),
        Case(
            "custctl customer export",
            project.argv("customer", "export"),
            cwd=project.folder,
            output=folder / "custctl.csv",
            target=EXPORT_RATIO,
            peak_target=PEAK,
        ),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.volume", description="import and export of volume")
    parser.add_argument("rows", type=int, nargs="?", default=1_000_000, metavar="ROWS", help="default: 1000000")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="runs of each command (default: 3)")
    arguments = parser.parse_args()
    rows, rounds = arguments.rows, arguments.rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "customers.csv"
        held = folder / "held.csv"
        write_apart(file, rows)
        write_apart(held, rows // FILLED, random_seed=2)
        size = f"{rows:,} rows, {file.stat().st_size / MIB:.0f} MiB of CSV"

        projects, cases = imports(Emptied(folder / "filled", held), file, rows, IMPORT_RATIO)
        samples = interleave(cases, rounds=rounds, warm_up=False)
        _check_same(projects, rows + rows // FILLED)
        report(f"Import of {size}, beside {rows // FILLED:,} that are there", cases, samples)

        projects, cases = imports(Emptied(folder / "empty"), file, rows, FIRST_LOAD_RATIO)
        samples = interleave(cases, rounds=rounds, warm_up=False)
        _check_same(projects, rows)
        report(f"First load of {size}", cases, samples)

        cases = exports(projects[-1], folder)
        samples = interleave(cases, rounds=max(rounds, 3))
        report(f"Export of {rows:,} rows", cases, samples)
        _check_alike(folder / "shell.csv", folder / "custctl.csv")


def _shell(
    name: str,
    project: Project,
    script: str,
    prepare: Callable[[], object] | None = None,
    output: Path = Path(os.devnull),
) -> Case:
    # Without the user's own settings.
    argv: list[str | Path] = [sqlite_shell(), "-batch", "-init", os.devnull, project.database]
    return Case(name, argv, cwd=project.folder, prepare=prepare, script=script, output=output)


def _check_same(projects: list[Project], rows: int) -> None:
    """Make sure that all ways left the same customers behind."""
    query = "SELECT count(*), sum(length(email || first_name || coalesce(phone, '') || status)) FROM customer"
    found = []
    for project in projects:
        connection = sqlite3.connect(project.database)
        found.append(connection.execute(query).fetchone())
        connection.close()
    if found[0][0] != rows or len(set(found)) != 1:
        raise SystemExit(f"the databases differ: {found}")


def _check_alike(*paths: Path) -> None:
    """Make sure that all exports hold the same columns of as many rows."""
    found = set()
    for path in paths:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = csv.reader(stream)
            found.add((tuple(next(rows)), sum(1 for _ in rows)))
    if len(found) != 1:
        raise SystemExit(f"the exports differ: {found}")


if __name__ == "__main__":
    main()
