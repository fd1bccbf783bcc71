"""A path that names a pipe, a folder or a device: never a hang, and never a memory that fills."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.cache.test_commands import with_cache
from tests.conftest import ADA, Project
from tests.inside import Inside

_KINDS = ["pipe", "directory", "device"]


def _odd(kind: str, folder: Path) -> Path:
    if kind == "device":
        return Path("/dev/zero")
    path = folder / kind
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    return path


@pytest.mark.parametrize("kind", _KINDS)
def test_a_password_file(kind: str, project: Project, tmp_path: Path) -> None:
    server = "{engine: postgresql, name: x, user: x, tls: off, nodes: [{name: a, host: 127.0.0.1, port: 1}]}"
    (project.path / "profiles" / "dev.yaml").write_text(f"environment: development\ndatabase: {server}\n")
    project.environ["CUSTCTL_DB_PASSWORD_FILE"] = str(_odd(kind, tmp_path))
    refused = project.run("customer", "get", "1", timeout=60)
    assert refused.code == 4, refused.err
    assert f"it is a {kind}, not a file" in refused.err
    assert "`CUSTCTL_DB_PASSWORD_FILE` names it" in refused.err


@pytest.mark.parametrize("kind", ["pipe", "directory"])
@pytest.mark.parametrize("command", ["customer get 1", "customer update 1 --city Paris", "migrate", "doctor"])
def test_a_database(kind: str, command: str, project: Project, tmp_path: Path) -> None:
    project.profile("dev", "development", path=str(_odd(kind, tmp_path)))
    refused = project.run(*command.split(), timeout=60)
    assert refused.code == 3, refused.err
    assert f"it is a {kind}, not a file" in refused.err + refused.out
    assert "check `database.path` in the profile" in refused.err + refused.out


@pytest.mark.parametrize("command", ["customer get 1", "migrate", "doctor"])
def test_a_database_whose_path_cannot_be_followed(command: str, project: Project, tmp_path: Path) -> None:
    (tmp_path / "loop.db").symlink_to("loop.db")
    for path, reason in ((tmp_path / "loop.db", "symbolic links"), (tmp_path / ("x" * 300), "name too long")):
        project.profile("dev", "development", path=str(path))
        refused = project.run(*command.split())
        assert refused.code == 3, refused.err
        assert reason in refused.err + refused.out
        assert "check `database.path` in the profile" in refused.err + refused.out


def test_an_empty_database_only_lacks_its_schema(project: Project, tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    project.profile("dev", "development", path=str(tmp_path / "empty.db"))
    faulty = project.run("doctor")
    assert faulty.code == 8, faulty.err
    assert "hint: run `custctl migrate" in faulty.err
    assert "journal_mode" not in faulty.out


@pytest.mark.parametrize("kind", _KINDS)
def test_certificates_of_a_server(kind: str, project: Project, tmp_path: Path) -> None:
    place = "engine: postgresql, name: x, user: x, tls: verify-full, nodes: [{name: a, host: 127.0.0.1, port: 1}]"
    profile = f"environment: development\ndatabase: {{{place}, tls_ca: {_odd(kind, tmp_path)}}}\n"
    (project.path / "profiles" / "dev.yaml").write_text(profile)
    project.environ["CUSTCTL_DB_PASSWORD"] = "x"
    refused = project.run("customer", "get", "1", timeout=60)
    assert refused.code == 2, refused.err
    assert f"it is a {kind}, not a file" in refused.err


@pytest.mark.parametrize("kind", _KINDS)
def test_certificates_of_a_cache(kind: str, migrated: Project, tmp_path: Path) -> None:
    with_cache(migrated, "rediss://127.0.0.1:1/0", more=f", tls_ca: {_odd(kind, tmp_path)}")
    refused = migrated.run("cache", "status", timeout=60)
    assert refused.code == 3, refused.err
    assert f"it is a {kind}, not a file" in refused.err + refused.out


def test_an_import_of_a_device_is_refused(migrated: Project) -> None:
    refused = migrated.run("customer", "import", "/dev/zero", timeout=60)
    assert (refused.code, "it is a device" in refused.err) == (2, True), refused.err


def test_a_checkpoint_of_a_device_is_refused(migrated: Project) -> None:
    refused = migrated.run("audit", "verify", "--checkpoint", "/dev/zero", timeout=60)
    assert (refused.code, "it is a device" in refused.err) == (2, True), refused.err


def test_an_import_by_process_substitution_works(migrated: Project, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("email,first_name,last_name\nada@example.com,Ada,Lovelace\n")
    command = f"{shlex.quote(sys.executable)} -m custctl customer import -q <(cat {shlex.quote(str(rows))})"
    done = subprocess.run(
        ["bash", "-c", command],
        check=False,
        cwd=migrated.path,
        env=migrated.environ,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert migrated.ok("customer", "get", ADA[1], "-o", "json").json["first_name"] == "Ada"


ROWS = "email,first_name,last_name\nada@example.com,Ada,Lovelace\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("customer", "import"), "nothing writes to the pipe"),
        (("audit", "verify", "--checkpoint"), "nothing writes to the pipe"),
        (("customer", "export", "--output-file"), "nothing reads from the pipe"),
    ],
)
def test_a_pipe_without_another_end_is_given_up(
    arguments: tuple[str, ...], told: str, migrated: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custctl.support.files._PATIENCE", 0.3)
    refused = Inside(migrated.path, migrated.environ).run(*arguments, _odd("pipe", tmp_path))
    assert refused.code == 3, refused.err
    assert told in refused.err
    assert "then run it again" in refused.err


def test_a_pipe_whose_other_end_comes_later_works(migrated: Project, tmp_path: Path) -> None:
    pipe = _odd("pipe", tmp_path)
    inside = Inside(migrated.path, migrated.environ)

    def write() -> None:
        time.sleep(0.3)
        with pipe.open("w") as stream:
            time.sleep(0.3)
            stream.write(ROWS[:20])
            stream.flush()
            time.sleep(0.1)
            stream.write(ROWS[20:])

    writer = threading.Thread(target=write)
    writer.start()
    inside.ok("customer", "import", pipe)
    writer.join()
    read: list[str] = []

    def take() -> None:
        time.sleep(0.3)
        read.append(pipe.read_text())

    reader = threading.Thread(target=take)
    reader.start()
    inside.ok("customer", "export", "--output-file", pipe)
    reader.join()
    assert "ada@example.com,Ada,Lovelace" in read[0]


@pytest.mark.parametrize("is_relative", [True, False], ids=["relative", "raises"])
def test_a_user_without_a_home_folder(migrated: Project, monkeypatch: pytest.MonkeyPatch, is_relative: bool) -> None:
    """As in a container that runs with any user id; platformdirs answers in two ways, by its release."""

    def find(name: str, **_: object) -> Path:
        if is_relative:
            return Path("~", name)
        raise RuntimeError("could not determine the home directory")

    for kind in ("data", "config", "state"):
        monkeypatch.setattr(f"platformdirs.user_{kind}_path", find)
    inside = Inside(migrated.path, migrated.environ)
    del inside.environ["HOME"]
    inside.ok("customer", "add", *ADA)
    for command in ("customer get 1", "customer update 1 --city Paris", "customer list", "migrate", "profile list"):
        inside.ok(*command.split())
    refused = inside.run("customer", "edit", "1")
    assert (refused.code, "set `XDG_STATE_HOME` to an absolute path" in refused.err) == (2, True), refused.err
    assert "this user has no home folder" in inside.run("doctor").out


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_in_the_place_of_a_seal(migrated: Project, tmp_path: Path) -> None:
    """Another user may put one into the folder for temporary files."""
    with_cache(migrated, "valkey://127.0.0.1:1/0")
    shared = tmp_path / "shared"
    shared.mkdir()
    migrated.environ["XDG_RUNTIME_DIR"] = str(shared)
    migrated.ok("customer", "add", *ADA)
    [seal] = shared.iterdir()
    seal.unlink()
    os.mkfifo(seal)
    for command in ("customer get 1", "customer update 1 --city Paris"):
        assert migrated.run(*command.split(), timeout=60).code == 0


@pytest.mark.parametrize("command", ["import in.csv --rejects", "export --output-file", "export --who 1 --output-file"])
@pytest.mark.parametrize("target", ["dev.db", "dev.db-wal", "link.db", "hard.db"])
def test_no_output_overwrites_the_database(command: str, target: str, migrated: Project) -> None:
    migrated.ok("customer", "add", *ADA)
    (migrated.path / "in.csv").write_text("email,first_name,last_name\nbad,A,B\n")
    (migrated.path / "link.db").symlink_to("dev.db")
    os.link(migrated.path / "dev.db", migrated.path / "hard.db")
    refused = migrated.run("customer", *command.split(), target)
    assert refused.code == 2, refused.err
    assert f"{target}` would overwrite the database" in refused.err
    migrated.ok("customer", "get", "1")


def test_rejects_do_not_overwrite_the_file_on_stdin(migrated: Project) -> None:
    data = migrated.path / "in.csv"
    data.write_text("email,first_name,last_name\nbad,A,B\n")
    with data.open() as file:
        started = migrated.start("customer", "import", "-", "--rejects", "in.csv", stdin=file)
    _, told = started.communicate(timeout=60)
    assert started.returncode == 2, told
    assert b"`--rejects` names the imported file itself" in told
    assert data.read_text().endswith("bad,A,B\n")


def test_an_editor_that_leaves_a_pipe(migrated: Project) -> None:
    migrated.ok("customer", "add", *ADA)
    migrated.environ["EDITOR"] = """sh -c 'rm "$0"; mkfifo "$0"'"""
    refused = migrated.run("customer", "edit", "1", timeout=60)
    assert refused.code == 7, refused.err
    assert "cannot read the edited file: it is a pipe, not a file; nothing was changed" in refused.err
