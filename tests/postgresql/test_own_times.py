"""Values of a company's own columns that only PostgreSQL has: shown and typed as it writes them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Project
from tests.inside import Inside
from tests.postgresql.conftest import with_own_fields
from tests.servers.fixtures import PostgresqlServers
from tests.servers.projects import EngineProject

COLUMNS = {
    "born": "date",
    "since": "date",
    "seen": "timestamptz",
    "local": "timestamp",
    "score": "double precision",
    "short": "real",
    "total": "numeric",
    "price": "numeric(10,2)",
}
FIRST = ("0044-03-15 BC", "infinity", "0044-03-15 10:00:00+00 BC", "-infinity", "NaN", "Infinity", "-Infinity", "NaN")
SECOND = (
    "5874897-12-31",
    "-infinity",
    "294276-12-31 23:59:59.999999+00",
    "10000-01-01 00:00:00",
    "-Infinity",
    "NaN",
    "Infinity",
    "1.00",
)


@pytest.fixture
def shop(project: Project, postgresql_servers: PostgresqlServers) -> Iterator[EngineProject]:
    """Two customers with these values, which another program has written."""
    columns = ", ".join(f"ADD {name} {native}" for name, native in COLUMNS.items())
    with with_own_fields(project, postgresql_servers, f"ALTER TABLE customer {columns}") as made:
        made.sql("INSERT INTO customer (email, first_name, last_name) VALUES ('bob@example.com', 'Bob', 'Smith')")
        for who, values in enumerate((FIRST, SECOND), 1):
            settings = ", ".join(f"{name} = '{value}'" for name, value in zip(COLUMNS, values, strict=True))
            made.sql(f"UPDATE customer SET {settings} WHERE id = {who}")
        yield made


def held(shop: EngineProject) -> list[tuple[str, ...]]:
    """Return the values as PostgreSQL writes them."""
    return shop.sql(f"SELECT {', '.join(f'{name}::text' for name in COLUMNS)} FROM customer ORDER BY id")


def test_they_are_shown_and_stay_when_another_field_is_edited(shop: EngineProject) -> None:
    inside = Inside(shop.path, shop.environ)
    inside.environ["EDITOR"] = "sed -i s/Lovelace/King/"
    edited = inside.ok("customer", "edit", "1", "-o", "json").json
    assert edited["last_name"] == "King"
    assert tuple(edited[name] for name in COLUMNS) == FIRST
    assert held(shop) == [FIRST, SECOND]
    history = inside.ok("customer", "history", "1", "-o", "json").json["items"]
    assert history[-1]["changes"] == {"last_name": ["Lovelace", "King"]}


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_import_reads_what_an_export_writes(shop: EngineProject, form: str) -> None:
    inside = Inside(shop.path, shop.environ)
    inside.ok("customer", "export", "--output-file", f"all.{form}", "-o", form)
    again = inside.ok("customer", "import", f"all.{form}", "--on-conflict", "update", "-o", "json").json
    assert (again["unchanged"], again["updated"]) == (2, 0)
    shop.sql("DELETE FROM customer")
    inside.ok("customer", "import", f"all.{form}", "--dry-run")
    inside.ok("customer", "import", f"all.{form}")
    assert held(shop) == [FIRST, SECOND]


def test_they_are_set_compared_and_paged(shop: EngineProject) -> None:
    inside = Inside(shop.path, shop.environ)
    for name, first, second in zip(COLUMNS, FIRST, SECOND, strict=True):
        updated = inside.ok("customer", "update", "1", "--set", f"{name}={second}", "-o", "json").json
        assert updated[name] == second
        assert inside.ok("customer", "list", "--where", f"{name}={second}", "--count").out == "count\n2\n"
        inside.ok("customer", "update", "1", "--set", f"{name}={first}")
        page = inside.ok("customer", "list", "--sort", name, "--limit", "1", "-o", "json").json
        rest = inside.ok("customer", "list", "--sort", name, "--limit", "1", "--after", page["next"], "-o", "json").json
        assert {page["items"][0]["id"], rest["items"][0]["id"]} == {1, 2}
    assert held(shop) == [FIRST, SECOND]


def test_a_day_that_no_calendar_has_is_refused_before_it_is_sent(shop: EngineProject) -> None:
    told = Inside(shop.path, shop.environ).run(
        "customer", "update", "1", "--set", "born=0044-02-29 BC", "--set", "price=Infinity"
    )
    assert told.code == 9
    assert "`born` must be a date" in told.err
    assert "`price` must be a number" in told.err
