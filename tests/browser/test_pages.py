"""The window on a list: what is selected and shown is the list's, whatever comes and goes in it; memory is bounded."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from custctl.cli.browser.pages import Pages, Request, read
from custctl.customers.model import Customer
from custctl.customers.pages import Page

SIZE, HELD = 4, 3


def customer(number: int) -> Customer:
    empty: dict[str, Any] = dict.fromkeys(
        ("phone", "company", "address_line", "city", "region", "postal_code", "country")
    )
    return Customer(number, "", "", "", **empty, status="active", version="e1-1", created_at="", updated_at="")


@dataclass
class Table:
    """Customers by id, read by key."""

    ids: set[int]
    reads: int = field(default=0)

    def fetch(self, after: str | None) -> Page:
        self.reads += 1
        ordered = sorted(self.ids)
        begin = bisect_right(ordered, int(after)) if after is not None else 0
        items = tuple(customer(number) for number in ordered[begin : begin + SIZE])
        return Page(items, str(items[-1].id) if len(ordered) > begin + SIZE else None)


def settle(pages: Pages, table: Table) -> None:
    """Read until nothing more is wanted."""
    for _ in range(50):
        request = pages.wanted()
        if request is None:
            return
        pages.take(request, read(request, table.fetch))
    raise AssertionError("it never ends")


def held(pages: Pages) -> list[int]:
    rows = [pages.row(index) for index in range(pages.first, pages.end)]
    assert None not in rows
    return [row.id for row in rows if row is not None]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.integers(-30, 30)),
        st.tuples(st.just("add"), st.integers(0, 400)),
        st.tuples(st.just("remove"), st.integers(0, 400)),
        st.tuples(st.just("resize"), st.integers(0, 30)),
        st.tuples(st.sampled_from(("again", "home")), st.just(0)),
    ),
    max_size=30,
)


@given(st.sets(st.integers(0, 400), max_size=120), STEPS)
def test_what_is_held_is_a_part_of_the_list_in_its_order(ids: set[int], steps: list[tuple[str, int]]) -> None:
    table, pages = Table(ids), Pages(SIZE, HELD)
    settle(pages, table)
    for what, number in steps:
        if what == "move":
            pages.move(number)
        elif what == "add":
            table.ids.add(number)
        elif what == "remove":
            table.ids.discard(number)
        elif what == "resize":
            pages.resize(number)
        elif what == "home":
            pages.home()
        else:
            pages.again()
        settle(pages, table)
        assert what != "home" or pages.at == 0
        numbers = held(pages)
        assert numbers == sorted(set(numbers))
        assert pages.end - pages.first <= SIZE * HELD
        assert pages.first <= pages.top <= max(pages.at, pages.first)
        assert pages.end == pages.first or pages.top <= pages.at < min(pages.top + pages.height, pages.end)
    pages.again()
    settle(pages, table)
    assert set(held(pages)) <= table.ids
    if pages.is_whole and pages.first == 0:
        assert held(pages) == sorted(table.ids)


@given(st.sets(st.integers(0, 400), min_size=30), st.integers(0, 29), st.sets(st.integers(0, 400)))
def test_reading_again_keeps_the_selected_customer(ids: set[int], at: int, more: set[int]) -> None:
    table, pages = Table(set(ids)), Pages(SIZE, HELD)
    settle(pages, table)
    for _ in range(at):
        pages.move(1)
        settle(pages, table)
    chosen = pages.selected
    assert chosen is not None
    # Rows that come and go behind it.
    table.ids |= {number for number in more if number > chosen.id}
    pages.again()
    settle(pages, table)
    assert pages.selected == chosen


def test_the_way_down_and_up_again_passes_every_customer_once() -> None:
    table, pages = Table(set(range(9000))), Pages(SIZE, HELD)
    pages.resize(5)
    settle(pages, table)
    down = [0]
    for _ in range(8999):
        pages.move(1)
        settle(pages, table)
        assert pages.selected is not None
        down.append(pages.selected.id)
    assert down == list(range(9000))
    assert len(pages._starts) <= 1000
    reads = table.reads
    up = [8999]
    for _ in range(8999):
        pages.move(-1)
        settle(pages, table)
        assert pages.selected is not None
        up.append(pages.selected.id)
    assert up == down[::-1]
    # Pages whose beginning is forgotten are reached from an earlier one, and their beginnings are known again.
    assert table.reads - reads < 4 * 9000 / SIZE


def test_an_answer_to_an_outrun_question_changes_nothing() -> None:
    table, pages = Table(set(range(100))), Pages(SIZE, HELD)
    settle(pages, table)
    before = held(pages)
    late = Request(0, None, whole=True)
    pages.take(late, read(late, Table(set()).fetch))
    assert held(pages) == before


def test_a_list_that_became_empty_has_no_row() -> None:
    table, pages = Table(set(range(100))), Pages(SIZE, HELD)
    settle(pages, table)
    for _ in range(60):
        pages.move(1)
        settle(pages, table)
    table.ids.clear()
    pages.again()
    settle(pages, table)
    assert pages.selected is None
    assert (pages.first, pages.end, pages.at) == (0, 0, 0)
