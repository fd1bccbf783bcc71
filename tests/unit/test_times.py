"""Times as every engine gives and takes them."""
# ruff: noqa: DTZ001 - drivers give times without a zone, which are in UTC

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custctl.schema.times import format_time, is_time

to_the_millisecond = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 23, 5, 11, 49, 173_999), "2026-11-23T05:11:49.173Z"),
        (datetime(999, 1, 1), "0999-01-01T00:00:00.000Z"),
        (datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2025-12-31T23:00:00.000Z"),
    ],
)
def test_times_are_iso_8601_in_utc_with_milliseconds(moment: datetime, text: str) -> None:
    assert format_time(moment) == text
    assert is_time(text)


@pytest.mark.parametrize(
    "text", ["", "2026-11-23", "2026-11-23T05:11:49Z", "2026-13-01T00:00:00.000Z", "2026-01-01T00:00:00.000+00:00", "x"]
)
def test_other_texts_are_no_times(text: str) -> None:
    assert not is_time(text)


@given(to_the_millisecond)
def test_a_time_comes_back_as_it_went(moment: datetime) -> None:
    text = format_time(moment)
    assert format_time(datetime.fromisoformat(text)) == text
    assert format_time(datetime.fromisoformat(text.removesuffix("Z"))) == text
