"""A first load leaves the secondary indexes out and builds them after its rows: killed whenever, none is away for good."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from custctl.cli.commands.customer import pages
from custctl.customers import importing
from custctl.engines import deferral
from tests.behaviours.support import Place
from tests.integration.rows import finish, numbered, start, write_csv

HEADER = ("email", "first_name", "last_name")
ROWS = 100
DEFERS = ("sqlite", "postgresql")
NAMES = {
    "customer_by_last_name", "customer_by_country", "customer_by_status", "customer_by_created_at",
    "customer_by_updated_at", "customer_first_name_prefix", "customer_last_name_prefix", "customer_company_prefix",
    "customer_phone_prefix", "customer_search", "customer_of_the_company",
}  # fmt: skip
# The program with small batches; it ends itself by SIGKILL before or after the nth call of one of its own functions.
DYING = """
import importlib
import os
import signal
import sys
from custctl.cli.app import main
from custctl.customers import importing

importing.BATCH, importing.DEFERS_FROM = 10, 50
place, name, when, number = sys.argv[1:5]
module, _, holder = place.partition(":")
target = importlib.import_module(module)
target = getattr(target, holder) if holder else target
original, calls = getattr(target, name), 0


def dying(*arguments, **keywords):
    global calls
    calls += 1
    if when == "before" and calls == int(number):
        os.kill(os.getpid(), signal.SIGKILL)
    result = original(*arguments, **keywords)
    if when == "after" and calls == int(number):
        os.kill(os.getpid(), signal.SIGKILL)
    return result


setattr(target, name, dying)
sys.argv[:5] = ["custctl"]
sys.exit(main())
"""
IMPORT, DEFERRAL = "custctl.customers.importing:Import", "custctl.engines.deferral"
# Whether the row that is looked for is there when the process has died.
MOMENTS = {
    "dropped, not recorded": (DEFERRAL, "record_deferred", "before", 1, False),
    "recorded, not committed": (DEFERRAL, "record_deferred", "after", 1, False),
    "before the first rows": (IMPORT, "_stream", "before", 1, False),
    "in the midst of the rows": (IMPORT, "_commit", "after", 5, True),
    "before the first index": (DEFERRAL, "build", "before", 1, True),
    "an index built, not recorded": (DEFERRAL, "record_deferred", "before", 4, True),
    "an index built and committed": (DEFERRAL, "_build_first", "after", 3, True),
    "all indexes built": (DEFERRAL, "build", "after", 1, True),
    "the last rows committed": (IMPORT, "_commit", "after", 10, True),
}


@pytest.fixture
def place(migrated: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A database with an index of the company's own, and imports that defer from 50 rows on."""
    monkeypatch.setattr(importing, "BATCH", 10)
    monkeypatch.setattr(importing, "DEFERS_FROM", 50)
    own = "CREATE INDEX customer_of_the_company ON customer (city, region) WHERE city IS NOT NULL"
    migrated.sql(own)
    write_csv(migrated.path / "in.csv", HEADER, numbered(ROWS))
    return migrated


def names(place: Place) -> set[str]:
    """Return the names of what is left out; SQLite's index of words goes with `customer_search`."""
    return NAMES | ({"customer_words"} if place.engine == "postgresql" else set())


def indexes(place: Place) -> dict[str, Any]:
    """Return what the database says of the customers' indexes and of what fills them."""
    if place.engine == "sqlite":
        query = "SELECT name, sql FROM sqlite_master WHERE name LIKE 'customer%' AND name NOT LIKE 'customer_search_%'"
        query += " AND name NOT LIKE 'customer_words%'"  # one with `customer_search`
        query += " UNION ALL SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    elif place.engine == "postgresql":
        query = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'customer'"
    else:
        query = "SELECT name, type_desc FROM sys.indexes WHERE object_id = OBJECT_ID('customer') AND name IS NOT NULL"
    return dict(place.sql(query))


def left_out(place: Place) -> list[str]:
    recorded = place.sql("SELECT value FROM custctl_metadata WHERE name = 'deferred_indexes'")
    return [index.name for index in deferral.parse(recorded[0][0])] if recorded else []


def found(place: Place) -> list[list[str]]:
    """Return what an exact search, one for a substring and a sorted list find."""
    asked = (("search", "first 1"), ("search", "--contains", "irst 1"), ("list", "--sort", "-last_name"))
    return [[item["email"] for item in place.items("customer", *one, "--limit", "0")] for one in asked]


def check_whole(place: Place, before: dict[str, Any]) -> None:
    """Make sure that every index is as it was, every row there once, and nothing recorded any more."""
    assert indexes(place) == before
    assert left_out(place) == []
    assert place.count("customer") == ROWS
    assert place.emails() == sorted(email for email, _, _ in numbered(ROWS))
    place.ok("audit", "verify")
    if place.engine == "sqlite":
        place.sql("INSERT INTO customer_search (customer_search, rank) VALUES ('integrity-check', 1)")


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_import_killed_at_any_moment_is_run_again_and_leaves_every_index(place: Place, moment: str) -> None:
    before = indexes(place)
    holder, name, when, number, has_rows = MOMENTS[moment]
    script = place.path / "dying.py"
    script.write_text(DYING)
    arguments = [holder, name, when, str(number), "customer", "import", "in.csv", "--on-conflict", "skip"]
    code, _, err = finish(start(place, [sys.executable, str(script), *arguments]), timeout=240)
    if place.engine in DEFERS or name not in ("record_deferred", "build", "_build_first"):
        assert code == -signal.SIGKILL, err
    # Whatever is away is recorded, and what is there is not.
    away = before.keys() & names(place) - indexes(place).keys()
    assert set(left_out(place)) == away
    if has_rows and place.engine in DEFERS:
        assert place.count("customer") > 0
    exact, contained, listed = found(place)
    assert sorted(exact) == sorted(contained)
    assert sorted(listed) == place.emails()
    doctor = place.run("doctor")
    assert ("dropped for an import" in doctor.out) == bool(away), doctor.out
    place.ok("customer", "import", "in.csv", "--on-conflict", "skip")
    check_whole(place, before)
    wanted = sorted(f"c{n}@example.com" for n in range(1, ROWS + 1) if str(n)[0] == "1")
    assert [sorted(emails) for emails in found(place)[:2]] == [wanted, wanted]


def killed_midway(place: Place) -> None:
    script = place.path / "dying.py"
    script.write_text(DYING)
    arguments = [IMPORT, "_commit", "after", "5", "customer", "import", "in.csv"]
    code, _, err = finish(start(place, [sys.executable, str(script), *arguments]), timeout=240)
    assert code == -signal.SIGKILL, err
    if place.engine in DEFERS:
        assert set(left_out(place)) == names(place)


def test_a_slow_search_says_why(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_SLOW", 0.0)
    killed_midway(place)
    for one in (("search", "--contains", "irst 1"), ("list", "--sort", "city")):
        told = place.ok("customer", *one).err
        assert ("an import has dropped indexes" in told) == (place.engine in DEFERS)
    place.ok("migrate")
    assert "indexes" not in place.ok("customer", "search", "--contains", "irst 1").err


@pytest.mark.parametrize("command", ["migrate", "another import"])
def test_the_next_command_that_can_builds_what_a_killed_import_left_out(place: Place, command: str) -> None:
    before = indexes(place)
    killed_midway(place)
    if command == "migrate":
        result = place.ok("migrate")
    else:
        write_csv(place.path / "one.csv", HEADER, [("one@example.com", "One", "More")])
        result = place.ok("customer", "import", "one.csv")
    if place.engine in DEFERS:
        assert "building" in result.err
    assert indexes(place) == before
    assert left_out(place) == []
    place.ok("customer", "import", "in.csv")
    place.sql("DELETE FROM customer WHERE email = 'one@example.com'")
    check_whole(place, before)


def test_it_is_announced_once_and_undone_once(place: Place) -> None:
    before = indexes(place)
    result = place.ok("customer", "import", "in.csv")
    for told in ("secondary indexes are built after the rows", "building the secondary indexes"):
        assert result.err.count(told) == (place.engine in DEFERS)
    check_whole(place, before)
    # There are as many rows as the file has: they are not indexed once more.
    result = place.ok("customer", "import", "in.csv", "--on-conflict", "update", "--yes")
    assert "secondary indexes" not in result.err


def test_a_file_that_is_damaged_further_down_leaves_every_index(place: Place) -> None:
    before = indexes(place)
    file = place.path / "in.jsonl"
    lines = [f'{{"email": "{e}", "first_name": "{f}", "last_name": "{n}"}}\n' for e, f, n in numbered(ROWS)]
    file.write_text("".join(lines) + '{"email": "' + "x" * (1 << 24) + "\n")
    place.run("customer", "import", "in.jsonl")
    check_whole(place, before)


def test_an_index_that_somebody_made_meanwhile_is_kept(place: Place) -> None:
    if place.engine not in DEFERS:
        return
    killed_midway(place)
    place.sql("CREATE INDEX customer_by_country ON customer (country, city)")
    place.ok("migrate")
    assert left_out(place) == []
    assert "city" in indexes(place)["customer_by_country"]
    assert indexes(place).keys() >= names(place)


def test_an_index_that_cannot_be_built_stays_recorded_and_is_named(place: Place) -> None:
    if place.engine not in DEFERS:
        return
    killed_midway(place)
    place.sql("ALTER TABLE customer RENAME COLUMN country TO land")
    error = place.run("migrate", "-o", "json")
    assert error.code != 0
    assert "the index `customer_by_country` cannot be built" in error.error["message"]
    place.sql("ALTER TABLE customer RENAME COLUMN land TO country")
    place.ok("migrate")
    assert left_out(place) == []


def test_a_table_that_somebody_uses_is_loaded_beside_its_indexes(place: Place) -> None:
    if place.engine != "postgresql":
        return
    before = indexes(place)
    with reading(place):
        result = place.ok("customer", "import", "in.csv")
    assert "secondary indexes" not in result.err
    check_whole(place, before)


@contextlib.contextmanager
def reading(place: Place) -> Iterator[None]:
    """Read the customers in a transaction that stays open."""
    database: Any = place.databases["dev"]
    with database.connect() as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM customer")
        yield
