"""What the program prints, byte for byte, held against files. `CUSTCTL_UPDATE_GOLDEN=1` writes them anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from custctl.support.identity import system_user
from tests.conftest import ADA, Project

EXPECTED = Path(__file__).parent / "expected"

FORMATS = ("table", "tsv", "csv", "json", "jsonl", "yaml")
CASES: dict[str, tuple[str, ...]] = {
    "help": ("--help",),
    "help-import": ("customer", "import", "--help"),
    "help-get": ("customer", "get", "--help"),
    "help-cache": ("cache", "--help"),
    "no-cache": ("cache", "warm"),
    "no-cache-json": ("cache", "clear", "-o", "json"),
    "credential-of-no-cache": ("credential", "set", "--for", "cache"),
    "no-such-command": ("custommer",),
    "no-such-customer": ("customer", "get", "99"),
    "no-such-customer-json": ("customer", "get", "99", "-o", "json"),
    "not-confirmed": ("customer", "delete", "1"),
    "invalid": ("customer", "add", "--email", "nobody", "--first-name", "\x1b[31mRed", "--last-name", ""),
    "conflict": ("customer", "update", "1", "--phone", "2", "--if-version", "e1-9"),
    "migrate-nothing": ("migrate", "-o", "json"),
    "migrate-status": ("migrate", "status", "--fields", "version,description,kind,state,script"),
    "history": ("customer", "history", "1"),
    "history-table": ("customer", "history", "1", "-o", "table"),
    "help-erase": ("customer", "erase", "--help"),
    "profile-show": ("profile", "show"),
    "audit-verify": ("audit", "verify"),
    **{f"get-{name}": ("customer", "get", "1", "-o", name) for name in FORMATS},
    **{f"list-{name}": ("customer", "list", "--limit", "2", "-o", name) for name in FORMATS},
    **{f"empty-{name}": ("customer", "list", "--status", "closed", "-o", name) for name in FORMATS},
}


def settled(text: str, project: Project) -> str:
    """Return output without what differs from run to run."""
    text = text.replace(str(project.path), "PROJECT")
    text = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "2026-01-02T03:04:05.678Z", text)
    text = re.sub(r"\b[\w.-]+@" + re.escape(os.uname().nodename) + r"\b", "USER@HOST", text)
    return re.sub(rf"(USER@HOST\s+){re.escape(system_user())}\b", r"\1LOGIN", text)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A database with three customers, one of them hostile."""
    from tests.conftest import REPOSITORY, clean_environment

    folder = tmp_path_factory.mktemp("golden")
    (folder / "profiles").mkdir()
    (folder / "home").mkdir()
    project = Project(folder, clean_environment(folder / "home", {"CUSTCTL_SQL_DIR": str(REPOSITORY / "sql")}))
    project.profile("dev", "development", seed=("reference", "demo"))
    project.ok("migrate")
    project.ok("customer", "add", *ADA, "--phone", "+44 20 7946 0101", "--company", "Engines, Ltd")
    project.ok("customer", "add", "--email", "b@example.com", "--first-name", "[red]B[/red]", "--last-name", "=1+1")
    project.ok("customer", "add", "--email", "c@example.com", "--first-name", "Zoë", "--last-name", "\u202eevil")
    return project


@pytest.mark.parametrize("case", CASES)
def test_output_is_as_it_was(shop: Project, case: str) -> None:
    result = shop.run(*CASES[case])
    shown = f"$ custctl {' '.join(map(repr, CASES[case]))}\nexit code {result.code}\n"
    shown += f"--- stdout\n{result.out}--- stderr\n{result.err}"
    shown = settled(shown, shop)
    file = EXPECTED / f"{case}.txt"
    if os.environ.get("CUSTCTL_UPDATE_GOLDEN"):
        file.write_text(shown, encoding="utf-8")
    assert shown == file.read_text(encoding="utf-8")


def test_no_expected_file_is_left_over() -> None:
    assert {file.stem for file in EXPECTED.glob("*.txt")} == set(CASES)
