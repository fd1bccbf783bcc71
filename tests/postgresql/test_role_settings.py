"""What a login or database has set by ALTER ROLE or ALTER DATABASE: it changes neither output nor judgement."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import ADA, Project
from tests.inside import Inside
from tests.servers.fixtures import PostgresqlServers
from tests.servers.projects import EngineProject, on_engine, postgresql_place

SETTINGS = {
    "DateStyle": "German",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kathmandu",
    "bytea_output": "escape",
    "client_encoding": "LATIN1",
    "default_transaction_isolation": "serializable",
    "extra_float_digits": "-15",
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
    made = on_engine(project, postgresql_place(postgresql_servers.shared("postgresql18")))
    inside = Inside(made.path, made.environ)
    inside.ok("migrate")
    inside.ok("customer", "add", *ADA)
    made.sql(OWN)
    inside.ok("migrate")  # records the own fields
    yield made
    made.drop()


def test_no_setting_of_a_login_or_database_changes_what_is_shown_or_judged(shop: EngineProject) -> None:
    inside = Inside(shop.path, shop.environ)
    before = [inside.ok(*command.split()).out for command in COMMANDS]
    assert "0.30000000000000004" in before[0]
    for name, value in SETTINGS.items():
        shop.sql(f"ALTER DATABASE {shop.names['dev']} SET {name} = '{value}'")
    assert [inside.ok(*command.split()).out for command in COMMANDS] == before
    read_again = inside.ok("customer", "import", "-", "--on-conflict", "update", "--dry-run", stdin=before[2])
    assert read_again.out.splitlines()[1].split("\t")[2:5] == ["0", "0", "1"]
