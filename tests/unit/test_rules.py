"""The data rules of customers, and that the fast ways give the verdict of the slow ones."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable

import pytest
from email_validator import EmailNotValidError
from email_validator import validate_email as library
from hypothesis import assume, example, given
from hypothesis import strategies as st

from custctl.customers import rules
from custctl.customers.emails import PLAIN_ADDRESS
from custctl.customers.model import EDITABLE, FIELDS, MAX_LENGTH, REQUIRED, Customer
from custctl.customers.rules import RowValidator, clean_text, normalise_email, validate, validate_email, violations
from custctl.support.errors import ExitCode, InvalidError, UsageError
from custctl.support.patterns import compiled

ADA = {"email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace"}

ADDRESS_LIKE = st.from_regex(r"[a-zA-Z0-9.!#_+'-]{1,8}@([a-zA-Z0-9-]{1,5}\.){0,3}[a-zA-Z0-9-]{1,6}", fullmatch=True)
ODD_ADDRESS = st.text(st.sampled_from("aAzZ09.-_+@ \tßİıſKJ\u030cΣσςéЖ日本xn。ａ\u200d"), max_size=20)
DOMAINS = st.sampled_from(
    [
        "x.com",
        "X.COM",
        "münchen.de",
        "xn--mnchen-3ya.de",
        "XN--MNCHEN-3YA.de",
        "straße.de",
        "б.рф",
        "a.test",
        "a.example",
        "a.invalid",
    ]
)
CELL = st.one_of(
    st.text(
        st.sampled_from("aZ09 .,'é\u0301ŁЖ日한\u1100\u1161\u11a8 \t\n\x1f\u00a0\u202e\U0001f600\u2028"), max_size=12
    ),
    st.text(max_size=6),
    st.sampled_from(["", " ", "active", "Active", "closed", "gone", "x" * 41, "x" * 201]),
)


def test_the_fields_are_those_of_the_dataclass() -> None:
    assert tuple(field.name for field in dataclasses.fields(Customer)) == (*FIELDS, "own")
    assert len(FIELDS) == 15
    assert set(REQUIRED) < set(EDITABLE) < set(FIELDS)
    assert set(MAX_LENGTH) == set(EDITABLE) - {"status"}
    values = {name: name for name in FIELDS}
    customer = Customer(**values)  # type: ignore[arg-type]
    assert list(customer.as_dict().items()) == list(values.items())


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("  Ada ", "Ada"),
        ("\u00a0\u3000\t\nAda\r\n", "Ada"),
        ("Lui\u0301s", "Luís"),
        ("", None),
        (" \u2003 ", None),
        ("a\u202eb", "a\u202eb"),
        ("[/x] =cmd|' /C'", "[/x] =cmd|' /C'"),
        ("\U0001f469\u200d\U0001f680", "\U0001f469\u200d\U0001f680"),
    ],
)
def test_text_is_trimmed_and_normalised(raw: str, kept: str | None) -> None:
    assert clean_text(raw) == kept


@pytest.mark.parametrize(
    "char", ["\x00", "\x1b", "\x1f", "\x7f", "\x80", "\x9b", "\t", "\n", "\r", "\x85", "\u2028", "\u2029", "\udc80"]
)
def test_a_control_character_is_told_not_removed(char: str) -> None:
    with pytest.raises(ValueError, match=f"U\\+{ord(char):04X}"):
        clean_text(f"a{char}b")
    with pytest.raises(ValueError, match="control"):
        clean_text(f"é{char}b")


def test_an_information_separator_is_no_white_space() -> None:
    with pytest.raises(ValueError, match="U\\+001F"):
        clean_text("\x1fAda")


@given(st.text(st.characters()))
def test_clean_text_is_settled_after_one_pass(text: str) -> None:
    try:
        kept = clean_text(text)
    except ValueError:
        assert any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text)
    else:
        assert kept is None or clean_text(kept) == kept == unicodedata.normalize("NFC", kept)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        ("stanisław.wójcik@wp.pl", "stanisław.wójcik@wp.pl"),
        ("STANISŁAW.WÓJCIK@wp.pl", "stanisław.wójcik@wp.pl"),
        ("stanisław.wo\u0301jcik@wp.pl", "stanisław.wójcik@wp.pl"),
        ("a@münchen.de", "a@münchen.de"),
        ("A@XN--MNCHEN-3YA.DE", "a@münchen.de"),
        ("a@MU\u0308NCHEN.de", "a@münchen.de"),
        ("a@shop.test", "a@shop.test"),
        ("a@shop.example", "a@shop.example"),
        ("a@Shop.Invalid", "a@shop.invalid"),
        ("x@y.co", "x@y.co"),
        ("o'neil+list@mail.b--c.org", "o'neil+list@mail.b--c.org"),
        ("J\u030c@x.com", "\u01f0@x.com"),
    ],
)
def test_an_address_has_one_form(raw: str, kept: str) -> None:
    assert validate_email(raw) == kept
    assert validate_email(kept) == kept
    assert normalise_email(f" {raw}\n") == kept


@pytest.mark.parametrize(
    "raw",
    [
        "", "ada", "@x.com", "a@", "a@b", "a@test", "a@localhost", "a@x.local", "a@x.onion", "a..b@x.com", ".a@x.com",
        "a.@x.com", "a b@x.com", '"a b"@x.com', "Ada <ada@x.com>", "a@[127.0.0.1]", "a@1.2.3.4", "a@-x.com", "a@x-.com",
        "a@x..com", "a@x.com.", "a@x_y.com", "a@ab--c.com", "a@xn--ls8h.la", "a@☃.net", "a@b@c.com", "a\n@x.com",
        "a\x00@x.com", "ａ＠x.com",
        "x" * 250 + "@x.com", "a@" + "x" * 64 + ".com", "x" * 100_000, "é" * 100_000 + "@x.com",
    ],
)  # fmt: skip
def test_what_is_no_address(raw: str) -> None:
    with pytest.raises(ValueError, match=r"^[^A-Z]") as caught:
        validate_email(raw)
    assert len(str(caught.value)) < 300
    assert normalise_email(raw) is not None


def _library(address: str) -> str | None:
    try:
        found = library(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return unicodedata.normalize("NFC", found.normalized.lower())


@given(ADDRESS_LIKE)
@example("a" * 64 + "@x.com")
@example("a" * 65 + "@x.com")
@example("a@" + "x" * 63 + ".com")
@example("a@x.ARPA")
@example("a@x.localhost")
@example("a@local.com")
@example("a@x.localx")
@example("a@x.ab-c")
@example(("a" * 60 + "@" + "x." * 100)[:251] + "com")
def test_the_plain_pattern_accepts_only_what_the_library_does(address: str) -> None:
    if compiled(PLAIN_ADDRESS).fullmatch(address) and len(address) <= 254:
        assert _library(address) == address.lower() == validate_email(address)


@pytest.mark.parametrize(
    "address", ["a@x.com", "first.last+tag@mail.some-company.co.uk", "O'Neil_9@a1.io", "a@x.test", "a@x.example"]
)
def test_the_plain_pattern_accepts_ordinary_addresses(address: str) -> None:
    assert compiled(PLAIN_ADDRESS).fullmatch(address)


@given(ODD_ADDRESS | ADDRESS_LIKE | st.builds("{}@{}".format, ODD_ADDRESS, DOMAINS))
def test_a_look_up_finds_what_was_kept(raw: str) -> None:
    try:
        kept = validate_email(raw)
    except ValueError:
        return
    assert validate_email(kept) == kept
    assert normalise_email(raw) == normalise_email(kept) == kept
    assert normalise_email(raw.upper()) == normalise_email(raw.upper().lower())


def test_a_plain_look_up_imports_nothing_heavy() -> None:
    program = (
        "import sys; from custctl.customers.rules import normalise_email, validate_email\n"
        "assert normalise_email('Ada@Example.com') == validate_email('Ada@Example.com')\n"
        "assert normalise_email('Stanisław@wp.pl')\n"
        "assert not {'email_validator', 'idna', 'difflib'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_new_customer_gets_the_default_status() -> None:
    assert validate({**ADA, "phone": " ", "company": None}, partial=False) == {
        **ADA, "phone": None, "company": None, "status": "active",
    }  # fmt: skip
    assert validate({**ADA, "status": ""}, partial=False)["status"] == "active"
    assert validate({**ADA, "status": " Closed "}, partial=False)["status"] == "closed"


def test_a_change_judges_the_given_fields_alone() -> None:
    assert validate({"phone": "", "city": " Köln"}, partial=True) == {"phone": None, "city": "Köln"}
    assert validate({}, partial=True) == {}


def test_every_bad_field_is_named_at_once() -> None:
    with pytest.raises(InvalidError) as caught:
        validate(
            {"email": "ada", "last_name": " ", "phone": "1" * 41, "city": "a\x1bb", "region": 7, "status": "gone"},
            partial=False,
        )
    error = caught.value
    assert error.exit_code == ExitCode.INVALID
    assert error.details["fields"] == {
        "email": "is not a valid address: an email address must have an @-sign",
        "first_name": "is required",
        "last_name": "is required",
        "phone": "has 41 characters, 40 are allowed",
        "city": "contains the control character U+001B",
        "region": "must be text",
        "status": "must be `active`, `suspended` or `closed`",
    }
    assert error.message.startswith("7 fields are not valid: `email` is not")
    assert all(f"`{name}`" in error.message for name in error.details["fields"])


@pytest.mark.parametrize("name", [*REQUIRED, "status"])
@pytest.mark.parametrize("value", ["", " \t", None])
def test_a_required_field_cannot_be_cleared(name: str, value: str | None) -> None:
    with pytest.raises(InvalidError, match=f"1 field is not valid: `{name}`"):
        validate({name: value}, partial=True)


@pytest.mark.parametrize("value", [1, 1.5, True, [], ["a"], {}, b"a"])
def test_a_value_that_is_no_text(value: object) -> None:
    assert violations({"phone": value}, partial=True) == ({}, {"phone": "must be text"})


def test_lengths_are_counted_in_characters_after_normalisation() -> None:
    assert validate({"postal_code": "e\u0301" * 20}, partial=True) == {"postal_code": "é" * 20}
    assert validate({"postal_code": "\U0001f600" * 20}, partial=True) == {"postal_code": "\U0001f600" * 20}
    with pytest.raises(InvalidError, match="has 21 characters, 20 are allowed"):
        validate({"postal_code": "é" * 21}, partial=True)


def test_a_long_value_is_not_repeated() -> None:
    with pytest.raises(InvalidError) as caught:
        validate({**ADA, "first_name": "x" * 10_000, "email": "y" * 10_000}, partial=False)
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    "text", ["#NAME?", "#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NV", "#WERT!", "#\u00bfNOMBRE?", "#####"]
)
@pytest.mark.parametrize("name", ["phone", "company"])
def test_what_a_spreadsheet_has_lost_is_no_value(name: str, text: str) -> None:
    _, reasons = violations({name: text}, partial=True)
    assert reasons == {name: f"is `{text}`: a spreadsheet has lost the value"}
    assert RowValidator(["email", name], partial=True)(["a@x.com", text])[0] is None


@pytest.mark.parametrize("text", ["#1 Shop", "#12-34", "#", "##", "#NAME", "Studio #54", "#REFERENCE!"])
def test_a_number_sign_is_no_fault(text: str) -> None:
    assert validate({"company": text}, partial=True) == {"company": text}
    assert RowValidator(["email", "company"], partial=True)(["a@x.com", text])[0] == ["a@x.com", text]


@pytest.mark.parametrize("text", ["\u200b", "\ufeff \u200b", "\u2060\u200d"])
def test_a_text_of_which_nothing_is_visible_is_none(text: str) -> None:
    assert clean_text(text) is None
    assert clean_text(f"x{text}") is not None


def test_an_unknown_field_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="unknown field `fist_name`") as caught:
        validate({"fist_name": "Ada"}, partial=True)
    assert caught.value.hint == "did you mean `first_name`?"
    with pytest.raises(UsageError):
        validate({"id": 1}, partial=True)


@given(
    st.lists(st.sampled_from(EDITABLE), unique=True, min_size=1).flatmap(
        lambda columns: st.tuples(
            st.just(columns),
            st.tuples(*(ADDRESS_LIKE | CELL if name == "email" else CELL for name in columns)).map(list),
        )
    ),
    st.booleans(),
)
def test_rows_are_judged_as_single_customers_are(row: tuple[list[str], list[str]], partial: bool) -> None:
    columns, cells = row
    values, reasons = violations(dict(zip(columns, cells, strict=True)), partial=partial)
    judged, reason = RowValidator(columns, partial=partial)(cells)
    if reasons:
        assert (judged, reason) == (None, rules.explain(reasons))
    else:
        assert (judged, reason) == ([values[name] for name in columns], None)


@given(st.lists(CELL, min_size=len(EDITABLE) - 1, max_size=len(EDITABLE) - 1))
def test_whole_rows_are_judged_as_single_customers_are(cells: list[str]) -> None:
    cells = ["ada@example.com", *cells]
    values, reasons = violations(dict(zip(EDITABLE, cells, strict=True)), partial=False)
    judged, reason = RowValidator(EDITABLE, partial=False)(cells)
    assert (judged is None) == bool(reasons) == (reason is not None)
    assert judged is None or judged == list(values.values())


def test_a_cell_with_a_line_feed_is_not_two_cells() -> None:
    judge = RowValidator(["first_name", "last_name"], partial=True)
    assert judge(["Ada\nLovelace"]) == (None, "the row has 1 cells, the header 2")
    assert judge(["Ada", "Love\nlace"]) == (None, "`last_name` contains the control character U+000A")


def test_cells_from_json_may_be_null_or_wrong() -> None:
    judge = RowValidator(["email", "first_name", "last_name", "phone"], partial=False)
    assert judge([*ADA.values(), None]) == ([*ADA.values(), None], None)
    assert judge([*ADA.values(), 49]) == (None, "`phone` must be text")


def test_a_file_without_a_required_column_has_no_good_new_row() -> None:
    assert RowValidator(["email", "first_name"], partial=False)(["a@x.com", "Ada"]) == (None, "`last_name` is required")
    assert RowValidator(["email", "first_name"], partial=True)(["A@x.com", "Ada"]) == (["a@x.com", "Ada"], None)


def test_settled_characters_need_no_normalisation_and_no_trimming() -> None:
    settled = [char for char in map(chr, range(sys.maxunicode + 1)) if re.fullmatch(f"[{rules._SETTLED}]", char)]
    assert len(settled) > 30_000
    for char in settled:
        assert unicodedata.combining(char) == 0
        assert unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp")
        assert char == " " or not char.isspace()
        assert unicodedata.normalize("NFC", char) == char
    # No two of them compose: what may stand second in a composition is the last character of some decomposition.
    seconds = {
        unicodedata.normalize("NFD", char)[-1]
        for char in map(chr, range(sys.maxunicode + 1))
        if len(unicodedata.normalize("NFD", char)) > 1
    }
    assert not seconds & set(settled)


@pytest.mark.parametrize(
    "make",
    [lambda: "a" * 200_000, lambda: "a@" + "a-" * 100_000, lambda: "a." * 100_000 + "@", lambda: "a@" + "a." * 100_000],
)
def test_hostile_addresses_cost_linear_time(make: Callable[[], str]) -> None:
    judge = RowValidator(["email"], partial=True)
    assert judge([make()])[1] is not None


@pytest.mark.parametrize(("length", "fits"), [(254, True), (255, False)])
def test_a_row_has_the_same_limit_on_addresses(length: int, fits: bool) -> None:
    address = f"{'a' * 60}@{'b' * 63}.{'c' * 63}.{'d' * (length - 193)}.com"
    assert len(address) == length
    judged, reason = RowValidator(["email"], partial=True)([address])
    assert (judged == [address], reason is None) == (fits, fits)


@given(ADDRESS_LIKE)
def test_the_address_in_a_row_is_the_address_alone(address: str) -> None:
    judged, reason = RowValidator(["email"], partial=True)([address])
    try:
        kept = validate_email(address)
    except ValueError:
        assert judged is None
        assert reason is not None
    else:
        assume(len(address) <= 254)
        assert judged == [kept]
