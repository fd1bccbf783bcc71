"""Values of own fields: what is accepted and in which form it is stored, what is refused and why."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from custctl.customers.own_values import own_value
from custctl.customers.rules import clean_text
from custctl.schema.own import Field, Kind


def field(kind: Kind, **more: Any) -> Field:
    return Field("f", kind, "its type", **more)


SHORT = field("text", length=5)
SMALL = field("integer", low=-5, high=5)
PRICE = field("decimal", precision=10, scale=2)
DIGITS = field("decimal", precision=4)
NUMBER = field("decimal")
FLOATING = field("decimal", exact=15)
FAR_DAY = field("date", beyond=True)
FAR_TIME = field("timestamp", beyond=True)
JSON = field("json")
ROUNDED = field("json", exact=15)
HALF = "contains a character that cannot be stored: U+0000 or half of a surrogate pair"


@pytest.mark.parametrize(
    ("one", "typed", "kept"),
    [
        (SHORT, " abcde ", "abcde"),
        (SHORT, "e\u0301" * 5, "é" * 5),
        (SHORT, " ", None),
        (SHORT, None, None),
        (field("text"), "a" * 9999, "a" * 9999),
        (field("text", length=2, encoding="utf-16"), "\U0001f600", "\U0001f600"),
        (field("text", length=2, encoding="cp1252"), "éé", "éé"),
        (SMALL, "+5", 5),
        (SMALL, "-5", -5),
        (SMALL, 5, 5),
        (field("integer", low=-5), "9", 9),
        (field("integer", high=5), "-9", -9),
        (PRICE, "1", "1.00"),
        (PRICE, ".5", "0.50"),
        (PRICE, "5.", "5.00"),
        (PRICE, "+1E2", "100.00"),
        (PRICE, "-0.004", "0.00"),
        (PRICE, "0.005", "0.01"),
        (PRICE, "1e-400", "0.00"),
        (PRICE, "99999999.994", "99999999.99"),
        (PRICE, 1, "1.00"),
        (PRICE, 1.5, "1.50"),
        (PRICE, Decimal("1.25"), "1.25"),
        (DIGITS, "1234", "1234"),
        (DIGITS, "0.0001", "0.0001"),
        (NUMBER, "9" * 16384, "9" * 16384),
        (NUMBER, f".{'0' * 16383}1", f"0.{'0' * 16383}1"),
        (NUMBER, "0", "0"),
        (FLOATING, "1234567890.12345", "1234567890.12345"),
        (FLOATING, "1e299", f"1{'0' * 299}"),
        (field("float"), "0.1", 0.1),
        (field("float"), "1e39", 1e39),
        (field("float", precision=24), "0.1", 0.1),
        (field("float", precision=24), "16777217", 16777216.0),
        *((field("boolean"), word, True) for word in ("true", "YES", "1", "t", "Y", True)),
        *((field("boolean"), word, False) for word in ("false", "No", "0", "F", "n", False)),
        (field("date"), "2024-02-29", "2024-02-29"),
        *((FAR_DAY, text, text) for text in ("infinity", "-infinity", "0005-02-29 BC", "10000-02-29", "5874897-12-31")),
        *(
            (FAR_TIME, text, text)
            for text in ("infinity", "0044-03-15 10:00:00.5+00 BC", "294276-12-31 23:59:59.999999")
        ),
        (FAR_TIME, "2026-03-31 12:00:00+00", "2026-03-31T12:00:00.000Z"),
        *((field("decimal", beyond=True), text, text) for text in ("NaN", "Infinity", "-Infinity")),
        *((field("float", beyond=True), text, text) for text in ("NaN", "Infinity", "-Infinity")),
        (field("decimal", precision=10, scale=2, beyond=True), "NaN", "NaN"),
        (field("timestamp"), "2026-03-31", "2026-03-31T00:00:00.000Z"),
        (field("timestamp", precision=0), "2026-03-31T23:59:59.5+01:00", "2026-03-31T23:00:00.000Z"),
        (field("uuid"), "{0000000A000000000000-00000000000B}", "0000000a-0000-0000-0000-00000000000b"),
        (JSON, ' {"a": [1, null]} ', {"a": [1, None]}),
        (JSON, '"text"', "text"),
        (JSON, ["a", True], ["a", True]),
        (JSON, "", None),
        (JSON, "[1e3999, -1e-3999]", [Decimal("1e3999"), Decimal("-1e-3999")]),
        (ROUNDED, 123456789012345.0, 123456789012345.0),
        (ROUNDED, (1 << 63) - 1, (1 << 63) - 1),
        (ROUNDED, -(1 << 63), -(1 << 63)),
        (ROUNDED, "[1234567890123456.5]", [Decimal("1234567890123456.5")]),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_value_is_kept_in_its_stored_form(one: Field, typed: object, kept: object) -> None:
    found = own_value(one, typed, clean_text)
    assert (found, type(found) is bool) == (kept, type(kept) is bool)


@pytest.mark.parametrize(
    ("one", "typed", "reason"),
    [
        (SHORT, "abcdef", "has 6 characters, 5 are allowed"),
        (SHORT, "a\x1fb", "contains the control character U+001F"),
        (SHORT, 1, "must be text"),
        (field("text", length=1, encoding="utf-16"), "\U0001f600", "has 2 characters, 1 are allowed"),
        (field("text", length=3, encoding="utf-8"), "éé", "has 4 characters, 3 are allowed"),
        (field("text", encoding="cp1252"), "Ł", "contains a character that its column, its type, cannot store"),
        (field("text", encoding="none such"), "a", "contains a character that its column, its type, cannot store"),
        (field("text", required=True, nullable=False), " ", "is required"),
        (field("json", nullable=False), None, "cannot be empty"),
        (field("integer", settable=False), "1", "is computed by the database"),
        (field("other", settable=False), "1", "cannot be set: custctl cannot write its type, its type"),
        *((SMALL, typed, "must be from -5 to 5") for typed in ("6", "-6", 6)),
        *((SMALL, typed, "must be a whole number") for typed in ("1.5", "five", "1" * 41, 1.5, True, [1])),
        *((PRICE, typed, "has more than 8 digits before the point") for typed in ("99999999.995", "1e8", "1e400")),
        *(
            (FAR_DAY, typed, "must be a date, such as 2026-03-31")
            for typed in ("0044-02-29 BC", "0000-01-01 BC", "10000-13-01", "10000-01-01 10:00:00")
        ),
        *(
            (FAR_TIME, typed, "must be a time, such as 2026-03-31T12:00:00Z")
            for typed in ("10000-01-01", "0044-03-15 BC", "10000-01-01 24:00:01", "-Infinity")
        ),
        (field("decimal", precision=10, scale=2, beyond=True), "Infinity", "must be a number"),
        (field("float", beyond=True), "nan", "must be a number"),
        (field("float"), "NaN", "must be a number"),
        *((PRICE, typed, "must be a number") for typed in ("x", ".", "1e", "NaN", True, [1])),
        (DIGITS, "12345", "has more than 4 digits before the point"),
        (DIGITS, "0.00001", "has more than 4 digits before the point"),
        *((NUMBER, typed, "has too many digits") for typed in (f"1{'0' * 16384}", f".{'0' * 16384}1")),
        (FLOATING, "1234567890.123456", "has more than the 15 digits that its column keeps"),
        (FLOATING, "1e300", "has too many digits"),
        (field("float"), "inf", "must be a number"),
        (field("float"), "-1e309", "is too large"),
        (field("float", precision=24), "1e39", "is too large"),
        *((field("boolean"), typed, "must be `true` or `false`") for typed in ("2", "on", 1)),
        *(
            (field("date"), typed, "must be a date, such as 2026-03-31")
            for typed in ("2023-02-29", "20230228", "2023-02-28T00:00", 20230228)
        ),
        (field("timestamp"), "2023-02-29", "must be a time, such as 2026-03-31T12:00:00Z"),
        (field("uuid"), "12", "must be a UUID"),
        *((JSON, typed, "must be JSON") for typed in ("{", "NaN", "[" * 9999, float("nan"))),
        (JSON, " null ", "must be JSON other than null: clear the field instead"),
        *((JSON, typed, HALF) for typed in ('"\\u0000"', '"\\ud800"', ["\x00"])),
        *(
            (JSON, typed, "contains a number with too many digits: write it as a string")
            for typed in ("[1e4000]", '{"a": -1e-4000}')
        ),
        *(
            (ROUNDED, typed, "is a number with more than the 15 digits that its column keeps")
            for typed in ("1234567890123456.5", 1 << 63, -(1 << 63) - 1)
        ),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_value_that_does_not_fit_is_refused(one: Field, typed: object, reason: str) -> None:
    with pytest.raises(ValueError) as refused:
        own_value(one, typed, clean_text)
    assert str(refused.value) == reason
