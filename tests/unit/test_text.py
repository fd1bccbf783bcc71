"""What reaches a terminal, a spreadsheet or a JSON reader."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from custctl.text import UNSAFE, escape_json, guard_formula, nearest, unguard_formula, visible

# Lone surrogates too: argv can carry undecodable bytes.
ANYTHING = st.text(st.characters())
STEERING = st.text(st.sampled_from("a=+-@'\"\\\x00\x1b\r\n\t\x7f\x9b\u061c\u200e\u2028\u202e\u2066\ud800\U0001f600"))


@given(ANYTHING | STEERING)
def test_visible_text_holds_nothing_that_steers_a_terminal(text: str) -> None:
    shown = visible(text)
    assert UNSAFE.search(shown) is None
    assert shown.isascii() or shown.encode()  # no lone surrogate is left that could not be written


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("a\tb\r\n", "a\\tb\\r\\n"),
        ("\x9b", "\\x9b"),
        ("ab\u202ecd", "ab\\u202ecd"),
        ("\ud800", "\\ud800"),
        ("Łódź [/x]", "Łódź [/x]"),
    ],
)
def test_visible_spells_what_it_replaces(raw: str, shown: str) -> None:
    assert visible(raw) == shown


@given(ANYTHING | STEERING)
@example("''=1")
@example("'")
def test_a_guarded_cell_comes_back_exactly(cell: str) -> None:
    assert unguard_formula(guard_formula(cell)) == cell


@given(st.sampled_from("=+-@"), ANYTHING)
def test_no_guarded_cell_is_a_formula(sign: str, rest: str) -> None:
    assert guard_formula(sign + rest) == "'" + sign + rest


def test_an_ordinary_quote_is_left_alone() -> None:
    assert guard_formula("'t Hooft") == unguard_formula("'t Hooft") == "'t Hooft"


@given(
    st.recursive(
        ANYTHING | STEERING | st.integers() | st.none(),
        lambda inner: st.lists(inner) | st.dictionaries(ANYTHING, inner),
    )
)
def test_escaping_json_changes_nothing_for_its_reader(value: object) -> None:
    document = json.dumps(value, ensure_ascii=False, indent=2)
    escaped = escape_json(document)
    assert json.loads(escaped) == json.loads(document)
    assert UNSAFE.search(escaped.replace("\n", "")) is None


def test_nearest_guesses_a_misspelt_word_and_nothing_else() -> None:
    assert nearest("fist_name", ("first_name", "last_name")) == "first_name"
    assert nearest("zzz", ["first_name"]) is None
