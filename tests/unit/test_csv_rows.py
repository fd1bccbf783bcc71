"""Strict CSV: what is well-formed is read as the standard reader does, what is not costs a line and has a reason."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custctl.customers import csv_rows
from custctl.customers.csv_rows import Row, detect_delimiter, read_rows, separator_line, without_tail
from custctl.customers.headers import is_known, parse_mapping

CLOSED = "has text after its closing quote: double each quote in it"
STRAY = "has a stray quote: put the cell in quotes and double each quote in it"
BLANK_BEFORE = "has a blank before its opening quote: remove the blank"
BLANK_AFTER = "has a blank after its closing quote: remove the blank"
OPEN = "opens a quote that is never closed"


def rows(text: str, delimiter: str = ",") -> list[Row]:
    return list(read_rows(iter(io.StringIO(text, newline="")), delimiter))


def faults(text: str, delimiter: str = ",") -> list[str | None]:
    return [row.fault for row in rows(text, delimiter)]


cells = st.text(st.sampled_from('a "\n\r,;\t|\0é'), max_size=6)


@settings(max_examples=3 * settings().max_examples)
@given(st.lists(st.lists(cells, min_size=2, max_size=4), max_size=5), st.sampled_from(",;\t|"), st.booleans())
def test_what_a_writer_writes_is_read(table: list[list[str]], delimiter: str, everything: bool) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter, quoting=csv.QUOTE_ALL if everything else csv.QUOTE_MINIMAL)
    writer.writerows(table)
    assert [(row.cells, row.fault) for row in rows(buffer.getvalue(), delimiter)] == [(row, None) for row in table]


@settings(max_examples=5 * settings().max_examples)
@given(st.text(st.sampled_from('ab"\n,'), max_size=40))
def test_any_text_is_read_whole_and_a_fault_costs_its_own_line_alone(text: str) -> None:
    lines = io.StringIO(text, newline="").readlines()
    found = rows(text)
    if not found:
        assert not text.strip("\n")
        return
    assert [row.line for row in found] == sorted({row.line for row in found})
    ends = [row.line for row in found[1:]] + [len(lines) + 1]
    for row, end in zip(found, ends, strict=True):
        if row.fault is not None:
            assert row.text == lines[row.line - 1]
            assert not any(line.strip("\n") for line in lines[row.line : end - 1])
        else:
            # Of what is well-formed the standard reader, and a strict one, make the same.
            held = "".join(lines[row.line - 1 : end - 1]).rstrip("\n")
            assert row.cells == next(csv.reader(io.StringIO(held, newline=""), strict=True))


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('a,"The "Big" Shop"', f"cell 2 {CLOSED}"),
        ('"Shop" & Co,b', f"cell 1 {CLOSED}"),
        ('a,"b" ,c', f"cell 2 {BLANK_AFTER}"),
        ('a,"b""c"  ', f"cell 2 {BLANK_AFTER}"),
        ('a,"b" c,d', f"cell 2 {CLOSED}"),
        ('a,b,""c', f"cell 3 {CLOSED}"),
        ('5" pipe,b', f"cell 1 {STRAY}"),
        ('a, "b",c', f"cell 2 {BLANK_BEFORE}"),
        ('a, b"', f"cell 2 {STRAY}"),
        ('a,b"', f"cell 2 {STRAY}"),
        ('a,b""c', f"cell 2 {STRAY}"),
        ('"x,y",b"', f"cell 2 {STRAY}"),
        ('a,"b', f"cell 2 {OPEN}"),
        ('"', f"cell 1 {OPEN}"),
        ('a,"""', f"cell 2 {OPEN}"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", ""])
def test_a_stray_quote_is_told_and_the_rows_around_it_are_read(line: str, fault: str, end: str) -> None:
    found = rows("x,y" + (end or "\n") + line + end)
    assert [(row.line, row.fault) for row in found] == [(1, None), (2, fault)]
    assert found[1].text == line + end
    if end:
        assert rows(f"{line}{end}x,y")[1:] == [Row(2, ["x", "y"])]
        assert rows(f'{line}{end}"x,1",y')[1:] == [Row(2, ["x,1", "y"])]


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ('""', [""]),
        ('"",""', ["", ""]),
        ('""""', ['"']),
        ('"a""b","""c"""', ['a"b', '"c"']),
        ('"a\n""\n",b', ['a\n"\n', "b"]),
        ('"a\r\nb","c\rd"', ["a\r\nb", "c\rd"]),
        ("\0,a\0b", ["\0", "a\0b"]),
        (" a , b ", [" a ", " b "]),
    ],
)
def test_what_is_well_formed_is_read_as_it_is(text: str, cells: list[str]) -> None:
    assert rows(f"{text}\n") == [Row(1, cells)]
    assert rows(text) == [Row(1, cells)]


def test_the_lines_below_a_fault_are_rows_of_their_own() -> None:
    found = rows('a,"open\nb,1\nc,"two\nlines"\nd,"x" y\ne,2\n')
    assert [(row.line, row.fault or row.cells) for row in found] == [
        (1, f"cell 2 {OPEN}"), (2, ["b", "1"]), (3, ["c", "two\nlines"]), (5, f"cell 2 {CLOSED}"), (6, ["e", "2"]),
    ]  # fmt: skip


def test_a_fault_names_its_column() -> None:
    found = list(read_rows(iter(['a,5" x\n', 'a,b,5" x\n']), ",", header=["email", "Size"]))
    assert [row.fault for row in found] == [f"cell 2 (`Size`) {STRAY}", f"cell 3 {STRAY}"]


@pytest.mark.parametrize(
    "lines",
    [
        ['x,"\n'] + ['","\n'] * 30_000,
        ['x,"a\n'] + ['y,""\n'] * 30_000,
        ['x,"\n', 'y,"b\n'] * 15_000,
        ['x,"' + "a" * 100 + "\n"] * 15_000,
        ['"""\n'] * 30_000,
        ['x,"' + '""' * 50 + "\n"] * 10_000,
    ],
    ids=["one long row", "open", "in pairs", "all open", "triple", "doubled"],
)
def test_no_text_is_gone_over_again_and_again(lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = 0

    def counted(pattern: re.Pattern[str]) -> Any:
        class Counting:
            def match(self, text: str, at: int = 0) -> object:
                nonlocal seen
                seen += len(text)
                return pattern.match(text, at)

        return Counting()

    grammar = csv_rows._grammar(",")
    counting = grammar._replace(
        row=counted(grammar.row), rest=counted(grammar.rest), still=counted(grammar.still), cells=counted(grammar.cells)
    )
    monkeypatch.setattr(csv_rows, "_grammar", lambda _: counting)
    for _ in read_rows(iter(lines), ","):
        pass
    assert seen <= 8 * sum(map(len, lines))


# -- the delimiter ---------------------------------------------------------------------------------


def detected(text: str, *mapping: str) -> str:
    known = parse_mapping(mapping)
    return detect_delimiter(text.splitlines(keepends=True), lambda header: is_known(header, known))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "table",
    [
        ["email", "a@x.com"],
        ["email~city", "a@x.com~Rome"],
        ["Email~Company, Ltd; or not~City|Town", "a@x.com~x;y|z,w~Rome"],
        ['"Name, first; last|all\tof it"~email', '"Lovelace, Ada; Countess"~a@x.com'],
        ["email~notes", 'a@x.com~"a;b,c|d\te"', 'b@x.com~"x\ny,z"'],
        ["", "", "email~city~x", "a@x.com~Rome~y"],
    ],
)
def test_the_delimiter_is_found_by_parsing(table: Sequence[str], delimiter: str) -> None:
    text = "".join(line.replace("~", delimiter) + "\n" for line in table if delimiter not in line or '"' in line)
    if "~" not in "".join(table) or not text:
        assert detected(text) == ","
    else:
        assert detected(text) == delimiter


def test_headers_that_are_fields_count_more_than_how_often_a_character_stands_there() -> None:
    assert detected("email;first_name;last_name, title, suffix, more\na@x.com;A;B\n") == ";"
    assert detected("Mail;Vorname, Rufname;Ort\na;b;c\n", "email=Mail") == ";"
    # Without a header that means something, the rows decide.
    assert detected("Mail;Vorname;Ort, Land\na;b;c, d\ne;f;g\n") == ";"
    assert detected("Mail|Ort\na|b, c\n") == "|"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("sep=;\n", ";"), ("SEP=,\r\n", ","), ('"sep=;"\n', ";"), ("sep=\t\n", "\t"), ("sep=|", "|"), ("sep=^\r", "^"),
        ("sep=;;;\n", ";"), ('"sep=;";;\n', ";"), ("sep=\n", ""), ("sep = ;\n", ";"), ("sep=; \r\n", ";"), ("sep=\\t\n", "\t"), ("email;sep=;\n", None), ("sep=;;email\n", None), ("separator\n", None), ("", None),
    ],
)  # fmt: skip
def test_a_line_that_names_the_delimiter(line: str, named: str | None) -> None:
    assert separator_line(line) == named


@settings(max_examples=3 * settings().max_examples)
@given(
    st.text(st.sampled_from('a",;1\0'), max_size=12),
    st.integers(0, 10**6),
    st.text(st.sampled_from('a",;1 '), max_size=12),
    st.sampled_from(",;"),
)
def test_what_the_rejects_put_behind_a_row_is_taken_off_exactly(
    text: str, line: int, reason: str, delimiter: str
) -> None:
    quoted = reason.replace('"', '""')
    assert without_tail(f'{text}{delimiter}{line}{delimiter}"{quoted}"', delimiter) == text
