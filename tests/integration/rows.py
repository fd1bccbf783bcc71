"""What the tests of import, export and seeding share: a database made once, files, small batches, a look at the rows."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from custctl.customers.model import EDITABLE
from tests.conftest import Project

# The program, with fewer rows a transaction: the first argument says how many. The second is `-`, or the batch of an
# import at which the process sends itself a signal, and whether that is before or after the commit; `1 begun` is before
# the first batch, when the position has been read.
SMALL_BATCHES = """
import os
import signal
import sys
from custctl.migrations import seeding
from custctl.customers import importing
from custctl.cli.app import main

importing.BATCH = seeding._BATCH = int(sys.argv[1])
if sys.argv[2] != "-":
    batch, when, name = sys.argv[2].split()
    method = {"begun": "_stream", "before": "_audit", "after": "_commit"}[when]
    original = getattr(importing.Import, method)
    calls = 0

    def patched(*arguments, **keywords):
        global calls
        calls += 1
        result = None if when == "begun" else original(*arguments, **keywords)
        if calls == int(batch):
            os.kill(os.getpid(), getattr(signal, name))
        return original(*arguments, **keywords) if when == "begun" else result

    setattr(importing.Import, method, patched)
sys.argv[:3] = ["custctl"]
sys.exit(main())
"""


def with_schema(project: Project, migrated_file: Path) -> Project:
    """Give the project a `dev` database with the schema and no customers, in place of what it has."""
    shutil.copy(migrated_file, project.path / "dev.db")
    return project


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """Write a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return path


def write_jsonl(path: Path, objects: Iterable[Mapping[str, Any]]) -> Path:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(held, ensure_ascii=False) + "\n" for held in objects), encoding="utf-8")
    return path


def numbered(count: int, *, first: int = 1) -> list[tuple[str, str, str]]:
    """Return rows of email, first name and last name."""
    return [(f"c{number}@example.com", f"First {number}", f"Last {number}") for number in range(first, first + count)]


def query(project: Project, sql: str, *values: object, name: str = "dev") -> list[tuple[Any, ...]]:
    """Ask the database behind custctl's back."""
    connection = project.database(name)
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def customers(project: Project, *fields: str, name: str = "dev") -> list[tuple[Any, ...]]:
    """Return the customers by email, all editable fields unless others are asked for."""
    return query(project, f"SELECT {', '.join(fields or EDITABLE)} FROM customer ORDER BY email", name=name)


def emails(project: Project, *, name: str = "dev") -> list[str]:
    """Return all emails."""
    return [email for (email,) in customers(project, "email", name=name)]


def audit_rows(project: Project, action: str = "import", *, name: str = "dev") -> list[dict[str, Any]]:
    """Return the audit rows of an action in their order, with the detail parsed."""
    columns = ("operation_id", "part", "customer_id", "first_customer_id", "last_customer_id", "detail")
    found = query(
        project, f"SELECT {', '.join(columns)} FROM customer_audit WHERE action = ? ORDER BY id", action, name=name
    )
    return [{**dict(zip(columns, row, strict=True)), "detail": json.loads(row[-1])} for row in found]


def read_csv(text: str) -> list[dict[str, str]]:
    """Parse CSV with a header."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


def small_batches(project: Project, size: int, *arguments: str | Path, signal: str = "-") -> list[str]:
    """Return the command line of custctl with small transactions.

    Args:
        signal: `3 before SIGKILL` dies in the third batch, its rejects and audit row written, right before the commit.
    """
    script = project.path / "small_batches.py"
    if not script.exists():
        script.write_text(SMALL_BATCHES)
    return [sys.executable, str(script), str(size), signal, *map(str, arguments)]


def start(project: Project, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a command line in the project."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options}
    return subprocess.Popen(command, cwd=project.path, env=project.environ, **options)


def finish(process: subprocess.Popen[bytes], timeout: float = 60) -> tuple[int, str, str]:
    """Wait for a process: exit code, stdout, stderr."""
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out.decode(), err.decode()
