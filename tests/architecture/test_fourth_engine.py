"""A new engine is a folder of code, a folder of scripts and a row in one table; nothing else in the program changes."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.conftest import ADA, REPOSITORY, Project

RUN = (
    "import sys\n"
    "from custctl import engines\n"
    "columns = 'custctl.engines.sqlite.adding:SqliteColumnScripts'\n"
    "engines.ENGINES['fourth'] = engines.Engine('tests.architecture.fourth:FourthDatabase', columns, is_file=True)\n"
    "from custctl.__main__ import main\n"
    "main()\n"
)


@pytest.fixture
def shop(project: Project) -> Project:
    shutil.copytree(REPOSITORY / "sql" / "sqlite", project.path / "sql" / "fourth")
    (project.path / "profiles").mkdir(exist_ok=True)
    text = "environment: development\ndatabase: {engine: fourth, path: fourth.db}\n"
    (project.path / "profiles" / "fourth.yaml").write_text(text)
    return project


def test_a_made_up_engine_takes_a_row_and_two_folders(shop: Project) -> None:
    environ = {**shop.environ, "CUSTCTL_SQL_DIR": str(shop.path / "sql"), "CUSTCTL_ENV": "fourth"}

    def run(*arguments: str, stdin: str = "") -> str:
        command = [sys.executable, "-c", RUN, *arguments]
        done = subprocess.run(
            command, cwd=shop.path, env=environ, input=stdin, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{arguments}: exit {done.returncode}\n{done.stderr}"
        return done.stdout

    run("migrate")
    run("migrate", "new", "--add-field", "tier", "--type", "text(20)")
    run("migrate")
    run("seed", "--customers", "20")
    run("customer", "add", *ADA)
    assert "fourth" in run("profile", "show")
    assert "ada@example.com" in run("customer", "get", "ada@example.com", "-o", "json")
    run("customer", "update", "ada@example.com", "--city", "Vienna")
    assert "ada@example.com" in run("customer", "search", "Ada")
    assert "ada@example.com" in run("customer", "search", "--contains", "xampl")
    assert run("customer", "list", "--limit", "0").count("\n") == 22
    assert "Vienna" in run("customer", "history", "ada@example.com")
    exported = run("customer", "export", "-o", "jsonl", "--raw")
    run("customer", "import", "-", "--format", "jsonl", "--on-conflict", "update", stdin=exported)
    run("customer", "set-password", "ada@example.com", "--stdin", stdin="correct horse battery staple 9!\n")
    run("customer", "delete", "ada@example.com", "--yes")
    run("audit", "verify")
    run("migrate", "status")
    run("doctor")
