"""What a search text must find."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from custctl.customers import loosely
from custctl.customers.searching import read
from custctl.engines.sought import Term

PARTS = st.sampled_from(
    ["St.", "mr", "and", "&", "8", "+7", "(0)", "00", "912", "345-67", "ext 5", "'", "@", "é", "-", "1" * 30]
)


@example(["00", "912", "345678901"], " ", True)
@given(st.lists(PARTS | st.text(max_size=3), max_size=6), st.sampled_from(["", " ", "-"]), st.booleans())
def test_no_term_is_empty(parts: list[str], between: str, is_loose: bool) -> None:
    text = between.join(parts)
    needs = loosely.read(text) if is_loose else read(text)
    assert all(term.text for need in needs for terms in need for term in terms)
    assert all(terms for need in needs for terms in need)
    assert all(needs)


@pytest.mark.parametrize("text", ["mailto:ada@example.com", "tel:+44 20 7946 0958", "Tel: +44 20 7946 0958"])
def test_the_scheme_of_a_link_is_no_word(text: str) -> None:
    assert read(text) == read(text.partition(":")[2])
    assert read("hotel:ada") != read("ada")


def test_what_is_left_of_a_text_of_titles_is_nothing() -> None:
    assert loosely.read("Mr. and Mrs") == ()
    assert loosely.read("Mr. Ada") == loosely.read("ada")


def test_an_initial_and_a_name_that_begins_like_a_title_are_kept() -> None:
    for text in ("E Smith", "Drake", "Andrea", "x5 y"):
        assert loosely.read(text) == read(text)


def found(text: str) -> set[tuple[Term, ...]]:
    """Return the alternatives of a text that is one need, read loosely."""
    (need,) = loosely.read(text)
    return set(need)


def test_particles_are_found_as_words_of_their_own_and_as_part_of_the_name() -> None:
    van, der = Term("van", whole=True), Term("der", whole=True)
    assert {(van, der, Term("berg")), (van, Term("derberg"))} <= found("vanderBerg")
    assert {(Term("van"), Term("der"), Term("berg")), (Term("vanderberg"),)} <= found("van der Berg")
    assert found("vander") == {(Term("vander"),), (van, Term("der"))}
    assert found("dede") == {(Term("dede"),)}
    assert len(loosely.read("berg van der")) == 3


def test_a_few_letters_alone_are_initials_that_are_whole_words() -> None:
    assert found("abc") == {(Term("abc"),), tuple(Term(letter, whole=True) for letter in "abc")}
    assert found("A.B.C. Ltd.") >= {(Term("abc"),), (Term("a"), Term("b"), Term("c"))}
