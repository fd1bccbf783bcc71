"""Conditions as they are typed, before a database is asked."""

from __future__ import annotations

import pytest

from custctl.customers.conditions import Condition, check_condition, check_ordered, mistaken_operators, parse_condition
from custctl.schema.own import Field, OwnFields, Value
from custctl.support.errors import InvalidError, UsageError

OWN = OwnFields(
    None,
    [
        Field("tier", "text", "varchar(4)", length=4, nullable=False),
        Field("points", "integer", "integer", low=-100, high=100),
        Field("credit", "decimal", "numeric(6,2)", precision=6, scale=2, settable=False),
        Field("ratio", "float", "real", precision=24),
        Field("vip", "boolean", "boolean"),
        Field("born", "date", "date"),
        Field("seen", "timestamp", "timestamp(0)", precision=0),
        Field("reference", "uuid", "uuid"),
        Field("extra", "json", "jsonb"),
        Field("blob", "other", "bytea", settable=False),
    ],
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("country=Austria", ("country", "=", "Austria")),
        ("country!=Austria", ("country", "!=", "Austria")),
        ("points>=1", ("points", ">=", "1")),
        ("points<=1", ("points", "<=", "1")),
        ("points>1", ("points", ">", "1")),
        ("points<1", ("points", "<", "1")),
        ("company~labs", ("company", "~", "labs")),
        ("phone?", ("phone", "?", "")),
        (" phone ?", ("phone", "?", "")),
        ("country=", ("country", "=", "")),
        # The first operator counts, and the value is kept as it was typed.
        (" shoe size = 39 ", ("shoe size", "=", " 39 ")),
        ("company=a>=b?", ("company", "=", "a>=b?")),
        ("company=two\nlines", ("company", "=", "two\nlines")),
        ('"a=b"=c', ("a=b", "=", "c")),
        ('"a=b"=two\nlines', ("a=b", "=", "two\nlines")),
        ('" a ""b"" "?', (' a "b" ', "?", "")),
        ('"why?"?', ("why?", "?", "")),
        # Not a name in quotes: something else follows.
        ('"a"b=c', ('"a"b', "=", "c")),
        ('""=c?', ('""', "=", "c?")),
    ],
)
def test_a_condition_is_read(text: str, expected: tuple[str, str, str]) -> None:
    assert parse_condition(text) == Condition(*expected)


@pytest.mark.parametrize(
    "text", ["", "?", " ?", "tier", "a?b", "=x", " =x", '"tier"', '"a"?b', '"a"!b?', "a=\0", "a=\udcff"]
)
def test_what_is_not_a_condition_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_condition(text)


def test_a_value_that_begins_like_an_operator_is_told() -> None:
    asked = ["a==x", "a=<x", "a=>x", "a=~x", "a!==x", "a>~x", "a=x=", "a=!x", "a>=x", "a?"]
    assert [note.split("`")[1] for note in mistaken_operators(asked)] == asked[:6]
    assert list(mistaken_operators(["a== x "])) == [
        "`a== x ` compares with the value `= x`: what follows `=` is the value"
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("id=-9223372036854775807", -(2**63) + 1),
        ("id<=9223372036854775807", 2**63 - 1),
        ("email=Ada@EXAMPLE.com ", "ada@example.com"),
        ("email=", None),
        ("company= Łódź ", "Łódź"),
        ("company!=", None),
        ("company~" + "x" * 1000, "x" * 1000),
        ("company=" + "x" * 1001, "x" * 1001),
        ("status!=closed", "closed"),
        ("status~clos", "clos"),
        ("status>b", "b"),
        ("created_at>=2026-01-01T10:00:00.123Z", "2026-01-01T10:00:00.123Z"),
        ("created_at?", None),
        # Any length: what does not fit into the column is in no row.
        ("tier>muchtoolong", "muchtoolong"),
        ("tier=", None),
        ("points<=100", 100),
        ("credit<9.50", "9.50"),
        ("credit<9.5", "9.50"),
        ("credit=", None),
        ("ratio>1e-1", 0.1),
        ("vip=Yes", True),
        ("born>2000-02-29", "2000-02-29"),
        # Finer than its column, which may round.
        ("seen=2026-01-01T10:00:00.123456Z", "2026-01-01T10:00:00.123456Z"),
        ("reference!=0000000A-0000-0000-0000-00000000000B", "0000000a-0000-0000-0000-00000000000b"),
        ('extra={"a": 1}', {"a": 1}),
        ("blob?", None),
    ],
)
def test_a_value_has_the_form_of_its_field(text: str, value: Value) -> None:
    assert check_condition(parse_condition(text), OWN) == value


@pytest.mark.parametrize(
    "text",
    [
        *(
            "id=9223372036854775808",
            "id=-9223372036854775808",
            "points=101",
            "points=x",
            "born=2001-02-29",
            "vip=maybe",
        ),
        *("status=activ", "status!=", "status=", "company~", "company>", "tier<", "company~" + "x" * 1001),
        *("created_at<2026-01-01T10:00:00.1234Z", "seen=2026-01-01T10:00:00.1234567Z", "credit=0.005", "credit<1e9"),
    ],
)
def test_a_value_that_its_field_cannot_have_is_invalid(text: str) -> None:
    with pytest.raises(InvalidError):
        check_condition(parse_condition(text), OWN)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("teir=gold", "did you mean `tier`?"),
        ("points~1", "use `=`, `!=`, `?`, `>`, `>=`, `<`, `<=`"),
        *((f"{name}>x", "use `=`, `!=`, `?`") for name in ("vip", "reference", "extra")),
        ("blob=x", "use `?`"),
        ("version?", None),
    ],
)
def test_an_operator_that_its_field_does_not_have_is_refused(text: str, hint: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        check_condition(parse_condition(text), OWN)
    assert caught.value.hint == hint


def test_what_has_no_order_is_no_sort() -> None:
    for name in ("email", "id", "created_at", "tier", "credit", "reference"):
        assert check_ordered(name, OWN, to="sort").name == name
    for name in ("extra", "blob", "nonsense"):
        with pytest.raises(UsageError):
            check_ordered(name, OWN, to="sort")
