"""The cluster that `make cluster` starts for people."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import REPOSITORY, Project, clean_environment


@dataclass(slots=True)
class Clone:
    """A copy of the repository, as far as the cluster needs it, in which its command is run."""

    folder: Path
    environ: dict[str, str]

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run the command and return all that it wrote."""
        command = [sys.executable, str(self.folder / "examples" / "cluster.py"), *arguments]
        done = subprocess.run(
            command,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def roles(self) -> dict[str, str]:
        """Return what each server is."""
        return {words[0]: words[-1] for words in map(str.split, self.run("status").splitlines())}

    @property
    def project(self) -> Project:
        """What a shell is that has read `.cluster/env`."""
        command = ". .cluster/env && env -0"
        told = subprocess.run(["sh", "-c", command], cwd=self.folder, env=self.environ, capture_output=True, check=True)
        exported = dict(line.split("=", 1) for line in told.stdout.decode().split("\0") if line)
        return Project(self.folder, exported)

    def servers(self) -> list[str]:
        """Return the command lines of all its processes."""
        place = str((self.folder / ".cluster" / "servers").resolve())
        found = []
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                text = process.read_bytes().decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if place in text:
                found.append(text)
        return found


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    """A clone in which no cluster was started yet; at the end nothing of it is left."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("examples", "tests", "sql", "custctl", "profiles"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    made = Clone(folder, {**clean_environment(tmp_path / "home"), "PYTHONPATH": str(folder)})
    yield made
    made.run("stop")


def test_the_cluster_for_people_is_started_mended_and_removed(clone: Clone) -> None:
    assert clone.run("stop") == "there is no cluster\n"
    assert "`make cluster` starts one" in clone.run("kill", "a", code=1)
    interrupt_start(clone)
    assert "custctl replica switchover --to b" in clone.run("start")
    assert clone.roles() == {"a": "primary", "b": "standby", "c": "standby", "valkey": "runs"}
    project = clone.project
    project.ok("profile", "validate", "cluster")
    assert project.ok("customer", "list", "-o", "json").json["items"]
    assert Path(project.environ["CUSTCTL_DB_PASSWORD_FILE"]).stat().st_mode & 0o077 == 0

    told = clone.run("workload", "--seconds", "1")
    assert "writes on a, the longest pause" in told
    assert "\n0 of them are missing on `a`\n" in told

    # A crash without a failover: what it was, it is again.
    clone.run("kill", "a")
    assert clone.roles()["a"] == "down"
    assert "making" not in clone.run("start")
    assert clone.roles()["a"] == "primary"

    # After one: the former primary never comes back as a second one, not even where all are down.
    clone.run("fence", "a")
    clone.run("fence", "a")
    promote(project, clone, "b")
    clone.run("start")
    assert clone.roles() == {"a": "standby", "b": "primary", "c": "standby", "valkey": "runs"}
    clone.run("fence", "b")
    promote(project, clone, "c")
    clone.run("kill", "a")
    clone.run("kill", "c")
    clone.run("start")
    assert clone.roles() == {"a": "standby", "b": "standby", "c": "primary", "valkey": "runs"}
    clone.run("rejoin", "a", "c")

    assert len(clone.servers()) >= 4
    place = (clone.folder / ".cluster" / "servers").resolve()
    if os.geteuid() == 0:
        # Who runs the servers may not enter the tests' folders: they live elsewhere.
        assert not place.is_relative_to(clone.folder)
    assert "the cluster is gone" in clone.run("stop")
    assert clone.servers() == []
    assert not place.exists()
    assert not (clone.folder / ".cluster").exists()


def interrupt_start(clone: Clone) -> None:
    """Press Ctrl-C while the cluster is being made."""
    command = [sys.executable, str(clone.folder / "examples" / "cluster.py"), "start"]
    with subprocess.Popen(command, env=clone.environ, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert "making" in started.stdout.readline()
        time.sleep(0.5)
        started.send_signal(signal.SIGINT)
        started.stdout.read()
    assert started.returncode == 130


def promote(project: Project, clone: Clone, name: str) -> None:
    """Promote a node as the login of the profile."""
    profile = (clone.folder / ".cluster" / "profiles" / "cluster.yaml").read_text()
    [port] = [line.split("port: ")[1].rstrip("}") for line in profile.splitlines() if f"name: {name}," in line]
    password = Path(project.environ["CUSTCTL_DB_PASSWORD_FILE"]).read_text()
    options: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "user": "custctl",
        "dbname": "customers",
        "password": password,
    }
    with psycopg.connect(**options) as connection:
        connection.execute("SELECT pg_promote()")
