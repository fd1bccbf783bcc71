"""What starts with each command, told by module names; a stopwatch would depend on the machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, Project

HEAVY = (
    "rich",
    "sqlalchemy",
    "keyring",
    "yaml",
    "argon2",
    "email_validator",
    "zxcvbn",
    "mimesis",
    "pyodbc",
    "pydantic",
    "textual",
)


def loaded(project: Project, *arguments: str) -> set[str]:
    """Return the top-level modules that a command has loaded when it ends."""
    report = project.path / "modules"
    code = (
        "import atexit, pathlib, sys\n"
        f"atexit.register(lambda: pathlib.Path({str(report)!r}).write_text(' '.join(sys.modules)))\n"
        f"sys.argv[1:] = {list(arguments)!r}\n"
        "from custctl.__main__ import main\n"
        "main()\n"
    )
    subprocess.run(
        [sys.executable, "-c", code], cwd=project.path, env=project.environ, capture_output=True, check=False
    )
    return set(report.read_text().split())


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["customer", "--help"], ["migrate", "--help"]])
def test_what_needs_no_database_loads_nothing_heavy(project: Project, arguments: list[str]) -> None:
    modules = loaded(project, *arguments)
    assert "custctl.cli.app" in modules
    assert not modules.intersection(HEAVY)


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_the_root_command_loads_nothing_of_what_runs_a_command(project: Project, arguments: list[str]) -> None:
    modules = loaded(project, *arguments)
    assert "custctl.cli.options" in modules
    assert not modules.intersection(("custctl.cli.context", "custctl.terminal.render", "custctl.api.client", "json"))


COMPILED = (
    ("customer", "get", "1", "-o", "json"),
    ("customer", "update", "1", "--city", "Rome"),
    ("customer", "add", "--email", "bob@example.com", "--first-name", "Bob", "--last-name", "Kahn"),
    ("customer", "history", "1"),
    ("customer", "list"),
    ("customer", "list", "--status", "active", "--country", "UK", "--limit", "0"),
    ("customer", "search", "lovelace"),
    ("customer", "export"),
    ("customer", "export", "-o", "jsonl"),
    ("customer", "delete", "1", "--yes"),
    ("migrate",),
    ("migrate", "status"),
    ("seed",),
    ("doctor",),
)


@pytest.mark.parametrize("arguments", COMPILED, ids=lambda given: " ".join(given[:2]))
def test_what_asks_nothing_of_its_own_is_compiled_ahead(migrated: Project, arguments: tuple[str, ...]) -> None:
    migrated.ok("customer", "add", "--email", "ada@example.com", "--first-name", "Ada", "--last-name", "Lovelace")
    modules = loaded(migrated, *arguments)
    assert "custctl.engines.sqlite.database" in modules
    assert "sqlalchemy" not in modules
    assert "rich" not in modules
    assert "keyring" not in modules
    assert "textual" not in modules


def test_a_first_migration_is_compiled_ahead_too(project: Project) -> None:
    modules = loaded(project, "migrate")
    assert "custctl.migrations.runner" in modules
    assert "sqlalchemy" not in modules


def test_a_migration_with_nothing_to_do_loads_no_reader_of_customers_or_of_table_texts(migrated: Project) -> None:
    modules = loaded(migrated, "migrate")
    assert "custctl.migrations.runner" in modules
    assert not modules.intersection(("custctl.customers.model", "custctl.engines.sqlite.tabletext"))


def test_a_pipe_never_loads_rich(migrated: Project) -> None:
    assert "rich" not in loaded(migrated, "customer", "list")


def test_only_the_browser_s_screens_import_textual() -> None:
    package = REPOSITORY / "custctl"
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if re.search(r"^\s*(?:from|import) textual\b", path.read_text(), re.MULTILINE)
    }
    assert found
    assert all(name.startswith("cli/browser/") for name in found)
    # Without a terminal it is not imported either.
    imports = re.findall(
        r"^( *)from custctl\.cli\.browser\.(\w+)", (package / "cli/commands/browse.py").read_text(), re.MULTILINE
    )
    assert imports
    assert all(indented for indented, _ in imports), "the command imports the browser when it is loaded"


def test_typer_is_a_version_that_does_not_import_pydantic(project: Project) -> None:
    assert "typer" in loaded(project, "--version")
    assert "pydantic" not in loaded(project, "--version")


def test_the_arrows_between_modules_run_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_noun_s_commands_import_another_noun_s() -> None:
    commands = REPOSITORY / "custctl" / "cli" / "commands"
    nouns = {path.parent.name for path in commands.glob("*/__init__.py")} | {"seed", "doctor"}
    assert {"customer", "migrate", "audit"} <= nouns
    for path in commands.rglob("*.py"):
        own = path.relative_to(commands).parts[0].removesuffix(".py")
        for noun in re.findall(r"(?:from|import) custctl\.cli\.commands\.(\w+)", path.read_text()):
            assert noun == own or noun not in nouns, f"{path.relative_to(REPOSITORY)} imports from `{noun}`"


def test_engines_are_not_compared_by_name_outside_their_room() -> None:
    package = REPOSITORY / "custctl"
    # Beside the engines: what a profile says of one, and how each keeps what a column holds.
    rooms = {"engines", "profiles", "schema"}
    for path in package.rglob("*.py"):
        if path.relative_to(package).parts[0] in rooms:
            continue
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            compared = re.search(r"(==|!=|\bin)\s*[\(\[{]?\s*[\"'](sqlite|postgresql|mssql)[\"']", line)
            assert not compared, f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()}"
