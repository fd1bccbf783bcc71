"""Own fields: the company's columns of `customer`, as the database records them.

The record is a row of `custctl_metadata` that a migration writes. Every query for rows returns it too, so that no extra
query is needed; only `migrate` and `doctor` read the columns from an engine's catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

from custctl.support.errors import RefusedError

if TYPE_CHECKING:
    import re
    from decimal import Decimal

RECORD: Final = "own_fields"
"""The name of the record in `custctl_metadata`."""

Kind = Literal["text", "integer", "decimal", "float", "boolean", "date", "timestamp", "uuid", "json", "other"]
"""The type of a field's values. A field of kind `other` is shown as text and cannot be set."""

Value = None | bool | int | float | str | list[Any] | dict[str, Any]
"""A JSON value: decimals, dates, times and UUIDs are strings. A number in JSON that a float would round is a `Decimal`."""

_KINDS: Final = frozenset(get_args(Kind))


class Field(NamedTuple):
    """A column that is not one of the product's.

    Attributes:
        native: its type, as the engine writes it.
        length: of text: maximum characters; None for no limit.
        encoding: of text: the code page that its characters must belong to, and in whose bytes its length counts;
            `utf-16` if it counts in units of 16 bits. None: any character, counted as one.
        low: of an integer: the minimum; `high` is the maximum.
        precision: of a decimal: how many digits; of a float: 24 if it keeps no more bits; of a timestamp: how many
            digits of a second.
        scale: of a decimal: how many of the digits are after the point.
        exact: of a decimal, and of a number that is a whole JSON value: how many digits, from the first non-zero one,
            are kept exactly; None: all.
        beyond: of a number, a date or a timestamp: whether the column also takes what only PostgreSQL's types have, such
            as `NaN`, `infinity` and years before the first or with five digits; written as PostgreSQL does.
        required: whether a customer must have a value: NOT NULL, and no default.
        nullable: whether it can be empty.
        settable: whether it can be set: it is not computed, and its kind is known.
        searchable: whether `customer search` looks in it: a text that a script marks searchable.
    """

    name: str
    kind: Kind
    native: str
    length: int | None = None
    encoding: str | None = None
    low: int | None = None
    high: int | None = None
    precision: int | None = None
    scale: int | None = None
    exact: int | None = None
    beyond: bool = False
    required: bool = False
    nullable: bool = True
    settable: bool = True
    searchable: bool = False


_EXACT: Final = 10**15
"""Below it, a float stands for exactly one number of fifteen digits or fewer."""
_DEFAULTS: Final = Field._field_defaults


class OwnFields:
    """The own fields of one database, in the order of its table.

    Args:
        record: the text in which the database records them; None if there are none.
        found: the fields in the record.
    """

    def __init__(self, record: str | None, found: Iterable[Field] = ()) -> None:
        self.record = record
        self.fields = tuple(found)

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """The fields by name."""
        return {field.name: field for field in self.fields}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all own fields."""
        return tuple(field.name for field in self.fields)

    @cached_property
    def settable(self) -> tuple[str, ...]:
        """The names of the settable fields."""
        return tuple(field.name for field in self.fields if field.settable)

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The names of the fields that every customer must have."""
        return tuple(field.name for field in self.fields if field.required and field.settable)


NO_OWN_FIELDS: Final = OwnFields(None)


def parse_record(record: str | None) -> OwnFields:
    """Parse a record.

    Raises:
        RefusedError: it is damaged.
    """
    if record is None:
        return NO_OWN_FIELDS
    import json

    try:
        found = [_field(each) for each in json.loads(record)]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RefusedError(
            "the record of own fields is damaged: something else wrote to `custctl_metadata`",
            hint="`custctl migrate` writes it again",
        ) from error
    return OwnFields(record, found)


def _field(found: dict[str, Any]) -> Field:
    # Ignore attributes that a later release records.
    known = {name: value for name, value in found.items() if name in Field._fields}
    if known["kind"] not in _KINDS:
        known.update(kind="other", settable=False)
    return Field(**known)


def dump_record(found: Iterable[Field]) -> str | None:
    """Return the record of fields; None if there are none."""
    import json

    documents = [
        {name: value for name, value in field._asdict().items() if name not in _DEFAULTS or value != _DEFAULTS[name]}
        for field in found
    ]
    return json.dumps(documents, ensure_ascii=False, separators=(",", ":")) if documents else None


# -- values ----------------------------------------------------------------------------------------


def from_cell(field: Field, cell: Any) -> Value:
    """Return the value of a field from a database cell.

    A cell that does not have the field's kind, which an engine without strict types may hold, is returned as text.

    Args:
        cell: what `Connection.own_cell` selects: text, or a number.
    """
    if cell is None:
        return None
    try:
        return _READERS[field.kind](field, cell)
    except (ValueError, TypeError, ArithmeticError):
        return str(cell)


def to_text(value: Value) -> str | None:
    """Return a value in the form in which it is typed, stored and exported as text; None for no value."""
    if value is None or type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    from custctl.support import exact_json

    return exact_json.dumps(value, separators=(",", ":"))


def field_text(field: Field, value: Value) -> str | None:
    """Return a field's value as `to_text` does; a value of a JSON column is always JSON, even a string."""
    if field.kind == "json" and value is not None:
        from custctl.support import exact_json

        return exact_json.dumps(value, separators=(",", ":"))
    return to_text(value)


def decimal_text(field: Field, number: Decimal) -> str:
    """Return a decimal as its column stores it: rounded half away from zero to its scale, without an exponent."""
    from decimal import ROUND_HALF_UP, Context, Decimal

    if field.scale is not None:
        number = number.quantize(Decimal(1).scaleb(-field.scale), ROUND_HALF_UP, Context(prec=2000))
    text = f"{number:f}"
    if field.scale is None and field.exact is not None and "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.removeprefix("-") if not number else text


def short_float(number: float) -> float:
    """Return the number with the fewest digits that is the same in 32 bits.

    Raises:
        OverflowError: it is too large for 32 bits.
    """
    import struct

    packed = struct.pack("f", number)
    (kept,) = struct.unpack("f", packed)
    for digits in range(1, 9):
        shorter = float(f"{kept:.{digits}g}")
        if struct.pack("f", shorter) == packed:
            return shorter
    return float(f"{kept:.9g}")


def time_text(text: str, most_digits: int | None = None) -> str:
    """Return a time in UTC as ISO 8601 with `Z`: to the millisecond, with more digits if it has more.

    A time without a zone is in UTC.

    Args:
        most_digits: how many digits of a second are kept; the last one is rounded half up. None: all.

    Raises:
        ValueError: it is not a time.
    """
    plain = _plain_time().fullmatch(text)
    if plain is not None and (most_digits is None or len(plain[2] or "....") - 1 <= most_digits):
        return f"{plain[1]}{plain[2] or '.000'}Z"
    from datetime import UTC, datetime, timedelta

    found = _time_form().fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    day, clock, fraction, zone = found.groups()
    zone = "+00:00" if zone in (None, "Z") else zone if len(zone) > 3 else f"{zone}:00"
    moment, digits = datetime.fromisoformat(f"{day}T{clock}{zone}"), fraction or ""
    carried = 0
    if most_digits is not None and len(digits) > most_digits:
        carried, digits = _rounded(digits, most_digits)
    try:
        moment = moment.astimezone(UTC) + timedelta(seconds=carried)
    except OverflowError:
        raise ValueError(text) from None
    whole = moment.replace(tzinfo=None).isoformat(timespec="seconds")
    return f"{whole}.{digits.rstrip('0').ljust(3, '0')}Z"


def _rounded(digits: str, most: int) -> tuple[int, str]:
    """Return the digits of a fraction rounded half up to fewer, and the carry to the whole seconds."""
    dropped: int = 10 ** (len(digits) - most)
    number = (int(digits) + dropped // 2) // dropped
    carried, rest = divmod(number, 10**most)
    return carried, str(rest).rjust(most, "0") if most else ""


@cache
def _plain_time() -> re.Pattern[str]:
    # Days that every month has, so that the date is known to exist without a look-up.
    import re

    day, clock = r"(?!0000)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])", r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
    return re.compile(rf"({day}T{clock})(?:(\.\d{{3}}(?:\d{{0,5}}[1-9])?)0{{0,6}})?Z", re.ASCII)


@cache
def _time_form() -> re.Pattern[str]:
    # Compiled on demand: most commands read no such time.
    import re

    day, clock = r"(\d{4}-\d\d-\d\d)", r"(\d\d:\d\d(?::\d\d)?)"
    return re.compile(rf"{day}[T ]{clock}(?:\.(\d{{1,9}}))? ?(Z|[+-]\d\d:?(?:\d\d)?)?", re.ASCII)


def _boolean(_: Field, cell: Any) -> bool:
    text = str(cell).lower()
    if text not in ("true", "false", "1", "0"):
        raise ValueError(text)
    return text in ("true", "1")


def _finite(field: Field, cell: Any) -> float:
    number = float(cell)
    if field.precision == 24:
        # Engines differ in which of several equally short forms they print.
        number = short_float(number)
    if number - number != 0:
        raise ValueError(cell)
    return number


def _date(_: Field, cell: Any) -> str:
    from datetime import date

    text = str(cell)
    if text.endswith(" BC"):
        raise ValueError(text)
    return date.fromisoformat(text[:10]).isoformat()


def _decimal(field: Field, cell: Any) -> str:
    from decimal import Decimal

    if isinstance(cell, float) and field.scale is not None and 0 < abs(cell) * 10**field.scale < _EXACT:
        # It has few digits: rounding hides the binary error after them.
        text = f"{cell:.{field.scale}f}"
        if float(text) == cell:
            return text
    return decimal_text(field, Decimal(str(cell)))


def _json(_: Field, cell: Any) -> Value:
    from custctl.support import exact_json

    found: Value = exact_json.loads(cell)
    return exact_json.Text(found) if isinstance(found, str) else found


_READERS: Final[Mapping[str, Callable[[Field, Any], Value]]] = {
    "text": lambda _, cell: str(cell),
    "integer": lambda _, cell: int(cell),
    "decimal": _decimal,
    "float": _finite,
    "boolean": _boolean,
    "date": _date,
    "timestamp": lambda _, cell: time_text(str(cell)),
    "uuid": lambda _, cell: str(cell).lower(),
    "json": _json,
    "other": lambda _, cell: str(cell),
}
