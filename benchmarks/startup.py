"""Start-up in multiples of a bare `python -c pass` of the same environment: `python -m benchmarks.startup`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Case, interleave, report, run
from benchmarks.project import Project

BARE = "python -c pass"


def cases(project: Project) -> list[Case]:
    """Return what is compared, on a database with the newest schema and one customer."""
    custctl = [sys.executable, "-m", "custctl"]
    completion = {"_CUSTCTL_COMPLETE": "complete_bash", "COMP_WORDS": "custctl cust", "COMP_CWORD": "1"}
    get = project.argv("customer", "get", "1", "-o", "json")
    return [
        Case(BARE, [sys.executable, "-c", "pass"]),
        Case("--version", [*custctl, "--version"], target=5.5),
        Case("--help", [*custctl, "--help"], target=11),
        Case("customer --help", [*custctl, "customer", "--help"]),
        Case("completion of `cust`", custctl, environ=completion),
        Case("customer get 1 -o json", get, cwd=project.folder, target=26),
        Case("migrate, nothing to do", project.migrate_argv(), cwd=project.folder),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description="start-up of custctl")
    parser.add_argument("--rounds", type=int, default=31, metavar="N", help="runs of each command (default: 31)")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        project.migrate()
        names = ("--first-name", "Ada", "--last-name", "Byron")
        add = project.argv("customer", "add", "--email", "ada@example.com", *names)
        run(Case("custctl customer add", add, cwd=project.folder))
        compared = cases(project)
        report("Start-up", compared, interleave(compared, rounds=rounds))


if __name__ == "__main__":
    main()
