"""Durations as people write them: `250ms`, `5s`, `2m`, `1h`."""

from __future__ import annotations

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
# ASCII digits only: `\d` also matches digits of other scripts.
_DURATION = r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(ms|s|m|h)"
_ZERO = r"0{1,12}(?:\.0{1,6})?"
_LONGEST = 7 * 24 * 3600.0
_EXAMPLES = "write it as `250ms`, `5s`, `2m` or `1h`"


def parse_duration(text: str) -> float:
    """Return the seconds that a text such as `250ms`, `5s`, `1.5m` or `0` stands for.

    Args:
        text: a number and a unit, `ms`, `s`, `m` or `h`. Zero needs no unit.

    Returns:
        Seconds, from 0 to one week.

    Raises:
        ValueError: the text is not a duration, has no unit, or is longer than a week; the message says how to write it.
    """
    stripped = text.strip()
    if re.fullmatch(_ZERO, stripped):
        return 0.0
    match = re.fullmatch(_DURATION, stripped)
    if match is None:
        raise ValueError(f"not a duration: {_EXAMPLES}")
    number, unit = match.groups()
    # Divided, not multiplied: 250 * 0.001 is not exactly 0.25.
    seconds = float(number) / 1000 if unit == "ms" else float(number) * _SECONDS[unit]
    if seconds > _LONGEST:
        raise ValueError("longer than a week")
    return seconds


def format_duration(seconds: float) -> str:
    """Return the shortest text that `parse_duration` reads back, to the millisecond.

    Args:
        seconds: not negative.

    Returns:
        For example `1h`, `90s`, `1.5s`, `250ms`, `0s`; a time above zero never becomes `0s`.

    Raises:
        ValueError: `seconds` is negative or not finite.
    """
    if not 0 <= seconds < float("inf"):
        raise ValueError("a duration is a finite number of seconds and not negative")
    milliseconds = round(seconds * 1000)
    if milliseconds == 0:
        return "0s" if seconds == 0 else "1ms"
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    whole, rest = divmod(milliseconds, 1000)
    return f"{whole}.{rest:03}".rstrip("0") + "s"
