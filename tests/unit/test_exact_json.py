"""JSON whose numbers keep all their digits."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custctl.customers.own_values import own_value
from custctl.schema.own import Field
from custctl.support import exact_json
from custctl.support.exact_json import dumps, loads, same, told_apart


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_number_is_what_was_written(number: Decimal) -> None:
    written = dumps(loads(f'["0", {number}]'))
    assert json.loads(written, parse_float=Decimal, parse_int=Decimal) == ["0", number]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_stays_a_float(number: float) -> None:
    assert loads(json.dumps(number)) == number
    assert type(loads(json.dumps(number))) is float
    assert dumps(number) == json.dumps(number)


@given(st.lists(st.text(st.characters()) | st.decimals(allow_nan=False, allow_infinity=False)), st.booleans())
def test_text_is_never_taken_for_a_number(values: list[str | Decimal], ensure_ascii: bool) -> None:
    written = dumps(values, ensure_ascii=ensure_ascii)
    assert json.loads(written, parse_float=Decimal, parse_int=Decimal) == values


def test_what_json_does_not_have_is_an_error_or_the_default() -> None:
    with pytest.raises(TypeError):
        dumps({1})
    assert dumps([{1}, Decimal("0.1")], default=str) == '["{1}", 0.1]'


def test_a_decimal_takes_all_the_digits_of_a_number_in_json() -> None:
    field = Field("amount", "decimal", "numeric(38,10)", precision=38, scale=10)
    number = exact_json.number("1234567890123456789.0123456789")
    assert own_value(field, number, str) == "1234567890123456789.0123456789"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from(["", "1"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=5,
)


@given(JSON, JSON)
def test_values_are_the_same_where_they_are_written_alike(one: object, other: object) -> None:
    assert same(one, other) == (dumps(one, sort_keys=True) == dumps(other, sort_keys=True))


def test_a_number_is_the_same_however_it_is_written() -> None:
    assert same([1], [1.0])
    assert same(Decimal("0.5"), 0.5)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((5, "5"), (5, '"5"')),
        (("true", True, None), ('"true"', True, None)),
        (("a", "b", None), ("a", "b", None)),
        ((1, True, None), (1, True, None)),
    ],
)
def test_a_string_is_told_apart_from_another_value(values: tuple[object, ...], shown: tuple[object, ...]) -> None:
    assert told_apart(*values) == shown
