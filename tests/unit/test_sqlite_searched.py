"""The index of words is filled with what the view shows, whether the view or Python computes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custctl.engines.sqlite import own_words
from custctl.engines.sqlite.searched import quicker
from custctl.engines.sqlite.secondary import FILL
from tests import searches
from tests.conftest import REPOSITORY

FIELDS = ("email", "first_name", "last_name", "company", "city", "phone", "nickname")
PLAIN = ("ada@example.com", "Ada", "O'Brien-Åström", None, "Łódź", "+44 (0)20 7946 0000", "The Countess")


def make(own: Sequence[str] = ()) -> sqlite3.Connection:
    """Return the view over a table without rules, and a table in place of the index."""
    driver = sqlite3.connect(":memory:", isolation_level=None)
    driver.execute(f"CREATE TABLE customer (id INTEGER PRIMARY KEY, {' TEXT, '.join(FIELDS)} TEXT)")
    for script in ("migrations/0006_create_customer_words.sql", "repeatable/custctl_searched.sql"):
        driver.executescript((REPOSITORY / "sql/sqlite" / script).read_text(encoding="utf-8"))
    for search_index in own_words.missing(driver, own):
        for statement in search_index.statements:
            driver.execute(statement)
    driver.execute("CREATE TABLE customer_words (texts, more)")
    return driver


@pytest.fixture(scope="module")
def plain() -> Iterator[sqlite3.Connection]:
    driver = make()
    yield driver
    driver.close()


@pytest.fixture(scope="module")
def with_own_fields() -> Iterator[sqlite3.Connection]:
    driver = make(("nickname",))
    yield driver
    driver.close()


def check(driver: sqlite3.Connection, rows: Sequence[Sequence[Any]]) -> None:
    """Check that both ways fill the index with the same."""
    driver.execute("DELETE FROM customer")
    driver.executemany(f"INSERT INTO customer ({', '.join(FIELDS)}) VALUES ({', '.join('?' * len(FIELDS))})", rows)
    filled = []
    for statement in (FILL, quicker(driver, FILL)):
        driver.execute("DELETE FROM customer_words")
        driver.execute(statement)
        # As bytes: a text need not be UTF-8.
        found = "SELECT rowid, CAST(texts AS BLOB), CAST(more AS BLOB) FROM customer_words ORDER BY rowid"
        filled.append(driver.execute(found).fetchall())
    assert len(filled[0]) == len(rows)
    assert filled[1] == filled[0]


def phones() -> st.SearchStrategy[str]:
    marks = st.sampled_from("0123456789 ()+-./,:;_*#x\u00a0\u202f\u2010\u2011\u2013\u0664")
    return st.one_of(st.text(marks, max_size=30), st.lists(st.sampled_from(["(0)", "0", "44", " "])).map("".join))


def rows() -> st.SearchStrategy[list[tuple[Any, ...]]]:
    text = searches.texts()
    perhaps = st.none() | text
    return st.lists(st.tuples(text, text, text, perhaps, perhaps, st.none() | phones(), perhaps), max_size=5)


def test_the_shipped_view_is_known(plain: sqlite3.Connection, with_own_fields: sqlite3.Connection) -> None:
    changed = "the view has changed: change what `searched.py` computes with it, and write the view's new digest there"
    assert quicker(plain, FILL) != FILL, changed
    assert quicker(with_own_fields, FILL) != FILL, changed
    assert "nickname" in quicker(with_own_fields, FILL)
    assert quicker(plain, "SELECT 1") == "SELECT 1"


@settings(max_examples=60)
@given(rows())
def test_any_text_is_the_same(plain: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    check(plain, rows)


@settings(max_examples=30)
@given(rows())
def test_own_fields_are_the_same(with_own_fields: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    check(with_own_fields, rows)


def test_every_letter_is_the_same(plain: sqlite3.Connection) -> None:
    # None of the ideographs and Korean syllables, which make up most of Unicode, has another form.
    letters = [chr(code) for code in (*range(1, 0x3400), *range(0xA000, 0xAC00), *range(0xE000, 0x20000))]
    texts = ["0".join(letters[at : at + 50]) for at in range(0, len(letters), 50)]
    check(plain, [(*PLAIN[:1], text, *PLAIN[2:]) for text in texts])


@pytest.mark.parametrize("value", ["a\0É", b"\xff\xfe", b"plain", 7, None, "\U0001f600É"])
@pytest.mark.parametrize("at", range(len(FIELDS)))
def test_what_no_rule_would_let_in_is_the_same(with_own_fields: sqlite3.Connection, at: int, value: object) -> None:
    check(with_own_fields, [PLAIN, (*PLAIN[:at], value, *PLAIN[at + 1 :]), PLAIN])


def test_another_view_is_left_to_itself() -> None:
    driver = make()
    view, _ = own_words.view_of(driver)
    driver.execute("DROP VIEW custctl_searched")
    driver.execute(view.replace("lower(raw)", "upper(raw)"))
    assert quicker(driver, FILL) == FILL
    driver.close()


def test_letters_that_are_folded_to_one_another_are_left_to_the_view() -> None:
    driver = make()
    driver.execute("INSERT INTO custctl_letter (letter, folded) VALUES ('☃', 'É')")
    assert quicker(driver, FILL) == FILL
    driver.close()


def test_letters_that_are_folded_to_capitals_are_the_same() -> None:
    driver = make()
    driver.execute("INSERT INTO custctl_letter (letter, folded) VALUES ('☃', 'Snow')")
    assert quicker(driver, FILL) != FILL
    check(driver, [PLAIN, (*PLAIN[:1], "☃", *PLAIN[2:])])
    driver.close()
