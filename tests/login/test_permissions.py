"""Each command has a role in the one table, and is refused without it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from custctl.cli.app import make_root
from custctl.cli.permissions import _WITH_OPTION, FREE, NEEDED
from custctl.identity.login.roles import Role, role_of, why_no_role
from custctl.profiles.model import Login
from tests.conftest import REPOSITORY, Project
from tests.servers.oidc import profile


def commands(command: Any, ctx: Any, name: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the names of all commands that can be run."""
    children = command.list_commands(ctx) if hasattr(command, "list_commands") else []
    if name and (not children or command.invoke_without_command):
        yield " ".join(name)
    for each in children:
        yield from commands(command.get_command(ctx, each), ctx, (*name, each))


def test_every_command_is_in_the_table() -> None:
    root = make_root()
    found = set(commands(root, root.make_context("custctl", ["x"], resilient_parsing=True)))
    missing = found - FREE - NEEDED.keys()
    assert not missing, f"add {sorted(missing)} to `NEEDED` in custctl/cli/permissions.py"
    assert not FREE & NEEDED.keys()


@pytest.mark.parametrize("role", Role)
def test_the_documentation_names_the_commands_of_each_role(role: Role) -> None:
    row = re.search(rf"^\| `{role}` \|(.+)$", (REPOSITORY / "docs" / "login.md").read_text(), re.MULTILINE)
    assert row is not None
    options = {f"{name} --{option.replace('_', '-')}": at for (name, option), at in _WITH_OPTION.items()}
    assert set(re.findall("`(.+?)`", row[1])) == {name for name, at in (NEEDED | options).items() if at is role}


def test_roles_include_those_below() -> None:
    assert [[role.includes(other) for other in Role] for role in Role] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        (None, "the claim `groups` is missing: "),
        ([], "the claim `groups` holds no text: "),
        (7, "the claim `groups` holds no text: "),
        ("hr", "`login.roles` in the profile gives no role to the values of the claim `groups`: `hr`"),
        ("hr it", "the claim `groups`: `hr it`, `hr`, `it`"),
        (["hr", "\x1b[31m"], "the claim `groups`: `hr`, `\\x1b[31m`"),
        ([f"g{number}" for number in range(9)], "`g4`, …"),
    ],
)
def test_whoever_has_no_role_learns_why(groups: object, why: str) -> None:
    login = Login("https://l", "custctl", ("openid",), "groups", {"admin": ("dba",)})
    claims = {"sub": "eve"} if groups is None else {"sub": "eve", "groups": groups}
    assert role_of(claims, login) is None
    assert why in why_no_role(claims, login)


@pytest.mark.parametrize(
    "arguments",
    [
        ("customer", "get", "1"), ("customer", "add", "--email", "a@example.com"), ("migrate",), ("migrate", "new", "x"),
        ("migrate", "status"), ("doctor",), ("seed",), ("audit", "list"), ("replica", "status"), ("cache", "status"),
        ("credential", "check"), ("customer", "import", "x.csv"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_whoever_is_not_logged_in_is_refused_before_anything_is_done(
    project: Project, arguments: tuple[str, ...]
) -> None:
    path = project.path / "profiles" / "dev.yaml"
    # Nobody listens there: a login that is not kept is not asked for.
    path.write_text(path.read_text() + profile("http://127.0.0.1:9"))
    project.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    result = project.run(*arguments, "-o", "json")
    assert (result.code, result.error["message"]) == (4, "no system keyring found")
    assert not (project.path / "dev.db").exists()
    assert not (project.path / "sql").exists()


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            "{issuer: 'http://login.example.com', client_id: x, roles: {admin: a}}",
            "`login.issuer` is not an `https` URL",
        ),
        ("{client_id: x, roles: {admin: a}}", "`login.issuer` is missing"),
        ("{issuer: 'https://l', client_id: x}", "`login.roles` is missing"),
        ("{issuer: 'https://l', client_id: x, roles: {}}", "`login.roles` gives nobody a role"),
        ("{issuer: 'https://l', client_id: x, roles: {owner: a}}", "unknown key `login.roles.owner`"),
        (
            "{issuer: 'https://l', client_id: x, scopes: ['a b'], roles: {admin: a}}",
            "`login.scopes` contains an invalid scope",
        ),
        ("{issuer: 'https://l', client_secret: x, roles: {admin: a}}", "a profile must not contain a password"),
    ],
)
def test_a_section_that_does_not_validate(project: Project, section: str, message: str) -> None:
    path = project.path / "profiles" / "dev.yaml"
    path.write_text(path.read_text() + f"login: {section}\n")
    result = project.run("profile", "validate", "dev")
    assert result.code == 2
    assert message in result.out + result.err


def test_profile_show_says_who_may_what(project: Project) -> None:
    path = project.path / "profiles" / "dev.yaml"
    path.write_text(path.read_text() + profile("https://login.example.com"))
    told = {item["key"]: item["value"] for item in project.ok("profile", "show", "-o", "json").json["items"]}
    assert told["login.scopes"] == ["openid", "offline_access", "profile"]
    assert told["login.roles.operator"] == ["sales-ops", "crm"]
