"""Projects with customers, migrated once for all tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.browser.test_reading import fill
from tests.conftest import Project, make_project


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the schema and no customer."""
    made = make_project(tmp_path_factory.mktemp("template"))
    made.ok("migrate")
    return made.path / "dev.db"


@pytest.fixture
def nobody(project: Project, migrated_file: Path) -> Project:
    """A project whose `dev` has the schema."""
    shutil.copy(migrated_file, project.path / "dev.db")
    return project


@pytest.fixture
def people(nobody: Project) -> Project:
    """A project with four customers in `dev`."""
    fill(nobody)
    return nobody
