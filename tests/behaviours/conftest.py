"""Projects on every engine in turn, for the suite of behaviours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.behaviours.support import Place
from tests.conftest import make_project
from tests.servers.fixtures import ENGINES, place
from tests.servers.projects import EngineProject, on_engine


@pytest.fixture
def empty(engine_project: EngineProject) -> Place:
    """A project whose `dev` database is empty."""
    return Place.of(engine_project)


@pytest.fixture
def migrated(empty: Place) -> Place:
    """A project whose `dev` database has the schema and no customers."""
    empty.ok("migrate")
    return empty


@pytest.fixture(scope="module", params=ENGINES)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A project whose `dev` database has the schema, for a whole module: each test keeps to customers of its own."""
    made = on_engine(make_project(tmp_path_factory.mktemp("shared")), place(request))
    try:
        found = Place.of(made)
        found.ok("migrate")
        yield found
    finally:
        made.drop()
