"""A real SCIM server for the session; a directory and a project of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.accounts import canaille as canaille_server
from tests.accounts.scim import TOKEN, Directory, Front, front, new_directory, server
from tests.behaviours.support import Place
from tests.conftest import make_project
from tests.servers.fixtures import ENGINES, place
from tests.servers.projects import on_engine

SOME_ENGINES = [name for name in ENGINES if name != "postgresql17"]
LIMIT = "60s"
"""What one request may take, on a busy machine too."""


@pytest.fixture(scope="session")
def scim_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a real `scim2-server`."""
    with server(tmp_path_factory.mktemp("scim") / "log") as port:
        yield port


@pytest.fixture(scope="session")
def canaille(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    """The directory of a real canaille."""
    with canaille_server.server(tmp_path_factory.mktemp("canaille")) as directory:
        yield directory


@pytest.fixture
def directory(request: pytest.FixtureRequest) -> Directory:
    """A directory without accounts: of `scim2-server`, unless a test's parameter names canaille."""
    if getattr(request, "param", "") != "canaille":
        return new_directory(request.getfixturevalue("scim_port"))
    found: Directory = request.getfixturevalue("canaille")
    for account in found.accounts():
        found.ask("DELETE", f"Users/{account['id']}")
    return found


BOTH_SERVERS = pytest.mark.parametrize("directory", ["scim2-server", "canaille"], indirect=True)
"""Runs a test with each SCIM server."""
ON_CANAILLE = pytest.mark.parametrize("directory", ["canaille"], indirect=True)


@pytest.fixture
def facade(directory: Directory) -> Iterator[Front]:
    """What stands between custctl and the directory; it lets everything through until it is told otherwise."""
    with front(directory) as made:
        yield made


def give_provider(project: Place, url: str, **more: str) -> None:
    """Have the profile `dev` name a SCIM server."""
    file = project.path / "profiles" / "dev.yaml"
    text = "".join(line for line in file.read_text().splitlines(keepends=True) if not line.startswith("identity:"))
    keys = {"provider": "scim", "url": f"'{url}'", "timeout": LIMIT, **more}
    file.write_text(f"{text}identity: {{{', '.join(f'{name}: {value}' for name, value in keys.items())}}}\n")
    project.environ["CUSTCTL_IDENTITY_SECRET"] = TOKEN


@pytest.fixture(params=SOME_ENGINES)
def empty(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A project without a schema."""
    made = on_engine(make_project(tmp_path_factory.mktemp("accounts")), place(request))
    try:
        yield Place.of(made)
    finally:
        made.drop()


@pytest.fixture
def customers(empty: Place, facade: Front) -> Place:
    """A project with the schema, whose accounts are behind the front."""
    empty.ok("migrate")
    give_provider(empty, facade.url)
    return empty


@pytest.fixture
def local(tmp_path_factory: pytest.TempPathFactory, facade: Front) -> Place:
    """Likewise on SQLite alone."""
    found = Place.of(on_engine(make_project(tmp_path_factory.mktemp("accounts")), None))
    found.ok("migrate")
    give_provider(found, facade.url)
    return found
