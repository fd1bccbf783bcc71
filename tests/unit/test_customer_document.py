"""The YAML document of `customer edit`: what is written comes back, and nothing typed is lost silently."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from custctl.customers.document import annotate, document, parse_document, quoted
from custctl.customers.merge import FieldConflict
from custctl.customers.model import EDITABLE
from custctl.support.errors import ExitCode, InvalidError
from custctl.support.text import UNSAFE

TRAPS = [
    "no", "NO", "null", "Null", "~", "1e3", "0123", "1_000", "12:30:45", "2024-01-01", "0x1f", ".inf", "=",
    "<<", "---", "...", "- a", "a: b", "a #b", "#a", "'", '"', "\\", "[/x]",
    "{a}", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a", " a ",
    "a\n\nb", "\t", "\ufeff", "\x85", "\u2028", "\u202e", "\ud800", "\U0001f600",
]  # fmt: skip
VALUES = st.sampled_from(TRAPS) | st.text(st.characters(), min_size=1)


@given(st.dictionaries(st.sampled_from(EDITABLE), st.none() | VALUES, min_size=1), VALUES)
def test_a_document_comes_back_exactly(fields: dict[str, str | None], title: str) -> None:
    text = document(fields, title=title)
    assert parse_document(text) == fields
    assert re.search(UNSAFE, text.replace("\n", "")) is None


@given(VALUES)
def test_other_readers_of_yaml_see_the_same_text(value: str) -> None:
    assert yaml.safe_load(f"field: {quoted(value)}") == {"field": value}


@pytest.mark.parametrize("value", TRAPS)
def test_traps_come_back(value: str) -> None:
    assert parse_document(document({"phone": value})) == {"phone": value}


@given(VALUES, VALUES, VALUES)
@example("a\nphone: x", "b\nphone: y", "c")
def test_a_conflict_shows_three_values_and_keeps_mine(base: str, theirs: str, mine: str) -> None:
    conflict = FieldConflict("phone", base, theirs, mine)
    text = document({"phone": mine, "city": "Köln"}, conflicts=[conflict])
    assert parse_document(text) == {"phone": mine, "city": "Köln"}
    assert f"# was:    {quoted(base)}\n# theirs: {quoted(theirs)}\n" in text
    assert "# conflict: someone else changed this field: `phone`\n" in text


def test_a_document_is_friendly() -> None:
    text = document(
        {"email": "ada@example.com", "first_name": "Ada", "phone": "0123", "city": None}, title="customer 42"
    )
    head, _, body = text.partition("\n\n")
    assert head.startswith("# customer 42\n")
    assert all(line.startswith("# ") for line in head.splitlines())
    assert body == 'email: ada@example.com\nfirst_name: Ada\nphone: "0123"\ncity:\n'


def test_every_value_is_text_as_it_stands() -> None:
    typed = (
        "phone: 0123\ncountry: NO\ncity: 1e3\nregion: ~\ncompany:\nlast_name: Null\nfirst_name: ''\npostal_code: 12:30"
    )
    assert parse_document(typed) == {
        "phone": "0123",
        "country": "NO",
        "city": "1e3",
        "region": None,
        "company": None,
        "last_name": "Null",
        "first_name": None,
        "postal_code": "12:30",
    }


@pytest.mark.parametrize("text", ["", "\n \n", "# only a comment\n", "---\n", "---\n...\n"])
def test_an_emptied_document_gives_up(text: str) -> None:
    assert parse_document(text) is None


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("email: a@x.com\nfone: 1\n", 2, "unknown field `fone`"),
        ("id: 3", 1, "`id` cannot be edited"),
        ("phone: 1\n\nphone: 2", 3, "listed twice"),
        ("phone: &a 1", 1, "anchor"),
        ("&a phone: 1", 1, "anchor"),
        ("phone: *a", 1, "alias"),
        ("phone: !!str 1", 1, "tag"),
        ("!!map\nphone: 1", 1, "tag"),
        ("phone: [1]", 1, "list or mapping"),
        ("phone:\n  a: b", 2, "list or mapping"),
        ("? [a]\n: b", 1, "list or mapping"),
        ("- phone", 1, "does not have the form"),
        ("phone", 1, "does not have the form"),
        ("company: Studio #54", 1, "would be lost from `company`"),
        ("phone: #1", 1, "would be lost from `phone`"),
        ("phone: '1' # home", 1, "would be lost from `phone`"),
        ("city: x\nphone: @a", 2, "cannot start any token"),
        ("city: x\nphone: a: b", 2, "mapping values"),
        ("city: x\nphone: 'a", 2, "unexpected end"),
        ("city: x\n\tphone: 1", 2, "cannot start any token"),
        ("city: x\nphone: a\x1bb", 2, "U+001B"),
        ("city: x\nphone: a\udcffb", 2, "the byte FF is not UTF-8"),
        ("phone: 1\n---\nphone: 2", 2, "second document"),
        ("<<: {phone: 1}", 1, "unknown field `<<`"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_document(text)
    error = caught.value
    assert error.exit_code == ExitCode.INVALID
    assert error.message.startswith(f"line {line}: ")
    assert message in error.message
    assert error.hint
    assert error.details == {"line": line}


def test_a_misspelt_field_is_guessed() -> None:
    with pytest.raises(InvalidError) as caught:
        parse_document("fist_name: Ada")
    assert caught.value.hint == "did you mean `first_name`?"


@given(st.text(st.characters()) | st.text(st.sampled_from("phone: city\n\r#'\"-[]{}&*!|>%@`,?~ \t\x85")))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_document(text)
    except InvalidError as caught:
        refusal = caught
    else:
        assert found is None or set(found) <= set(EDITABLE)
        return
    assert refusal.details["line"] >= 1
    assert re.search(UNSAFE, refusal.message) is None


@given(st.text(), VALUES, VALUES)
def test_an_annotated_text_is_what_was_typed_below_one_line(typed: str, first: str, second: str) -> None:
    if typed.startswith("# error: "):
        return
    once = annotate(typed, first)
    assert once.partition("\n")[2] == typed
    assert annotate(once, second) == annotate(typed, second)
