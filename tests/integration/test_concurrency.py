"""Writers that race for one customer, and writers that are killed: nothing lost, nothing twice, nothing torn."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
import time
import uuid
from typing import Any

import pytest

from tests.conftest import ADA, Project

KILLS = int(os.environ.get("CUSTCTL_TEST_KILLS", "6"))
"""How many times two writers are killed; more for a soak."""
FIELDS = ("phone", "company", "address_line", "city", "region", "postal_code", "country", "first_name")

# Updates through the package, as many as wanted in one process. Arguments: field, first number, how many.
UPDATES = """
import sys
from pathlib import Path
from custctl.customers.operations import new_operation_id
from custctl.customers.store import CustomerStore
from custctl.engines.base import EngineSettings
from custctl.engines.sqlite.database import SqliteDatabase

field, label, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
database = SqliteDatabase(EngineSettings(location="dev", path=Path("dev.db").absolute(), statement_timeout=120))
store = CustomerStore(database, "development", label)
for number in range(1, count + 1):
    store.update("1", {field: f"{label}-{number}"}, operation_id=new_operation_id(), retries=1000)
    print(number, flush=True)
database.close()
"""


@pytest.fixture
def ada(migrated: Project) -> Project:
    """A project with one customer."""
    migrated.ok("customer", "add", *ADA)
    return migrated


def query(project: Project, sql: str) -> list[tuple[Any, ...]]:
    connection = project.database()
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def updates(project: Project, field: str, label: str, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", UPDATES, field, label, str(count)]
    return subprocess.Popen(
        command, cwd=project.path, env=project.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finish(processes: list[subprocess.Popen[bytes]]) -> list[tuple[int, str, str]]:
    """Wait for all, and return code, stdout and stderr of each."""
    outputs = [process.communicate(timeout=150) for process in processes]
    return [
        (process.returncode, out.decode(), err.decode()) for process, (out, err) in zip(processes, outputs, strict=True)
    ]


def assert_consistent(project: Project) -> None:
    """Every version of customer 1 has its audit entry, and the chain is whole."""
    report = project.ok("audit", "verify", "-o", "json").json
    assert report["ok"] is True
    versions = [
        row[0] for row in query(project, "SELECT version FROM customer_audit WHERE customer_id = 1 ORDER BY id")
    ]
    assert versions == [f"e1-{number}" for number in range(1, len(versions) + 1)]
    assert query(project, "SELECT version FROM customer WHERE id = 1") == [(len(versions),)]
    assert query(project, "PRAGMA integrity_check") == [("ok",)]


def test_sixteen_processes_of_fifty_updates_lose_nothing(ada: Project) -> None:
    # Two processes a field: the later of their last values stands there.
    processes = [updates(ada, FIELDS[number % 8], f"p{number}", 50) for number in range(16)]
    for code, out, err in finish(processes):
        assert (code, err) == (0, "")
        assert len(out.splitlines()) == 50
    assert query(ada, "SELECT version FROM customer") == [(801,)]
    assert query(ada, "SELECT count(*), count(DISTINCT operation_id) FROM customer_audit WHERE action = 'update'") == [
        (800, 800)
    ]
    assert_consistent(ada)
    row = query(ada, f"SELECT {', '.join(FIELDS)} FROM customer")[0]
    for number, (field, value) in enumerate(zip(FIELDS, row, strict=True)):
        assert value in (f"p{number}-50", f"p{number + 8}-50"), field
    # Each entry changed one field of one process, and kept what the others had written.
    counts = query(ada, "SELECT actor, count(*) FROM customer_audit WHERE action = 'update' GROUP BY actor")
    assert sorted(counts) == sorted((f"p{number}", 50) for number in range(16))
    held = [json.loads(text) for (text,) in query(ada, "SELECT held_values FROM customer_audit ORDER BY id")]
    for before, after in itertools.pairwise(held):
        changed = {name for name in FIELDS if before["after"][name] != after["after"][name]}
        assert changed == set(after["before"])
        assert len(changed) == 1


def test_eight_command_lines_of_retried_updates(ada: Project) -> None:
    processes = [
        ada.start("customer", "update", "1", f"--{field.replace('_', '-')}", f"value {turn}", "--retries", "100")
        for turn in range(2)
        for field in FIELDS
    ]
    assert [code for code, _, _ in finish(processes)] == [0] * 16
    assert query(ada, "SELECT version FROM customer") == [(17,)]
    assert set(query(ada, f"SELECT {', '.join(FIELDS)} FROM customer")[0]) <= {"value 0", "value 1"}
    assert_consistent(ada)


def test_of_sixteen_with_one_version_one_wins(ada: Project) -> None:
    processes = [
        ada.start("customer", "update", "1", "--phone", f"p{number}", "--if-version", "e1-1", "-o", "json")
        for number in range(16)
    ]
    results = finish(processes)
    winners = [number for number, (code, _, _) in enumerate(results) if code == 0]
    assert len(winners) == 1
    for number, (code, out, err) in enumerate(results):
        if number != winners[0]:
            error = json.loads(err.splitlines()[-1])["error"]
            assert (code, error["code"], out) == (5, "conflict", "")
            assert error["details"]["fields"] == [
                {"field": "phone", "was": None, "now": f"p{winners[0]}", "asked": f"p{number}"}
            ]
    assert query(ada, "SELECT phone, version FROM customer") == [(f"p{winners[0]}", 2)]
    assert_consistent(ada)


@pytest.mark.parametrize("action", ["update", "add", "delete", "set-password"])
def test_one_operation_from_eight_processes_is_applied_once(ada: Project, action: str) -> None:
    arguments = {
        "update": ("update", "1", "--phone", "5"),
        "add": ("add", "--email", "x@example.com", "--first-name", "X", "--last-name", "Y"),
        "delete": ("delete", "1", "--yes"),
        "set-password": ("set-password", "1", "--stdin"),
    }[action]
    operation = str(uuid.uuid4())
    command = ("customer", *arguments, "--operation-id", operation, "-o", "json")
    processes = [ada.start(*command, stdin=subprocess.PIPE) for _ in range(8)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"copper lantern drifting\n")
        process.stdin.flush()
    results = finish(processes)
    assert [code for code, _, _ in results] == [0] * 8, [err for _, _, err in results]
    assert sum("already applied" in err for _, _, err in results) == 7
    if action != "set-password":
        assert len({out for _, out, _ in results}) == 1
    assert query(ada, f"SELECT action FROM customer_audit WHERE operation_id = '{operation}'") == [(action,)]
    assert query(ada, "SELECT count(*) FROM customer") == [({"add": 2, "delete": 0}.get(action, 1),)]
    assert ada.ok("audit", "verify", "-o", "json").json["ok"] is True


def test_two_that_add_one_email(ada: Project) -> None:
    command = ("customer", "add", "--email", "x@example.com", "--first-name", "X", "--last-name", "Y", "-o", "json")
    results = finish([ada.start(*command) for _ in range(4)])
    assert sorted(code for code, _, _ in results) == [0, 5, 5, 5]
    assert query(ada, "SELECT count(*) FROM customer WHERE email = 'x@example.com'") == [(1,)]
    assert query(ada, "SELECT count(*) FROM customer_audit") == [(2,)]


def test_killed_updates_leave_row_and_audit_consistent(ada: Project) -> None:
    rng = random.Random(7)
    told = 0
    for turn in range(KILLS):
        processes = [updates(ada, field, f"k{turn}", 100_000) for field in FIELDS[:2]]
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()  # it is at work
        time.sleep(rng.uniform(0.0, 0.15))
        for process in processes:
            process.kill()
        for _, out, _ in finish(processes):
            told += 1 + len(out.splitlines())
        # No lock is left, and whoever comes next can write.
        ada.ok("customer", "update", "1", "--city", f"turn {turn}")
    assert_consistent(ada)
    # What was told as done is done.
    assert query(ada, "SELECT count(*) FROM customer_audit")[0][0] >= told + KILLS


def test_a_reader_sees_whole_states_while_others_write(ada: Project) -> None:
    writer = updates(ada, "phone", "w", 100_000)
    assert writer.stdout is not None
    writer.stdout.readline()
    try:
        for _ in range(4):
            found = ada.ok("customer", "get", "1", "-o", "json").json
            assert int(found["version"].removeprefix("e1-")) == int(found["phone"].removeprefix("w-")) + 1
            assert ada.ok("audit", "verify", "-o", "json").json["ok"] is True
    finally:
        writer.kill()
        writer.communicate()
