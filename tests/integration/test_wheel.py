"""The wheel carries what the program needs, and works where nothing else of the repository is."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, clean_environment


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel with what is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def test_the_wheel_carries_scripts_profiles_and_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    scripts = {f"custctl/_bundled/{path.relative_to(REPOSITORY)}" for path in (REPOSITORY / "sql").rglob("*.sql")}
    profiles = {f"custctl/_bundled/{path.relative_to(REPOSITORY)}" for path in (REPOSITORY / "profiles").glob("*.yaml")}
    assert scripts
    assert profiles
    assert scripts | profiles | {"custctl/py.typed"} <= names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "examples/"))]


def test_the_installed_wheel_works_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    home = tmp_path / "home"
    home.mkdir()
    environ = clean_environment(home, {"PYTHONPATH": str(tmp_path / "site")})

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "custctl", *arguments]
        return subprocess.run(command, cwd=home, env=environ, capture_output=True, text=True, check=False)

    where = run("profile", "list", "-o", "json")
    assert str(tmp_path / "site") in where.stdout
    assert run("migrate").returncode == 0
    assert run("seed").returncode == 0
    assert run("doctor").returncode == 0
    assert (home / ".local/share/custctl/customers-dev.db").exists()
    refused = run("migrate", "--env", "prod")
    assert refused.returncode == 2
    assert "cp " in refused.stderr, "the way to a profile of one's own"
