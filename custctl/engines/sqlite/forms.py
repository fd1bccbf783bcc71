"""Normalises values that SQLite stores as text in more than one form, for comparison."""

from __future__ import annotations

from custctl.schema.own import time_text
from custctl.support import exact_json

_DIGITS = 9  # of a second


def moment(value: object) -> str | None:
    """Return a time in UTC with nine fractional digits; other values stay as they are. An SQL function."""
    if value is None:
        return None
    try:
        whole, _, fraction = time_text(str(value)).removesuffix("Z").partition(".")
    except ValueError:
        return str(value)
    return f"{whole}.{fraction.ljust(_DIGITS, '0')}Z"


def json_form(value: object) -> str | None:
    """Return JSON with its keys sorted; other values stay as they are. An SQL function."""
    if value is None:
        return None
    try:
        return exact_json.dumps(exact_json.loads(str(value)), sort_keys=True)
    except (ValueError, RecursionError):
        return str(value)
