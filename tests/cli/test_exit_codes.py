"""Every exit code that can be reached, reached by a real command, and its name in a JSON error."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.conftest import ADA, REPOSITORY, Project, Result


@pytest.fixture
def ada(migrated: Project) -> Project:
    """A project with one customer."""
    migrated.ok("customer", "add", *ADA)
    return migrated


def bytes_for_text(project: Project) -> Result:
    """Return what comes of an error that nobody foresaw."""
    connection = project.database()
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute("UPDATE customer SET city = X'00FF' WHERE id = 1")
    connection.commit()
    connection.close()
    return project.run("customer", "list", "-o", "json")


def locked(project: Project) -> Result:
    (project.path / "profiles" / "dev.yaml").write_text(
        "environment: development\ndatabase: {engine: sqlite, path: dev.db, statement_timeout: 200ms}\n"
    )
    connection = project.database()
    connection.execute("BEGIN IMMEDIATE")
    try:
        return project.run("customer", "update", "1", "--city", "X", "-o", "json")
    finally:
        connection.close()


def not_a_database(project: Project) -> Result:
    (project.path / "test.db").write_text("this is no database, however long it may be" * 100)
    return project.run("customer", "get", "1", "-e", "test", "-o", "json")


def unwritable(project: Project) -> Result:
    """A lock file where a folder stands cannot be opened, as root or not."""
    (project.path / "test.db.lock").mkdir()
    return project.run("migrate", "-e", "test", "-o", "json")


def rejects(project: Project) -> Result:
    text = "email,first_name,last_name\ngood@example.com,G,H\nbad,B,C\n"
    return project.run("customer", "import", "-", "--rejects", "rejects.csv", "-o", "json", stdin=text)


def broken_script(project: Project) -> Result:
    folder = project.path / "sql"
    shutil.copytree(REPOSITORY / "sql", folder)
    (folder / "sqlite" / "migrations" / "9000_broken.sql").write_text("CREATE TABLE broken (;\n")
    return project.run("migrate", "--sql-dir", folder, "-o", "json")


def in_flight(project: Project) -> Result:
    """The journal says that a statement was at work when its process died, and nobody can see whether it was done."""
    folder = project.path / "sql"
    shutil.copytree(REPOSITORY / "sql", folder)
    script = "-- custctl: transaction=off\nCREATE TABLE a (x INTEGER);\nINSERT INTO missing VALUES (1);\n"
    (folder / "sqlite" / "migrations" / "9000_stopped.sql").write_text(script)
    assert project.run("migrate", "--sql-dir", folder).code == 11
    connection = project.database()
    connection.execute("UPDATE schema_migration SET state = 'running', in_flight = 1 WHERE version = 9000")
    connection.close()
    return project.run("migrate", "--sql-dir", folder, "-o", "json")


REACHED: list[tuple[int, str, Callable[[Project], Result]]] = [
    (1, "failure", bytes_for_text),
    (2, "usage", lambda project: project.run("customer", "list", "--sort", "nonsense", "-o", "json")),
    (2, "usage", lambda project: project.run("customer", "get", "-o", "json")),
    (2, "usage", lambda project: project.run("customer", "get", "1", "--nonsense", "-o", "json")),
    (2, "usage", lambda project: project.run("nonsense", "-o", "json")),
    (2, "usage", lambda project: project.run("customer", "get", "1", "-e", "nonsense", "-o", "json")),
    (2, "usage", lambda project: project.run("customer", "get", "1", "-e", "dev", "-e", "test", "-o", "json")),
    (3, "unavailable", locked),
    (3, "unavailable", not_a_database),
    (4, "credential", unwritable),
    (5, "conflict", lambda project: project.run("customer", "add", *ADA, "-o", "json")),
    (
        5,
        "conflict",
        lambda project: project.run("customer", "update", "1", "--city", "X", "--if-version", "e1-9", "-o", "json"),
    ),
    (6, "not_found", lambda project: project.run("customer", "get", "nobody@example.com", "-o", "json")),
    (7, "refused", lambda project: project.run("customer", "delete", "1", "-o", "json")),
    (8, "pending", lambda project: project.run("customer", "get", "1", "-e", "test", "-o", "json")),
    (8, "pending", lambda project: project.run("migrate", "status", "--check", "-e", "test", "-o", "json")),
    (9, "invalid", lambda project: project.run("customer", "update", "1", "--email", "x", "-o", "json")),
    (
        9,
        "invalid",
        lambda project: project.run("customer", "verify-password", "1", "--stdin", "-o", "json", stdin="wrong\n"),
    ),
    (10, "partial", rejects),
    (11, "migration", broken_script),
    (13, "unknown", in_flight),
]


@pytest.mark.parametrize(
    ("code", "name", "reach"), REACHED, ids=[f"{code}-{n}" for n, (code, _, _) in enumerate(REACHED)]
)
def test_a_failure_has_its_code_and_its_name(
    ada: Project, code: int, name: str, reach: Callable[[Project], Result]
) -> None:
    result = reach(ada)
    assert result.code == code, result.err
    error = result.error
    assert list(error) == ["code", "exit_code", "message", "hint", "details"]
    assert (error["code"], error["exit_code"]) == (name, code)
    assert not error["message"][0].isupper()
    assert not error["message"].endswith(".")
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("code", "reach"), [(code, reach) for code, _, reach in (REACHED[1], REACHED[11], REACHED[13])]
)
def test_in_text_a_failure_is_an_error_and_a_hint(
    ada: Project, code: int, reach: Callable[[Project], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Project.run
    monkeypatch.setattr(
        Project, "run", lambda self, *a, **k: run(self, *(x for x in a if x not in ("-o", "json")), **k)
    )
    result = reach(ada)
    assert result.code == code
    *_, error, hint = result.err.splitlines()
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")


def test_success_and_an_empty_result_are_zero(ada: Project) -> None:
    assert ada.run("customer", "get", "1").code == 0
    assert ada.run("customer", "search", "nobody").code == 0
    assert ada.run("customer", "list", "--country", "Nowhere", "-o", "json").json == {"items": [], "next": None}
    assert ada.run("--version").code == 0
    assert ada.run("customer", "--help").code == 0


def test_a_reader_that_closed_the_pipe_is_no_failure(ada: Project) -> None:
    connection = ada.database()
    connection.executemany(
        "INSERT INTO customer (email, first_name, last_name, company) VALUES (?, 'A', 'B', ?)",
        [(f"c{number}@example.com", "x" * 200) for number in range(2000)],
    )
    connection.close()
    for arguments in (
        ("customer", "list", "--limit", "0"),
        ("customer", "list", "--limit", "0", "-o", "json"),
        ("customer", "export"),
        ("audit", "list"),
        ("customer", "get", "1"),
    ):
        reader, writer = os.pipe()
        process = ada.start(*arguments, stdout=writer)
        os.close(writer)
        if arguments[1] in ("list", "export"):
            assert os.read(reader, 10)
        os.close(reader)
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, b""), arguments


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_a_signal_ends_a_command_that_waits(ada: Project, number: signal.Signals, code: int) -> None:
    connection = ada.database()
    connection.execute("BEGIN IMMEDIATE")
    process = ada.start("customer", "update", "1", "--city", "X", "-o", "json", stderr=subprocess.PIPE)
    assert process.stderr is not None
    # It has announced what it is about to change, and waits for the lock.
    process.stderr.readline()
    time.sleep(0.3)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    connection.close()
    result = Result(process.returncode, "", err.decode())
    assert result.code == code
    assert (result.error["code"], result.error["exit_code"]) == ("interrupted", code)
    assert ada.ok("customer", "get", "1", "-o", "json").json["city"] is None


def test_under_nohup_the_end_of_the_terminal_ends_nothing(ada: Project) -> None:
    connection = ada.database()
    connection.execute("BEGIN IMMEDIATE")
    command = ada.command("customer", "update", "1", "--city", "X", "-o", "json")
    process = subprocess.Popen(
        ["nohup", *command], cwd=ada.path, env=ada.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    process.stderr.readline()
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    connection.close()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err.decode()
    assert ada.ok("customer", "get", "1", "-o", "json").json["city"] == "X"
