"""Case in search: letters are folded one by one, and every spelling lies in a range of the index."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custctl.engines.sqlite.folding import fold, prefix_ranges

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
