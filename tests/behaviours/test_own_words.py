"""Own fields that a script marks as searchable are found by `customer search`, whoever writes them."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import sys
from typing import Any

import pytest

from custctl.customers.queries import search_query
from tests import searches
from tests.behaviours.support import Place
from tests.behaviours.test_deferred_indexes import DYING
from tests.behaviours.test_lists import walk
from tests.faults.conftest import wait_until
from tests.integration.rows import finish, start

ROWS: dict[str, dict[str, str | None]] = {
    "ada": {"tier": "gold", "club": "Rot-Weiß Köln", "first_name": "Ada", "last_name": "Lovelace"},
    "bob": {"tier": "silver", "club": "Straßenbahn O'Brien", "first_name": "Gold", "last_name": "Smith"},
    "zoe": {"tier": None, "club": "ŁKS Łódź", "first_name": "Zoë", "last_name": "Goldsmith"},
    "eve": {"tier": "GOLD 100%_plus", "club": None, "first_name": "Eve", "last_name": "Müller"},
    "gus": {"tier": None, "club": None, "first_name": "Gus", "last_name": "O'Neil"},
}
SOUGHT = ("gold", "GOL", "g", "ada gold", "gold-ada", "goldsmith zoe", "silver smith", "koeln", "köln", "rotweiss",
          "weiss rot", "strassenbahn", "obrien", "o'brien", "lks", "lodz", "100", "100%", "plus eve", "muell g", "ne",
          "zoe", "o neil", "tin", "e g")  # fmt: skip


def project(place: Place) -> Place:
    place.copy_scripts()
    for name in ("tier", "club", "note"):
        marks = [] if name == "note" else ["--searchable"]
        place.ok("migrate", "new", "--add-field", name, "--type", "text(40)", *marks)
    place.ok("migrate")
    return place


def found(place: Place, *arguments: str) -> list[str]:
    return [row["email"].partition("@")[0] for row in place.items("customer", "search", *arguments, "--limit", "0")]


def indexes(place: Place) -> set[tuple[str, str]]:
    """Return what a search reads, each with its definition."""
    if place.engine == "postgresql":
        return set(place.sql("SELECT indexname::text, indexdef FROM pg_indexes WHERE tablename = 'customer'"))
    if place.engine == "sqlite":
        return set(place.sql("SELECT name, sql FROM sqlite_master WHERE type IN ('view', 'trigger')"))
    return set(place.sql("SELECT name, type_desc FROM sys.indexes WHERE object_id = OBJECT_ID('customer')"))


def everyone(place: Place) -> list[dict[str, Any]]:
    return place.items("customer", "list", "--limit", "0")


def test_search_finds_them_as_it_finds_ours(empty: Place) -> None:
    place = project(empty)
    for name, row in ROWS.items():
        own = [part for field in ("tier", "club") if row[field] for part in ("--set", f"{field}={row[field]}")]
        names = ["--first-name", str(row["first_name"]), "--last-name", str(row["last_name"])]
        place.ok("customer", "add", "--email", f"{name}@example.com", *names, "--set", "note=hidden", *own)
    rows, database = everyone(place), place.open()
    try:
        for mode in ("words", "contains"):
            for text in SOUGHT:
                expected = searches.found(rows, text, mode, ("tier", "club"))
                assert walk(database, search_query(text, mode)) == expected, (mode, text)
    finally:
        database.close()
    assert found(place, "hidden") == []
    assert found(place, "gold") == ["ada", "bob", "eve", "zoe"]
    assert found(place, "--contains", "ILVE") == ["bob"]
    typed, meant = ("lovelase", "Lovelace") if place.engine == "mssql" else ("silvr", "silver")
    assert f"`{meant}`" in place.ok("customer", "search", typed).err


def test_what_others_write_is_found_too(empty: Place) -> None:
    place = project(empty)
    for name in ("ada", "bob"):
        place.add(email=f"{name}@example.com")
    place.sql("UPDATE customer SET tier = 'copper' WHERE email = 'ada@example.com'")
    assert found(place, "copper") == found(place, "--contains", "oppe") == ["ada"]
    place.sql("UPDATE customer SET tier = 'iron', first_name = 'Copper' WHERE email = 'ada@example.com'")
    assert (found(place, "copper"), found(place, "iron")) == (["ada"], ["ada"])
    place.ok("customer", "update", "ada@example.com", "--unset", "tier", "--first-name", "Ada")
    assert found(place, "copper") == found(place, "iron") == found(place, "--contains", "ron") == []
    rows = "".join(f"i{n}@example.com,I,L,tin{n % 10}\n" for n in range(300))
    (place.path / "rows.csv").write_text(f"email,first_name,last_name,tier\n{rows}")
    place.ok("customer", "import", str(place.path / "rows.csv"))
    assert len(found(place, "tin7")) == 30
    place.sql("DELETE FROM customer WHERE tier = 'tin7'")
    assert found(place, "tin7") == []


def test_a_column_that_is_there_already_is_found_once_it_is_marked(migrated: Place) -> None:
    place = migrated
    place.copy_scripts()
    add = "ADD" if place.engine == "mssql" else "ADD COLUMN"
    kind = "NVARCHAR(40)" if place.engine == "mssql" else "VARCHAR(40)"
    script = f"ALTER TABLE customer {add} tier {kind}"
    place.write("1000_tier", script)
    place.ok("migrate")
    place.add(email="ada@example.com")
    place.ok("customer", "update", "ada@example.com", "--set", "tier=gold")
    assert found(place, "gold") == []
    place.write("1000_tier", f"-- custctl: searchable\n{script}")
    place.ok("migrate", "repair", "--yes")
    checks = {each["check"]: each for each in json.loads(place.run("doctor", "-o", "json").out)["items"]}
    assert checks["own fields"]["value"] == "not as recorded: `tier` is now searchable"
    place.ok("migrate")
    # As on another machine, which still knows the old columns.
    for file in place.path.rglob("fields.json"):
        file.write_text("[]")
    assert found(place, "gold") == ["ada"]
    assert found(place, "--contains", "old") == ["ada"]


def test_a_new_release_of_the_search_keeps_them(empty: Place) -> None:
    place = project(empty)
    place.add(email="ada@example.com")
    place.ok("customer", "update", "ada@example.com", "--set", "tier=gold")
    for script in (place.path / "sql" / place.engine / "repeatable").glob("*search*.sql"):
        script.write_text(script.read_text() + "\n-- changed\n")
    place.ok("migrate")
    assert found(place, "gold") == found(place, "--contains", "old") == ["ada"]
    assert found(place, "ada gold") == ["ada"]
    place.sql("UPDATE customer SET tier = 'tin'")
    assert (found(place, "gold"), found(place, "tin")) == ([], ["ada"])


def test_a_script_may_drop_the_column(empty: Place) -> None:
    place = project(empty)
    place.add(email="ada@example.com")
    place.ok("customer", "update", "ada@example.com", "--set", "tier=gold", "--set", "club=Rovers")
    drops = ["ALTER TABLE customer DROP COLUMN tier"]
    if place.engine == "mssql":
        drops.insert(0, "ALTER TABLE customer DROP CONSTRAINT customer_tier_length")
    place.write("1100_drop", *drops)
    place.ok("migrate")
    assert found(place, "gold") == found(place, "--contains", "old") == []
    assert found(place, "rov") == ["ada"]
    place.sql("UPDATE customer SET club = 'United'")
    assert (found(place, "rovers"), found(place, "united")) == ([], ["ada"])


def test_a_run_killed_before_the_index_is_built_leaves_it_to_the_next(empty: Place) -> None:
    place = empty
    place.copy_scripts()
    place.ok("migrate")
    place.add(email="ada@example.com")
    place.ok("migrate", "new", "--add-field", "tier", "--type", "text(40)", "--searchable")
    applied = "SELECT 1 FROM schema_migration WHERE version >= 1000 AND state = 'applied'"
    with contextlib.ExitStack() as stack:
        if place.engine == "postgresql":
            # An index that is built CONCURRENTLY waits for transactions that see older rows.
            database: Any = place.databases["dev"]
            waited_for = stack.enter_context(database.connect())
            waited_for.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            waited_for.execute("SELECT 1")
        process = place.start("migrate")
        wait_until(lambda: process.poll() is not None or bool(place.sql(applied)))
        if place.engine == "postgresql":
            building = "FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting for old snapshots'"
            wait_until(lambda: bool(place.sql(f"SELECT 1 {building}")))
        process.kill()
        process.communicate()
        if place.engine == "postgresql":
            assert place.sql(f"SELECT pg_terminate_backend(pid, 10000) {building}") == [(True,)]
            assert place.sql("SELECT 1 FROM pg_index WHERE NOT indisvalid") == [(1,)]
            checks = {each["check"]: each for each in json.loads(place.run("doctor", "-o", "json").out)["items"]}
            assert checks["own fields"]["value"] == "not as recorded: `tier` is new"
    place.ok("migrate")
    place.ok("customer", "update", "ada@example.com", "--set", "tier=gold")
    assert found(place, "gold") == found(place, "--contains", "old") == ["ada"]
    place.sql("UPDATE customer SET tier = 'tin'")
    assert (found(place, "gold"), found(place, "tin")) == ([], ["ada"])
    place.ok("doctor")
    if place.engine == "postgresql":
        assert place.sql("SELECT 1 FROM pg_index WHERE NOT indisvalid") == []


def test_a_dry_run_names_the_indexes_that_the_run_builds(empty: Place) -> None:
    place = empty
    place.copy_scripts()
    place.ok("migrate")
    for name, marks in (("tier", ["--searchable"]), ("club", ["--searchable"]), ("note", [])):
        place.ok("migrate", "new", "--add-field", name, "--type", "text(40)", *marks)
    before = indexes(place)
    planned = place.json("migrate", "--dry-run")["indexes"]
    assert indexes(place) == before
    run = place.ok("migrate").err
    assert [name for name in planned if f"building the index `{name}`" not in run] == []
    if place.engine == "postgresql":
        assert planned == [f"customer_{kind}_{name}" for name in ("tier", "club") for kind in ("words", "search")]
        assert {name for name, _ in indexes(place) - before} == set(planned)
    else:
        assert planned == (["customer_words"] if place.engine == "sqlite" else [])
    assert place.json("migrate", "--dry-run")["indexes"] == []
    assert "building" not in place.ok("migrate").err


def test_a_dry_run_of_the_first_run_names_the_same_indexes(empty: Place) -> None:
    place = empty
    place.copy_scripts()
    for name, marks in (("tier", ["--searchable"]), ("club", ["--searchable"]), ("note", [])):
        place.ok("migrate", "new", "--add-field", name, "--type", "text(40)", *marks)
    before = place.json("migrate", "--dry-run", "--target", "8")["indexes"]
    planned = place.json("migrate", "--dry-run")["indexes"]
    run = place.ok("migrate").err
    assert sorted(planned) == sorted(re.findall(r"building the index `(\w+)`", run))
    assert (before, bool(planned)) == ([], place.engine != "mssql")


def test_an_adoption_taken_back_leaves_no_index_of_its_own(empty: Place) -> None:
    place = project(empty)
    place.add(email="ada@example.com")
    place.ok("customer", "update", "ada@example.com", "--set", "tier=gold")
    first, newest = indexes(place), "1002"
    for name in ("tier", "club", ""):
        # As a copy without a journal. It keeps the indexes that it has, and lacks those of one field.
        for table in ("schema_migration", "custctl_metadata"):
            place.sql(f"DROP TABLE {table}")
        for index in (f"customer_words_{name}", f"customer_search_{name}"):
            if place.engine == "postgresql":
                place.sql(f"DROP INDEX IF EXISTS {index}")
        before = indexes(place)
        planned = place.ok("migrate", "baseline", newest, "--dry-run").err
        assert indexes(place) == before
        place.ok("migrate", "baseline", newest)
        assert indexes(place) == first
        assert all(f"`{index}`" in planned for index, _ in first - before)
        place.ok("migrate", "baseline", "--undo")
        assert indexes(place) == before
        place.ok("migrate", "baseline", newest)
        assert found(place, "gold") == found(place, "--contains", "ol") == ["ada"]


OWN_RECORD, STANDING = "custctl.migrations.own_record", "custctl.schema.standing"
# What the killed command does, and the call beside which it is killed.
ADOPTING = {
    "undo recorded": (OWN_RECORD, "_remember", "after", 1),
    "one index built, the next recorded": (OWN_RECORD, "_remember", "after", 2),
    "built, fields not recorded": (OWN_RECORD, "_record", "before", 1),
}
UNDOING = {
    "undo read": (STANDING, "read_undo", "after", 1),
    "dropped, not committed": ("custctl.engines.shaping:Shaping", "undo_tables", "before", 1),
}


@pytest.mark.parametrize("moment", [*ADOPTING, *UNDOING])
def test_an_adoption_killed_beside_its_indexes_is_completed_and_taken_back(empty: Place, moment: str) -> None:
    place = project(empty)
    place.add(email="ada@example.com")
    place.ok("customer", "update", "ada@example.com", "--set", "tier=gold")
    whole, newest = indexes(place), str(max(each["version"] or 0 for each in place.items("migrate", "status")))
    # As a copy without a journal, and without what finds one field.
    for table in ("schema_migration", "custctl_metadata"):
        place.sql(f"DROP TABLE {table}")
    if place.engine == "postgresql":
        place.sql("DROP INDEX customer_words_tier, customer_search_tier")
    elif place.engine == "sqlite":
        place.sql("DROP TRIGGER customer_search_own")
    before = indexes(place)
    (place.path / "dying.py").write_text(DYING)
    holder, name, when, number = {**ADOPTING, **UNDOING}[moment]
    command = ["--undo", "--yes"] if moment in UNDOING else [newest]
    arguments = [holder, name, when, str(number), "migrate", "baseline", *command]
    is_struck = place.engine == "postgresql" or (number == 1 and (place.engine == "sqlite" or name != "_remember"))
    for then in ("undo", "migrate"):
        if moment in UNDOING:
            place.ok("migrate", "baseline", newest)
        code, _, err = finish(start(place, [sys.executable, str(place.path / "dying.py"), *arguments]))
        assert (code == -signal.SIGKILL) == is_struck, err
        if then == "undo":
            place.ok("migrate", "baseline", "--undo")
            assert indexes(place) == before
            assert place.count("customer", "tier = 'gold'") == 1
    place.ok("migrate")
    assert indexes(place) == whole
    assert found(place, "gold") == found(place, "--contains", "ol") == ["ada"]
