"""The lock files hold what `pyproject.toml` asks for, by hash, and name no package index."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import REPOSITORY

_PINNED = re.compile(r"^([a-z0-9-]+)==([^ ;]+)", re.MULTILINE)


def pinned(name: str) -> dict[str, str]:
    """Return the versions that a lock file holds."""
    return dict(_PINNED.findall((REPOSITORY / "requirements" / name).read_text()))


def declared() -> Mapping[str, list[Requirement]]:
    """Return what the program depends on, and what tests and checks need besides."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    runtime = [Requirement(text) for text in (*project["dependencies"], *extras["mssql"])]
    return {"run": runtime, "dev": [Requirement(text) for text in extras["dev"] if not text.startswith("custctl[")]}


@pytest.mark.parametrize("name", ["dev.txt", "lowest.txt"])
def test_every_dependency_is_locked_at_a_version_that_is_allowed(name: str) -> None:
    versions = pinned(name)
    asked = declared()
    for requirement in (*asked["run"], *asked["dev"]):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement


def test_the_lowest_versions_are_the_lower_bounds() -> None:
    versions = pinned("lowest.txt")
    for requirement in declared()["run"]:
        [bound] = [part.version for part in requirement.specifier if part.operator == ">="]
        # `25.6` allows 25.6.0, and some releases have no `.0` of their own.
        assert versions[canonicalize_name(requirement.name)].startswith(bound), requirement


@pytest.mark.parametrize(("name", "extra"), [("run.txt", set()), ("mssql.txt", {"mssql-python-odbc"})])
def test_the_image_installs_the_versions_that_are_tested(name: str, extra: set[str]) -> None:
    tested, installed = pinned("dev.txt"), pinned(name)
    assert installed.items() <= tested.items()
    asked = {canonicalize_name(requirement.name) for requirement in declared()["run"]}
    assert asked - {"mssql-python-odbc"} | extra <= installed.keys()
    assert ("mssql-python-odbc" in installed) == bool(extra)


@pytest.mark.parametrize("name", ["dev.txt", "lowest.txt", "build.txt", "run.txt", "mssql.txt"])
def test_a_lock_file_has_a_hash_for_everything_and_names_no_index(name: str) -> None:
    text = (REPOSITORY / "requirements" / name).read_text()
    assert "://" not in text
    assert "index" not in text
    for block in re.split(r"\n(?=[a-z])", text.partition("make lock\n")[2]):
        assert "--hash=sha256:" in block, block


@pytest.mark.parametrize("name", ["Makefile", "Dockerfile", "ci/pipeline", ".github/workflows/release.yml"])
def test_pip_chooses_no_version_where_a_lock_file_does(name: str) -> None:
    """Without `--no-deps` pip looks for the newest `package[extra]`, whatever the lock has, and fails once there is one."""
    lines = (REPOSITORY / name).read_text().splitlines()
    installs = [line for line in lines if "--require-hashes" in line and " install " in line]
    assert installs
    assert all("--no-deps" in line for line in installs), installs
