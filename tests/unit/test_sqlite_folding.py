"""Case in search: letters are folded one by one, and every spelling lies in a range of the index."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custctl.engines.sought import REVERSED
from custctl.engines.sqlite.folding import fold, prefix_ranges
from tests import searches
from tests.conftest import REPOSITORY

ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def in_ranges(value: str, needle: str) -> bool:
    key = value.translate(ASCII_LOWER)
    return any(
        low.translate(ASCII_LOWER) <= key < high.translate(ASCII_LOWER) for low, high in prefix_ranges(fold(needle))
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [("ΟΔΟΣ", "οδος"), ("ΟΔΟΣ", "οδοσ"), ("Straße", "STRAẞE"), ("Ǆ", "ǅ"), ("ЁЛКА", "ёлка"), ("ϴ", "θ")],
)
def test_case_does_not_matter(one: str, other: str) -> None:
    assert fold(one) == fold(other)
    for value, needle in ((one, other), (other, one)):
        assert in_ranges(value, needle)


def test_a_word_may_go_on_behind_a_sigma() -> None:
    assert fold("ΟΔΟΣΑ").startswith(fold("ΟΔΟΣ"))


def test_a_dotted_capital_i_is_a_letter_of_its_own() -> None:
    assert fold("İBRAHİM") == "İbrahİm"
    assert in_ranges("İbrahim", "İb")


@given(st.text(st.characters(exclude_categories=["Cs", "Cn"]), min_size=1, max_size=4))
def test_every_spelling_of_a_prefix_lies_in_its_ranges(text: str) -> None:
    needle = unicodedata.normalize("NFC", text)
    for value in (needle, needle.lower(), needle.upper(), needle.title(), needle.swapcase()):
        stored = unicodedata.normalize("NFC", value) + "x"
        if fold(stored).startswith(fold(needle)):
            assert in_ranges(stored, needle)


# -- what words are searched by --------------------------------------------------------------------

NAMES = ("email", "first_name", "last_name", "company", "city", "phone")


@pytest.fixture(scope="module")
def view() -> Iterator[sqlite3.Connection]:
    """The view that the search indexes are made of, over a table without rules."""
    driver = sqlite3.connect(":memory:", isolation_level=None)
    driver.execute(f"CREATE TABLE customer (id INTEGER PRIMARY KEY, {', '.join(NAMES)})")
    for script in ("migrations/0006_create_customer_words.sql", "repeatable/custctl_searched.sql"):
        driver.executescript((REPOSITORY / "sql/sqlite" / script).read_text(encoding="utf-8"))
    yield driver
    driver.close()


def check_view(view: sqlite3.Connection, rows: list[dict[str, str]]) -> None:
    view.execute("DELETE FROM customer")
    view.executemany(f"INSERT INTO customer ({', '.join(NAMES)}) VALUES ({', '.join(f':{n}' for n in NAMES)})", rows)
    shown = view.execute("SELECT texts, more FROM custctl_searched ORDER BY id").fetchall()
    for row, (texts, more) in zip(rows, shown, strict=True):
        expected, further = searches.document(row)
        assert texts == expected, row
        # A joined or respelled name that equals the name itself need not be there twice, nor the sign before no digits.
        assert searches.words(f"{texts} {more} {REVERSED}") == searches.words(f"{expected} {further} {REVERSED}"), row


def test_sqlite_folds_every_letter_as_python_does(view: sqlite3.Connection) -> None:
    letters = list(filter(searches.is_old, map(chr, range(0x20, 0x110000))))
    # Between digits, which no mark is combined with.
    texts = ["0".join(letters[at : at + 50]) for at in range(0, len(letters), 50)]
    check_view(view, [dict.fromkeys(NAMES, "") | {"first_name": text} for text in texts])


@pytest.mark.parametrize("joiner", searches.JOINERS)
def test_sqlite_joins_a_plain_name_at_each_joiner(view: sqlite3.Connection, joiner: str) -> None:
    row = dict.fromkeys(NAMES, "") | {"first_name": f"a{joiner}b"}
    check_view(view, [row])
    assert "ab" in searches.words(view.execute("SELECT more FROM custctl_searched").fetchone()[0])


@settings(max_examples=30)
@given(st.lists(st.fixed_dictionaries(dict.fromkeys(NAMES, searches.texts())), max_size=5))
def test_sqlite_folds_any_text_as_python_does(view: sqlite3.Connection, rows: list[dict[str, str]]) -> None:
    check_view(view, rows)
