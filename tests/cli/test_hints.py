"""Commands that messages offer: each can be pasted, and leads to the database that the message speaks of."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from custctl.cli.app import make_root
from custctl.cli.options import Group
from custctl.cli.pasting import complete_commands
from tests.conftest import ADA, REPOSITORY, Project, make_project

OFFERED = re.compile(r"`(custctl [^`]+)`")


def parse(words: list[str]) -> dict[str, list[Any]]:
    """Parse a command line as the program does; return the shared options that it gives.

    Raises:
        Exception: it does not parse.
    """
    name: str | None
    name, *rest = words
    command: Any = make_root()
    ctx = command.make_context(name, rest)
    while isinstance(command, Group):
        following = [*ctx._protected_args, *ctx.args]
        if not following:
            break
        name, command, rest = command.resolve_command(ctx, following)
        ctx = command.make_context(name, rest, parent=ctx)
    given: dict[str, list[Any]] = ctx.meta.get("custctl.given", {})
    return given


# -- as they stand in the source -------------------------------------------------------------------


def texts(path: Path) -> Iterator[str]:
    """Yield the texts of a module, those with values with something in their place; docstrings are none."""
    tree = ast.parse(path.read_text())
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    inner: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = ""
            for part in node.values:
                inner.add(id(part))
                if isinstance(part, ast.Constant):
                    text += str(part.value)
                elif isinstance(part, ast.FormattedValue):
                    # A whole word is a name or a number; a part of one is an option that may not be there.
                    kind = ast.unparse(part.value).endswith("kind")
                    text += "failover" if kind else "1" if text.endswith((" ", "`", "=")) else ""
            yield text
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings | inner:
            yield node.value


def offered_in_the_source() -> list[str]:
    found = set()
    for path in (REPOSITORY / "custctl").rglob("*.py"):
        for text in texts(path):
            found.update(OFFERED.findall(text))
    return sorted(found)


def test_every_command_that_the_source_offers_can_be_pasted() -> None:
    offered = offered_in_the_source()
    assert len(offered) > 30
    assert "custctl migrate" in offered
    for command in offered:
        assert not re.search(r"\b[A-Z]{2,}\b|…", command), f"`{command}` has a place to fill in"
        if "--help" in command:
            continue
        try:
            parse(shlex.split(command))
        except Exception as error:  # noqa: BLE001 - whatever it says, the command is what is wrong
            pytest.fail(f"`{command}`: {error}")


# -- as they are printed ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Profiles and scripts in folders whose names a shell would split; only `prod` has a schema."""
    project = make_project(tmp_path_factory.mktemp("hints"))
    (project.path / "profiles").rename(project.path / "our profiles")
    shutil.copytree(REPOSITORY / "sql", project.path / "our sql")
    del project.environ["CUSTCTL_SQL_DIR"]
    options = ("--env", "prod", "--profiles-dir", "our profiles", "--sql-dir", "our sql")
    project.ok("migrate", *options)
    project.ok("customer", "add", *ADA, *options[:4])
    return project


FAILING = (
    ("customer", "get", "nobody@example.com"),
    ("customer", "get", "-x@example.com"),
    ("customer", "get", "nobody"),
    ("customer", "get", "9"),
    ("customer", "add", *ADA),
    ("customer", "update", "1", "--city", "X", "--if-version", "e1-9"),
    ("customer", "search", ""),
    ("migrate", "--target", "999"),
    ("migrate", "baseline", "1"),
    ("cache", "clear"),
)


@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_offered_names_what_this_invocation_was_given(shop: Project, as_json: bool) -> None:
    seen = 0
    for arguments in FAILING:
        result = shop.run("--env", "prod", "--profiles-dir", "our profiles", *arguments, *(("-o", "json") * as_json))
        assert result.code != 0
        told = result.error["message"] + (result.error["hint"] or "") if as_json else result.err
        for command in OFFERED.findall(told):
            seen += 1
            if "--help" in command:
                continue
            given = parse(shlex.split(command))
            assert given["env"] == ["prod"], command
            assert given["profiles_dir"] == [str(shop.path / "our profiles")], command
    assert seen > 5


def test_a_pasted_command_shows_the_same_customer(shop: Project) -> None:
    told = shop.run("customer", "add", *ADA, "-e", "prod", "--profiles-dir", "our profiles").err
    (command,) = OFFERED.findall(told)
    assert shop.ok(*shlex.split(command)[1:], "-o", "json").json["email"] == "ada@example.com"


def test_variables_are_carried_like_options(shop: Project) -> None:
    variables = {"CUSTCTL_ENV": "test", "CUSTCTL_PROFILES_DIR": "our profiles", "CUSTCTL_SQL_DIR": "our sql"}
    given = Project(shop.path, {**shop.environ, **variables})
    (command,) = OFFERED.findall(given.run("customer", "get", "1").err)
    profiles, scripts = shop.path / "our profiles", shop.path / "our sql"
    assert command == f"custctl migrate --env test --profiles-dir '{profiles}' --sql-dir '{scripts}'"
    assert shop.ok(*shlex.split(command)[1:]).code == 0
    assert OFFERED.findall(given.run("customer", "get", "1").err) == [
        f"custctl customer list --env test --profiles-dir '{profiles}'"
    ], "that command takes no folder of scripts"


def test_rows_that_offer_commands_carry_too(shop: Project) -> None:
    options = ("-e", "staging", "--profiles-dir", "our profiles", "--sql-dir", "our sql")
    checks = shop.run("doctor", *options, "-o", "json").json["items"]
    offered = [command for check in checks for command in OFFERED.findall(check["hint"] or "")]
    assert offered
    for command in offered:
        assert parse(shlex.split(command))["env"] == ["staging"], command


@pytest.mark.parametrize(
    ("text", "carried"),
    [
        ("see `custctl customer get --help`", "see `custctl customer get --help`"),
        ("`custctl customer get 1 -e test`", "`custctl customer get 1 -e test`"),
        ("`custctl customer get 1 --env=test`", "`custctl customer get 1 --env=test`"),
        ("`custctl audit verify -o json > a.json`", "`custctl audit verify -o json --env 'a b' > a.json`"),
        ("`custctl customer search -- -x`", "`custctl customer search --env 'a b' -- -x`"),
        ("`custctl migrate`, `custctl doctor`", "`custctl migrate --env 'a b'`, `custctl doctor --env 'a b'`"),
        ("`custctl customer get '`", "`custctl customer get '`"),
        ("custctl migrate", "custctl migrate"),
    ],
)
def test_where_an_option_is_put(text: str, carried: str) -> None:
    root = make_root().make_context("custctl", ["doctor"])
    assert complete_commands(text, root, {"env": ["a b"]}, {}) == carried


def test_a_note_carries_in_json_too(shop: Project) -> None:
    told = shop.run("customer", "get", "9", "-e", "prod", "--profiles-dir", "our profiles", "-o", "json")
    assert json.loads(told.err.splitlines()[-1])["error"]["hint"].startswith("`custctl customer list --env prod")


def test_a_folder_is_named_in_full(project: Project) -> None:
    shutil.copytree(project.path / "profiles", project.path / "other folder")
    result = project.run("customer", "get", "1", "--profiles-dir", "other folder", "-e", "test")
    assert f"--profiles-dir '{project.path / 'other folder'}'" in result.err
