"""Operators at work on one machine: reads and writes by way of the cache, each with a contact of its own, as a command has.

Run as a program in a project's folder: `python -m tests.cache.soaking SEED PROCESSES OPERATIONS DSN`. The processes are forked
from one that has loaded all that takes long; now and then one of them is killed and another one begins. A line of JSON
tells what came of it.

What a read has to show is asked of the database before it begins, past custctl.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg

from custctl.cache import memory, opening
from custctl.cache.answers import Demands
from custctl.cache.opening import open_cache, open_memory, open_mirror
from custctl.cache.reading import Reader
from custctl.customers.operations import new_operation_id
from custctl.customers.store import CustomerStore
from custctl.engines import open_database
from custctl.engines.base import EngineSettings, Node
from custctl.errors import CustctlError
from custctl.profiles import Profile, load_profile

CUSTOMERS = 60
_WRITES, _BULKS = 0.3, 0.001  # shares of the operations
_LIFETIME = 1.0  # seconds between two kills, on average
_SPARED = 0.3  # seconds in which a cache that failed is left alone: half a minute would be all of the run
_AFTERWARDS = 1.0  # seconds by which a mark outlives its write: those that are killed leave many


class Operator:
    """One process."""

    def __init__(self, seed: str, dsn: str) -> None:
        self.random = random.Random(seed)
        self.environ = dict(os.environ)
        self.profile: Profile = load_profile("dev", profiles_dir=Path("profiles"), environ=self.environ, cwd=Path.cwd())
        named = self.profile.database
        nodes = [Node(node.name, node.host, node.port) for node in named.nodes]
        settings = EngineSettings(
            location=self.profile.location,
            path=None,
            connect_timeout=named.connect_timeout,
            statement_timeout=named.statement_timeout,
            nodes=nodes,
            name=named.name or "",
            schema=named.schema or "",
            user=named.user,
            auth=named.auth,
            tls=named.tls,
            tls_ca=None,
            actor="soak",
            password=lambda: os.environ["CUSTCTL_DB_PASSWORD"],
            replicas=None,
        )
        self.database = open_database(named.engine, settings)
        self.truth = psycopg.connect(dsn, autocommit=True)
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []

    def work(self) -> None:
        """Read or write once."""
        # Few are asked for often.
        customer = min(int(self.random.paretovariate(0.8)), CUSTOMERS)
        kind = self.random.random()
        if kind < _BULKS:
            self._write_many()
        elif kind < _WRITES:
            self._write(customer)
        else:
            self._read(customer)

    def _write(self, customer: int) -> None:
        held = open_memory(self.profile, self.environ)
        mirror = open_mirror(self.profile, self.environ, held, lambda _: self._count("warnings"))
        store = CustomerStore(self.database, "development", "soak", mirror)
        try:
            store.update(
                str(customer), {"phone": str(self.random.random())}, operation_id=new_operation_id(), retries=20
            )
            self._count("writes")
        except CustctlError as error:
            self._count(f"failed: {error.message[:60]}")
        finally:
            mirror.close()

    def _write_many(self) -> None:
        held = open_memory(self.profile, self.environ)
        mirror = open_mirror(self.profile, self.environ, held, lambda _: self._count("warnings"))
        with mirror.many(held.database_id):
            self.truth.execute("UPDATE customer SET city = %s WHERE id %% 7 = 0", (str(self.random.random()),))
        mirror.close()
        self._count("bulk writes")

    def _read(self, customer: int) -> None:
        [expected] = self.truth.execute("SELECT version FROM customer WHERE id = %s", (customer,)).fetchone() or [0]
        held = open_memory(self.profile, self.environ)
        assert held.database_id is not None
        cache = open_cache(self.profile, self.environ, held, held.database_id)
        store = CustomerStore(self.database, "development", "soak")
        reader = Reader(cache, lambda: store, lambda _: None, lambda: False, lambda _: None)
        who = str(customer) if self.random.random() < 0.7 else f"c{customer}@example.com"
        began = time.monotonic()
        found = reader.get(who, Demands())
        self._count("slow reads", time.monotonic() - began > 1)
        cache.close()
        shown = int(found.row.version.partition("-")[2])
        self._count("hits" if found.cached else "misses")
        if shown < expected and not found.stale:
            self.faults.append(f"customer {customer}: {shown} was shown, {expected} was there; cached: {found.cached}")

    def _count(self, what: str, much: int = 1) -> None:
        self.counts[what] += int(much)


def _child(seed: str, operations: int, dsn: str, result: int) -> None:
    operator = Operator(seed, dsn)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    done = 0
    try:
        while done < operations:
            operator.work()
            done += 1
            if done % 25 == 0 or done == operations or operator.faults:
                told = {
                    "done": 25 if done % 25 == 0 else done % 25,
                    "counts": operator.counts,
                    "faults": operator.faults,
                }
                os.write(result, json.dumps(told).encode() + b"\n")
                operator.counts, operator.faults = Counter(), []
    except BaseException as error:
        os.write(result, json.dumps({"done": 0, "counts": {}, "faults": [repr(error)[:300]]}).encode() + b"\n")
        raise


def main() -> None:
    """Keep so many processes at work until so many operations are done."""
    seed, processes, operations, dsn = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    for name in ("engines.postgresql.database", "customers.transactions", "cache.mirroring", "cache.links"):
        importlib.import_module(f"custctl.{name}")
    memory._SPARED = _SPARED
    opening._AFTERWARDS = _AFTERWARDS
    chance = random.Random(seed)
    incoming, outgoing = os.pipe()
    os.set_blocking(incoming, False)
    running: set[int] = set()
    counts: Counter[str] = Counter()
    faults: list[str] = []
    done = born = 0
    held = b""
    began = time.monotonic()
    kill_at = began + _LIFETIME
    while done < operations:
        while len(running) < processes:
            born += 1
            pid = os.fork()
            if pid == 0:
                try:
                    _child(f"{seed}-{born}", operations, dsn, outgoing)
                finally:
                    os._exit(0)
            running.add(pid)
        time.sleep(0.02)
        with contextlib.suppress(BlockingIOError):
            held += os.read(incoming, 1 << 20)
        *lines, held = held.split(b"\n")
        for line in lines:
            told: dict[str, Any] = json.loads(line)
            done += told["done"]
            counts.update(told["counts"])
            faults += told["faults"]
        if time.monotonic() > kill_at:
            kill_at = time.monotonic() + _LIFETIME * chance.uniform(0.3, 1.7)
            os.kill(chance.choice(sorted(running)), signal.SIGKILL)
            counts["kills"] += 1
        while running and (ended := os.waitpid(-1, os.WNOHANG)[0]):
            running.discard(ended)
    for pid in running:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    seconds = round(time.monotonic() - began, 1)
    print(json.dumps({"operations": done, "seconds": seconds, "counts": counts, "faults": faults[:20]}))  # noqa: T201


if __name__ == "__main__":
    main()
