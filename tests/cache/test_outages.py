"""With PostgreSQL dead or frozen: cached customers are served and marked, and nothing else is told than that it is down."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from custctl.customers import transactions
from tests.cache.conftest import Shop, make_shop
from tests.conftest import ADA, Project, make_project
from tests.faults.conftest import COMMIT, within
from tests.servers.fixtures import PostgresqlServers
from tests.servers.postgresql import PostgresqlServer
from tests.servers.projects import EngineProject, nodes, on_engine, postgresql_place
from tests.servers.proxy import Fault, Proxy
from tests.servers.valkey import ValkeyServer

CONNECT = 1.0  # seconds, as the profile has it
DEADLINE = CONNECT + 3.0  # a busy machine needs its time for the rest
# A frozen one takes each command its whole time.
QUICK = pytest.mark.parametrize("down", ["killed", "cut off"], indirect=True)


class FaultyProxy(Proxy):
    """A proxy that takes no new connections after a fault, where that is wanted."""

    last = False

    def count(self, fault: Fault) -> None:
        """Count a connection that a fault has struck; its client does not know yet."""
        super().count(fault)
        if self.last:
            self.refuse()


@dataclass(frozen=True, slots=True)
class Site:
    """A shop on a PostgreSQL server of its own, behind a proxy."""

    shop: Shop
    project: EngineProject
    server: PostgresqlServer
    proxy: FaultyProxy

    def down(self, how: str) -> None:
        """Let the database be down."""
        {"killed": self.server.kill, "frozen": self.server.freeze, "cut off": self._cut}[how]()

    def _cut(self) -> None:
        self.proxy.refuse()
        self.proxy.drop()

    def up(self) -> None:
        """Let it be there, again."""
        if not self.server.running:
            self.server.start()
        self.server.thaw()
        self.proxy.accept()


@pytest.fixture(scope="module")
def site(
    postgresql_servers: PostgresqlServers, valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    server = postgresql_servers.own()
    base: Project = make_project(folder)
    project = on_engine(base, postgresql_place(server))
    with FaultyProxy(server.host, server.port) as proxy:
        project.profile("dev", "development", nodes=nodes(proxy.host, proxy.port), connect_timeout=f"{CONNECT:g}s")
        shop = make_shop(project, valkey, folder)
        shop.profile()
        shop.ada.ok("migrate")
        shop.ada.ok("customer", "add", *ADA)
        shop.ada.ok("customer", "add", "--email", "bob@example.com", "--first-name", "B", "--last-name", "B")
        yield Site(shop, project, server, proxy)
    server.close()


@pytest.fixture(params=["killed", "frozen", "cut off"])
def down(site: Site, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A site whose database is down; customer 1 alone is cached, and no longer taken for current."""
    site.shop.server.call("FLUSHALL")
    site.shop.ada.ok("customer", "update", "1", "--phone", str(time.monotonic()))
    site.shop.get(by=site.shop.bob)
    site.down(request.param)
    yield site
    site.up()


def forget_liveness(site: Site) -> None:
    """Let nobody have looked whether the database is there."""
    for operator in (site.shop.ada, site.shop.bob):
        for path in Path(operator.environ["HOME"], ".local", "state", "custctl").glob("dev-*/cache.json"):
            path.write_text(path.read_text().replace('"seen"', '"unseen"'))


def age(site: Site) -> None:
    """Let entries be a minute past their time."""
    [name] = [each for each in site.shop.server.call("KEYS", "*") if b"row:1" in each]
    kept = int(site.shop.server.call("HGET", name, "at"))
    site.shop.server.call("HSET", name, "at", kept - 660_000)


def test_a_cached_customer_is_served_and_marked(down: Site) -> None:
    shop = down.shop
    forget_liveness(down)
    age(down)
    with within(DEADLINE):
        found = shop.bob.ok("customer", "get", "1", "-o", "json")
    assert set(found.json) == {*found.json} - {"source", "stale"}
    notes = [json.loads(line) for line in found.err.splitlines()]
    assert notes[0]["note"].startswith("the database does not respond; showing cached data, 66")
    # The test has written the file of what this machine remembers.
    assert notes[1]["warning"] == "it may be older than your last write: this machine has no record of that write"
    for options in (("--with-source",), ("-v",)):
        with within(DEADLINE):
            told = shop.bob.ok("customer", "get", "ada@example.com", "-o", "json", *options).json
        assert (told["source"], told["stale"], told["node"]) == ("cache", True, None)
        assert 660 <= told["age_s"] < 700
    assert int(shop.server.call("HGET", _counts(shop), "stale")) >= 2


def _counts(shop: Shop) -> Any:
    return next(each for each in shop.server.call("KEYS", "*") if each.endswith(b":counts"))


@QUICK
def test_what_may_be_served_is_bounded(down: Site) -> None:
    shop = down.shop
    forget_liveness(down)
    age(down)
    get = ("customer", "get", "1", "-o", "json")
    for options, code in (
        (("--require-fresh",), 3),
        (("--max-stale", "5s"), 3),
        (("--max-stale", "1h"), 0),
        (("--fresh",), 3),
    ):
        with within(DEADLINE):
            done = shop.bob.run(*get, *options)
        assert done.code == code, (options, done.err)
        if code:
            assert (done.error["code"], done.out) == ("unavailable", "")


@QUICK
def test_what_is_not_cached_is_unavailable_and_never_not_found(down: Site) -> None:
    for who in ("2", "99", "bob@example.com", "nobody@example.com"):
        with within(DEADLINE):
            done = down.shop.bob.run("customer", "get", who, "-o", "json")
        assert (done.code, done.error["code"]) == (3, "unavailable")


@QUICK
def test_lists_and_writes_are_refused_and_nothing_is_queued(down: Site) -> None:
    shop = down.shop
    for arguments in (
        ("list",),
        ("search", "ada"),
        ("update", "1", "--phone", "queued"),
        ("add", "--email", "q@example.com", "--first-name", "Q", "--last-name", "Q"),
        ("delete", "1", "--yes"),
    ):
        with within(DEADLINE):
            done = shop.ada.run("customer", *arguments, "-o", "json")
        assert (done.code, done.error["code"], done.out) == (3, "unavailable", ""), done.err
    down.up()
    [(phone,)] = down.project.sql("SELECT phone FROM customer WHERE id = 1")
    assert phone != "queued"
    for operator in (shop.ada, shop.bob):
        found = shop.get(by=operator)
        assert (found["phone"], found["stale"]) == (phone, False)


def test_an_entry_older_than_the_operators_own_write_is_not_served(site: Site) -> None:
    shop = site.shop
    [key] = [each for each in _with_entry(site) if b"row:1" in each]
    old = shop.server.call("DUMP", key)
    shop.ada.ok("customer", "update", "1", "--phone", "mine")
    shop.server.call("RESTORE", key, 0, old, "REPLACE")
    assert shop.get(by=shop.ada)["phone"] == "mine"
    # That has filled it anew.
    shop.server.call("RESTORE", key, 0, old, "REPLACE")
    site.down("cut off")
    try:
        forget_liveness(site)
        assert shop.ada.run("customer", "get", "1").code == 3
        # Another one is served it, and told.
        assert shop.get(by=shop.bob)["stale"] is True
    finally:
        site.up()
    shop.server.call("DEL", key)


def _with_entry(site: Site) -> list[bytes]:
    site.shop.server.call("FLUSHALL")
    site.shop.get(by=site.shop.bob)
    return site.shop.server.call("KEYS", "*")


def test_a_hit_is_marked_within_a_second_of_the_databases_end(site: Site) -> None:
    # The proxy would take connections: the profile names the server itself.
    path = site.shop.ada.path / "profiles" / "dev.yaml"
    text = path.read_text()
    made = yaml.safe_load(text)
    made["database"]["nodes"] = nodes(site.server.host, site.server.port)
    path.write_text(yaml.safe_dump(made))
    try:
        # Where another's lease is there still, the second one tells what the third may be shown.
        for _ in range(2):
            site.shop.get()
        found = site.shop.get()
        assert (found["source"], found["stale"]) == ("cache", False)
        site.server.kill()
        _wait_for(lambda: site.shop.get()["stale"])
        assert site.shop.bob.run("customer", "get", "1", "--require-fresh").code == 3
    finally:
        site.up()
        path.write_text(text)


@pytest.mark.parametrize("command", ["update", "import", "delete"])
@pytest.mark.parametrize("learnt", [True, False], ids=["learnt", "never learnt"])
@pytest.mark.parametrize("happened", [True, False], ids=["committed", "not committed"])
def test_a_commit_whose_answer_is_lost(
    site: Site, happened: bool, learnt: bool, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "_PATIENCE", 0.3)
    shop = site.shop
    phone = str(time.monotonic())
    email = f"{phone}@example.com"
    added = shop.ada.ok("customer", "add", "--email", email, "--first-name", "A", "--last-name", "B", "-o", "json").json
    shop.get(email)
    assert shop.get(email)["source"] == "cache"
    arguments = {
        "update": ("update", email, "--phone", phone),
        "delete": ("delete", email, "--yes"),
        "import": ("import", "-", "--format", "csv", "--on-conflict", "update"),
    }[command]
    rows = f"email,first_name,last_name,phone\n{email},A,B,{phone}\n"
    site.proxy.last = not learnt
    # An import commits its beginning first, then its rows.
    (site.proxy.cut_answer if happened else site.proxy.cut_before)(COMMIT, 2 if command == "import" else 1)
    done = shop.ada.run("customer", *arguments, stdin=rows if command == "import" else None)
    assert site.proxy.pending == 0, "the fault has struck"
    site.proxy.last = False
    site.up()
    assert done.code == ((0 if happened else 3) if learnt else 13), done.err
    held = site.project.sql(f"SELECT phone FROM customer WHERE id = {added['id']}")
    for operator in (shop.bob, shop.ada) * 2:
        for who in (email, str(added["id"])):
            found = operator.run("customer", "get", who, "--with-source", "-o", "json")
            if not held:
                assert found.code == 6
            else:
                assert (found.json["phone"], found.json["stale"]) == (held[0][0], False)
                # As long as nobody knows, nothing is taken for current.
                assert learnt or found.json["source"] == "primary"
    shop.server.call("FLUSHALL")


def _wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 2
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    assert condition()
