"""Every command has help and examples and stands in the README; every example can be parsed; links lead somewhere."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from custctl import __version__
from custctl.cli.app import make_root
from custctl.support.errors import ExitCode
from tests.conftest import REPOSITORY, Project

README = (REPOSITORY / "README.md").read_text()


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command with its path."""
    root = make_root()
    for name in root.list_commands(None):  # type: ignore[arg-type]
        top = root.get_command(None, name)  # type: ignore[arg-type]
        yield (name,), top
        for verb in getattr(top, "list_commands", lambda _: [])(None):
            yield (name, verb), top.get_command(None, verb)


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
def test_a_command_stands_in_the_readme(path: tuple[str, ...]) -> None:
    assert f"`custctl {' '.join(path)}`" in README


def test_the_readme_names_every_exit_code_there_is() -> None:
    table = {int(number) for row in re.findall(r"^\| ([0-9, ]+) \|", README, re.MULTILINE) for number in row.split(",")}
    assert table == {int(code) for code in ExitCode}


def test_the_profiles_of_the_readme_validate(project: Project) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert blocks
    project.environ["USER"] = "ada"
    for number, block in enumerate(blocks):
        assert yaml.safe_load(block)
        (project.path / "profiles" / f"readme{number}.yaml").write_text(block)
        project.ok("profile", "validate", f"readme{number}")


def test_links_between_documents_lead_somewhere() -> None:
    for document in REPOSITORY.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            assert target.startswith("https://") or (REPOSITORY / target).exists(), f"{document.name}: {target}"


def test_the_changelog_has_this_version() -> None:
    assert f"## {__version__}" in (REPOSITORY / "CHANGELOG.md").read_text()


def test_every_dependency_has_a_lower_bound_and_a_reason() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    for requirement in project["dependencies"]:
        assert ">=" in requirement
        line = text.splitlines().index(f'  "{requirement}",')
        assert text.splitlines()[line - 1].strip().startswith("#"), requirement


def test_the_makefile_has_what_the_readme_promises() -> None:
    targets = set(re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake (\w+)", README)) <= targets
