"""What somebody typed into a document, as lines, and back in another one."""

from __future__ import annotations

from custctl.customers.document import document
from custctl.customers.typed import lines_of, overlaid, title, typed_lines, typed_values, version_of

FIELDS = {"email": "ada@example.com", "phone": None, "city": "London"}


def _document() -> str:
    return document(FIELDS, title=title(7, "dev", "e1-3"))


def test_a_document_says_what_it_was_made_of() -> None:
    assert version_of(_document()) == "e1-3"
    assert version_of("phone: 1") is None


def test_typed_are_the_lines_that_were_not_shown() -> None:
    shown = set(_document().splitlines())
    edited = _document().replace("city: London", "city: Graz\n# call back")
    assert typed_lines(f"{edited}\n \n", shown) == ["city: Graz", "# call back"]
    assert typed_lines(_document(), set()) != []
    assert typed_lines("# customer 7 of dev, version e1-3\n", set()) == []


def test_what_the_browser_kept_is_read_too() -> None:
    kept = "# version: e1-3\n" + document({"city": "Graz"}, title="customer 7 of dev")
    assert version_of(kept) == "e1-3"
    assert typed_lines(kept, set(_document().splitlines())) == ["city: Graz"]


def test_typed_lines_take_the_place_of_the_documents_own() -> None:
    made = overlaid(_document(), ["phone: |", "  1", "  2", "city: Graz", "nonsense: x"])
    assert made.endswith(
        "\nemail: ada@example.com\n# now:\nphone: |\n  1\n  2\n# now: London\ncity: Graz\nnonsense: x\n"
    )


def test_typed_values_by_field() -> None:
    assert typed_values(["# a", "phone: 1", "city : Graz", " more"]) == {"phone": "1", "city": "Graz\n more"}


def test_lines_of_fields() -> None:
    assert lines_of(_document(), {"phone", "city"}) == ["phone:", "city: London"]
