"""Which values the company's own fields accept, and their stored form."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from custctl.schema.own import Field, Value, decimal_text, short_float, time_text
from custctl.support import exact_json

if TYPE_CHECKING:
    from decimal import Decimal

_TRUE: Final = ("true", "yes", "1", "t", "y")
_FALSE: Final = ("false", "no", "0", "f", "n")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,40}")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[Ee][+-]?[0-9]{1,4})?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FAR: Final = re.compile(
    r"(?P<year>[1-9][0-9]{4,6}|(?!0000)[0-9]{4}(?=.* BC))-(?P<day>[0-9]{2}-[0-9]{2})"
    r"(?:(?P<clock> [0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,6})?(?:\+00)?)?(?P<before> BC)?"
)
_LONGEST_DECIMAL: Final = 16384
"""Maximum digits of an unlimited decimal: before the point, and after it."""
_LARGEST_FLOAT: Final = 300
_LARGEST_JSON: Final = 4000
"""Maximum exponent of a number in JSON: a database may write it out, and Python parses at most 4300 digits."""
_UUID: Final = re.compile(r"\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?")


def own_value(field: Field, value: object, clean: Callable[[str], str | None]) -> Value:
    """Return a value in its stored form; None clears the field.

    Args:
        value: text, or a JSON value.
        clean: applied to each text; see `rules.clean_text`.

    Raises:
        ValueError: a rule is broken; the message continues a sentence that begins with the field's name.
    """
    if field.kind == "other":
        raise ValueError(f"cannot be set: custctl cannot write its type, {field.native}")
    if not field.settable:
        raise ValueError("is computed by the database")
    if field.kind == "json" and value is not None and not isinstance(value, str):
        return _json(field, value)
    text = value if value is None or isinstance(value, str) else _typed(field, value)
    text = None if text is None else clean(text) if field.kind != "json" else text.strip() or None
    if text is None:
        if not field.nullable:
            raise ValueError("is required" if field.required else "cannot be empty")
        return None
    return text if field.beyond and _is_beyond(field, text) else _PARSERS[field.kind](field, text)


def _typed(field: Field, value: object) -> str:
    """Return a JSON value as text.

    Raises:
        ValueError: it does not have the field's type.
    """
    from decimal import Decimal

    numbers = (int, float, Decimal)
    fits = {"boolean": (bool,), "integer": (int,), "decimal": numbers, "float": numbers}.get(field.kind, ())
    if not isinstance(value, fits) or (isinstance(value, bool) and field.kind != "boolean"):
        raise ValueError(_expected(field))
    return exact_json.dumps(value)


def _is_beyond(field: Field, text: str) -> bool:
    """Tell whether a text is a value that only PostgreSQL's types have, as it writes them; see `Field.beyond`."""
    if field.kind in ("decimal", "float"):
        # A decimal with a limited number of digits can be no infinity.
        return text == "NaN" or (text in ("Infinity", "-Infinity") and (field.kind == "float" or not field.precision))
    if text in ("infinity", "-infinity"):
        return True
    found = _FAR.fullmatch(text)
    if found is None or (found["clock"] is None) != (field.kind == "date"):
        return False
    from datetime import datetime

    # The year before 1 is 1 BC. The calendar repeats itself every 400 years.
    year = 1 - int(found["year"]) if found["before"] else int(found["year"])
    try:
        datetime.fromisoformat(f"{2000 + year % 400}-{found['day']}{found['clock'] or ''}")
    except ValueError:
        return False
    return True


def _expected(field: Field) -> str:
    return f"must be {_EXPECTED[field.kind]}"


_EXPECTED: Final[Mapping[str, str]] = {
    "text": "text",
    "integer": "a whole number",
    "decimal": "a number",
    "float": "a number",
    "boolean": "`true` or `false`",
    "date": "a date, such as 2026-03-31",
    "timestamp": "a time, such as 2026-03-31T12:00:00Z",
    "uuid": "a UUID",
    "json": "JSON",
}


def _text(field: Field, text: str) -> str:
    size = len(text)
    if field.encoding == "utf-16":
        size = len(text.encode("utf-16-le")) // 2
    elif field.encoding is not None:
        try:
            size = len(text.encode(field.encoding))
        except (UnicodeEncodeError, LookupError):
            raise ValueError(f"contains a character that its column, {field.native}, cannot store") from None
    if field.length is not None and size > field.length:
        raise ValueError(f"has {size} characters, {field.length} are allowed")
    return text


def _integer(field: Field, text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(_expected(field))
    number = int(text)
    if (field.low is not None and number < field.low) or (field.high is not None and number > field.high):
        raise ValueError(f"must be from {field.low} to {field.high}")
    return number


def _decimal(field: Field, text: str) -> str:
    from decimal import Context, Decimal, localcontext

    if not _NUMBER.fullmatch(text):
        raise ValueError(_expected(field))
    with localcontext(Context(prec=2000)):
        number = Decimal(text)
        most = _LONGEST_DECIMAL if field.exact is None else _LARGEST_FLOAT
        if field.precision is not None:
            most = min(most, field.precision - (field.scale or 0))
        if number.adjusted() <= most and (field.scale is not None or number.adjusted() >= -most):
            whole = Decimal(kept := decimal_text(field, number))
            if field.exact is not None and len(whole.normalize().as_tuple().digits) > field.exact:
                raise ValueError(f"has more than the {field.exact} digits that its column keeps")
            if not whole or whole.adjusted() < most:
                return kept
    if field.precision is None:
        raise ValueError("has too many digits")
    raise ValueError(f"has more than {field.precision - (field.scale or 0)} digits before the point")


def _float(field: Field, text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(_expected(field))
    number = float(text)
    if field.precision == 24:
        try:
            number = short_float(number)
        except OverflowError:
            number = float("inf")
    if number - number != 0:
        raise ValueError("is too large")
    return number


def _boolean(field: Field, text: str) -> bool:
    word = text.lower()
    if word not in (*_TRUE, *_FALSE):
        raise ValueError(_expected(field))
    return word in _TRUE


def _date(field: Field, text: str) -> str:
    from datetime import date

    try:
        if not _DATE.fullmatch(text):
            raise ValueError(text)
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(_expected(field)) from None


def _timestamp(field: Field, text: str) -> str:
    try:
        return time_text(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text, field.precision)
    except ValueError:
        raise ValueError(_expected(field)) from None


def _uuid(field: Field, text: str) -> str:
    found = _UUID.fullmatch(text.lower())
    if found is None:
        raise ValueError(_expected(field))
    return "-".join(found.groups())


def _json_text(field: Field, text: str) -> Value:
    try:
        found = exact_json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ValueError(_expected(field)) from None
    if found is None:
        raise ValueError("must be JSON other than null: clear the field instead")
    return _json(field, found)


def _json(field: Field, value: Any) -> Value:
    try:
        text = exact_json.dumps(value, allow_nan=False)
    except ValueError:
        raise ValueError(_expected(field)) from None
    if re.search("\\\\u0000|[\ud800-\udfff]", text):
        raise ValueError("contains a character that cannot be stored: U+0000 or half of a surrogate pair")
    json.loads(text, parse_float=_sized)
    if field.exact is not None and not isinstance(value, str | list | dict) and not _is_exact(value, field.exact):
        raise ValueError(f"is a number with more than the {field.exact} digits that its column keeps")
    kept: Value = exact_json.Text(value) if isinstance(value, str) else value
    return kept


def _sized(text: str) -> None:
    from decimal import Decimal

    if abs(Decimal(text).adjusted()) >= _LARGEST_JSON:
        raise ValueError("contains a number with too many digits: write it as a string")


def _is_exact(number: float | Decimal, digits: int) -> bool:
    from decimal import Decimal

    if isinstance(number, int):
        return -(1 << 63) <= number < 1 << 63
    return len(Decimal(str(number)).normalize().as_tuple().digits) <= digits


def _refuse(text: str) -> None:
    raise ValueError(text)


_PARSERS: Final[Mapping[str, Callable[[Field, str], Value]]] = {
    "text": _text,
    "integer": _integer,
    "decimal": _decimal,
    "float": _float,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
    "uuid": _uuid,
    "json": _json_text,
}
