"""Each difference from the scripts is named, with a statement that fixes it, and crashes nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest

from custctl.migrations import shapes
from custctl.migrations.shapes import Recorded
from tests.behaviours.support import Place, assert_no_bug
from tests.compiling.shapes import ENGINES as FOLDER
from tests.compiling.shapes import made_by_scripts, source
from tests.servers.fixtures import ENGINES

_POSTGRESQL = [name for name in ENGINES if name.startswith("postgresql")]


def differences(place: Place) -> list[dict[str, Any]]:
    """Return what `migrate status --check` finds; none where it finds nothing."""
    result = place.run("migrate", "status", "--check", "-o", "json")
    if result.code == 0:
        return []
    assert result.code == 11, result.err
    found: list[dict[str, Any]] = result.error["details"]["differences"]
    warned = [text for text in result.told if text.startswith("the schema differs from the scripts: ")]
    assert len(warned) == len(found)
    return found


def shape_lines(place: Place, *codes: int) -> list[dict[str, Any]]:
    """Return what `doctor` tells of the shape."""
    result = place.run("doctor", "-o", "json")
    assert result.code in codes, result.err
    return [item for item in result.json["items"] if item["check"] == "shape"]


def fix(place: Place, found: list[dict[str, Any]]) -> None:
    """Run each difference's statements, those of several only once."""
    done = []
    for each in found:
        assert each["statements"], each
        if each["statements"] not in done:
            done.append(each["statements"])
            _run(place, each["statements"])


def _run(place: Place, statements: list[str]) -> None:
    if place.place is None:
        with place.database() as connection:
            connection.executescript(";\n".join(statements))
    else:
        for statement in statements:
            place.sql(statement)


@pytest.mark.parametrize("engine_project", ENGINES, indirect=True)
def test_what_is_known_of_the_product_s_scripts_is_what_a_database_shows(empty: Place) -> None:
    """`make shapes` writes it again."""
    database = empty.open()
    try:
        text = source(made_by_scripts(database), database)
    finally:
        database.close()
    assert (FOLDER / empty.engine / "made.py").read_text() == text


def test_a_new_schema_is_as_the_scripts_make_it(migrated: Place) -> None:
    assert differences(migrated) == []
    [line] = shape_lines(migrated, 0)
    assert (line["state"], line["value"]) == ("ok", "matches the scripts")


_EVERYWHERE = {
    "column renamed": "ALTER TABLE customer RENAME COLUMN city TO town",
    "index dropped": "DROP INDEX customer_by_country",
    "table dropped": "DROP TABLE customer_import",
}
_SQLITE = _EVERYWHERE | {
    "index of another column": "DROP INDEX customer_by_country; CREATE INDEX customer_by_country ON customer (city)",
    "trigger dropped": "DROP TRIGGER customer_version",
    "trigger changed": "DROP TRIGGER customer_version; CREATE TRIGGER customer_version AFTER UPDATE ON customer"
    " BEGIN SELECT 1; END",
    "type and checks": "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(replace(replace(sql,"
    " 'created_at   TEXT NOT NULL', 'created_at   TEXT'), 'first_name   TEXT NOT NULL', 'first_name   BLOB'),"
    " 'CHECK (status IN', 'CHECK (1 OR status IN') WHERE name = 'customer'",
    "column dropped": "DROP TRIGGER customer_search_insert; DROP TRIGGER customer_search_update;"
    " DROP TRIGGER customer_search_delete; ALTER TABLE customer DROP COLUMN region",
}
_PG = _EVERYWHERE | {
    "index of another column": "DROP INDEX customer_by_country; CREATE INDEX customer_by_country ON customer (city)",
    "column dropped": "ALTER TABLE customer DROP COLUMN company",
    "type": "ALTER TABLE customer ALTER city TYPE varchar(10)",
    "wider type": "ALTER TABLE customer ALTER version TYPE text",
    "trigger disabled": "ALTER TABLE customer DISABLE TRIGGER zz_customer_version",
    "trigger dropped": "DROP TRIGGER zz_customer_version ON customer",
    "trigger's function": "CREATE OR REPLACE FUNCTION customer_raise_version () RETURNS trigger LANGUAGE plpgsql"
    " AS $$ BEGIN RETURN NEW; END $$",
    "check dropped": "ALTER TABLE customer DROP CONSTRAINT customer_city_length",
    "check not validated": "ALTER TABLE customer DROP CONSTRAINT customer_city_length;"
    " ALTER TABLE customer ADD CONSTRAINT customer_city_length CHECK (char_length(city) BETWEEN 1 AND 100) NOT VALID",
    "not null dropped": "ALTER TABLE customer ALTER first_name DROP NOT NULL",
    "invalid index": "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'customer_by_status'::regclass",
    "foreign key dropped": "ALTER TABLE customer_password DROP CONSTRAINT customer_password_customer",
    "default dropped": "ALTER TABLE customer ALTER created_at DROP DEFAULT",
    "primary key dropped": "ALTER TABLE customer_audit DROP CONSTRAINT customer_audit_pk",
}
_MSSQL = {
    "column renamed": "EXEC sp_rename 'customer.city', 'town', 'COLUMN'",
    "index dropped": "DROP INDEX customer_by_country ON customer",
    "table dropped": "DROP TABLE customer_import",
    "column dropped": "DROP INDEX customer_by_company ON customer; ALTER TABLE customer DROP COLUMN search_words;"
    " ALTER TABLE customer DROP CONSTRAINT customer_company_length; ALTER TABLE customer DROP COLUMN company",
    "version dropped": "ALTER TABLE customer DROP COLUMN version",
    "check dropped": "ALTER TABLE customer DROP CONSTRAINT customer_city_length",
    "foreign key dropped": "ALTER TABLE customer_password DROP CONSTRAINT customer_password_customer",
}
_DAMAGE = [
    *(("sqlite", name) for name in _SQLITE),
    *((engine, name) for engine in _POSTGRESQL for name in _PG),
    *(("mssql", name) for name in _MSSQL if "mssql" in ENGINES),
]


@pytest.mark.parametrize(("engine_project", "damage"), _DAMAGE, indirect=["engine_project"])
def test_damage_is_named_and_mended_and_crashes_nothing(migrated: Place, damage: str) -> None:
    migrated.add(email="ada@example.com", city="Bonn", company="Ada AG")
    statement = {"sqlite": _SQLITE, "postgresql": _PG, "mssql": _MSSQL}[migrated.engine][damage]
    _run(migrated, [statement])
    lines = shape_lines(migrated, 8, 11)
    found = differences(migrated)
    assert [line["value"] for line in lines] == [each["message"] for each in found]
    assert all(line["state"] == "fault" and line["hint"] for line in lines)
    (migrated.path / "new.csv").write_text("email,first_name,last_name,city,company\nb@example.com,B,B,Köln,B AG\n")
    for command in (
        ("get", "ada@example.com"),
        ("list", "--sort", "city"),
        ("search", "ada"),
        ("export",),
        ("history", "ada@example.com"),
        ("update", "ada@example.com", "--city", "Ulm"),
        ("add", "--email", "c@example.com", "--first-name", "C", "--last-name", "C", "--city", "Ulm", "--company", "C"),
        ("import", "new.csv"),
        ("delete", "ada@example.com", "--yes"),
    ):
        result = migrated.run("customer", *command, "-o", "json" if command[0] != "export" else "csv")
        assert_no_bug(result)
        assert result.code in (0, 8), (command, result.err)
        if result.code == 8 and damage != "table dropped":
            assert "custctl doctor" in result.err
            assert command[0] not in ("add", "get") or any(each["name"] in result.err for each in found)
    if damage == "column renamed" and migrated.engine == "mssql":
        _run(migrated, ["EXEC sp_rename 'customer.town', 'city', 'COLUMN'"])
    else:
        fix(migrated, found)
    assert differences(migrated) == []


def test_without_what_raises_the_version_no_update_is_kept(migrated: Place) -> None:
    if migrated.engine == "mssql":
        return  # the server's own rowversion has no trigger that could be missing
    migrated.add(email="ada@example.com", city="Bonn")
    name = {"sqlite": "customer_version", "postgresql": "zz_customer_version ON customer"}[migrated.engine]
    migrated.sql(f"DROP TRIGGER {name}")
    error = migrated.refused(8, "customer", "update", "ada@example.com", "--city", "Ulm")
    assert "does not raise the version" in error["message"]
    assert "custctl doctor" in error["hint"]
    assert migrated.count("customer", "city = " + migrated.literal("Bonn")) == 1


# -- the company's own scripts ---------------------------------------------------------------------


def test_what_a_script_of_the_company_makes_is_expected_from_then_on(empty: Place) -> None:
    empty.copy_scripts()
    text = {"sqlite": "TEXT", "postgresql": "text", "mssql": "NVARCHAR(20)"}[empty.engine]
    empty.ok("migrate")
    empty.write(
        "1000_vat",
        f"ALTER TABLE customer ADD vat_no {text}",
        "CREATE INDEX customer_by_vat_no ON customer (vat_no)",
        "CREATE TABLE branch (code INTEGER NOT NULL PRIMARY KEY)",
        f"DROP INDEX customer_by_country{' ON customer' if empty.engine == 'mssql' else ''}",
    )
    empty.ok("migrate")
    assert differences(empty) == []
    empty.sql(f"DROP INDEX customer_by_vat_no{' ON customer' if empty.engine == 'mssql' else ''}")
    empty.sql("DROP TABLE branch")
    found = differences(empty)
    assert {(each["kind"], each["fault"]) for each in found} == {("index", "missing"), ("table", "missing")}
    fix(empty, [each for each in found if each["statements"]])
    assert differences(empty) == []


def test_a_temporary_table_of_the_same_name_is_not_what_a_script_makes(migrated: Place) -> None:
    migrated.copy_scripts()
    temporary = "#customer" if migrated.engine == "mssql" else "customer"
    making = "CREATE TABLE" if migrated.engine == "mssql" else "CREATE TEMPORARY TABLE"
    migrated.write(
        "1000_branch",
        f"{making} {temporary} (id INTEGER NOT NULL PRIMARY KEY, region INTEGER UNIQUE)",
        "CREATE TABLE branch (code INTEGER NOT NULL PRIMARY KEY)",
    )
    migrated.ok("migrate")
    assert differences(migrated) == []
    migrated.ok("doctor")
    migrated.sql("DROP TABLE branch")
    assert [(each["kind"], each["table"], each["fault"]) for each in differences(migrated)] == [
        ("table", "branch", "missing")
    ]


def test_damage_that_was_there_before_a_script_does_not_become_expected(migrated: Place) -> None:
    migrated.copy_scripts()
    on = " ON customer" if migrated.engine == "mssql" else ""
    migrated.sql(f"DROP INDEX customer_by_country{on}")
    migrated.write("1000_branch", "CREATE TABLE branch (code INTEGER NOT NULL PRIMARY KEY)")
    migrated.ok("migrate")
    assert [(each["kind"], each["name"]) for each in differences(migrated)] == [("index", "customer_by_country")]


def test_a_script_without_a_transaction_is_recorded_across_a_failure(migrated: Place) -> None:
    migrated.copy_scripts()
    path = migrated.write(
        "1000_steps",
        "CREATE TABLE first_one (x INTEGER NOT NULL PRIMARY KEY)",
        "CREATE TABLE second_one (x NO_SUCH_TYPE_(",
    )
    path.write_text("-- custctl: transaction=off\n" + path.read_text())
    assert migrated.run("migrate").code == 11
    path.write_text(path.read_text().replace("x NO_SUCH_TYPE_(", "x INTEGER NOT NULL PRIMARY KEY)"))
    migrated.ok("migrate")
    assert differences(migrated) == []
    database = migrated.open()
    try:
        with database.reading() as connection:
            made = Recorded.read(connection).delta.made
            names = {name for name, _ in connection.run("metadata.all")}
    finally:
        database.close()
    assert {"first_one", "second_one"} <= {key.table for key in made}
    assert not any(name.startswith("shape_before") for name in names)


def test_a_script_that_fails_records_nothing(migrated: Place) -> None:
    migrated.copy_scripts()
    migrated.write(
        "1000_fails", "CREATE TABLE branch (code INTEGER NOT NULL PRIMARY KEY)", "SELECT no_such_column FROM branch"
    )
    assert migrated.run("migrate").code == 11
    assert migrated.count("custctl_metadata", "name = 'shape'") == 0
    assert migrated.tables("branch") == set()


_KILLED = """
import os, signal, sys
from custctl.migrations.task import Task

finish, left = Task.finish, [2]

def finishing(self, *arguments):
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    finish(self, *arguments)

Task.finish = finishing
sys.argv = ["custctl", "migrate"]
from custctl.__main__ import main
main()
"""


def _branches(place: Place, *names: str) -> None:
    for number, name in enumerate(names):
        place.write(f"{1000 + number}_{name}", f"CREATE TABLE {name} (code INTEGER NOT NULL PRIMARY KEY)")


def test_a_run_that_was_killed_is_recorded_by_the_next_one_and_compared_before(migrated: Place) -> None:
    migrated.copy_scripts()
    _branches(migrated, "one", "two", "three")
    on = " ON customer" if migrated.engine == "mssql" else ""
    migrated.sql(f"DROP INDEX customer_by_country{on}")
    killed = subprocess.call([sys.executable, "-c", _KILLED], cwd=migrated.path, env=migrated.environ, timeout=60)
    assert killed == -signal.SIGKILL
    assert migrated.tables("one", "two", "three") == {"one", "two"}
    assert migrated.count("custctl_metadata", "name = 'shape'") == 0
    lost = [("index", "customer_by_country")]
    doctor = shape_lines(migrated, 8, 11)
    assert [line["value"] for line in doctor] == ["index `customer_by_country` on `customer` is missing"]
    migrated.ok("migrate")
    assert [(each["kind"], each["name"]) for each in differences(migrated)] == lost
    migrated.sql("DROP TABLE one")
    assert [(each["kind"], each["table"]) for each in differences(migrated)] == [
        ("index", "customer"),
        ("table", "one"),
    ]
    assert migrated.count("custctl_metadata", "name = 'shape_before'") == 0


def test_what_was_applied_before_a_script_that_fails_is_recorded(migrated: Place) -> None:
    migrated.copy_scripts()
    _branches(migrated, "one", "two")
    failing = migrated.write("1002_fails", "CREATE TABLE three (x INTEGER)", "SELECT no_such_column FROM three")
    assert migrated.run("migrate").code == 11
    assert migrated.count("custctl_metadata", "name = 'shape_before'") == 0
    failing.unlink()
    assert differences(migrated) == []
    migrated.sql("DROP TABLE two")
    assert [(each["kind"], each["table"]) for each in differences(migrated)] == [("table", "two")]


def test_a_long_run_records_now_and_then(migrated: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "_OFTEN", 0.0)
    migrated.copy_scripts()
    _branches(migrated, "one", "two", "three")
    kept: list[int] = []
    write = Recorded.write

    def watched(self: Recorded, connection: Any) -> None:
        kept.append(len(self.scripts))
        write(self, connection)

    monkeypatch.setattr(Recorded, "write", watched)
    migrated.ok("migrate")
    assert kept == [1, 2, 3]
    migrated.sql("DROP TABLE two")
    assert [(each["kind"], each["table"]) for each in differences(migrated)] == [("table", "two")]
