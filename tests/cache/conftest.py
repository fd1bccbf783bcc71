"""A real Valkey, and a project whose profile has it as its cache."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ADA, Project, Result
from tests.inside import Inside
from tests.servers.fixtures import PostgresqlServers
from tests.servers.valkey import ValkeyServer


@dataclass(frozen=True, slots=True)
class Shop:
    """A project with one customer, and two operators who do not know of each other.

    Attributes:
        ada: one operator's commands, run in the test's own process.
        bob: another one's, whose machine remembers nothing of the first one's writes.
        server: the cache.
    """

    ada: Inside
    bob: Inside
    server: ValkeyServer

    def profile(self, url: str | None = None, **changes: Any) -> None:
        """Write `dev` anew: by default its cache is the server."""
        path = self.ada.path / "profiles" / "dev.yaml"
        made = yaml.safe_load(path.read_text())
        made["cache"] = {"url": url or self.server.url}
        made["database"] |= changes
        path.write_text(yaml.safe_dump(made))

    @property
    def phone(self) -> str | None:
        """What the database has, and every reader has to be shown."""
        with closing(sqlite3.connect(self.ada.path / "dev.db")) as connection:
            [found] = connection.execute("SELECT phone FROM customer WHERE id = 1").fetchone()
        return found

    def get(self, who: str = "1", *options: str, by: Inside | None = None) -> Any:
        """Return the customer as Bob reads it, with its source."""
        return (by or self.bob).ok("customer", "get", who, "--with-source", "-o", "json", *options).json

    def update(self, phone: str) -> Result:
        """Let Ada write."""
        return self.ada.ok("customer", "update", "1", "--phone", phone, "-o", "json")

    def memory(self, operator: Inside) -> Path:
        """Return the file of what an operator's machine remembers of the cache."""
        [found] = Path(operator.environ["HOME"], ".local", "state", "custctl").glob("dev-*/cache.json")
        return found


@pytest.fixture(scope="module")
def valkey(postgresql_servers: PostgresqlServers) -> Iterator[ValkeyServer]:
    """A running server; a test leaves it running, and may leave anything in it."""
    made = ValkeyServer.create(postgresql_servers.workplace)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def shop(project: Project, valkey: ValkeyServer, tmp_path: Path) -> Shop:
    """A shop on SQLite, whose customer is in the cache."""
    made = make_shop(project, valkey, tmp_path)
    made.profile()
    valkey.call("FLUSHALL")
    made.ada.ok("migrate")
    made.ada.ok("customer", "add", *ADA)
    made.update("0")
    made.get()
    assert made.get()["source"] == "cache"
    return made


def make_shop(project: Project, valkey: ValkeyServer, folder: Path) -> Shop:
    """Return a shop with another operator beside the project's."""
    other = folder / "bob"
    os.makedirs(other, exist_ok=True)
    return Shop(
        Inside(project.path, project.environ), Inside(project.path, {**project.environ, "HOME": str(other)}), valkey
    )
