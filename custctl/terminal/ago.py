"""How long ago a time was, in words."""

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
    """Return how long ago a time was, in the largest unit of which there is at least one.

    Args:
        time: as `custctl.schema.times.is_time` has it.
        now: with a zone; by default this machine's clock. A time that is ahead of it is `just now` for a minute, as
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
