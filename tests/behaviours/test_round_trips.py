"""How often a command logs in, and how often it waits for an answer: over a slow network that is all its time."""

from __future__ import annotations

import math
import sys

import pytest

from custctl.cli.commands.customer import pages
from tests.behaviours.support import Place
from tests.integration.rows import write_csv
from tests.servers.recording import recording

WHO = ("--email", "ada@example.com", "--first-name", "Ada", "--last-name", "Lovelace")
# The round trips by engine, those of the session's settings included; a file has none.
COMMANDS: tuple[tuple[tuple[str, ...], dict[str, int]], ...] = (
    (("migrate",), {"postgresql": 5, "mssql": 4}),
    (("migrate", "status"), {"postgresql": 6, "mssql": 6}),
    (("customer", "add", *WHO), {"postgresql": 8, "mssql": 8}),
    (("customer", "get", "ada@example.com"), {"postgresql": 1, "mssql": 1}),
    (("customer", "list"), {"postgresql": 1, "mssql": 1}),
    (("customer", "search", "ad"), {"postgresql": 1, "mssql": 1}),
    (("customer", "update", "ada@example.com", "--city", "London"), {"postgresql": 8, "mssql": 8}),
    (("customer", "update", "ada@example.com", "--city", "London"), {"postgresql": 6, "mssql": 6}),
    (("customer", "import", "in.csv"), {"postgresql": 22, "mssql": 22}),
    (("audit", "list"), {"postgresql": 2, "mssql": 2}),
)


def test_each_command_logs_in_once_and_asks_as_often_as_it_did(
    migrated: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The numbers may be lowered here; what raises it makes every command slower for whoever is far from the server."""
    # What takes long asks why, and on a busy machine anything does.
    monkeypatch.setattr(pages, "_SLOW", math.inf)
    place, table = migrated, []
    write_csv(place.path / "in.csv", ("email", "first_name", "last_name"), [("b@example.com", "B", "C")])
    for command, trips in COMMANDS:
        with recording() as recorded:
            place.ok(*command)
        told = f"{place.engine:10} {' '.join(command)[:40]:40} {recorded.logins} logins {recorded.trips:3} round trips"
        table.append(told)
        if place.engine != "sqlite":
            assert recorded.logins == 1, told
            assert recorded.trips == trips[place.engine], "\n".join([told, *recorded.asked])
        elif command[0] == "customer":
            assert recorded.logins == 1, told
    sys.stdout.write("\n".join(table) + "\n")


def test_a_run_of_all_migrations_logs_in_once(empty: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    if empty.engine == "mssql":
        # On a busy server a script may take so long that another login asks whether the server is alive.
        monkeypatch.setattr("custctl.engines.mssql.supervised._SILENCE", math.inf)
    with recording() as recorded:
        empty.ok("migrate")
    assert recorded.logins == 1 or empty.engine == "sqlite"


def test_a_script_is_begun_run_and_journalled_in_few_round_trips(empty: Place) -> None:
    counted = []
    for names in (("a", "b", "c"), ("a", "b", "c", "d", "e")):
        empty.write_tables(*names)
        empty.ok("migrate", "--target", "1")
        with recording() as recorded:
            empty.ok("migrate")
        counted.append(recorded.trips)
        for name in names:
            empty.sql(f"DROP TABLE {name}")
        empty.sql("DELETE FROM schema_migration")
    if empty.engine == "postgresql":
        # Beside the lock, the script and its journal row in the transaction that all three are. What the scripts make of
        # the shape is read once, before the first and after the last.
        assert counted[1] - counted[0] == 2 * 3
