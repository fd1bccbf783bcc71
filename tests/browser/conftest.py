"""Projects with customers, migrated once for all tests."""

from __future__ import annotations

import pytest

from tests.browser.test_reading import fill
from tests.conftest import Project


@pytest.fixture
def people(migrated: Project) -> Project:
    """A project with four customers in `dev`."""
    fill(migrated)
    return migrated
