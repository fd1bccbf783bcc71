"""JSON that keeps what Python's own module loses: all digits of a number, and the difference between `1` and `true`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from decimal import Decimal

_CERTAIN: Final = 16  # characters: fifteen digits and a point, which a float always keeps


class Text(str):
    """A string that is a whole JSON value: beside plain texts it is written as JSON, in quotes."""

    __slots__ = ()


def number(text: str) -> float | Decimal:
    """Return a number with a fraction or an exponent; one that a float would round is a `Decimal`."""
    found = float(text)
    if len(text) <= _CERTAIN and text.replace(".", "").replace("-", "").isdigit():
        return found
    from decimal import Decimal

    exact = Decimal(text)
    return found if exact == Decimal(repr(found)) else exact


def loads(text: str | bytes, **options: Any) -> Any:
    """Parse JSON; options as for `json.loads`."""
    return json.loads(text, parse_float=number, **options)


def dumps(
    value: Any, *, ensure_ascii: bool = False, default: Callable[[Any], Any] | None = None, **options: Any
) -> str:
    """Return a value as JSON with all characters as they are.

    Args:
        default: returns the value to write for one that JSON does not have.
        options: as for `json.dumps`.
    """
    numbers: list[str] = []
    mark = ""

    def replaced(found: Any) -> Any:
        from decimal import Decimal

        nonlocal mark
        if isinstance(found, Decimal):
            # Nobody can guess it, so no text in the value holds it.
            mark = mark or os.urandom(16).hex()
            numbers.append(str(found))
            return f"{mark}{len(numbers) - 1}"
        if default is None:
            raise TypeError(f"JSON has no {type(found).__name__}")
        return default(found)

    text = json.dumps(value, ensure_ascii=ensure_ascii, default=replaced, **options)
    return re.sub(f'"{mark}([0-9]+)"', lambda place: numbers[int(place[1])], text) if numbers else text


def same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are the same; to Python, `true` equals 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def told_apart(*values: Any) -> tuple[Any, ...]:
    """Return values for a display: strings in quotes if they stand beside other values, such as 5 beside "5"."""
    is_mixed = len({isinstance(value, str) for value in values if value is not None}) > 1
    return tuple(dumps(value) if is_mixed and isinstance(value, str) else value for value in values)
