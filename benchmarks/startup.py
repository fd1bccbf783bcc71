"""Start-up in multiples of a bare `python -c pass` of the same environment: `python -m benchmarks.startup`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measure import Case, interleave, report, run
from benchmarks.project import Project
from benchmarks.volume_postgresql import Filled
from tests.servers.installations import installations
from tests.servers.postgresql import PostgresqlServer
from tests.servers.workplace import Workplace

BARE = Case("python -c pass", [sys.executable, "-c", "pass"])
_ADD = ("customer", "add", "--email", "ada@example.com", "--first-name", "Ada", "--last-name", "Byron")
_GET = ("customer", "get", "1", "-o", "json")
_IDLE = "migrate, nothing to do"


def cases(project: Project) -> list[Case]:
    """Return what is compared, on a database with the newest schema and one customer."""
    custctl = [sys.executable, "-m", "custctl"]
    completion = {"_CUSTCTL_COMPLETE": "complete_bash", "COMP_WORDS": "custctl cust", "COMP_CWORD": "1"}
    return [
        BARE,
        Case("--version", [*custctl, "--version"], target=5),
        Case("--help", [*custctl, "--help"], target=6),
        Case("customer --help", [*custctl, "customer", "--help"]),
        Case("completion of `cust`", custctl, environ=completion),
        Case("customer get 1 -o json", project.argv(*_GET), cwd=project.folder, target=9),
        Case(_IDLE, project.migrate_argv(), cwd=project.folder, target=10),
    ]


def cases_on_postgresql(place: Filled) -> list[Case]:
    """Return what is compared there, on such a database."""
    case = partial(Case, cwd=place.project.folder, environ=place.environ)
    return [
        BARE,
        case("customer get 1 -o json", place.project.argv(*_GET), target=24),
        case(_IDLE, place.project.migrate_argv(), target=25),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description="start-up of custctl")
    parser.add_argument("--rounds", type=int, default=31, metavar="N", help="runs of each command (default: 31)")
    rounds = parser.parse_args().rounds
    workplace = Workplace("benchmark")
    server = PostgresqlServer.create(installations()["postgresql18"], workplace)
    try:
        with tempfile.TemporaryDirectory() as folder:
            project = Project(Path(folder, "sqlite"))
            project.migrate()
            run(Case("custctl customer add", project.argv(*_ADD), cwd=project.folder))
            compared = cases(project)
            report("Start-up", compared, interleave(compared, rounds=rounds))
            server.start()
            place = Filled(server, Path(folder, "postgresql"))
            place.run(place.project.argv(*_ADD))
            compared = cases_on_postgresql(place)
            report("Start-up on PostgreSQL", compared, interleave(compared, rounds=rounds))
    finally:
        server.close()
        workplace.close()


if __name__ == "__main__":
    main()
