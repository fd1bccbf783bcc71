"""SQLite where it cannot be written, or not even read: what works, and what is told."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ADA, Project, Result

LIST = ("customer", "list", "-o", "json")
ADD = ("customer", "add", "--email", "b@example.com", "--first-name", "B", "--last-name", "C", "-o", "json")


@pytest.fixture
def data(migrated: Project) -> Path:
    """The folder of a database with one customer."""
    migrated.ok("customer", "add", *ADA)
    folder = migrated.path / "data"
    folder.mkdir()
    (migrated.path / "dev.db").rename(folder / "dev.db")
    migrated.profile("dev", "development", path="data/dev.db")
    return folder


def _mounted_read_only(project: Project, folder: Path, *arguments: str) -> Result:
    """Run a command where a folder is on a read-only file system."""
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-r", "-m"]
    done = subprocess.run(
        [*unshare, "sh", "-c", script, str(folder), *project.command(*arguments)],
        cwd=project.path,
        env=project.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def test_a_read_only_file_system_is_read(migrated: Project, data: Path) -> None:
    assert [path.name for path in data.iterdir()] == ["dev.db"]
    listed = _mounted_read_only(migrated, data, *LIST)
    assert listed.code == 0, listed.err
    assert [each["email"] for each in listed.json["items"]] == ["ada@example.com"]
    assert _mounted_read_only(migrated, data, "customer", "search", "love", "-o", "json").json["items"]
    assert _mounted_read_only(migrated, data, "migrate", "status", "-o", "json").code == 0
    written = _mounted_read_only(migrated, data, *ADD)
    assert (written.code, "file system is read-only" in written.error["message"]) == (4, True)
    assert written.error["hint"]
    assert len(migrated.ok(*LIST).json["items"]) == 1


def _as_another_user(project: Project, *arguments: str) -> Result:
    """Run a command as a user for whom modes count."""
    if os.geteuid() != 0:
        return project.run(*arguments)
    # Without its capabilities root is held to the modes of other people's files.
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *project.command(*arguments)]
    done = subprocess.run(
        command, cwd=project.path, env=project.environ, capture_output=True, text=True, timeout=120, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr)


def test_a_file_that_may_not_be_read(migrated: Project, data: Path) -> None:
    (data / "dev.db").chmod(0)
    result = _as_another_user(migrated, *LIST)
    assert (result.code, "cannot be opened: permission denied" in result.error["message"]) == (4, True)
    assert "permissions of the file" in result.error["hint"]


def test_a_folder_in_which_nothing_can_be_made(migrated: Project, data: Path) -> None:
    data.chmod(0o555)
    try:
        result = _as_another_user(migrated, *LIST)
    finally:
        data.chmod(0o755)
    assert (result.code, "and has no permission" in result.error["message"]) == (4, True)
    assert "folder" in result.error["hint"]
