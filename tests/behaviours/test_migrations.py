"""Migrations: what is applied, refused, adopted and repaired, on every engine alike."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from custctl.schema.names import PRODUCT_SCRIPTS
from custctl.schema.standing import REQUIRED_SCHEMA
from tests.behaviours.support import Place
from tests.conftest import REPOSITORY

NAMES = [Path(name).stem for name in PRODUCT_SCRIPTS if name.startswith("migrations/")]
NUMBERS = [int(name[:4]) for name in NAMES]


def states(place: Place, *arguments: str) -> dict[str, str]:
    """Return what `migrate status` tells of each script."""
    found = place.items("migrate", "status", *arguments)
    return {re.sub(r".*/|\.sql$", "", item["script"]): item["state"] for item in found}


def test_an_empty_database_is_migrated_once(empty: Place) -> None:
    place = empty
    assert place.refused(8, "migrate", "status", "--check")["message"].endswith("scripts are pending")
    assert set(states(place).values()) <= {"pending", "skipped"}
    planned = place.json("migrate", "--dry-run")
    assert (planned["applied"], planned["from"], planned["to"]) == ([], None, REQUIRED_SCHEMA)
    versioned = [step["script"] for step in planned["planned"] if step["version"] is not None]
    assert versioned == [f"migrations/{name}.sql" for name in NAMES]
    assert place.tables("customer", "schema_migration") == set()

    done = place.ok("migrate", "-o", "json")
    assert (done.json["environment"], done.json["from"], done.json["to"]) == ("development", None, REQUIRED_SCHEMA)
    assert [step["script"] for step in done.json["applied"]] == [step["script"] for step in planned["planned"]]
    assert (done.announced["profile"], done.announced["environment"]) == ("dev", "development")
    assert "stamped" in done.err
    assert all(step["duration_ms"] >= 0 and step["statements"] >= 1 for step in done.json["applied"])

    again = place.ok("migrate", "-o", "json")
    assert again.json == {"environment": "development", "applied": [], "from": REQUIRED_SCHEMA, "to": REQUIRED_SCHEMA}
    assert f"nothing to do: the schema is at version {REQUIRED_SCHEMA}" in again.err
    assert "pending" not in states(place, "--check").values()
    assert [states(place)[name] for name in NAMES] == ["applied"] * len(NAMES)
    assert place.json("migrate", "validate")["items"] == []
    assert place.tables("customer", "customer_password", "customer_audit", "schema_migration", "custctl_metadata") == {
        "customer", "customer_password", "customer_audit", "schema_migration", "custctl_metadata"
    }  # fmt: skip
    journal = place.sql("SELECT version, state, statements_applied, statements_total FROM schema_migration ORDER BY id")
    assert [row[0] for row in journal if row[0] is not None] == NUMBERS
    assert all(state == "applied" and applied == total for _, state, applied, total in journal)
    assert place.sql("SELECT value FROM custctl_metadata WHERE name = 'environment'") == [("development",)]


def test_scripts_are_applied_up_to_a_target(empty: Place) -> None:
    place = empty
    place.write_tables("a", "b", "c")
    found = place.json("migrate", "--target", "2")
    assert [(step["version"], step["statements"]) for step in found["applied"]] == [(1, 2), (2, 2)]
    assert (found["from"], found["to"]) == (None, 2)
    assert place.tables("a", "b", "c") == {"a", "b"}
    assert states(place) == {"0001_a": "applied", "0002_b": "applied", "0003_c": "pending"}
    assert place.refused(8, "migrate", "status", "--check")["code"] == "pending"
    assert "migrate only goes up" in place.ok("migrate", "--target", "1").err
    assert [step["version"] for step in place.json("migrate")["applied"]] == [3]


def test_an_edited_script_is_drift_and_other_line_endings_are_not(empty: Place) -> None:
    place = empty
    place.write_tables("a", "b")
    place.ok("migrate")
    path = place.write("0001_a", "CREATE TABLE a (x INTEGER)", "INSERT INTO a VALUES (2)")
    for arguments in (("migrate",), ("migrate", "status", "--check"), ("migrate", "validate")):
        result = place.run(*arguments)
        assert result.code == 11, result.err
        assert "0001_a" in result.err + result.out
    told = place.run("migrate").err
    assert "-INSERT INTO a VALUES (1)" in told
    assert "+INSERT INTO a VALUES (2)" in told
    assert states(place) == {"0001_a": "drifted", "0002_b": "applied"}

    place.write("0001_a", "CREATE TABLE a (x INTEGER)", "INSERT INTO a VALUES (1)")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert set(states(place, "--check").values()) == {"applied"}

    # What was edited on purpose is accepted by a repair.
    place.write("0001_a", "CREATE TABLE a (x INTEGER)", "INSERT INTO a VALUES (3)")
    repaired = place.items("migrate", "repair")
    assert [(row["change"], row["script"]) for row in repaired] == [("accept", "migrations/0001_a.sql")]
    assert set(states(place, "--check").values()) == {"applied"}
    assert place.sql("SELECT x FROM a") == [(1,)]


def test_a_late_number_is_refused_unless_it_is_allowed(empty: Place) -> None:
    place = empty
    place.write_tables("a", "b", "c")
    (late := place.path / "sql" / place.engine / "migrations" / "0002_b.sql").rename(place.path / "kept.sql")
    place.ok("migrate")
    (place.path / "kept.sql").rename(late)
    error = place.refused(11, "migrate")
    assert "0002_b" in error["message"]
    assert "--allow-out-of-order" in error["hint"]
    assert place.tables("b") == set()
    assert [step["version"] for step in place.json("migrate", "--allow-out-of-order")["applied"]] == [2]
    # A script that was taken away is no reason to stop.
    late.unlink()
    assert states(place)["0002_b"] == "missing"
    assert "0002_b" in place.ok("migrate").err


def test_a_script_that_fails_leaves_nothing_and_is_told_by_line_and_statement(empty: Place) -> None:
    place = empty
    place.write_tables("a")
    place.write(
        "0002_b",
        "-- Three statements,\n-- of which one fails.\nCREATE TABLE b (x INTEGER NOT NULL)",
        "INSERT INTO b VALUES (1)",
        "INSERT INTO b\nVALUES (NULL)",
        "CREATE TABLE c (x INTEGER)",
    )
    error = place.refused(11, "migrate")
    # Behind the two comments; each statement is followed by an empty line, or by one that ends its batch.
    assert "migrations/0002_b.sql:7: statement 3 of 4 failed" in error["message"]
    assert "INSERT INTO b" in error["message"]
    assert "none of it was kept" in error["message"]
    assert (error["details"]["script"], error["details"]["line"], error["details"]["statement"]) == (
        "migrations/0002_b.sql", 7, 3
    )  # fmt: skip
    assert place.tables("a", "b", "c") == {"a"}
    assert states(place) == {"0001_a": "applied", "0002_b": "pending"}
    # Mended, it is simply run again.
    place.write("0002_b", "CREATE TABLE b (x INTEGER NOT NULL)", "INSERT INTO b VALUES (1)")
    assert [step["version"] for step in place.json("migrate")["applied"]] == [2]
    assert place.sql("SELECT x FROM b") == [(1,)]


@pytest.mark.parametrize("statement", ["COMMIT", "ROLLBACK"])
def test_a_script_that_would_end_its_transaction_is_refused_before_anything_runs(empty: Place, statement: str) -> None:
    empty.write("0001_a", "CREATE TABLE a (x INTEGER)", statement)
    error = empty.refused(11, "migrate")
    assert statement in error["message"]
    assert "migrations/0001_a.sql:3" in error["message"]
    assert empty.tables("a", "schema_migration") == set()


def test_a_script_without_a_transaction_goes_on_after_its_last_good_statement(empty: Place) -> None:
    place = empty
    head = "-- custctl: transaction=off\nCREATE TABLE a (x INTEGER NOT NULL)"
    place.write("0001_a", head, "INSERT INTO a VALUES (1)", "INSERT INTO a VALUES (NULL)")
    error = place.refused(11, "migrate")
    assert "statement 3 of 3 failed" in error["message"]
    assert "2 of its 3 statements are applied" in error["message"]
    assert place.sql("SELECT state, statements_applied, statements_total FROM schema_migration") == [("failed", 2, 3)]
    place.write("0001_a", head, "INSERT INTO a VALUES (1)", "INSERT INTO a VALUES (3)")
    place.ok("migrate")
    assert place.sql("SELECT x FROM a ORDER BY x") == [(1,), (3,)]


def test_a_repeatable_script_runs_again_when_its_text_changes(empty: Place) -> None:
    place = empty
    place.write_tables("a")
    place.write("fill", "INSERT INTO a VALUES (2)", folder="repeatable")
    assert [step["kind"] for step in place.json("migrate")["applied"]] == ["versioned", "repeatable"]
    assert place.json("migrate")["applied"] == []
    place.write("fill", "INSERT INTO a VALUES (3)", folder="repeatable")
    assert place.refused(8, "migrate", "status", "--check")["message"] == "1 script is pending"
    assert [step["script"] for step in place.json("migrate")["applied"]] == ["repeatable/fill.sql"]
    assert place.sql("SELECT x FROM a ORDER BY x") == [(1,), (2,), (3,)]


def test_tables_without_a_journal_are_adopted_by_a_baseline(empty: Place) -> None:
    place = empty
    place.write_tables("a", "b", "c")
    place.sql("CREATE TABLE a (x INTEGER)")
    place.sql("CREATE TABLE b (x INTEGER)")
    error = place.refused(11, "migrate")
    assert "no journal" in error["message"]
    assert "migrate baseline" in error["hint"]
    assert place.refused(11, "migrate", "status", "--check") == error
    adopted = place.items("migrate", "baseline", "2")
    assert [row["version"] for row in adopted] == [1, 2]
    assert states(place) == {"0001_a": "baseline", "0002_b": "baseline", "0003_c": "pending"}
    assert [step["version"] for step in place.json("migrate")["applied"]] == [3]
    assert place.sql("SELECT COUNT(*) FROM a") == [(0,)]
    assert place.sql("SELECT value FROM custctl_metadata WHERE name = 'environment'") == [("development",)]
    assert place.refused(11, "migrate", "baseline", "3")["code"] == "migration"


def test_risky_scripts_are_told_in_development_and_stopped_in_staging(empty: Place) -> None:
    place = empty
    place.write_tables("a", "b")
    place.write("0003_drop", "DROP TABLE b")
    found = place.json("migrate", "validate")["items"]
    assert [(row["script"], row["line"], row["rule"]) for row in found] == [
        ("migrations/0003_drop.sql", 1, "drop-table")
    ]
    place.ok("migrate", "--target", "2")
    place.alias("near", "staging")
    place.ok("migrate", "repair", "--environment", "staging", "--yes", "--env", "near")
    error = place.refused(11, "migrate", "--env", "near")
    assert "drop-table" in error["message"]
    assert place.tables("b") == {"b"}
    place.write("0003_drop", "-- custctl: allow=drop-table nobody reads it any more\nDROP TABLE b")
    assert [step["version"] for step in place.json("migrate", "--env", "near")["applied"]] == [3]
    assert place.tables("b") == set()


def test_the_scripts_of_all_engines_have_the_same_names() -> None:
    folders = [REPOSITORY / "sql" / engine / "migrations" for engine in ("sqlite", "postgresql", "mssql")]
    assert [[path.stem for path in sorted(folder.glob("*.sql"))] for folder in folders] == [NAMES] * 3
