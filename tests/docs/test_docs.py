"""Every command has help and examples and stands in the documentation; every example can be parsed; the site builds."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from custctl import __version__
from custctl.cli.app import make_root
from custctl.support.errors import ExitCode
from tests.conftest import REPOSITORY, Project
from tests.docs.pages import PAGES
from tests.docs.reference import REFERENCE, commands, write_reference

README = (REPOSITORY / "README.md").read_text()
# What people have written: not the reference, where a command stands by itself.
WRITTEN = {name: file.read_text() for name, file in PAGES.items() if file != REFERENCE}


COMMANDS = dict(commands())
IDS = [" ".join(path) for path in COMMANDS]


@pytest.mark.parametrize("path", COMMANDS, ids=IDS)
def test_a_command_has_help_and_examples(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert command.help
    assert command.examples.strip(), "no example"
    assert all(param.help for param in command.params if param.param_type_name == "option" and not field(param))


def field(param: Any) -> bool:
    """Tell whether an option is a customer's field, whose name says all."""
    from custctl.customers.model import EDITABLE

    return param.name in EDITABLE


@pytest.mark.parametrize("path", COMMANDS, ids=IDS)
def test_the_examples_are_of_the_command_and_can_be_parsed(path: tuple[str, ...]) -> None:
    for line in COMMANDS[path].examples.strip().splitlines():
        words = shlex.split(re.sub(r"^.*\| ", "", re.sub(r" [<>] .*$", "", line.strip())))
        words = [word for word in words if not word.startswith("EDITOR=")]
        assert words[0] == "custctl"
        assert tuple(words[1 : 1 + len(path)]) == path, line
        command: Any = make_root()
        arguments, context = words[1:], None
        while True:
            context = command.make_context("custctl", list(arguments), parent=context, resilient_parsing=False)
            rest = [*getattr(context, "_protected_args", []), *context.args]
            if not hasattr(command, "get_command") or not rest:
                break
            _, command, arguments = command.resolve_command(context, rest)


@pytest.mark.parametrize(
    "path", [path for path in COMMANDS if not hasattr(COMMANDS[path], "get_command")], ids=" ".join
)
def test_a_command_stands_in_the_documentation(path: tuple[str, ...]) -> None:
    name = f"custctl {' '.join(path)}"
    called = re.compile(rf"{name}(?![\w-])")
    assert any(called.search(page) for page in WRITTEN.values()), f"add `{name}` to the page in docs/ about its subject"


def test_the_reference_is_what_the_commands_print() -> None:
    assert REFERENCE.read_text() == write_reference(), "run `make reference`, and read what it changed"


def test_the_documentation_names_every_exit_code_there_is() -> None:
    page = WRITTEN["docs/troubleshooting.md"]
    table = {int(number) for row in re.findall(r"^\| ([0-9, ]+) \|", page, re.MULTILINE) for number in row.split(",")}
    assert table == {int(code) for code in ExitCode}


@pytest.mark.parametrize("name", [name for name, page in WRITTEN.items() if "```yaml\n" in page])
def test_the_profiles_of_the_documentation_validate(project: Project, name: str) -> None:
    project.environ["USER"] = "ada"
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", WRITTEN[name], re.DOTALL)):
        assert yaml.safe_load(block)
        (project.path / "profiles" / f"page{number}.yaml").write_text(block)
        project.ok("profile", "validate", f"page{number}")


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "--fail-on-warning", "--keep-going"]
    done = subprocess.run(
        [*command, "-d", tmp_path / "doctrees", REPOSITORY / "docs", tmp_path / "site"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "No module named sphinx" not in done.stderr, "run `make .venv/.ready`, or `uv pip install -e '.[dev]'`"
    assert done.returncode == 0, done.stderr
    for page in (tmp_path / "site").rglob("*.html"):
        fetched = re.findall(r"""(?:src|<link[^>]* href)=["'](?:https?:)?//[^"']*""", page.read_text())
        assert not fetched, f"{page.name} fetches {fetched}"


def test_links_of_documents_lead_somewhere() -> None:
    """Those of the site are checked where it is built."""
    for document in REPOSITORY.glob("*.md"):
        for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", document.read_text()):
            if target.startswith("https://"):
                continue
            page = REPOSITORY / target if target else document
            assert page.exists(), f"{document.name}: {target}"
            assert not anchor or anchor in anchors(page.read_text()), f"{document.name}: {target}#{anchor}"


@pytest.mark.parametrize("name", [name for name in PAGES if re.fullmatch(r"docs/[\w-]+\.md", name)])
def test_the_readme_lists_the_page(name: str) -> None:
    assert f"]({name}) |" in README, f"add {name} to the table of pages in README.md"


def anchors(text: str) -> set[str]:
    """Return what a link can name in a page: its headings, as GitHub and the site write them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_changelog_has_this_version() -> None:
    assert f"## {__version__}" in (REPOSITORY / "CHANGELOG.md").read_text()


def test_the_changelog_has_the_sections_of_keep_a_changelog() -> None:
    known = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
    assert set(re.findall(r"^### (.*)$", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)) <= set(known)


def test_the_hooks_before_a_commit_are_what_is_checked_and_fetch_nothing() -> None:
    checks = re.findall(r"^\t\$\(BIN\)/(.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    [source] = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    assert source["repo"] == "local"
    for hook in source["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].removeprefix(".venv/bin/") in checks


def test_the_forms_of_issues_are_whole() -> None:
    for file in (REPOSITORY / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(file.read_text())
        questions = [part for part in form.get("body", []) if part["type"] != "markdown"]
        assert file.name == "config.yml" or (form["name"] and form["description"] and questions)
        assert len({part["id"] for part in questions}) == len(questions)


def test_every_dependency_has_a_lower_bound_and_a_reason() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    for requirement in project["dependencies"]:
        assert ">=" in requirement
        line = text.splitlines().index(f'  "{requirement}",')
        assert text.splitlines()[line - 1].strip().startswith("#"), requirement


def test_the_makefile_has_what_the_documentation_promises() -> None:
    targets = set(re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    promised = {name for page in WRITTEN.values() for name in re.findall(r"`make ([\w-]+)`|^\$ make ([\w-]+)", page)}
    assert {first or second for first, second in promised} <= targets
