"""Customers from a real Valkey beside PostgreSQL: `python -m benchmarks.cache`.

What a cached `customer get` costs in multiples of a bare `python -c pass` and beside the same command on the database; what
a cache that stands still adds; how cached reads fare once the database is killed; and which share of reads under a load
by Zipf's law reaches the database at all.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import Case, interleave, report, run, seconds, table
from benchmarks.project import ROOT, Project
from custctl.cache.answers import Demands
from custctl.cache.opening import open_cache, open_memory
from custctl.cache.reading import Reader
from custctl.customers.store import CustomerStore
from custctl.engines import open_database
from custctl.engines.base import EngineSettings
from custctl.engines.model import Node
from custctl.profiles import load_profile
from tests.servers import processes
from tests.servers.installations import installations
from tests.servers.postgresql import PASSWORD, USER, PostgresqlServer
from tests.servers.valkey import ValkeyServer
from tests.servers.workplace import Workplace

BARE = "python -c pass"
CACHED, DATABASE = "customer get, cached", "customer get --fresh"

_PROFILE = """
environment: development
database:
  engine: postgresql
  name: {name}
  user: {user}
  nodes: [{{name: here, host: {host}, port: {port}}}]
cache: {{url: "{cache}"}}
"""


class Site:
    """A project on a PostgreSQL and a Valkey of its own.

    Args:
        customers: how many there are.
    """

    def __init__(self, workplace: Workplace, folder: Path, customers: int) -> None:
        self.server = PostgresqlServer.create(installations()["postgresql18"], workplace)
        self.server.start()
        self.cache = ValkeyServer.create(workplace)
        self.cache.start()
        self.database = self.server.create_database()
        self.project = Project(folder)
        text = _PROFILE.format(
            name=self.database.name, user=USER, host=self.server.host, port=self.server.port, cache=self.cache.url
        )
        (folder / "profiles" / "dev.yaml").write_text(text)
        self.environ = {"CUSTCTL_DB_PASSWORD": PASSWORD, "HOME": str(folder)}
        self.run("migrate", "--sql-dir", ROOT / "sql")
        self.run("seed", "--sql-dir", ROOT / "sql", "--customers", str(customers))

    def case(self, name: str, *arguments: str | Path, **more: float) -> Case:
        """Return a command of custctl as one to be measured."""
        return Case(name, self.project.argv(*arguments), cwd=self.project.folder, environ=self.environ, **more)  # type: ignore[arg-type]

    def run(self, *arguments: str | Path) -> float:
        """Run a command of custctl, and return how many seconds it took."""
        return run(self.case(str(arguments[0]), *arguments)).wall

    def times(self, count: int) -> list[float]:
        """Return the sorted times of so many cached reads."""
        return sorted(self.run("customer", "get", "1", "-o", "json") for _ in range(count))

    @contextmanager
    def frozen_cache(self) -> Iterator[None]:
        """Let the cache stand still."""
        assert self.cache.process.pid is not None
        processes.freeze(self.cache.process.pid)
        try:
            yield
        finally:
            processes.thaw(self.cache.process.pid)

    def close(self) -> None:
        """End the servers."""
        self.cache.stop()
        self.server.close()


def measure_commands(site: Site, rounds: int) -> None:
    """Compare the starts of commands."""
    get = ("customer", "get", "1", "-o", "json")
    site.run(*get)
    cases = [
        Case(BARE, [sys.executable, "-c", "pass"]),
        site.case(CACHED, *get, target=7),
        site.case(DATABASE, *get, "--fresh"),
    ]
    report("One customer", cases, interleave(cases, rounds=rounds))


def measure_frozen(site: Site) -> None:
    """Tell what a cache that stands still adds to a read, at first and in the half minute after."""
    get = ("customer", "get", "1", "-o", "json")
    usual = min(site.run(*get, "--fresh") for _ in range(5))
    with site.frozen_cache():
        first = site.run(*get)
        later = min(site.run(*get) for _ in range(5))
    rows = [("The cache stands still", "time", "added"), ("the database alone", seconds(usual), "")]
    rows += [
        (name, seconds(took), seconds(max(took - usual, 0))) for name, took in (("first", first), ("later", later))
    ]
    print()
    table(rows)


def measure_outage(site: Site, count: int) -> None:
    """Compare cached reads with the database there and with it killed."""
    # What the frozen cache has left behind, and the half minute in which it is spared.
    for path in Path(site.environ["HOME"]).glob(".local/state/custctl/*/cache.json"):
        path.unlink()
    site.cache.call("FLUSHALL")
    site.run("customer", "get", "1", "--fresh")
    site.run("customer", "get", "1")
    before = site.times(count)
    site.server.kill()
    after = site.times(count)
    site.server.start()
    rows = [("Cached reads", "median", "99 %", "ratio of 99 %")]
    for name, times in (("the database is there", before), ("the database is killed", after)):
        rows.append((name, seconds(_part(times, 0.5)), seconds(_part(times, 0.99)), ""))
    rows[-1] = (*rows[-1][:3], f"{_part(after, 0.99) / _part(before, 0.99):.2f}")
    print(f"\n({count} commands each; all of them answered)\n")
    table(rows)


def _part(times: Sequence[float], part: float) -> float:
    return times[min(int(len(times) * part), len(times) - 1)]


class Counting:
    """A store that counts the reads which reach the database."""

    def __init__(self, store: CustomerStore) -> None:
        self._store = store
        self.count = 0

    def identified(self, who: str, *, replica: bool = False) -> object:
        """Read one."""
        self.count += 1
        return self._store.identified(who, replica=replica)

    @property
    def has_read_primary(self) -> bool:
        """See `CustomerStore`."""
        return self._store.has_read_primary


def measure_load(site: Site, customers: int, reads: int) -> None:
    """Tell which share of reads by Zipf's law reaches the database, from a cold cache and from a warm one."""
    os.environ.update(site.environ)
    folder = site.project.folder
    profile = load_profile("dev", profiles_dir=folder / "profiles", environ=os.environ, cwd=folder)
    settings = EngineSettings(
        location=profile.location,
        path=None,
        connect_timeout=5.0,
        statement_timeout=30.0,
        nodes=[Node("here", site.server.host, site.server.port)],
        name=site.database.name,
        schema="public",
        user=USER,
        auth="password",
        tls="off",
        tls_ca=None,
        actor="benchmark",
        password=lambda: PASSWORD,
        replicas=None,
    )
    database = open_database("postgresql", settings)
    weights = list(itertools.accumulate(1 / rank for rank in range(1, customers + 1)))
    order = list(range(1, customers + 1))
    chance = random.Random(7)
    chance.shuffle(order)
    rows = [("Reads by Zipf's law", "reads", "of the database", "share", "reads a second")]
    for name, warm in (("from a cold cache", 0), ("10,000 customers warmed", 10_000)):
        site.cache.call("FLUSHALL")
        if warm:
            site.run("cache", "warm", "--limit", str(warm))
        store = Counting(CustomerStore(database, "development", "benchmark"))
        held = open_memory(profile, os.environ)
        cache = open_cache(profile, os.environ, held, held.database_id or "")
        reader = Reader(cache, lambda store=store: store, lambda _: None, lambda: False, print)  # type: ignore[misc]
        began = time.perf_counter()
        for _ in range(reads):
            rank = bisect.bisect_left(weights, chance.random() * weights[-1])
            reader.get(str(order[min(rank, customers - 1)]), Demands())
        took = time.perf_counter() - began
        cache.close()
        rows.append((name, str(reads), str(store.count), f"{store.count / reads:.1%}", f"{reads / took:.0f}"))
    database.close()
    print(f"\n({customers} customers, exponent 1)\n")
    table(rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cache", description="customers from the cache")
    parser.add_argument("--rounds", type=int, default=31, metavar="N", help="runs of each command (default: 31)")
    parser.add_argument("--gets", type=int, default=300, metavar="N", help="cached reads each way (default: 300)")
    parser.add_argument("--customers", type=int, default=100_000, metavar="N", help="default: 100000")
    parser.add_argument("--reads", type=int, default=50_000, metavar="N", help="reads under load (default: 50000)")
    arguments = parser.parse_args()
    workplace = Workplace("benchmark-cache")
    with tempfile.TemporaryDirectory() as folder:
        site = Site(workplace, Path(folder), arguments.customers)
        try:
            measure_commands(site, arguments.rounds)
            measure_frozen(site)
            measure_outage(site, arguments.gets)
            measure_load(site, arguments.customers, arguments.reads)
        finally:
            site.close()
            workplace.close()


if __name__ == "__main__":
    main()
