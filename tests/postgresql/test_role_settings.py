"""What a login or database has set by ALTER ROLE or ALTER DATABASE: it changes neither output nor judgement."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.behaviours.support import Place
from tests.conftest import Project
from tests.inside import Inside
from tests.postgresql.conftest import with_own_fields
from tests.servers.fixtures import PostgresqlServers
from tests.servers.projects import EngineProject

SETTINGS = {
    "array_nulls": "off",
    "DateStyle": "German",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kathmandu",
    "bytea_output": "escape",
    "client_encoding": "LATIN1",
    "default_transaction_isolation": "serializable",
    "extra_float_digits": "-15",
    "gin_fuzzy_search_limit": "1",
    "quote_all_identifiers": "on",
    "standard_conforming_strings": "off",
}
COMMANDS = (
    "customer get 1 -o json",
    "customer list -o json",
    "customer export -o csv",
    "customer export -o jsonl",
    "customer history 1 -o json",
    "migrate status --check",
    "doctor --check -q",
)
OWN = """ALTER TABLE customer ADD score double precision NOT NULL DEFAULT 0.1::float8 + 0.2::float8,
  ADD share real NOT NULL DEFAULT 1.0 / 3, ADD span interval NOT NULL DEFAULT '1 year 2 mons -3 days 04:05:06.789',
  ADD raw bytea NOT NULL DEFAULT '\\x00ff41', ADD since timestamptz NOT NULL DEFAULT '2026-01-02 03:04:05.678901+02',
  ADD born date NOT NULL DEFAULT '2026-02-03', ADD marks float8[] NOT NULL DEFAULT ARRAY[0.1::float8 + 0.2::float8];
"""


@pytest.fixture
def shop(project: Project, postgresql_servers: PostgresqlServers) -> Iterator[EngineProject]:
    """A migrated database with a customer and own fields."""
    with with_own_fields(project, postgresql_servers, OWN) as made:
        yield made


def test_no_setting_of_a_login_or_database_changes_what_is_shown_or_judged(shop: EngineProject) -> None:
    inside = Inside(shop.path, shop.environ)
    before = [inside.ok(*command.split()).out for command in COMMANDS]
    assert "0.30000000000000004" in before[0]
    for name, value in SETTINGS.items():
        shop.sql(f"ALTER DATABASE {shop.names['dev']} SET {name} = '{value}'")
    assert [inside.ok(*command.split()).out for command in COMMANDS] == before
    read_again = inside.ok("customer", "import", "-", "--on-conflict", "update", "--dry-run", stdin=before[2])
    assert read_again.out.splitlines()[1].split("\t")[2:5] == ["0", "0", "1"]


def test_a_search_finds_all_hits_whatever_limit_a_database_has(shop: EngineProject) -> None:
    inside = Inside(shop.path, shop.environ)
    shop.sql(
        "INSERT INTO customer (email, first_name, last_name)"
        " SELECT 'u' || n || '@example.com', CASE WHEN n % 100 = 0 THEN 'Una' ELSE 'Bob' || n END, 'Lovelace'"
        " FROM generate_series(1, 5000) AS n"
    )
    shop.sql("VACUUM ANALYZE")
    shop.sql(f"ALTER DATABASE {shop.names['dev']} SET gin_fuzzy_search_limit = 1")
    found = inside.ok("customer", "search", "una", "--limit", "0", "-o", "jsonl").out.splitlines()
    assert len(found) == 50


def test_a_list_that_exceeds_a_limit_of_the_server_names_the_limit(shop: EngineProject) -> None:
    inside, name = Inside(shop.path, shop.environ), shop.names["dev"]
    shop.sql(
        "INSERT INTO customer (email, first_name, last_name, company)"
        " SELECT 'u' || n || '@example.com', 'Una', 'Lovelace', repeat('x', 80) || n FROM generate_series(1, 2000) AS n"
    )
    for setting in ("temp_file_limit", "work_mem"):
        shop.sql(f"ALTER DATABASE {name} SET {setting} = '64kB'")
    told = inside.run("customer", "list", "--sort", "company", "--limit", "0")
    assert told.code == 3
    assert "temp_file_limit" in told.err
    assert "raise the limit" in told.err


def test_no_write_is_taken_from_a_login_whose_triggers_do_not_fire(shop: EngineProject) -> None:
    place = Place.of(shop)
    place.copy_scripts()
    name = shop.names["dev"]
    place.sql(f"ALTER DATABASE {name} SET session_replication_role = replica")
    doctor = place.run("doctor")
    assert (doctor.code, "`session_replication_role` is `replica`" in doctor.out) == (7, True), doctor.err
    place.write("2001_note", "CREATE TABLE note (x text)")
    for command in (
        "customer update 1 --city Turin",
        "customer delete 1 --yes",
        "customer import - --on-conflict update",
        "migrate",
        "seed",
    ):
        error = place.refused(7, *command.split(), stdin="email\nada@example.com\n")
        assert "`session_replication_role` is `replica`, so row versions and the audit would not" in error["message"]
        assert error["hint"] == f"let an administrator run `ALTER DATABASE {name} RESET session_replication_role`"
    before = place.json("customer", "get", "1")
    assert before["city"] is None
    place.sql(f"ALTER DATABASE {name} SET session_replication_role = local")
    place.ok("migrate")
    assert place.json("customer", "update", "1", "--city", "Turin")["version"] != before["version"]


def test_a_script_reads_backslashes_as_it_was_split(shop: EngineProject) -> None:
    place = Place.of(shop)
    place.copy_scripts()
    place.sql(f"ALTER DATABASE {shop.names['dev']} SET standard_conforming_strings = off")
    for number, options in ((2001, ""), (2002, "-- custctl: transaction=off\n")):
        create = f"{options}CREATE TABLE note_{number} (x text)"
        place.write(f"{number}_note", create, f"INSERT INTO note_{number} VALUES ('\\'), (E'\\\\'), ('a'';\\')")
        place.ok("migrate")
        assert place.sql(f"SELECT x FROM note_{number}") == [("\\",), ("\\",), ("a';\\",)]
