"""How often a command logs in, and how often it waits for an answer: over a slow network that is all its time."""

from __future__ import annotations

import sys

from tests.behaviours.support import Place
from tests.integration.rows import write_csv
from tests.servers.recording import recording

WHO = ("--email", "ada@example.com", "--first-name", "Ada", "--last-name", "Lovelace")
# The most round trips by engine, those of the session's settings included; a file has none.
COMMANDS: tuple[tuple[tuple[str, ...], dict[str, int]], ...] = (
    (("migrate",), {"postgresql": 10, "mssql": 6}),
    (("migrate", "status"), {"postgresql": 8, "mssql": 5}),
    (("customer", "add", *WHO), {"postgresql": 11, "mssql": 11}),
    (("customer", "get", "ada@example.com"), {"postgresql": 3, "mssql": 2}),
    (("customer", "list"), {"postgresql": 3, "mssql": 2}),
    (("customer", "search", "ad"), {"postgresql": 3, "mssql": 2}),
    (("customer", "update", "ada@example.com", "--city", "London"), {"postgresql": 11, "mssql": 11}),
    (("customer", "update", "ada@example.com", "--city", "London"), {"postgresql": 9, "mssql": 9}),
    (("customer", "import", "in.csv"), {"postgresql": 27, "mssql": 26}),
    (("audit", "list"), {"postgresql": 4, "mssql": 3}),
)


def test_each_command_logs_in_once_and_asks_no_more_than_it_did(migrated: Place) -> None:
    """The number may be lowered here; what raises it makes every command slower for whoever is far from the server."""
    place, table = migrated, []
    write_csv(place.path / "in.csv", ("email", "first_name", "last_name"), [("b@example.com", "B", "C")])
    for command, most in COMMANDS:
        with recording() as recorded:
            place.ok(*command)
        told = f"{place.engine:10} {' '.join(command)[:40]:40} {recorded.logins} logins {recorded.trips:3} round trips"
        table.append(told)
        if place.engine != "sqlite":
            assert recorded.logins == 1, told
            assert recorded.trips <= most[place.engine], "\n".join([told, *recorded.asked])
        elif command[0] == "customer":
            assert recorded.logins == 1, told
    sys.stdout.write("\n".join(table) + "\n")


def test_a_run_of_all_migrations_logs_in_once(empty: Place) -> None:
    with recording() as recorded:
        empty.ok("migrate")
    assert recorded.logins == 1 or empty.engine == "sqlite"
