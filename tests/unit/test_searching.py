"""What a search text must find."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from custctl.customers.searching import read

PARTS = st.sampled_from(
    ["St.", "mr", "and", "&", "8", "+7", "(0)", "00", "912", "345-67", "ext 5", "'", "@", "é", "-", "1" * 30]
)


@example(["00", "912", "345678901"], " ", True)
@given(st.lists(PARTS | st.text(max_size=3), max_size=6), st.sampled_from(["", " ", "-"]), st.booleans())
def test_no_term_is_empty(parts: list[str], between: str, loosely: bool) -> None:
    needs = read(between.join(parts), loosely=loosely)
    assert all(term.text for need in needs for terms in need for term in terms)
    assert all(terms for need in needs for terms in need)
    assert all(needs)


@pytest.mark.parametrize("text", ["mailto:ada@example.com", "tel:+44 20 7946 0958", "Tel: +44 20 7946 0958"])
def test_the_scheme_of_a_link_is_no_word(text: str) -> None:
    assert read(text) == read(text.partition(":")[2])
    assert read("hotel:ada") != read("ada")


def test_what_is_left_of_a_text_of_titles_is_nothing() -> None:
    assert read("Mr. and Mrs", loosely=True) == ()
    assert read("Mr. Ada", loosely=True) == read("ada")


def test_an_initial_and_a_name_that_begins_like_a_title_are_kept() -> None:
    for text in ("E Smith", "Drake", "Andrea", "Mst", "x5 y"):
        assert read(text, loosely=True) == read(text)
