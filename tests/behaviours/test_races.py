"""Processes that get in each other's way: nothing is lost, nothing done twice, and who loses is told so."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from custctl.schema.standing import REQUIRED_SCHEMA
from tests.behaviours.support import Place, Race, race
from tests.integration.rows import write_csv

FIELDS = ("phone", "company", "address_line", "city", "region", "postal_code", "country", "first_name")
TURNS = 4


@pytest.fixture
def ada(migrated: Place) -> dict[str, Any]:
    """A customer in a database of the test's own."""
    return migrated.add(email="ada@example.com", first_name="Ada", last_name="Lovelace")


def counted(done: Race, name: str) -> int:
    return sum(int(result[name]) for result in done.json)


def test_eight_migrations_at_once_apply_each_script_once(empty: Place) -> None:
    place = empty
    done = race(place, *[[("migrate", "-o", "json")]] * 8)
    assert done.codes == [0] * 8, [result.err for results in done.results for result in results]
    applied = Counter(step["script"] for result in done.json for step in result["applied"])
    assert set(applied.values()) == {1}
    rows = place.sql("SELECT name, state FROM schema_migration")
    assert sorted(rows) == sorted((name, "applied") for name in applied)
    assert {result["to"] for result in done.json} == {REQUIRED_SCHEMA}
    place.ok("migrate", "status", "--check")
    place.add(email="ada@example.com")


def test_updates_of_one_row_from_eight_processes_lose_nothing(migrated: Place, ada: dict[str, Any]) -> None:
    place, who = migrated, str(ada["id"])
    racers = [
        [
            (
                "customer",
                "update",
                who,
                f"--{field.replace('_', '-')}",
                f"turn {turn}",
                "--retries",
                "1000",
                "-o",
                "json",
            )
            for turn in range(TURNS)
        ]
        for field in FIELDS
    ]
    done = race(place, *racers)
    assert done.codes == [0] * len(FIELDS) * TURNS
    versions = [ada["version"], *(row["version"] for row in done.json)]
    assert len(set(versions)) == len(versions)
    # Each acknowledged version has its entry, and the last one is the row's.
    history = place.items("customer", "history", who)
    assert sorted(event["version"] for event in history) == sorted(versions)
    row = place.json("customer", "get", who)
    assert [row[field] for field in FIELDS] == [f"turn {TURNS - 1}"] * len(FIELDS)
    assert row["version"] == history[-1]["version"]
    # Each changed one field, and kept what the others had written.
    assert Counter(field for event in history[1:] for field in event["changes"]) == dict.fromkeys(FIELDS, TURNS)
    place.ok("audit", "verify")


def test_of_eight_with_one_version_one_wins(migrated: Place, ada: dict[str, Any]) -> None:
    place, who = migrated, str(ada["id"])
    command = ("customer", "update", who, "--if-version", ada["version"], "-o", "json", "--phone")
    done = race(place, *([(*command, f"p{number}")] for number in range(8)))
    assert done.codes == [0, *[5] * 7]
    (winner,) = done.json
    assert place.json("customer", "get", who) == winner
    for results in done.results:
        for number, result in enumerate(results):
            if result.code == 5:
                (field,) = result.error["details"]["fields"]
                assert (number, field["field"], field["was"], field["now"]) == (0, "phone", None, winner["phone"])
    assert len(place.items("customer", "history", who)) == 2


def test_of_eight_that_add_one_email_one_wins(migrated: Place) -> None:
    place = migrated
    command = ("customer", "add", "--first-name", "A", "--last-name", "B", "-o", "json", "--email")
    done = race(place, *([(*command, email)] for email in ("ada@example.com", "ADA@Example.com") * 4))
    assert done.codes == [0, *[5] * 7], [result.err for results in done.results for result in results]
    errors = [result.error for results in done.results for result in results if result.code]
    assert {error["details"]["field"] for error in errors} == {"email"}
    assert place.items("customer", "list") == done.json
    assert place.count("customer_audit") == 1


@pytest.mark.parametrize("action", ["add", "update", "delete"])
def test_one_operation_from_six_processes_is_applied_once(migrated: Place, ada: dict[str, Any], action: str) -> None:
    place, who, operation = migrated, str(ada["id"]), str(uuid.uuid4())
    arguments = {
        "add": ("add", "--email", "x@example.com", "--first-name", "X", "--last-name", "Y"),
        "update": ("update", who, "--phone", "5"),
        "delete": ("delete", who, "--yes"),
    }[action]
    done = race(place, *[[("customer", *arguments, "--operation-id", operation, "-o", "json")]] * 6)
    assert done.codes == [0] * 6, [result.err for results in done.results for result in results]
    told = [result.err for results in done.results for result in results]
    assert sum("already applied" in error for error in told) == 5
    assert all(result == done.json[0] for result in done.json)
    assert [entry["action"] for entry in place.items("audit", "list", "--operation", operation)] == [action]
    assert place.count("customer") == {"add": 2, "update": 1, "delete": 0}[action]
    place.ok("audit", "verify")


def overlapping(folder: Path, count: int) -> tuple[Path, Path]:
    """Write two files that have half of their emails in common, in opposite orders."""
    emails = [f"c{number:04d}@example.com" for number in range(count * 3 // 2)]
    left = [(email, "Left", "L") for email in emails[:count]]
    right = [(email, "Right", "R") for email in reversed(emails[count // 2 :])]
    header = ("email", "first_name", "last_name")
    return write_csv(folder / "left.csv", header, left), write_csv(folder / "right.csv", header, right)


@pytest.mark.parametrize("on_conflict", ["skip", "update"])
def test_imports_of_overlapping_files_at_once_double_no_row(migrated: Place, on_conflict: str) -> None:
    place, count = migrated, 600
    command = ("customer", "import", "--on-conflict", on_conflict, "-o", "json")
    done = race(place, *([(*command, path)] for path in overlapping(place.path, count)), batch=200)
    assert done.codes == [0, 0], [result.err for results in done.results for result in results]
    assert counted(done, "inserted") == count * 3 // 2
    assert counted(done, "skipped") + counted(done, "updated") == count // 2
    assert counted(done, "unchanged") + counted(done, "rejected") == 0
    assert place.emails() == [f"c{number:04d}@example.com" for number in range(count * 3 // 2)]
    # Each row is whole: as one file has it or as the other does.
    listed = place.items("customer", "list", "--limit", "0")
    assert {(row["first_name"], row["last_name"]) for row in listed} == {("Left", "L"), ("Right", "R")}
    place.ok("audit", "verify")


def test_imports_of_one_file_at_once_double_no_row(migrated: Place) -> None:
    place, count = migrated, 800
    (path, _) = overlapping(place.path, count)
    # In batches, between which they can get in each other's way.
    done = race(place, *[[("customer", "import", path, "-o", "json")]] * 4, batch=50)
    # Who finds another one at work is refused, and who comes when it is done finds all rows there.
    assert done.codes.count(0) == 1, done
    assert set(done.codes) <= {0, 5, 10}
    for (result,) in done.results:
        if result.code != 5:
            found = (result.json["rows"], result.json["inserted"], result.json["rejected"])
            assert found == ((count, count, 0) if result.code == 0 else (count, 0, count))
    assert len(place.emails()) == count
    assert place.count("customer_import") == 0
    place.ok("audit", "verify")


def test_readers_see_whole_rows_while_others_write(migrated: Place, ada: dict[str, Any]) -> None:
    place, who = migrated, str(ada["id"])
    both = [("customer", "update", who, "--phone", f"{n}", "--company", f"{n}", "--retries", "1000") for n in range(8)]
    reads = [("customer", "get", who, "-o", "json"), ("audit", "verify", "-o", "json")] * 4
    done = race(place, both, reads)
    assert set(done.codes) == {0}
    for result in done.results[1]:
        row = result.json
        assert row["phone"] == row["company"] if "phone" in row else row["ok"] is True


def test_a_command_that_is_killed_leaves_no_lock(migrated: Place, ada: dict[str, Any]) -> None:
    place = migrated
    write_csv(
        place.path / "in.csv", ("email", "first_name", "last_name"), [(f"k{n}@x.com", "K", "K") for n in range(3000)]
    )
    process = place.start("customer", "import", "in.csv", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    process.stderr.readline()  # it has said what it is about to change
    process.kill()
    process.communicate()
    place.ok("migrate")
    place.ok("customer", "update", str(ada["id"]), "--city", "Łódź")
    done = place.json("customer", "import", "in.csv", "--on-conflict", "skip")
    assert (done["inserted"] + done["skipped"], place.count("customer")) == (3000, 3001)


def test_an_import_that_is_killed_in_its_midst_goes_on_when_it_is_run_again(migrated: Place) -> None:
    place, rows = migrated, 25_000
    write_csv(
        place.path / "in.csv", ("email", "first_name", "last_name"), [(f"k{n}@x.com", "K", "K") for n in range(rows)]
    )
    process = place.start("customer", "import", "in.csv", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not place.count("customer"):
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert place.count("customer") % 10_000 == 0 or place.count("customer") == rows
    place.ok("customer", "import", "in.csv")
    assert place.count("customer") == rows
    assert place.sql("SELECT COUNT(DISTINCT email) FROM customer") == [(rows,)]
    place.ok("audit", "verify")


def test_migrations_that_are_killed_in_their_midst_are_run_again(empty: Place) -> None:
    place = empty
    for number in range(1, 4):
        inserts = [f"INSERT INTO t{number} VALUES ({at})" for at in range(300)]
        place.write(f"{number:04d}_t{number}", f"CREATE TABLE t{number} (x INTEGER)", *inserts)
    for pause in (0.2, 0.5, 0.9):
        process = place.start("migrate", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert process.stderr is not None
        process.stderr.readline()  # it has said what it is about to change
        time.sleep(pause)
        process.kill()
        process.communicate()
    place.ok("migrate")
    assert [place.count(f"t{number}") for number in range(1, 4)] == [300] * 3
    assert place.count("schema_migration") == 3
    place.ok("migrate", "status", "--check")


def test_migrations_of_another_database_do_not_wait(empty: Place) -> None:
    place = empty
    place.create("test")
    place.write_tables("a")
    database = place.open()
    try:
        with database.migration_lock(10, lambda holder: None):
            place.ok("migrate", "--env", "test", "--lock-timeout", "1s")
            assert "holds the lock" in place.refused(3, "migrate", "--lock-timeout", "1s")["message"]
    finally:
        database.close()
