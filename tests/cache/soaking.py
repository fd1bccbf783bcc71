"""Operators at work on one machine: reads and writes by way of the cache, each with a contact of its own, as a command has.

Run as a program in a project's folder: `python -m tests.cache.soaking SEED PROCESSES OPERATIONS DSN`. The processes are forked
from one that has loaded all that takes long; now and then one of them is killed and another one begins. Some operations are
whole processes of the command line, of which some are killed too. A line of JSON tells what came of it.

What a read has to show is asked of the database before it begins, past custctl: no older version, nobody whose deletion had
been committed, and everybody who is there.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
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
from custctl.engines.base import EngineSettings
from custctl.engines.model import Node
from custctl.profiles import Profile, load_profile
from custctl.support.errors import ConflictError, CustctlError, NotFoundError

CUSTOMERS = 60
_WRITES, _DELETES, _BULKS = 0.28, 0.02, 0.001  # shares of the operations
_PROCESSES = float(
    os.environ.get("CUSTCTL_TEST_CACHE_PROCESSES", "0.02")
)  # share of those that are processes of their own
_KILLED = 0.2  # share of those that are killed in the midst of it
_TOLD = 5  # operations after which a process tells of them; those of one that is killed before that count for nothing
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
        self.former: list[int] = []  # those whose numbers were met; many are deleted by now
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []

    def work(self) -> None:
        """Read or write once."""
        # Few are asked for often.
        slot = min(int(self.random.paretovariate(0.8)), CUSTOMERS)
        kind = self.random.random()
        by_process = self.random.random() < _PROCESSES
        if kind < _BULKS:
            self._write_many()
        elif kind < _BULKS + _DELETES:
            self._replace(slot, by_process=by_process)
        elif kind < _BULKS + _DELETES + _WRITES:
            self._update(slot, by_process=by_process)
        else:
            self._read(slot, by_process=by_process)

    # -- writing -----------------------------------------------------------------------------------

    def _update(self, slot: int, *, by_process: bool) -> None:
        phone = str(self.random.random())
        if by_process:
            self._command("update", _email(slot), "--phone", phone, "--retries", "20")
            return
        self._written(
            "writes",
            lambda store: store.update(_email(slot), {"phone": phone}, operation_id=new_operation_id(), retries=20),
        )

    def _replace(self, slot: int, *, by_process: bool) -> None:
        """Delete a customer, and add another one with the same address."""
        names = {"first_name": "A", "last_name": "B"}
        if by_process:
            self._command("delete", _email(slot), "--yes")
            self._command("add", "--email", _email(slot), "--first-name", "A", "--last-name", "B")
            return
        self._written("deletes", lambda store: store.delete(_email(slot), operation_id=new_operation_id()))
        self._written(
            "adds", lambda store: store.add({"email": _email(slot), **names}, operation_id=new_operation_id())
        )

    def _written(self, what: str, write: Callable[[CustomerStore], object]) -> None:
        held = open_memory(self.profile, self.environ)
        mirror = open_mirror(self.profile, self.environ, held, lambda _: self._count("warnings"))
        try:
            write(CustomerStore(self.database, "development", "soak", mirror))
            self._count(what)
        except (ConflictError, NotFoundError):
            self._count("overtaken")  # another one has deleted it, or added it, or both
        except CustctlError as error:
            self._count(f"failed: {error.message[:60]}")
        finally:
            mirror.close()

    def _command(self, *arguments: str) -> subprocess.CompletedProcess[str] | None:
        """Run a command to its end; None where it was killed before that."""
        command = [sys.executable, "-m", "custctl", "customer", *arguments]
        writes = arguments[0] != "get"
        limit = self.random.uniform(0.05, 1.0) if writes and self.random.random() < _KILLED else 60.0
        self._count(f"processes: {arguments[0]}")
        try:
            # It is killed when its time has run out.
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            if limit == 60.0:
                self.faults.append(f"{arguments}: no end within a minute")
            self._count("processes killed")
            return None
        if "Traceback" in done.stderr or done.returncode not in (0, 3, 5, 6):
            self.faults.append(f"{arguments}: exit {done.returncode}: {done.stderr[-300:]}")
        return done

    def _write_many(self) -> None:
        held = open_memory(self.profile, self.environ)
        mirror = open_mirror(self.profile, self.environ, held, lambda _: self._count("warnings"))
        with mirror.many(held.database_id):
            self.truth.execute("UPDATE customer SET city = %s WHERE id %% 7 = 0", (str(self.random.random()),))
        mirror.close()
        self._count("bulk writes")

    # -- reading -----------------------------------------------------------------------------------

    def _read(self, slot: int, *, by_process: bool) -> None:
        # Before the row: what is deleted after this may be shown.
        [[before]] = self._truth("SELECT pg_current_snapshot()::text")
        found = self._truth("SELECT id, version FROM customer WHERE email = %s", _email(slot))
        expected = found[0] if found else None
        by_id = [expected[0]] if expected else []
        by_id += self.random.sample(self.former, min(1, len(self.former)))
        who = str(self.random.choice(by_id)) if by_id and self.random.random() < 0.7 else _email(slot)
        shown = self._shown_by_process(who) if by_process else self._shown(who)
        if shown is None:
            return
        customer, version, where = shown
        if customer is None:
            missing = self._truth("SELECT id FROM customer WHERE id::text = %s", who)
            if missing:  # numbers are given once: it was there all the time
                self.faults.append(f"{who} is there, and was not found")
            return
        deleted = self._truth(
            "SELECT 1 FROM customer_audit WHERE customer_id = %s AND action = 'delete'"
            " AND pg_visible_in_snapshot(xmin::text::xid8, %s::pg_snapshot)",
            customer,
            before,
        )
        if deleted:
            self.faults.append(f"{who}: {customer} was shown, and had been deleted; {where}")
        if expected is not None and customer == expected[0] and version < expected[1]:
            self.faults.append(f"{who}: {version} was shown, {expected[1]} was there; {where}")
        if customer not in self.former:
            self.former = [*self.former[-200:], customer]

    def _truth(self, query: str, *values: object) -> list[Any]:
        return self.truth.execute(query, values).fetchall()

    def _shown(self, who: str) -> tuple[int | None, int, str] | None:
        """Return id and version of who is shown, and from where; None as id for nobody; None where nothing is known."""
        held = open_memory(self.profile, self.environ)
        assert held.database_id is not None
        cache = open_cache(self.profile, self.environ, held, held.database_id)
        store = CustomerStore(self.database, "development", "soak")
        reader = Reader(cache, lambda: store, lambda _: None, lambda: False, lambda _: None)
        began = time.monotonic()
        try:
            found = reader.get(who, Demands())
        except NotFoundError:
            self._count("not found")
            return None, 0, ""
        finally:
            cache.close()
        self._count("slow reads", time.monotonic() - began > 1)
        self._count("hits" if found.cached else "misses")
        return found.row.id, _number(found.row.version), "from the cache" if found.cached else "from the database"

    def _shown_by_process(self, who: str) -> tuple[int | None, int, str] | None:
        done = self._command("get", who, "--with-source", "-o", "json")
        if done is None or done.returncode not in (0, 6):
            return None
        if done.returncode == 6:
            return None, 0, ""
        row = json.loads(done.stdout)
        self._count("processes: hits", row["source"] == "cache")
        return row["id"], _number(row["version"]), f"by a process, from {row['source']}"

    def _count(self, what: str, much: int = 1) -> None:
        self.counts[what] += int(much)


def _email(slot: int) -> str:
    return f"c{slot}@example.com"


def _number(version: str) -> int:
    return int(version.partition("-")[2])


def _child(seed: str, operations: int, dsn: str, result: int) -> None:
    operator = Operator(seed, dsn)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    done = before = 0
    try:
        while done < operations:
            operator.work()
            done += 1
            if done % _TOLD == 0 or done == operations or operator.faults:
                told = {"done": done - before, "counts": operator.counts, "faults": operator.faults}
                before = done
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
