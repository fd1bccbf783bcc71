"""Times as the program writes them: ISO 8601 in UTC with milliseconds and `Z`, however the engine stores them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

MILLISECONDS = 3
"""Digits of a second that are kept, everywhere: a client reads exactly what the database compares with."""

_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


def format_time(moment: datetime) -> str:
    """Return a time as the program writes it; one without a zone is in UTC."""
    aware = moment.astimezone(UTC) if moment.tzinfo is not None else moment
    return aware.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def is_time(text: str) -> bool:
    """Return whether a text is a time as the program writes it."""
    if not _FORM.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
