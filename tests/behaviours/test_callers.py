"""Customers are found by what callers say: the one who is meant is on the first page, on each engine."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import pytest

from custctl.customers.pages import read_all, read_page
from custctl.customers.queries import decode_cursor, search_query
from custctl.customers.suggestions import near
from custctl.engines.base import Database
from custctl.support.letters import folded
from tests.behaviours.support import Place
from tests.callers import CALLERS, LOOSELY, SAID, TYPOS

PAGE = 50  # rows, as `customer search` shows them
CROWD = 300  # synthetic customers before and after those who are meant; the benchmark has 100,000
ENOUGH = 0.98


@pytest.fixture(scope="module")
def database(shared: Place) -> Iterator[Database]:
    path = shared.path / "callers.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(CALLERS[0].row))
        writer.writeheader()
        writer.writerows(caller.row for caller in CALLERS)
    shared.ok("seed", "--customers", str(CROWD), "--random-seed", "1")
    shared.ok("customer", "import", str(path))
    shared.ok("seed", "--customers", str(CROWD), "--random-seed", "2")
    found = shared.open()
    try:
        yield found
    finally:
        found.close()


def test_who_is_meant_is_on_the_first_page(database: Database) -> None:
    missed = [
        (said, email)
        for said, email in SAID
        if email not in {each.email for each in read_page(database, search_query(said), PAGE).items}
    ]
    assert len(SAID) >= 200
    assert len(missed) <= (1 - ENOUGH) * len(SAID), missed


@pytest.mark.parametrize(("said", "email"), LOOSELY)
def test_what_is_said_too_much_is_ignored_if_nothing_is_found_with_it(
    database: Database, said: str, email: str
) -> None:
    page = read_page(database, search_query(said), PAGE)
    assert page.loose
    assert email in {each.email for each in page.items}


def test_what_is_found_as_it_was_said_is_not_found_loosely(database: Database) -> None:
    assert [said for said, _ in SAID if read_page(database, search_query(said), PAGE).loose] == []


def test_a_loose_search_goes_on_from_page_to_page(database: Database) -> None:
    whole = [each.id for each in read_all(database, search_query("example"))]
    query, position, found = search_query("Mr example"), None, []
    assert [each.id for each in read_all(database, query)] == whole
    while True:
        page = read_page(database, query, 7, position)
        assert page.loose
        found += [each.id for each in page.items]
        if page.next is None:
            break
        _, position = decode_cursor(page.next)
    assert found == whole


@pytest.mark.parametrize(("typed", "meant"), TYPOS)
def test_a_wrong_letter_is_answered_by_what_may_be_meant(database: Database, typed: str, meant: str) -> None:
    query = search_query(typed)
    assert read_page(database, query, PAGE).items == ()
    assert folded(meant) in folded(" ".join(near(database, query)))
