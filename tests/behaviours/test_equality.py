"""What equals what: blanks at the end, case, width and accents are told apart, on every engine as in Python."""

from __future__ import annotations

import shlex

import pytest

from tests.behaviours.support import Place

VALUES = (
    "Austria",
    "Austria ",
    "austria",
    "straße",
    "strasse",
    "ＡＢ",
    "AB",
    "é",
    "e\u0301",
    "50%",
    "a_b",
    "[a]",
    "x\\y",
)
# Behind another character, alone, and side by side.
LOOKED_FOR = ("%", "_", "[", "]", "\\", "^", "-", "50%", "%]", "a_", "[a", "[a]", "\\y", "x\\", "_b", "0%")


@pytest.fixture(scope="module")
def filled(shared: Place) -> Place:
    """A database into which another client has written each of the values."""
    rows = [
        {"email": f"e{number}@equal.example", "first_name": "E", "last_name": "Q", "country": value, "company": value}
        for number, value in enumerate(VALUES)
    ]
    shared.insert(rows)
    return shared


@pytest.mark.parametrize("value", [*VALUES, "Austria  ", " Austria"])
def test_a_filter_takes_a_value_exactly(filled: Place, value: str) -> None:
    found = filled.items("customer", "list", "--country", value, "--limit", "0")
    # What is asked for is brought into the form in which custctl keeps it, and not trimmed.
    wanted = "é" if value == "e\u0301" else value
    assert [item["country"] for item in found] == [held for held in VALUES if held == wanted], shlex.quote(value)


def test_pages_by_values_that_differ_in_blanks_alone_are_whole(filled: Place) -> None:
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = filled.json(
            "customer", "list", *(["--after", cursor] if cursor else ["--sort", "country", "--limit", "2"])
        )
        seen += [item["email"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == filled.count("customer")


@pytest.mark.parametrize("text", LOOKED_FOR)
def test_a_character_of_a_pattern_stands_for_itself(filled: Place, text: str) -> None:
    found = filled.items("customer", "search", text, "--contains", "--limit", "0")
    assert sorted(item["company"] for item in found) == sorted(value for value in VALUES if text in value)
