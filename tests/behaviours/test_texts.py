"""Text is kept as it is given, whatever its script: to the last character of each field's length, and not one more."""

from __future__ import annotations

import pytest

from custctl.customers.model import MAX_LENGTH
from tests.behaviours.support import Place, editable, options

TEXTS = tuple(name for name in MAX_LENGTH if name not in ("email", "status"))
# Local part and domain as long as they may be, 254 characters in all.
LONGEST_EMAIL = f"{'e' * 64}@{'a' * 63}.{'b' * 63}.{'c' * 57}.com"


@pytest.mark.parametrize(
    "char",
    [
        "x",
        "\u00df",
        "\u5b57",
        "\U0001f98a",  # outside the basic plane: two units of UTF-16
        "\u0301",  # a combining accent on nothing that it could be composed with
    ],
)
def test_every_field_holds_its_full_length_and_no_more(shared: Place, char: str) -> None:
    full = {name: ("q" + char * MAX_LENGTH[name])[: MAX_LENGTH[name]] for name in TEXTS}
    email = f"length{ord(char)}@example.com"
    added = shared.add(email=email, **full)
    assert editable(added) == {"email": email, "status": "active", **full}
    assert shared.json("customer", "get", email) == added
    longer = {name: value + char for name, value in full.items()}
    for command in (("add", "--email", f"x{email}"), ("update", email)):
        error = shared.refused(9, "customer", *command, *options(longer))
        assert set(error["details"]["fields"]) == set(TEXTS)
        assert error["details"]["fields"]["phone"] == "has 41 characters, 40 are allowed"
    assert shared.json("customer", "get", email) == added


def test_an_email_holds_its_full_length_and_no_more(shared: Place) -> None:
    assert len(LONGEST_EMAIL) == MAX_LENGTH["email"]
    added = shared.add(email=LONGEST_EMAIL)
    assert added["email"] == LONGEST_EMAIL
    assert shared.json("customer", "get", LONGEST_EMAIL.upper()) == added
    longer = LONGEST_EMAIL.replace(".c", ".cc", 1)
    assert set(shared.refused(9, "customer", "update", str(added["id"]), "--email", longer)["details"]["fields"]) == {
        "email"
    }
    with pytest.raises(shared.errors()):
        shared.sql(f"UPDATE customer SET email = {shared.literal('x' * 300 + LONGEST_EMAIL)} WHERE id = {added['id']}")
    assert shared.json("customer", "get", str(added["id"])) == added


def test_text_is_composed_and_trimmed_and_otherwise_left_alone(shared: Place) -> None:
    given = {
        "email": "text@example.com",
        "first_name": "\u3000Ame\u0301lie \u00a0",
        "last_name": "x\u0323\u0301\u0308",  # what has no composed form stays as it is
        "phone": "-+=@'\"`;--/*",
        "company": "NULL",
        "address_line": "null \\N \\. \\\\ $1 $x$ ${HOME} %s %(x)s ? :x {x} @x GO",
        "city": "\u0130\u0131\u00df\u1e9e\ufb01\u01c5\u03c2",
        "region": "\u05d0\u200f\u202eabc\u202c",
        "postal_code": "a  b",
        "country": "\U0001f1e6\U0001f1f9\u200d\U0001f468\U0001f3fd",
    }
    added = shared.add(**given)
    assert editable(added) == {**given, "first_name": "Amélie", "last_name": "x\u0323\u0301\u0308", "status": "active"}
    assert shared.json("customer", "get", "text@example.com") == added
    assert shared.items("customer", "list", "--country", given["country"]) == [added]
    # What is compared is every character: neither width, nor accents, nor case, nor ligatures are alike.
    for other in ("\U0001f1e6\U0001f1f9", "\uff41", "NULL"):
        assert shared.items("customer", "list", "--country", other) == []


@pytest.mark.parametrize("char", ["\0", "\t", "\n", "\x1b", "\x1f", "\x7f", "\x85", "\x9b", "\u2028"])
def test_control_characters_are_refused(shared: Place, char: str) -> None:
    (shared.path / "one.jsonl").write_text(
        f'{{"email": "control@example.com", "first_name": "a{chr(92)}u{ord(char):04x}b", "last_name": "x"}}\n'
    )
    result = shared.run("customer", "import", "one.jsonl")
    assert result.code == 10
    assert f"`first_name` contains the control character U+{ord(char):04X}" in result.err
    if char != "\0":  # which no argument can hold
        error = shared.refused(9, "customer", "add", "--email", "x@example.com", "--first-name", f"a{char}b")
        assert error["details"]["fields"]["first_name"] == f"contains the control character U+{ord(char):04X}"


def test_emails_that_differ_in_any_character_are_two(shared: Place) -> None:
    """Collations that ignore case ignore more: widths, accents, ligatures, trailing blanks."""
    emails = ["strasse@example.com", "straße@example.com", "strässe@example.com", "страссе@example.com"]
    for email in emails:
        shared.add(email=email)
    for email in emails:
        assert shared.json("customer", "get", email.upper() if "ß" not in email else email)["email"] == email
        assert shared.refused(5, "customer", "add", *options({"email": email, "first_name": "X", "last_name": "Y"}))
