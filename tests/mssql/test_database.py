"""What differs between engines, as SQL Server has it: versions, searches, the tables that the runner makes."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from custctl.engines.base import EngineSettings
from custctl.engines.connection import Connection
from custctl.engines.mssql.database import MssqlDatabase
from custctl.engines.mssql.dialect import MssqlDialect
from custctl.engines.mssql.running import MssqlConnection
from custctl.schema.tables import customer

DATABASE = MssqlDatabase(EngineSettings(location="shop", name="shop", schema="dbo"))
DIALECT = MssqlDialect("dbo")


@given(st.binary(min_size=8, max_size=8))
def test_a_version_is_read_as_it_was_written(raw: bytes) -> None:
    text = DATABASE.encode_version(raw)
    assert DATABASE.decode_version(text) == raw
    assert re.fullmatch("[0-9a-f]{16}", text)


@pytest.mark.parametrize(
    "text", ["", "7", "00000000000007D1", "00000000000007d", "00000000000007d1ff", "x" * 16, "0 0"]
)
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        DATABASE.decode_version(text)


def matches(text: str, value: str) -> bool:
    """Tell whether an exact search finds a value, by the patterns and ranges that the server is given."""
    (condition,) = DIALECT.starts_with(customer.c.last_name, text)
    return _holds(condition, value)


def _holds(condition: Any, value: str) -> bool:
    match condition:
        case sa.sql.elements.Grouping():
            return _holds(condition.element, value)
        case sa.BooleanClauseList():
            found = [_holds(clause, value) for clause in condition.clauses]
            return any(found) if condition.operator is sa.sql.operators.or_ else all(found)
        case sa.BinaryExpression():
            right = condition.right.value
            if condition.operator is sa.sql.operators.like_op:
                return bool(_like(right).fullmatch(_lower(value)))
            # By UTF-16 units as SQL Server compares, and by code point as others do: both must find it.
            compare: Any = condition.operator
            units = compare(value.encode("utf-16-be"), right.encode("utf-16-be"))
            return bool(units and compare(value, right))
    raise AssertionError(condition)


def _lower(value: str) -> str:
    """LOWER, which goes letter by letter."""
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in value)


def _like(pattern: str) -> re.Pattern[str]:
    """Return a pattern of LIKE, in which a class holds one character, as a regular expression."""
    made = ""
    for single, char in re.findall(r"\[(.)\]|(.)", pattern, re.DOTALL):
        made += re.escape(single) or {"%": ".*", "_": ".", "[": "(?!)"}.get(char, re.escape(char))
    return re.compile(made, re.DOTALL)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("lov", "Lovelace"),
        ("LOV", "Lovelace"),
        ("łó", "Łódź"),
        ("СОФ", "Софья"),
        ("ΟΔΟΣ", "οδος"),
        ("οδος", "ΟΔΟΣ 7"),
        ("straße", "STRAẞE 1"),
        ("50%_[a]\\", "50%_[A]\\ off"),
        ("a", "A😀"),
        ("a😀", "A😀b"),
        ("\ud7ff", "\ud7ff😀"),
        ("ǆ", "ǅur"),
    ],
)
def test_a_prefix_is_found_whatever_its_case(text: str, value: str) -> None:
    assert matches(text, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("e", "é"), ("l", "ł"), ("50%", "500"), ("a_", "ab"), ("[a]", "a"), ("ov", "Lovelace"), ("\\", "a")],
)
def test_what_does_not_begin_so_is_not_found(text: str, value: str) -> None:
    assert not matches(text, value)


def test_rows_are_streamed_with_their_version_as_text_or_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [[(1, b"\x00\x2a", "a")], [(2, "b")]]
    monkeypatch.setattr(Connection, "run_stream", lambda *_, **__: iter(blocks))
    connection = MssqlConnection.__new__(MssqlConnection)
    assert list(connection.run_stream("any", 10, prefix="e1-")) == [[(1, "e1-002a", "a")], [(2, "b")]]


def test_a_dotted_capital_i_is_found_however_the_server_lowers_it() -> None:
    (condition,) = DIALECT.starts_with(customer.c.last_name, "\u0130st")
    patterns = {each for each in condition.compile().params.values() if each.endswith("%")}
    assert patterns == {"\u0130st%", "i\u0307st%"}


LETTERS = st.text(st.characters(exclude_categories=["Cs", "Cc"], max_codepoint=0x1FFFF), min_size=1, max_size=6)


@given(LETTERS, LETTERS)
def test_every_value_is_found_by_its_own_beginning(text: str, rest: str) -> None:
    assert matches(text, text + rest)
    assert matches(text, text)


@given(LETTERS)
def test_a_search_has_few_parameters(text: str) -> None:
    """A batch has 2,100 of them, and a search for a prefix asks fifteen times."""
    (condition,) = DIALECT.starts_with(customer.c.last_name, text)
    assert 15 * len(DIALECT.compiled(sa.select(sa.literal(1)).where(condition))[2]) < 2_000
