"""Formats how long ago a time was."""

from __future__ import annotations

from datetime import UTC, datetime

_STEPS = (
    (365 * 24 * 3600, "year"),
    (30 * 24 * 3600, "month"),
    (24 * 3600, "day"),
    (3600, "hour"),
    (60, "minute"),
)  # seconds


def ago(time: str, now: datetime | None = None) -> str:
    """Return how long ago a time was, in the largest unit that fits at least once.

    Args:
        time: in the form of `custctl.schema.times.is_time`.
        now: with a time zone; by default this machine's clock. A time up to a minute ahead is `just now`, because
            clocks differ.
    """
    passed = ((now or datetime.now(UTC)) - datetime.fromisoformat(time)).total_seconds()
    seconds = abs(passed)
    for size, unit in _STEPS:
        if seconds >= size:
            count = int(seconds // size)
            words = f"{count} {unit}{'s' if count != 1 else ''}"
            return f"{words} ago" if passed > 0 else f"in {words}"
    return "just now"
