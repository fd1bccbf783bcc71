"""Cursors: they carry their query exactly, and nothing that a user can paste breaks them."""

from __future__ import annotations

import base64
import json
import string
import unicodedata
from datetime import datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custctl.customers.model import FIELDS, STATUSES
from custctl.customers.queries import (
    ListQuery,
    Mode,
    Position,
    SearchQuery,
    check_list,
    decode_cursor,
    encode_cursor,
    list_query,
    resume,
    search_query,
)
from custctl.schema.own import NO_OWN_FIELDS
from custctl.schema.times import format_time
from custctl.support.errors import UsageError

ANY = st.text().map(lambda text: unicodedata.normalize("NFC", text))
TEXT = ANY.filter(lambda text: "\0" not in text)
NULLABLE = ("phone", "company", "address_line", "city", "region", "postal_code", "country")
SORTS = st.sampled_from([sign + name for name in FIELDS for sign in ("", "-")])
IDS = st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1)
KEYS = st.none() | ANY
# As a clock tells them.
TIMES = st.datetimes(min_value=datetime(1970, 1, 1)).map(format_time)  # noqa: DTZ001 - it is made UTC


@st.composite
def list_queries(draw: st.DrawFn) -> tuple[ListQuery, Position]:
    where = draw(st.lists(TEXT.map(lambda text: f"city={text}"), max_size=2))
    query = ListQuery(draw(SORTS), draw(st.none() | st.sampled_from(STATUSES)), draw(st.none() | TEXT), tuple(where))
    field = query.sort.removeprefix("-")
    lane = draw(st.integers(0, 1)) if field in NULLABLE else 0
    # What the field of a row can hold: nothing in the lane of rows without a value.
    key = st.none() if lane == 1 or field == "id" else TIMES if field in ("created_at", "updated_at") else ANY
    return query, Position(lane, draw(key), draw(IDS))


@st.composite
def search_queries(draw: st.DrawFn) -> tuple[SearchQuery, Position]:
    mode, last_lane = draw(st.sampled_from([("words", 5), ("contains", 0), ("exact", 4)]))
    query = search_query(draw(TEXT.filter(str.strip)), cast("Mode", mode))
    return query, Position(draw(st.integers(0, last_lane)), draw(KEYS), draw(IDS))


@given(list_queries() | search_queries())
def test_a_cursor_carries_query_and_position(case: tuple[Any, Position]) -> None:
    cursor = encode_cursor(*case)
    assert decode_cursor(cursor) == case
    # It is pasted into shells and URLs.
    assert set(cursor) <= set(string.ascii_letters + string.digits + "-_")


def forged(document: object) -> str:
    """Return a cursor of any content."""
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
NEARLY = st.tuples(
    st.sampled_from(["list", "search"]),
    st.lists(st.sampled_from(["id", "-city", "active", "x", "", None, True]) | JSON, max_size=4),
    st.lists(st.sampled_from([0, 1, 4, 5, -1, True, None, "k"]) | JSON, max_size=4),
)


@given(st.text() | JSON.map(forged) | NEARLY.map(forged) | st.binary().map(lambda data: data.decode("latin-1")))
def test_anything_else_is_a_usage_error(text: str) -> None:
    try:
        query, position = decode_cursor(text)
    except UsageError as error:
        assert error.message == "the cursor is damaged"
    else:
        # What is let through is sound: it can be written again, and a database can be asked for it.
        assert decode_cursor(encode_cursor(query, position)) == (query, position)
        assert isinstance(position.key, str | None)
        assert abs(position.id) < 2**63


def test_deeply_nested_text_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        decode_cursor(base64.urlsafe_b64encode(b"[" * 100_000).decode())


@pytest.mark.parametrize(
    "document",
    [
        ["list", ["phone", None, None, []], [2, None, 1]],
        ["list", ["id", None, None, []], [1, None, 1]],
        ["list", ["own", None, None, []], [0, None, 1]],
        ["list", ["own", None, None, []], [1, "a", 1]],
        ["list", ["own", None, None, []], [0, 7, 1]],
        ["list", ["id", None, None, ["no condition"]], [0, None, 1]],
        ["list", ["id", None, None, [7]], [0, None, 1]],
        ["list", ["id", None, None, None], [0, None, 1]],
        ["list", ["id", "nonsense", None, []], [0, None, 1]],
        ["list", ["email", None, "\ud800", []], [0, "a", 1]],
        ["search", ["", False], [0, "a", 1]],
        ["search", ["a", False], [5, "a", 1]],
        ["search", ["a", True], [1, None, 1]],
        ["search", ["a", False], [0, "\udcff", 1]],
        ["search", ["a\0b", True], [0, None, 1]],
        ["list", ["email", None, None, []], [0, "a", 2**63]],
        ["list", ["version", None, None, []], [0, 7, 1]],
        ["list", ["phone", None, None, []], [0, None, 1]],
        ["list", ["phone", None, None, []], [1, "a", 1]],
        ["list", ["id", None, None, []], [0, "7", 1]],
        ["list", ["created_at", None, None, []], [0, "yesterday", 1]],
        ["list", ["created_at", None, None, []], [0, "2026-02-30T00:00:00.000Z", 1]],
        ["list", ["-updated_at", None, None, []], [0, "2026-02-03T00:00:00Z", 1]],
        ["list", ["email", None, None, []], [0, "a", True]],
        ["other", ["email", None, None, []], [0, "a", 1]],
    ],
)
def test_a_forged_cursor_is_a_usage_error(document: object) -> None:
    with pytest.raises(UsageError, match="the cursor is damaged"):
        decode_cursor(forged(document))


def test_one_character_changed_or_lost_never_crashes() -> None:
    cursor = encode_cursor(list_query("-city", "active", "Österreich"), Position(0, "Wien", 42))
    for place in range(len(cursor)):
        for damaged in (cursor[:place] + cursor[place + 1 :], cursor[:place] + "_" + cursor[place + 1 :]):
            try:
                decode_cursor(damaged)
            except UsageError:
                continue


def test_a_cursor_stands_alone_or_with_the_same_query() -> None:
    query, position = list_query("-city", "active", None), Position(0, "Wien", 42)
    cursor = encode_cursor(query, position)
    assert resume(cursor, None, "list") == (query, position)
    assert resume(cursor, list_query("-city", "active", None), "list") == (query, position)
    for other in (list_query("city", "active", None), list_query("-city", None, None), list_query(None, None, None)):
        with pytest.raises(UsageError, match="belongs to a different query"):
            resume(cursor, other, "list")
    with pytest.raises(UsageError, match="belongs to a different query"):
        resume(cursor, None, "search")


@pytest.mark.parametrize("sort", ["", "-", "--id", "Email", "id ", "firstname", "password", "hash"])
def test_only_a_field_can_be_sorted_by(sort: str) -> None:
    with pytest.raises(UsageError, match="there is no field"):
        check_list(list_query(sort), NO_OWN_FIELDS)


def test_a_misspelt_field_is_told_its_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        check_list(list_query("-lastname"), NO_OWN_FIELDS)
    assert caught.value.hint == "did you mean `last_name`?"


def test_filters_and_needles_are_taken_in_the_form_that_is_stored() -> None:
    assert list_query(None, None, "O\u0308sterreich").country == "Österreich"
    assert search_query("  gonc\u0327 ").text == "gonç"
    with pytest.raises(UsageError, match="is empty"):
        search_query(" \u3000\t", "contains")
    with pytest.raises(UsageError, match="not valid text"):
        search_query("gon\udce7", "contains")
