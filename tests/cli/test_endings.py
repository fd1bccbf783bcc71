"""How a command ends where its output cannot be written: its own code stands, and nothing of Python's is on stderr."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import ADA, REPOSITORY, SQLITE_SCRIPTS, Project, Result, make_project

BAD = "email,first_name,last_name\ngood@example.com,G,H\nbad,B,C\n"
ADD_NEW = ("--first-name", "N", "--last-name", "N")
KEYS = {"note", "warning", "announce", "error"}

# What a command comes to, and the command.
CASES: dict[str, tuple[int, Sequence[str]]] = {
    "get": (0, ("customer", "get", "1")),
    "version": (0, ("--version",)),
    "help": (0, ("customer", "get", "--help")),
    "list": (0, ("customer", "list", "--limit", "0")),
    "field": (2, ("customer", "get", "1", "--fields", "nonsense")),
    "option": (2, ("customer", "get", "1", "--nonsense")),
    "taken": (5, ("customer", "add", *ADA)),
    "nobody": (6, ("customer", "get", "9")),
    "refused": (7, ("customer", "delete", "1")),
    "pending": (8, ("migrate", "status", "--check", "--env", "test")),
    "schema": (8, ("customer", "get", "1", "--env", "test")),
    "doctor": (8, ("doctor", "--env", "test")),
    "invalid": (9, ("customer", "update", "1", "--email", "nobody")),
    "partial": (10, ("customer", "import", "bad.csv", "--dry-run")),
    "linter": (11, ("migrate", "validate", "--sql-dir", "faulty")),
    "script": (11, ("migrate", "--sql-dir", "faulty")),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A database with a customer, a file with a bad row, and scripts with many faults: more than a pipe holds."""
    project = make_project(tmp_path_factory.mktemp("endings"))
    project.ok("migrate")
    project.ok("customer", "add", *ADA)
    (project.path / "bad.csv").write_text(BAD)
    faulty = project.path / "faulty"
    shutil.copytree(REPOSITORY / "sql", faulty)
    long = "no_such_table_of_a_long_name" * 3
    for number in range(9000, 9400):
        script = faulty / "sqlite" / "migrations" / f"{number}_{long}.sql"
        script.write_text(f"BEGIN;\nDROP TABLE {long};\n")
    return project


def end(project: Project, arguments: Sequence[str], sink: str, stdin: str = "") -> Result:
    """Run a command whose stdout leads nowhere; return what it said on stderr."""
    command = project.command(*arguments)
    if sink == "pipe":
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            command, cwd=project.path, env=project.environ, stdin=subprocess.DEVNULL, stdout=writer,
            stderr=subprocess.PIPE, check=False, timeout=120,
        )  # fmt: skip
        os.close(writer)
        return Result(done.returncode, "", done.stderr.decode())
    redirect = {"full": ">/dev/full", "closed": ">&-", "both": ">&- 2>&- <&-", "both-full": ">/dev/full 2>/dev/full"}
    script = f"{shlex.join(command)} {redirect[sink]}"
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=project.path,
        env=project.environ,
        input=stdin.encode(),
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.stdout == b""
    return Result(done.returncode, "", done.stderr.decode())


def assert_plain(result: Result, *, as_json: bool) -> None:
    """stderr holds lines of custctl's own alone."""
    assert "Traceback" not in result.err
    assert "Exception ignored" not in result.err
    for line in result.err.splitlines():
        if as_json:
            assert len(json.loads(line).keys() & KEYS) == 1, line


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("sink", ["pipe", "full", "closed", "both", "both-full"])
def test_a_failing_output_never_makes_a_failure_look_better(shop: Project, case: str, sink: str) -> None:
    code, arguments = CASES[case]
    expected = 3 if code == 0 and sink != "pipe" else code
    result = end(shop, arguments, sink)
    assert result.code == expected, result.err
    assert_plain(result, as_json=False)
    if sink == "pipe" and code == 0:
        assert result.err == ""
    if expected == 3 and not sink.startswith("both"):
        assert "error: cannot write the output: " in result.err
        assert result.err.splitlines()[-1].startswith("hint: "), result.err


@pytest.mark.parametrize(
    "command",
    ["profile list", "profile show", "profile validate", "audit list", "audit verify", "doctor", "migrate status",
     "credential check"],
)  # fmt: skip
def test_so_it_is_with_every_command_that_shows_something(shop: Project, command: str) -> None:
    result = end(shop, command.split(), "full")
    assert result.code == 3
    assert "error: cannot write the output: " in result.err


@pytest.mark.parametrize("case", ["get", "option", "refused", "pending", "partial", "linter"])
@pytest.mark.parametrize("sink", ["pipe", "full", "closed"])
def test_so_it_is_in_json(shop: Project, case: str, sink: str) -> None:
    code, arguments = CASES[case]
    result = end(shop, [*arguments, "-o", "json"], sink)
    assert result.code == (3 if code == 0 and sink != "pipe" else code)
    assert_plain(result, as_json=True)
    if result.code:
        assert result.error["exit_code"] == result.code


@pytest.mark.parametrize("shape", ["tsv", "csv", "jsonl", "yaml", "table"])
def test_so_it_is_in_every_format(shop: Project, shape: str) -> None:
    for sink, code in (("pipe", 0), ("full", 3)):
        assert end(shop, ["customer", "get", "1", "-o", shape], sink).code == code
    assert end(shop, ["migrate", "status", "--check", "-e", "test", "-o", shape], "full").code == 8


def test_so_it_is_with_completion(shop: Project) -> None:
    offered = {"_CUSTCTL_COMPLETE": "complete_bash", "COMP_WORDS": "custctl cust", "COMP_CWORD": "1"}
    asked = Project(shop.path, {**shop.environ, **offered})
    assert [end(asked, (), sink).code for sink in ("pipe", "full", "closed")] == [0, 3, 3]


# -- what was changed ------------------------------------------------------------------------------


def pasted(text: str) -> list[list[str]]:
    """Return the commands that a text offers, as a shell reads them."""
    return [shlex.split(command) for command in text.split("`")[1::2] if command.startswith("custctl ")]


@pytest.mark.parametrize("sink", ["full", "closed"])
def test_a_change_whose_output_is_lost_is_told_and_not_made_twice(tmp_path: Path, sink: str) -> None:
    project = make_project(tmp_path)
    project.environ["EDITOR"] = """sh -c 'exec sed -i "s/^city:.*/city: Paris/" "$0" >/dev/null'"""
    (project.path / "good.csv").write_text("email,first_name,last_name\nc@example.com,C,C\n")
    for told, arguments in (
        (f"{SQLITE_SCRIPTS} scripts were applied, but", ("migrate",)),
        ("the data was loaded, but", ("seed", "--set", "demo")),
        ("customer 7 was added, but", ("customer", "add", "--email", "n@example.com", *ADD_NEW)),
        ("customer 7 was updated, but", ("customer", "update", "7", "--city", "X")),
        ("customer 7 already has these values, but", ("customer", "update", "7", "--city", "X")),
        ("customer 7 was updated, but", ("customer", "edit", "7")),
        ("customer 7 was given a password, but", ("customer", "set-password", "7", "--stdin")),
        ("import complete: 1 row", ("customer", "import", "good.csv")),
        ("customer 7 was deleted, but", ("customer", "delete", "7", "--yes")),
    ):
        result = end(project, [*arguments, "-o", "json"], sink, "Sesame opens a mountain 7\n")
        assert result.code == 3, result.err
        assert_plain(result, as_json=True)
        assert result.error["message"].startswith(told), result.error
        assert "cannot write the output: " in result.error["message"]
        hint = result.error["hint"]
        assert hint.startswith("do not run it again: "), hint
        (command,) = pasted(hint)
        # What it offers shows the change, where it was made.
        assert project.run(*command[1:], "-o", "json").json


def test_an_output_that_is_lost_where_nothing_was_changed_is_asked_for_again(shop: Project) -> None:
    error = end(shop, ["customer", "get", "1", "-o", "json"], "full").error
    assert error["hint"] == "free some disk space, then run it again"
    error = end(shop, ["customer", "get", "1", "-o", "json"], "closed").error
    assert error["hint"] == "redirect it to a writable file, then run it again"
