"""A customer that the cache has is shown without the database, and without what it takes to speak to one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.architecture.test_imports import HEAVY, loaded
from tests.conftest import ADA, Project
from tests.servers.fixtures import PostgresqlServers
from tests.servers.postgresql import PASSWORD, USER, Database
from tests.servers.proxy import Proxy
from tests.servers.valkey import ValkeyServer

# A profile is read each time, with YAML; beside that, what is heavy for any command.
UNWANTED = {*HEAVY, "redis", "cryptography", "ssl", "psycopg", "custctl.engines.server", "custctl.schema.tables"} - {
    "yaml"
}


@dataclass(slots=True)
class Shop:
    """A project with one customer, on a PostgreSQL server behind a proxy, and with a cache."""

    project: Project
    front: Proxy
    cache: ValkeyServer

    def hits(self) -> int:
        keys = self.cache.call("KEYS", "custctl:*:counts")
        return sum(int(self.cache.call("HGET", key, "hits") or 0) for key in keys)


@pytest.fixture
def shop(postgresql_servers: PostgresqlServers, postgresql18: Database, project: Project) -> Iterator[Shop]:
    cache = ValkeyServer.create(postgresql_servers.workplace)
    cache.start()
    with Proxy(postgresql18.host, postgresql18.port) as front:
        node = f"{{host: {front.host}, port: {front.port}}}"
        (project.path / "profiles" / "dev.yaml").write_text(
            "environment: development\n"
            f"database: {{engine: postgresql, name: {postgresql18.name}, user: {USER}, nodes: [{node}]}}\n"
            f"cache: {{url: '{cache.url}'}}\n"
        )
        project.environ["CUSTCTL_DB_PASSWORD"] = PASSWORD
        project.ok("migrate")
        project.ok("customer", "add", *ADA)
        yield Shop(project, front, cache)
    cache.stop()


def test_nothing_of_a_database_is_loaded(shop: Shop) -> None:
    for options in (("1", "-o", "json"), ("ada@example.com", "-o", "tsv", "--raw"), ("1", "--fields", "email,version")):
        before = shop.hits()
        # On a machine that has much to do, the cache may be passed over for being slow.
        while shop.hits() == before:
            modules = loaded(shop.project, "customer", "get", *options)
        assert "custctl.cache.store" in modules
        assert not modules.intersection(UNWANTED)


def test_the_database_is_not_logged_in_to(shop: Shop) -> None:
    # Each login has the user's name in its first message; none may come.
    shop.front.cut_before(USER.encode())
    accepted, began, before = shop.front.stats.accepted, time.monotonic(), shop.hits()
    for _ in range(4):
        assert shop.project.ok("customer", "get", "1", "-o", "json").json["email"] == "ada@example.com"
    assert shop.hits() == before + 4
    assert shop.front.pending == 1
    # Whether its port is open is looked at once a second at most, for the sake of what is told about an entry.
    assert shop.front.stats.accepted - accepted <= 1 + (time.monotonic() - began)
    # The rule would have struck: a command that needs the database meets it.
    assert shop.project.run("customer", "list").code in (0, 3)
    assert shop.front.pending == 0
