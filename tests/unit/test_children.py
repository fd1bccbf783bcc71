"""What a program that custctl starts is given: no secret, wherever the secret can come from."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from custctl.profiles import Profile, load_profile
from custctl.profiles.credentials import Purpose, entry_of
from custctl.replication.hooks import run_hook
from custctl.support.children import child_environment, names_secret, secret_variable
from tests.conftest import ADA, REPOSITORY, Project

WORD = "planted"

# Every variable holds a word of its own, so that a failure says which one came through.
SECRETS = (
    "CUSTCTL_DB_PASSWORD",
    "CUSTCTL_DB_PASSWORD_FILE",
    "CUSTCTL_CACHE_PASSWORD",
    "CUSTCTL_CACHE_PASSWORD_FILE",
    "CUSTCTL_CACHE_KEY",
    "CUSTCTL_CACHE_KEY_FILE",
    "CUSTCTL_IDENTITY_SECRET",
    "CUSTCTL_IDENTITY_SECRET_FILE",
    "CUSTCTL_TOKEN_FILE",
    "PGPASSWORD",
    "PGPASSFILE",
    "PGSERVICEFILE",
    "SQLCMDPASSWORD",
    "REDISCLI_AUTH",
    "VALKEYCLI_AUTH",
    "PATRONI_CTL_PASSWORD",
    "PATRONI_RESTAPI_PASSWORD",
    "PATRONI_CTL_KEYFILE_PASSWORD",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_CLIENT_SECRET",
    "VAULT_TOKEN",
    "KEYRING_CRYPTFILE_PASSWORD",
    "MYSQL_PWD",
    "SSHPASS",
    "SMTP_PASS",
    "LOGIN_SECRET",
)
# Innocent names, whose values are not.
VALUES = {
    "DATABASE_URL": f"postgresql://app:{WORD}-url@db/customers",
    "HTTPS_PROXY": f"http://:{WORD}-proxy@proxy:3128",
    "DSN": f"host=db password={WORD}-dsn",
    "SQLCONNSTR_main": f"Server=db;PWD={WORD}-odbc",
}
INNOCENT = {
    "PATH": os.environ["PATH"],
    "PWD": "/srv",
    "SSH_AUTH_SOCK": "/run/agent",
    "KUBECONFIG": "/etc/kube",
    "SSH_ASKPASS": "/usr/bin/askpass",
    "COMPASS": "north",
    "SITE": "https://example.com:8443/path",
    "DB_HOST": "db.internal",
    "AWS_PROFILE": "ops",
}

DUMP = """
import json, os, sys
files = []
for number in os.listdir("/proc/self/fd"):
    try:
        files.append((int(number), os.readlink(f"/proc/self/fd/{number}")))
    except OSError:
        pass
with open(REPORT, "w") as report:
    json.dump({"environ": dict(os.environ), "argv": sys.argv, "files": files}, report)
"""


def planted() -> dict[str, str]:
    return {**{name: f"{WORD}-{name}" for name in SECRETS}, **VALUES}


@pytest.fixture
def dump(tmp_path: Path) -> tuple[list[str], Path]:
    """Return a command that writes down what it was given, and where."""
    report, script = tmp_path / "report", tmp_path / "dump.py"
    script.write_text(f"REPORT = {str(report)!r}\n{DUMP}")
    return [sys.executable, "-I", "-S", str(script)], report


@pytest.mark.parametrize("name", SECRETS)
def test_each_name_of_a_secret_is_known(name: str) -> None:
    assert secret_variable(name)
    assert child_environment({name: "x"}) == {}
    assert child_environment({name.lower(): "x"}) == {}


@pytest.mark.parametrize("name", VALUES)
def test_a_login_in_a_value_is_known(name: str) -> None:
    assert child_environment({name: VALUES[name]}) == {}


def test_all_else_is_handed_on() -> None:
    assert child_environment({**planted(), **INNOCENT}) == INNOCENT


def test_every_secret_that_a_profile_needs_is_on_the_list(project: Project) -> None:
    server = "environment: development\ndatabase: {engine: postgresql, user: a, nodes: [{host: b}]}\n"
    (project.path / "profiles" / "p.yaml").write_text(
        f"{server}cache: {{url: 'redis://a@b', encrypt: true}}\nidentity: {{provider: scim, url: 'https://h'}}\n"
    )
    profile = load_profile("p", profiles_dir=None, environ={}, cwd=project.path)
    for purpose in Purpose:
        entry = entry_of(profile, purpose)
        assert secret_variable(entry.variable)
        assert secret_variable(entry.file_variable)


def test_keys_that_are_no_secrets() -> None:
    assert not any(map(names_secret, ("path", "passfile", "bypass", "tls_ca", "key", "ssh_askpass")))
    assert all(map(names_secret, ("pass", "db_pass", "DB-PASS", "api_key", "apiKey", "Passwort_password")))


def test_the_editor_is_given_no_secret(migrated: Project, dump: tuple[list[str], Path]) -> None:
    command, report = dump
    migrated.ok("customer", "add", *ADA)
    secret = migrated.path / "secret"
    secret.write_text(f"{WORD}-file")
    migrated.environ |= {**planted(), **INNOCENT, "EDITOR": " ".join(command)}
    with secret.open() as stream:
        # A descriptor that whoever started custctl left open to it.
        os.set_inheritable(stream.fileno(), True)
        done = subprocess.run(
            migrated.command("customer", "edit", "1"),
            cwd=migrated.path,
            env=migrated.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            pass_fds=[stream.fileno()],
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    _clean(report)


def test_a_hook_is_given_no_secret(project: Project, dump: tuple[list[str], Path]) -> None:
    command, report = dump
    hooks = json.dumps({"fence": [*command, "{node}", "{host}", "{port}"]})
    (project.path / "profiles" / "p.yaml").write_text(
        "environment: development\n"
        f"database: {{engine: postgresql, user: '${{DB_USER}}', nodes: [{{name: a, host: b, port: 1}}], hooks: {hooks}}}\n"
    )
    environ = {**planted(), **INNOCENT, "DB_USER": "ops"}
    profile: Profile = load_profile("p", profiles_dir=None, environ=environ, cwd=project.path)
    secret = project.path / "secret"
    secret.write_text(f"{WORD}-file")
    with secret.open() as stream:
        os.set_inheritable(stream.fileno(), True)
        run_hook(profile, "fence", profile.database.nodes[0], environ, note=print)  # type: ignore[arg-type]
    told = _clean(report)
    assert told["argv"][1:] == ["a", "b", "1"]


def _clean(report: Path) -> dict[str, list[str]]:
    told = json.loads(report.read_text())
    assert WORD not in json.dumps({**told, "files": []})
    assert {name: told["environ"].get(name) for name in INNOCENT} == INNOCENT
    # Its own look at the folder of descriptors is one more.
    assert not any("secret" in Path(target).name for _, target in told["files"])
    assert sum(number > 2 for number, _ in told["files"]) <= 1
    return told


_STARTING = {
    "os": ("exec", "spawn", "posix_spawn", "system", "popen", "startfile", "fork"),
    "pty": ("spawn", "fork"),
    "asyncio": ("create_subprocess",),
    "typer": ("edit", "launch", "echo_via_pager"),
    "click": ("edit", "launch", "echo_via_pager"),
    "webbrowser": ("open",),
}


def test_nothing_is_started_in_another_way() -> None:
    started = 0
    for path in sorted((REPOSITORY / "custctl").rglob("*.py")):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "subprocess":
                raise AssertionError(f"{path}:{node.lineno}: import subprocess as a whole, so that its calls are seen")
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            module = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            where = f"{path}:{node.lineno}: {module}.{node.func.attr}"
            assert not node.func.attr.startswith(_STARTING.get(module, ("\0",))), where
            assert node.func.attr != "find_library", where  # it runs a compiler
            if module == "subprocess":
                started += 1
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert given.get("env", "").startswith("child_environment("), where
                assert not given.keys() & {"shell", "close_fds", "pass_fds", "preexec_fn"}, where
    assert started == 4
