"""How the planner answers a search, whatever it thinks of the table, and what the ranges of ids that it is asked for hold."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from custctl.cli.context import Context
from custctl.customers import searching
from custctl.customers.pages import read_page
from custctl.customers.queries import decode_cursor, search_query
from custctl.customers.suggestions import mistyped
from custctl.engines.base import Database
from custctl.engines.sought import Need, Sought
from tests.inside import inside
from tests.servers.installations import installations
from tests.servers.projects import EngineProject

ROWS = """
INSERT INTO customer (email, first_name, last_name, phone)
SELECT 'e' || i || '@example.com', 'F' || i, 'L' || i, '+44 20 ' || 10000000 + i FROM generate_series(1, 1000) AS i
"""
# The other way that there is: in order of the id, which needs no sort and only looks cheap.
NO_SORT = "SET enable_sort = off"
WORKERS = """
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0; SET min_parallel_index_scan_size = 0
"""
# On both sides of the ends of ranges: with so many ids in the first one, the second one ends 70,000 behind it for a page of 13.
IDS = (-5, *range(1, 7), 19_995, 19_996, 20_002, 20_003, 89_995, 89_996, 10**12, 2**63 - 1)

pytestmark = pytest.mark.parametrize("engine_project", list(installations()), indirect=True)


@pytest.fixture
def database(engine_project: EngineProject) -> Iterator[Database]:
    inside(engine_project)
    opened = Context({"env": ["dev"]}, engine_project.environ, engine_project.path).database
    try:
        yield opened
    finally:
        opened.close()


def plan(database: Database, needs: tuple[Need, ...], settings: str) -> str:
    with database.reading() as connection:
        connection.send(settings)
        hits = connection.hits(Sought(needs, None, 51))
        return "\n".join(connection.send(f"EXPLAIN {hits.text}", hits.parameters, hits.values).scalars())


@pytest.mark.parametrize(("text", "scans"), [("+44 20 10000123", 4), ("100123", 2), ("f123 10000123", 2)])
def test_a_phone_is_looked_up_in_the_index_without_statistics(
    engine_project: EngineProject, database: Database, text: str, scans: int
) -> None:
    engine_project.sql(ROWS)
    shown = plan(database, searching.read(text), NO_SORT)
    assert shown.count("Bitmap Index Scan on customer_words") == scans, shown


def test_what_may_be_meant_is_looked_up_in_the_index(engine_project: EngineProject, database: Database) -> None:
    engine_project.sql(ROWS)
    # A thousand rows are so few that the planner would read them all.
    shown = plan(database, mistyped(searching.read("lovelase")), f"{NO_SORT}; SET enable_seqscan = off")
    assert shown.count("Bitmap Index Scan on customer_words") == 2


@pytest.mark.parametrize("text", ["example", "exa", "e", "f123 e", "100123"])
def test_a_search_starts_no_workers(engine_project: EngineProject, database: Database, text: str) -> None:
    engine_project.sql(ROWS)
    shown = plan(database, searching.read(text), WORKERS)
    assert "Gather" not in shown, shown


@pytest.mark.parametrize(
    ("text", "checked"),
    [
        ("hikaru k", True),
        ("hikaru d'artagnan", True),
        ("d'artagnan", True),
        ("jean-luc", False),
        ("20 7946", False),
        ("hikaru 20 7946", True),
        ("ひかる 月", False),
        ("김 월", False),
    ],
)
def test_a_letter_is_only_checked_on_rows_but_a_character_of_many_is_looked_up(
    engine_project: EngineProject, database: Database, text: str, checked: bool
) -> None:
    engine_project.sql(ROWS)
    assert ("Subquery Scan on held" in plan(database, searching.read(text), NO_SORT)) == checked


@pytest.mark.parametrize("text", ["Frequent", "Freq", "F", "A-Freq", "example com", "exa F", "555 0100 F", "555 0100"])
def test_pages_are_whole_where_ids_are_far_apart(engine_project: EngineProject, database: Database, text: str) -> None:
    rows = ", ".join(f"({at}, 'e{at}@example.com', 'A', 'Frequent', '555 0100')" for at in IDS)
    columns = "id, email, first_name, last_name, phone"
    engine_project.sql(f"INSERT INTO customer ({columns}) OVERRIDING SYSTEM VALUE VALUES {rows}")
    for limit in (2, 3, 5, 13, 20):
        assert list(_found(database, text, limit)) == sorted(IDS), limit


def _found(database: Database, text: str, limit: int) -> Iterator[int]:
    after = None
    while True:
        page = read_page(database, search_query(text), limit, after)
        yield from (each.id for each in page.items)
        if page.next is None:
            return
        _, after = decode_cursor(page.next)
