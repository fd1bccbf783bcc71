"""Lists and searches: the same customers in the same order on every engine, page by page or at once.

Order is that of code points. Two things that engines differ in decide about no expectation here: UTF-16 sorts what is
beyond U+FFFF before U+E000, and SQLite sorts the hits in one field by the case of letters beyond ASCII.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from custctl.customers.model import FIELDS
from custctl.customers.pages import read_all, read_page
from custctl.customers.queries import (
    SEARCHED,
    Query,
    decode_cursor,
    list_query,
    search_query,
)
from tests import searches
from tests.behaviours.support import Place, ordered

if TYPE_CHECKING:
    from custctl.engines.base import Database

COLUMNS = ("email", "first_name", "last_name", "phone", "company", "city", "country", "status", "created_at")
# Upper case before lower, ASCII before Latin, Greek, Cyrillic and Chinese; some alike, some missing.
PEOPLE: list[tuple[str | None, ...]] = [
    ("zoë@example.com", "Zoë", "Zwölf", "+44 20 7946 0101", "100% Wool", "Łódź", "Poland", "active", "2026-01-02"),
    ("ada@example.com", "ada", "lovelace", None, "100 Wools", "London", None, "active", "2026-01-02"),
    ("bob@example.com", "Bob", "Lovelace", "+1 202 555 0102", None, "london", "Austria", "closed", "2026-01-01"),
    ("gon@example.com", "Luís", "Gonçalves", "12345", "Embraer_BR", None, "Österreich", "active", "2026-01-03"),
    ("gonc@example.com", "Luis", "Goncalves", "12354", "EmbraerXBR", "Ölen", "austria", "suspended", "2026-01-03"),
    ("софья@example.com", "Софья", "Ковалевская", None, "Ёлка", "Стокгольм", "Austria", "active", "2026-01-02"),
    ("ковал@example.com", "софия", "КОВАЛЕВ", "[x]", "ёлка", None, None, "active", "2026-01-01"),
    ("odysseus@example.com", "Ἀδα", "Ωμέγας", "a\\b", "x^y", "Ιθάκη", "Greece", "closed", "2026-01-04"),
    ("li@example.com", "漢", "字", "漢字", "株式会社 漢字", "東京", "日本", "active", "2026-01-04"),
    ("fox@example.com", "🦊", "Fuchs", "+43 1 70 000 923", "🦊🦊 GmbH", None, "Austria", "active", "2026-01-05"),
    ("quote@example.com", "O'Brien", 'D"Arcy', "'", "%", "_", "Austria", "active", "2026-01-05"),
    ("tick@example.com", "O`Neil", "Smith", None, None, None, None, "active", "2026-01-05"),
    ("twin1@example.com", "Twin", "Twin", "7", "Twin", "Twin", "Poland", "active", "2026-01-06"),
    ("twin2@example.com", "Twin", "Twin", "7", "Twin", "Twin", "Poland", "active", "2026-01-06"),
]


@pytest.fixture(scope="module")
def everyone(shared: Place) -> list[dict[str, Any]]:
    """The customers as `customer list` has them; versions differ, and some are alike."""
    rows = [dict(zip(COLUMNS, person, strict=True)) for person in PEOPLE]
    for row in rows:
        row["created_at"] = f"{row['created_at']}T00:00:00.125"
    shared.insert(rows)
    for emails in ("'bob@example.com', 'li@example.com', 'fox@example.com'", "'fox@example.com', 'twin1@example.com'"):
        shared.sql(f"UPDATE customer SET region = 'moved' WHERE email IN ({emails})")
    return shared.items("customer", "list", "--limit", "0")


@pytest.fixture(scope="module")
def database(shared: Place, everyone: list[dict[str, Any]]) -> Iterator[Database]:
    """Their database, on one connection."""
    made = shared.open()
    yield made
    made.close()


def walk(database: Database, query: Query, limit: int = 2) -> list[int]:
    """Return the ids of all pages, one after the other."""
    ids: list[int] = []
    position = None
    while True:
        page = read_page(database, query, limit, position)
        ids += [found.id for found in page.items]
        if page.next is None:
            return ids
        assert len(page.items) == limit
        carried, position = decode_cursor(page.next)
        assert carried == query


def emails(everyone: list[dict[str, Any]], ids: list[int]) -> list[str]:
    """Return the emails of ids, without what all have in common."""
    by_id = {row["id"]: row["email"].removesuffix("@example.com") for row in everyone}
    return [by_id[number] for number in ids]


# -- lists -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_sorts_both_ways_and_pages_are_the_whole(
    database: Database, everyone: list[dict[str, Any]], field: str
) -> None:
    for sort in (field, f"-{field}"):
        query = list_query(sort, None, None)
        expected = ordered(everyone, sort)
        assert [found.id for found in read_all(database, query)] == expected, sort
        assert walk(database, query) == expected, sort


def test_the_order_is_that_of_code_points(database: Database, everyone: list[dict[str, Any]]) -> None:
    def names(sort: str) -> list[str]:
        return emails(everyone, [found.id for found in read_all(database, list_query(sort, None, None))])

    assert names("company") == [
        "quote", "ada", "zoë", "gonc", "gon", "twin1", "twin2", "odysseus", "софья", "ковал", "li", "fox", "bob", "tick"
    ]  # fmt: skip
    assert names("-company") == [
        "fox", "li", "ковал", "софья", "odysseus", "twin1", "twin2", "gon", "gonc", "zoë", "ada", "quote", "bob", "tick"
    ]  # fmt: skip
    assert names("country") == [
        "bob", "софья", "fox", "quote", "odysseus", "zoë", "twin1", "twin2", "gonc", "gon", "li", "ada", "ковал", "tick"
    ]  # fmt: skip
    assert names("created_at") == [
        "bob", "ковал", "zoë", "ada", "софья", "gon", "gonc", "odysseus", "li", "fox", "quote", "tick", "twin1", "twin2"
    ]  # fmt: skip


def test_filters_are_exact(database: Database, everyone: list[dict[str, Any]]) -> None:
    def names(status: str | None, country: str | None) -> list[str]:
        return emails(everyone, walk(database, list_query("email", status, country)))

    assert names(None, "Austria") == ["bob", "fox", "quote", "софья"]
    assert names(None, "austria") == ["gonc"]
    assert names(None, "O\u0308sterreich") == ["gon"]
    assert names(None, "Osterreich") == []
    assert names("closed", None) == ["bob", "odysseus"]
    assert names("active", "Austria") == ["fox", "quote", "софья"]
    assert names(None, "%") == []
    assert names(None, "Austria ") == []


def test_the_command_walks_by_its_own_cursor(shared: Place, everyone: list[dict[str, Any]]) -> None:
    command = ("customer", "list", "--sort", "-created_at", "--status", "active", "--limit", "3")
    active = [row for row in everyone if row["status"] == "active"]
    first = shared.ok(*command, "-o", "json")
    second = shared.json("customer", "list", "--limit", "5", "--after", first.json["next"])
    third = shared.json(*command, "--after", second["next"])
    assert f"--after {first.json['next']}" in first.err
    found = [*first.json["items"], *second["items"], *third["items"]]
    assert [row["id"] for row in found] == ordered(active, "-created_at")
    assert third["next"] is None
    assert all(row in everyone for row in found)
    assert shared.refused(2, "customer", "list", "--sort", "email", "--after", first.json["next"])
    assert shared.refused(2, "customer", "list", "--sort", "nonsense")["code"] == "usage"


def test_a_list_in_every_format(shared: Place, everyone: list[dict[str, Any]]) -> None:
    """The same bytes for the same data, but for ids, versions and times."""
    command = ("customer", "list", "--status", "closed", "--fields", "email,first_name,company,phone")
    assert shared.ok(*command, "-o", "tsv").out == (
        "email\tfirst_name\tcompany\tphone\n"
        "bob@example.com\tBob\t\t+1 202 555 0102\n"
        "odysseus@example.com\tἈδα\tx^y\ta\\b\n"
    )
    assert shared.ok(*command, "-o", "jsonl").out == (
        '{"email": "bob@example.com", "first_name": "Bob", "company": null, "phone": "+1 202 555 0102"}\n'
        '{"email": "odysseus@example.com", "first_name": "Ἀδα", "company": "x^y", "phone": "a\\\\b"}\n'
    )


# -- searches --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # Neither case nor accents matter; letters are as they are typed on a plain keyboard.
        ("lovel", ["ada", "bob"]),
        ("GONÇ", ["gonc", "gon"]),
        ("gonc\u0327", ["gonc", "gon"]),
        ("goncal luis", ["gon", "gonc"]),
        ("Gonçalves, Luís", ["gon", "gonc"]),
        ("zwolf", ["zoë"]),
        ("zwoelf zoe", ["zoë"]),
        ("lodz", ["zoë"]),
        ("Łódź", ["zoë"]),
        ("ковалевс", ["софья"]),
        ("ЕЛКА", ["софья", "ковал"]),
        ("ωμεγας", ["odysseus"]),
        ("Ὠμέγας αδα", ["odysseus"]),
        ("ithaca", []),
        ("漢", ["li"]),
        # The beginning of every word; whole words first.
        ("wool", ["zoë", "ada"]),
        ("wools", ["ada"]),
        ("london", ["ada", "bob"]),
        ("alevs", []),
        ("twin twin", ["twin1", "twin2"]),
        # Names with an apostrophe, emails and their parts.
        ("o'brien", ["quote"]),
        ("obrien", ["quote"]),
        ("O\u2019Brien D\u2019Arcy", ["quote"]),
        ("oneil", ["tick"]),
        ("O`Neil", ["tick"]),
        ("ada@", ["ada"]),
        ("ada@example.com", ["ada"]),
        ("@example.com ada", ["ada"]),
        # Phones, with words and without.
        ("0044 20 7946", ["zoë"]),
        ("+44 (0)20 7946-0101", ["zoë"]),
        ("020 7946 0101", ["zoë"]),
        ("460101", ["zoë"]),
        ("000923", ["fox"]),
        ("00-0923", ["fox"]),
        ("0923", ["fox"]),
        ("7946", ["zoë"]),
        ("zoe 460101", ["zoë"]),
        ("5550102 lovelace", ["bob"]),
        ("bob 460101", []),
        # What means something to a database means nothing.
        ("%", []),
        ("lov%", ["ada", "bob"]),
        ("_", []),
        ("*", []),
        ("lov*", ["ada", "bob"]),
        ('"lovelace"', ["ada", "bob"]),
        ("zoe OR bob", []),
        ("NOT bob", []),
        ("'", []),
        ("--", []),
    ],
)
def test_what_words_find(database: Database, everyone: list[dict[str, Any]], text: str, found: list[str]) -> None:
    ids = walk(database, search_query(text))
    assert emails(everyone, ids) == found
    assert ids == searches.found(everyone, text)


@pytest.mark.parametrize(
    ("text", "begins", "holds"),
    [
        # Case does not matter; accents do where a field must begin so.
        ("lovel", ["ada", "bob"], ["ada", "bob"]),
        ("LOVEL", ["ada", "bob"], ["ada", "bob"]),
        ("gonç", ["gon"], ["gon", "gonc"]),
        ("GONÇ", ["gon"], ["gon", "gonc"]),
        ("gonc\u0327", ["gon"], ["gon", "gonc"]),
        ("gonca", ["gonc"], ["gon", "gonc"]),
        ("zoë", ["zoë"], ["zoë"]),
        ("ZOË", ["zoë"], ["zoë"]),
        ("ковалев", ["ковал", "софья"], ["софья", "ковал"]),
        ("КОВАЛЕВ", ["ковал", "софья"], ["софья", "ковал"]),
        ("КОВАЛЕВС", ["софья"], ["софья"]),
        ("ёлка", ["софья", "ковал"], ["софья", "ковал"]),
        ("елка", [], ["софья", "ковал"]),
        ("ωμέγα", ["odysseus"], ["odysseus"]),
        # At the end of a word a sigma looks another way, and is the same letter.
        ("ΩΜΈΓΑΣ", ["odysseus"], ["odysseus"]),
        ("ωμέγασ", ["odysseus"], ["odysseus"]),
        ("ωμεγα", [], ["odysseus"]),
        # Anywhere, and under three characters.
        ("alevs", [], []),
        ("АЛЕВ", [], ["софья", "ковал"]),
        ("wool", [], ["zoë", "ada"]),
        ("ódź", [], ["zoë"]),
        ("漢", ["li"], ["li"]),
        ("字", ["li"], ["li"]),
        ("🦊", ["fox"], ["fox"]),
        ("5", [], ["bob", "gon", "gonc"]),
        # The digits of a phone.
        ("442079460101", [], ["zoë"]),
        ("44 20 7946-0101", [], ["zoë"]),
        ("94601", [], ["zoë"]),
        # What means something to a database means itself.
        ("%", ["quote"], ["zoë", "quote"]),
        ("100%", ["zoë"], ["zoë"]),
        ("_", [], ["gon", "quote"]),
        ("er_b", [], ["gon"]),
        ("[x]", ["ковал"], ["ковал"]),
        ("[a-z]", [], []),
        ("\\", [], ["odysseus"]),
        ("a\\b", ["odysseus"], ["odysseus"]),
        ("^", [], ["odysseus"]),
        ("[^y]", [], []),
        ("'", ["quote"], ["quote"]),
        ("o'b", ["quote"], ["quote"]),
        ('d"a', ["quote"], ["quote"]),
        ("*", [], []),
        ("a OR b", [], []),
        ("--", [], []),
        # Each once, though several fields match.
        ("twin", ["twin1", "twin2"], ["twin1", "twin2"]),
    ],
)
def test_how_fields_begin_and_what_they_hold(
    database: Database, everyone: list[dict[str, Any]], text: str, begins: list[str], holds: list[str]
) -> None:
    assert emails(everyone, walk(database, search_query(text, "exact"))) == begins
    # Those that hold the text come by id, as they were made.
    ids = walk(database, search_query(text, "contains"))
    assert ids == searches.found(everyone, text, "contains")
    assert emails(everyone, ids) == holds


@pytest.mark.parametrize("text", ["l", "L", "z", "g", "1", "t", "о", "с", "e"])
def test_an_exact_search_goes_by_field_and_then_by_the_folded_value(
    database: Database, everyone: list[dict[str, Any]], text: str
) -> None:
    expected = []
    for row in everyone:
        lane = next((n for n, name in enumerate(SEARCHED) if (row[name] or "").lower().startswith(text.lower())), None)
        if lane is not None:
            expected.append((lane, row[SEARCHED[lane]].lower(), row["id"]))
    assert walk(database, search_query(text, "exact")) == [number for _, _, number in sorted(expected)]
    assert walk(database, search_query(text)) == searches.found(everyone, text)


@pytest.mark.parametrize("text", ["x" * 3000, "日" * 3000, "1" * 3000])
def test_a_word_longer_than_any_field_finds_nothing(shared: Place, text: str) -> None:
    assert "no customer found" in shared.ok("customer", "search", text).err


def test_the_command_searches_as_the_package_does(shared: Place, everyone: list[dict[str, Any]]) -> None:
    found = shared.json("customer", "search", "gon", "--limit", "1")
    more = shared.json("customer", "search", "--limit", "0", "--after", found["next"])
    rows = [*found["items"], *more["items"]]
    assert emails(everyone, [row["id"] for row in rows]) == ["gon", "gonc"]
    assert all(row in everyone for row in rows)
    held = shared.items("customer", "search", "КОВАЛ", "--contains")
    assert emails(everyone, [row["id"] for row in held]) == ["софья", "ковал"]
    assert shared.json("customer", "search", "nobody at all") == {"items": [], "next": None}
    assert shared.refused(2, "customer", "search", "  ")["code"] == "usage"
    assert shared.refused(2, "customer", "search", "a", "--exact", "--contains")["code"] == "usage"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("lovelcae", "lovelace"),
        ("Ada Lovelase", "Ada lovelace"),
        ("ада ковалефская", None),
        ("Ковалефская", "Ковалевская"),
    ],
)
def test_a_wrong_letter_is_answered_by_what_may_have_been_meant(
    shared: Place, everyone: list[dict[str, Any]], typed: str, meant: str | None
) -> None:
    told = shared.ok("customer", "search", typed)
    assert "no customer found" in told.err
    assert (f"did you mean `{meant}`" in told.err) is (meant is not None)
    assert ("did you mean" in told.err) is (meant is not None)
