"""Two writes to one customer that find the same end of its audit's chain: both have room in it."""

from __future__ import annotations

import threading
import uuid

from custctl.cli.context import Context
from custctl.customers import audit
from custctl.engines.connection import Connection
from custctl.schema.standing import Standing
from tests.conftest import ADA
from tests.servers.projects import EngineProject

HELD = 1.0  # seconds for which the first write keeps the second one waiting


def test_the_second_of_two_writes_goes_behind_the_first(engine_project: EngineProject) -> None:
    engine_project.ok("migrate")
    added = engine_project.ok("customer", "add", *ADA, "-o", "json").json["id"]
    wrote = threading.Event()
    failures: list[BaseException] = []

    def write(*, first: bool) -> None:
        context = Context({"env": ["dev"]}, engine_project.environ, engine_project.path)
        operation = str(uuid.uuid4())

        def note(connection: Connection, _: Standing) -> None:
            # As a write does that leaves the customer's own row alone.
            audit.append(context.database, connection, audit.Entry(operation, "note", "a test", customer_id=added))
            if first:
                wrote.set()
                threading.Event().wait(HELD)

        try:
            if not first:
                assert wrote.wait(30)
            context.opened.store.transactions.run(operation, note)
        except BaseException as error:  # noqa: BLE001 - a thread's own would be lost
            failures.append(error)
        finally:
            context.close()

    threads = [threading.Thread(target=write, kwargs={"first": first}) for first in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []

    entries = engine_project.ok("audit", "list", "-o", "json").json["items"]
    notes = [entry["sequence"] for entry in entries if entry["action"] == "note"]
    assert sorted(notes) == [2, 3]
    engine_project.ok("audit", "verify")
