"""The two ways to CSV give the same bytes, and what they give is read back exactly."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from custctl.customers import exporting
from custctl.engines.results import CELL_END, joined_rows
from custctl.support.text import UNSAFE, unguard_formula
from custctl.terminal.csv_text import from_joined, from_rows

HARD = [
    "",
    "=1+1",
    "'=x",
    "''",
    "''@y",
    "-5",
    "+49 30",
    "@a",
    "a,b",
    'say "hi"',
    "'",
    ",",
    '"',
    "\u202e",
    "\x1b[31m",
    "é",
    "\r",
    "\t",
    "\x7f",
    "\x85",
    "\u061c",
    "\u200f",
    "\u202e",
    "\u2069",
    "° – ’ ⁰ \u0621",
]
cells = st.one_of(
    st.sampled_from(HARD),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
tables = st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=6)


@given(tables, st.booleans())
def test_joined_rows_give_the_same_text_as_values(rows: list[tuple[str, ...]], raw: bool) -> None:
    numbered = [(str(number), *row) for number, row in enumerate(rows, start=1)]
    joined = joined_rows("\n".join(CELL_END.join(row) for row in numbered).encode(), len(rows), len(numbered[0]))
    assert (joined is None) == any(re.search("[\0-\x1f\x7f]", cell) for row in rows for cell in row)
    text, exact = from_rows(numbered, raw=raw)
    assert exact is (raw or not any(re.search(UNSAFE, cell) for row in numbered for cell in row))
    if joined is not None:
        assert from_joined(joined.data, raw=raw) == (text.encode(), exact)


@given(tables)
def test_raw_text_is_read_back_exactly(rows: list[tuple[str, ...]]) -> None:
    numbered = [(str(number), *row) for number, row in enumerate(rows, start=1)]
    text, _ = from_rows(numbered, raw=True)
    assert list(csv.reader(io.StringIO(text, newline=""))) == [list(row) for row in numbered]


@given(tables)
def test_guarded_text_is_safe_and_taken_away_exactly(rows: list[tuple[str, ...]]) -> None:
    clean = [tuple(re.sub(UNSAFE, "", cell) for cell in row) for row in rows]
    read = list(csv.reader(io.StringIO(from_rows(clean, raw=False)[0], newline="")))
    assert not any(cell[:1] in "=+-@" for row in read for cell in row if cell)
    assert [tuple(map(unguard_formula, row)) for row in read] == clean


def test_none_is_an_empty_cell() -> None:
    assert from_rows([(1, None, "x")], raw=False) == ("1,,x\n", True)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.none() | st.text(max_size=4), st.none() | st.integers(-1, 1)), min_size=1)
)
def test_rows_that_are_joined_here_are_the_same(rows: list[tuple[Any, ...]]) -> None:
    joined = exporting._joined(rows)
    if joined is not None:
        data, exact = from_joined(joined.data, raw=False)
        assert (data.decode(), exact) == from_rows(rows, raw=False)
