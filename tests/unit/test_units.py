"""Durations: what is read, what is refused, and that both directions agree."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custctl.support.units import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s", 5.0),
        ("250ms", 0.25),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("0", 0.0),
        ("0s", 0.0),
        ("0.0", 0.0),
        ("1.5m", 90.0),
        (" 5s ", 5.0),
        ("168h", 604800.0),
    ],
)
def test_reads_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "s",
        "-5s",
        "5 s",
        "5S",
        "5d",
        "1e3s",
        "inf",
        "nan",
        "\u0665s",
        "5s5s",
        "1h30m",
        "5s\n;",
        "169h",
        "9" * 400 + "s",
    ],
)
def test_refuses_everything_else(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a duration|longer than a week"):
        parse_duration(text)


def test_the_refusal_says_how_to_write_it() -> None:
    with pytest.raises(ValueError, match="`250ms`, `5s`, `2m` or `1h`"):
        parse_duration("5")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.25, "250ms"),
        (5, "5s"),
        (90, "90s"),
        (120, "2m"),
        (3600, "1h"),
        (1.5, "1.5s"),
        (1.234, "1.234s"),
        (0.0001, "1ms"),
    ],
)
def test_writes_the_shortest_text(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize("seconds", [-1.0, float("inf"), float("nan")])
def test_writes_no_impossible_duration(seconds: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        format_duration(seconds)


@given(st.integers(min_value=0, max_value=604_800_000))
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert 0 <= parse_duration(text) <= 604_800
