"""Many processes at once, killed at any moment, on a cache that is cut and frozen: no read shows what was overwritten before."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.cache.conftest import make_shop
from tests.cache.soaking import CUSTOMERS
from tests.conftest import Project
from tests.servers import processes
from tests.servers.fixtures import PostgresqlServers
from tests.servers.postgresql import PASSWORD, USER, Database
from tests.servers.projects import on_engine, postgresql_place
from tests.servers.valkey import ValkeyServer

OPERATIONS = int(os.environ.get("CUSTCTL_TEST_CACHE", "800"))
PROCESSES = 8


def test_no_read_is_older_than_the_database_was_when_it_began(
    project: Project, valkey: ValkeyServer, postgresql_servers: PostgresqlServers, tmp_path: Path
) -> None:
    place = postgresql_place(postgresql_servers.shared("postgresql18"))
    made = on_engine(project, place)
    # A short limit lets the marks of those that are killed run out within the run.
    made.profile("dev", "development", statement_timeout="2s", **place.plain)
    shop = make_shop(made, valkey, tmp_path)
    shop.profile()
    rows = "".join(f"c{number}@example.com,A,B\n" for number in range(1, CUSTOMERS + 1))
    shop.ada.ok("migrate")
    shop.ada.ok("customer", "import", "-", "--format", "csv", stdin="email,first_name,last_name\n" + rows)
    shop.ada.ok("customer", "get", "1")
    database = made.databases["dev"]
    assert isinstance(database, Database)
    over = threading.Event()
    trouble = threading.Thread(target=_trouble, args=(valkey, over))
    trouble.start()
    try:
        seed = secrets.token_hex(4)
        parts = {"host": database.host, "port": database.port, "user": USER, "dbname": database.name}
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.cache.soaking",
                seed,
                str(PROCESSES),
                str(OPERATIONS),
                " ".join(f"{name}={value}" for name, value in parts.items()),
            ],
            cwd=made.path,
            env={**made.environ, "PGPASSWORD": PASSWORD},
            capture_output=True,
            text=True,
            timeout=120 + OPERATIONS / 15,
            check=False,
        )
    finally:
        over.set()
        trouble.join()
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    print(f"\nseed {seed}: {told}")  # noqa: T201 - for who measures
    assert told["faults"] == []
    assert told["counts"]["hits"] > OPERATIONS / 20
    assert told["counts"]["kills"] > 0
    assert told["counts"]["deletes"] > 0
    assert any(name.startswith("processes: ") for name in told["counts"])
    # The program itself, after all that. Commands whose parent was killed may still be at work, so that a row moves on,
    # or goes, while it is looked at: what is shown is no older than what was there before.
    for (number,) in made.sql("SELECT id FROM customer ORDER BY id"):
        for _ in range(2):
            before = made.sql(f"SELECT version FROM customer WHERE id = {number}")
            shown = shop.ada.run("customer", "get", str(number), "-o", "json")
            if not made.sql(f"SELECT 1 FROM customer WHERE id = {number}"):
                break
            assert shown.code == 0, shown.err
            assert int(shown.json["version"].partition("-")[2]) >= before[0][0]
    made.drop()


def _trouble(server: ValkeyServer, over: threading.Event) -> None:
    """Cut and freeze the cache now and then."""
    assert server.process.pid is not None
    while not over.wait(1.5):
        server.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        if over.wait(1.0):
            return
        processes.freeze(server.process.pid)
        time.sleep(0.3)
        processes.thaw(server.process.pid)
