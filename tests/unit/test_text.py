"""What reaches a terminal, a spreadsheet or a JSON reader."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from custctl.support.errors import CustctlError
from custctl.support.text import UNSAFE, escape_json, guard_formula, nearest, unguard_formula, visible, without_hashes

# Lone surrogates too: argv can carry undecodable bytes.
ANYTHING = st.text(st.characters())
STEERING = st.text(st.sampled_from("a=+-@'\"\\\x00\x1b\r\n\t\x7f\x9b\u061c\u200e\u2028\u202e\u2066\ud800\U0001f600"))

TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


@given(ANYTHING | STEERING)
def test_visible_text_holds_nothing_that_steers_a_terminal(text: str) -> None:
    # By Unicode's own tables: controls, lone surrogates, line and paragraph separators, what turns the direction.
    for char in visible(text):
        assert unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.bidirectional(char) not in TURNING
        assert char not in "\u061c\u200e\u200f"


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
    assert re.search(UNSAFE, escaped.replace("\n", "")) is None


def test_no_unsafe_character_is_printable() -> None:
    every = "".join(map(chr, range(0x110000)))
    assert not any(map(str.isprintable, re.findall(UNSAFE, every)))


def test_nearest_guesses_a_misspelt_word_and_nothing_else() -> None:
    assert nearest("fist_name", ("first_name", "last_name")) == "first_name"
    assert nearest("zzz", ["first_name"]) is None


def test_no_message_quotes_a_hash() -> None:
    told = "the value '$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaA+/' (id $argon2i$x) is refused"
    assert without_hashes(told) == "the value '$argon2…' (id $argon2…) is refused"
    assert CustctlError(told).message == str(CustctlError(told)) == without_hashes(without_hashes(told))
