"""What must not happen when somebody else is faster, a signal comes, or another client writes nonsense."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
import uuid
from pathlib import Path

import pexpect
import pytest

from tests.conftest import ADA, Project


def test_a_confirmed_delete_spares_the_new_owner_of_the_email(migrated: Project) -> None:
    migrated.ok("customer", "add", *ADA)
    child = pexpect.spawn(
        sys.executable,
        ["-m", "custctl", "customer", "delete", "ada@example.com"],
        cwd=str(migrated.path),
        env={**migrated.environ, "TERM": "dumb"},
        encoding="utf-8",
        timeout=60,
    )
    child.expect("delete customer 1")
    migrated.ok("customer", "delete", "1", "--yes")
    migrated.ok("customer", "add", *ADA)
    child.sendline("y")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 6
    assert migrated.ok("customer", "get", "ada@example.com", "-o", "json").json["id"] == 2


def test_an_operation_id_is_not_taken_for_another_request(migrated: Project) -> None:
    operation = str(uuid.uuid4())
    migrated.ok("customer", "add", *ADA, "--operation-id", operation)
    other = ("--email", "b@example.com", "--first-name", "B", "--last-name", "B")
    assert migrated.run("customer", "add", *other, "--operation-id", operation).code == 5
    change = str(uuid.uuid4())
    migrated.ok("customer", "update", "1", "--phone", "1", "--operation-id", change)
    assert migrated.run("customer", "update", "1", "--phone", "2", "--operation-id", change).code == 5
    assert migrated.ok("customer", "get", "1", "-o", "json").json["phone"] == "1"


def test_ids_never_change_and_never_come_back(migrated: Project) -> None:
    migrated.ok("customer", "add", *ADA)
    with migrated.database() as database:
        for statement in (
            "UPDATE customer SET id = 9",
            "INSERT INTO customer (id, email, first_name, last_name) VALUES (-1, 'x@example.com', 'X', 'Y')",
            "INSERT INTO customer (email, first_name, last_name) VALUES ('x@example.com', x'ff', 'Y')",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                database.execute(statement)
    database.close()


@pytest.fixture
def crowded(migrated: Project) -> Project:
    """A database in which a search of two letters takes a moment."""
    with migrated.database() as database:
        database.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)"
            " INSERT INTO customer (email, first_name, last_name, company)"
            " SELECT 'a' || i || '@example.com', 'Ada', 'Lovelace', 'Analytical Engines Ltd' FROM n"
        )
    database.close()
    return migrated


def test_a_statement_beyond_its_time_is_unavailable(crowded: Project) -> None:
    profile = crowded.path / "profiles" / "dev.yaml"
    profile.write_text(profile.read_text().replace("path: dev.db", "path: dev.db, statement_timeout: 1ms"))
    result = crowded.run("customer", "search", "--contains", "qq")
    assert result.code == 3
    assert "statement_timeout" in result.err


def test_ctrl_c_ends_a_search_wherever_it_is(crowded: Project) -> None:
    search = ("customer", "search", "--contains", "qq")
    begun = time.monotonic()
    crowded.ok(*search)
    whole = time.monotonic() - begun
    ended = []
    for step in range(15):
        process = crowded.start(*search)
        time.sleep(whole * step / 15)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
        # Before Python has begun to run the program, a signal is the shell's affair.
        assert process.returncode in (0, 1, 130, -signal.SIGINT), error
        assert b"unexpected" not in error
        assert b"user-defined" not in error
        ended.append(process.returncode)
    assert 130 in ended


def test_a_folder_that_may_not_be_entered_is_told_by_doctor_too(migrated: Project) -> None:
    if os.geteuid() == 0:
        # Root enters every folder: a name that no file can have stands for what the system refuses.
        migrated.profile("dev", "development", path="x" * 300)
        expected = {3, 4}
    else:
        Path(migrated.path / "closed").mkdir(mode=0)
        migrated.profile("dev", "development", path="closed/dev.db")
        expected = {4}
    for command in (("customer", "get", "1"), ("migrate",), ("doctor",)):
        result = migrated.run(*command)
        assert result.code in expected, result.err
        assert "unexpected" not in result.err


def test_rejects_never_replace_what_is_imported(migrated: Project) -> None:
    source = migrated.path / "in.csv"
    source.write_text("email,first_name,last_name\nnobody,A,B\n")
    os.link(source, migrated.path / "same.csv")
    assert migrated.run("customer", "import", "in.csv", "--rejects", "same.csv").code == 2
    assert source.read_text().startswith("email,")
