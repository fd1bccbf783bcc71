"""The Python in the documentation runs as it stands, a page's blocks one after the other; and so it is typed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, clean_environment
from tests.docs.pages import PAGES, read_page

SCRIPTS = {
    name: blocks
    for name, file in PAGES.items()
    if (blocks := [block.text for block in read_page(file.read_text()).blocks if block.language == "python"])
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_python_of_a_page_runs_and_prints_nothing(name: str, tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "shop"
    home.mkdir()
    folder.mkdir()
    script = tmp_path / "page.py"
    script.write_text("\n".join(SCRIPTS[name]))
    environ = clean_environment(home, {"USER": "ada"})
    done = subprocess.run(
        [sys.executable, script], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_python_of_a_page_is_typed(name: str, tmp_path: Path) -> None:
    script = tmp_path / "page.py"
    script.write_text("\n".join(SCRIPTS[name]))
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(REPOSITORY / ".mypy_cache"), str(script)]
    environ = {**os.environ, "MYPYPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_api_has_a_page_of_its_own() -> None:
    assert len(SCRIPTS["docs/python-api.md"]) > 10
