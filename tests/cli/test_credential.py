"""`credential` for each of a profile's secrets: hidden prompts, generated keys, and nothing shown."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pexpect
import pytest

from tests.cli.test_endings import end
from tests.conftest import Project
from tests.unit.test_credentials import BACKENDS

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
# Kept in a file, as each command is a process of its own; the test looks into it.
ON_DISK = """

import json
import pathlib


class KeyringOnDisk(KeyringBackend):
    priority = 1
    path = pathlib.Path(__file__).with_suffix(".json")

    def all(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def get_password(self, service, username):
        return self.all().get(f"{service} {username}")

    def set_password(self, service, username, password):
        self.path.write_text(json.dumps(self.all() | {f"{service} {username}": password}))

    def delete_password(self, service, username):
        self.path.write_text(json.dumps({k: v for k, v in self.all().items() if k != f"{service} {username}"}))
"""
PROFILE = """environment: development
database: {engine: postgresql, user: app, nodes: [{host: h}]}
cache: {url: "redis://app@h", encrypt: true}
"""


@pytest.fixture
def keyring(project: Project, tmp_path: Path) -> Project:
    """A project with a keyring of its own."""
    (tmp_path / "disk_keyring.py").write_text(BACKENDS + ON_DISK)
    project.environ["PYTHONPATH"] += os.pathsep + str(tmp_path)
    project.environ["PYTHON_KEYRING_BACKEND"] = "disk_keyring.KeyringOnDisk"
    (project.path / "profiles" / "dev.yaml").write_text(PROFILE)
    return project


def held(tmp_path: Path) -> str:
    file = tmp_path / "disk_keyring.json"
    return file.read_text() if file.exists() else ""


@pytest.mark.parametrize(
    ("purpose", "secret", "service", "user"),
    [
        ("database", "hunter2", "custctl:dev:h", "app"),
        ("cache", "hunter2", "custctl:dev:cache:h", "app"),
        ("cache-key", KEY, "custctl:dev:cache-key:h", "cache-key"),
    ],
)
def test_set_check_delete(keyring: Project, tmp_path: Path, purpose: str, secret: str, service: str, user: str) -> None:
    result = keyring.ok("credential", "set", "--for", purpose, "--stdin", "-o", "json", stdin=f"{secret}\n")
    assert result.json["for"] == purpose
    assert (result.json["service"], result.json["user"]) == (service, user)
    assert f'"{service} {user}": "{secret}"' in held(tmp_path)
    check = keyring.ok("credential", "check", "--for", purpose, "-o", "json")
    assert [each["state"] for each in check.json["items"]] == ["absent", "absent", "used"]
    refused = keyring.run("credential", "delete", "--for", purpose, "--no-input")
    assert refused.code == 7
    deleted = keyring.ok("credential", "delete", "--for", purpose, "--yes", "-o", "json")
    assert deleted.json["deleted"] is True
    assert secret not in held(tmp_path)
    again = keyring.run("credential", "delete", "--for", purpose, "--yes")
    assert again.code == 4
    assert keyring.run("credential", "check", "--for", purpose).code == 4
    for each in (result, check, refused, deleted, again):
        assert secret not in each.out + each.err


def test_an_output_that_cannot_be_written_is_told_with_what_became_of_the_password(
    keyring: Project, tmp_path: Path
) -> None:
    stored = end(keyring, ("credential", "set", "--stdin"), "full", stdin="hunter2\n")
    assert stored.code == 3
    assert "the password is stored in " in stored.err
    assert "custctl credential check" in stored.err
    assert "hunter2" in held(tmp_path)
    deleted = end(keyring, ("credential", "delete", "--yes"), "full")
    assert deleted.code == 3
    assert "the password was deleted from the keyring, but " in deleted.err
    assert "hunter2" not in held(tmp_path) + stored.err


def test_a_generated_key_is_one_and_is_not_shown(keyring: Project, tmp_path: Path) -> None:
    from custctl.cache.sealing import AesSealer

    result = keyring.ok("credential", "set", "--for", "cache-key", "--generate", "--debug", "-v")
    found = re.search(r'cache-key": "([^"]+)"', held(tmp_path))
    assert found is not None
    AesSealer(found[1])
    assert found[1] not in result.out + result.err
    keyring.ok("credential", "set", "--for", "cache-key", "--generate")
    assert found[1] not in held(tmp_path)


@pytest.mark.parametrize("options", [("--generate",), ("--for", "cache", "--generate")])
def test_a_password_is_not_generated(keyring: Project, options: tuple[str, ...]) -> None:
    assert keyring.run("credential", "set", *options).code == 2


def test_a_key_that_is_none_is_refused_before_it_is_kept(keyring: Project, tmp_path: Path) -> None:
    result = keyring.run("credential", "set", "--for", "cache-key", "--stdin", stdin="hunter2\n")
    assert result.code == 4
    assert "32 bytes in Base64" in result.err
    assert "hunter2" not in result.out + result.err + held(tmp_path)


def test_an_unknown_purpose_is_a_wrong_argument(keyring: Project) -> None:
    result = keyring.run("credential", "check", "--for", "queue")
    assert result.code == 2


def test_the_prompt_hides_what_is_typed(keyring: Project, tmp_path: Path) -> None:
    command = [*keyring.command("credential", "set", "--for", "cache")]
    terminal = pexpect.spawn(
        sys.executable, command[1:], cwd=str(keyring.path), env=keyring.environ, encoding="utf-8", timeout=60
    )
    terminal.expect("password of app: ")
    terminal.sendline("hunter2")
    terminal.expect(r"password of app \(again\): ")
    terminal.sendline("hunter2")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    assert "hunter2" not in str(terminal.before)
    assert '"custctl:dev:cache:h app": "hunter2"' in held(tmp_path)


def test_a_keyring_that_cannot_be_used_is_told_before_anything_is_typed(keyring: Project) -> None:
    environ = {**keyring.environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    terminal = pexpect.spawn(
        sys.executable,
        ["-m", "custctl", "credential", "set", "--for", "cache"],
        cwd=str(keyring.path),
        env=environ,
        encoding="utf-8",
        timeout=60,
    )
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 4
    assert "no system keyring found" in str(terminal.before)
    assert "password of" not in str(terminal.before)
