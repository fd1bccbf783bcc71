"""Strict CSV (RFC 4180): splitting text into rows, and detecting the delimiter.

The standard reader silently alters a cell such as `"The "Big" Shop"`. Here a row with a stray quote is a row with a
fault, and costs only one line: a quote opened by mistake does not swallow the rows below.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from custctl.support.patterns import compiled

DELIMITERS = (",", ";", "\t", "|")
"""The delimiters to detect, the most common first."""

LONGEST_CELL = 1 << 22
"""Characters. A quote that is still open after this many was opened by mistake."""

MOST_CELLS = 1 << 16
"""Cells per row; a longer row is not split, because each cell costs more memory than its characters."""

# A program that read the line as a row has padded it with empty cells; a person may have typed blanks.
_SEPARATOR_LINE = re.compile(r'"?sep ?= ?(\\t|.?)"?\1* *[\r\n]*', re.IGNORECASE)
_SAMPLE_ROWS = 50


class Row(NamedTuple):
    """One row of a file; a tuple, because there are millions of them.

    Attributes:
        line: 1-based line on which it begins.
        cells: empty if the row has a fault.
        text: the original line, if the row has a fault.
        fault: what is wrong with its quotes, or None.
    """

    line: int
    cells: list[str]
    text: str = ""
    fault: str | None = None


class _Grammar(NamedTuple):
    """Patterns of rows with quotes, for one delimiter. All are possessive: none ever backtracks.

    Attributes:
        row: a whole row; or, with the group `open`, one that ends within a quoted cell.
        rest: the same for a line that begins within a quoted cell; if it also ends there, `still` matches it.
        cells: the valid cells at the beginning of a row.
        blank: a cell with blanks outside its quotes; the group is those before them.
        tail: a row that ends with the two columns of a file of rejects; the group is what precedes them.
    """

    row: re.Pattern[str]
    rest: re.Pattern[str]
    still: re.Pattern[str]
    cells: re.Pattern[str]
    blank: re.Pattern[str]
    tail: re.Pattern[str]


@lru_cache
def _grammar(delimiter: str) -> _Grammar:
    divider = re.escape(delimiter)
    inside = '[^"]*+(?:""[^"]*+)*+'
    cell = f'(?:"{inside}"(?!")|[^"\r\n{divider}]*+)'
    end = r"(?:\r\n?|\n)?\Z"
    opened = rf'(?P<open>"){inside}\Z'
    return _Grammar(
        row=compiled(rf"{cell}(?:{divider}{cell})*+{end}|(?:{cell}{divider})*+{opened}"),
        rest=compiled(
            rf'{inside}"(?!")(?:(?:{divider}{cell})*+{end}|(?:{divider}{cell}(?={divider}))*+{divider}{opened})'
        ),
        still=compiled(rf"{inside}\Z"),
        cells=compiled(rf"(?:{cell}{divider})*+"),
        blank=compiled(rf'( +)"|"{inside}" +(?:{divider}|[\r\n]|\Z)'),
        tail=compiled(rf'(.*){divider}"?(?:_line|\d*)"?{divider}{cell}{end}', re.DOTALL),
    )


def read_rows(lines: Iterator[str], delimiter: str, *, line: int = 0, header: Sequence[str] = ()) -> Iterator[Row]:
    """Yield the rows of a text; blank lines are skipped.

    Args:
        lines: with their line ends; each kind ends a line.
        line: how many lines came before.
        header: for messages.
    """
    grammar = _grammar(delimiter)
    waiting: deque[str] = deque()
    while True:
        text = waiting.popleft() if waiting else next(lines, "")
        if not text:
            return
        line += 1
        if len(text) > MOST_CELLS and text.count(delimiter) >= MOST_CELLS:
            yield Row(line, [], text, f"has more than {MOST_CELLS} cells")
            continue
        if '"' not in text:
            text = text.rstrip("\r\n")
            if text:
                yield Row(line, text.split(delimiter))
            continue
        cells = _plain(text, delimiter)
        if cells is not None:
            yield Row(line, cells)
            continue
        found = grammar.row.match(text)
        first = line
        more: list[str] = []
        if found is not None and found["open"]:
            found, more = _closed(lines, waiting, grammar, text)
        if found is None:
            # Only this line is faulty: the lines below are read as rows of their own.
            waiting.extendleft(reversed(more))
            yield Row(line, [], text, _fault(text, delimiter, header))
            continue
        line += len(more)
        whole = text + "".join(more) if more else text
        if more and len(whole) > MOST_CELLS and whole.count(delimiter) >= MOST_CELLS:
            # A row over several lines cannot be reported as one: report its first line, and read the others as rows.
            waiting.extendleft(reversed(more))
            line = first
            yield Row(line, [], text, f"has more than {MOST_CELLS} cells")
            continue
        yield Row(first, next(csv.reader((whole,), delimiter=delimiter)))


def _plain(text: str, delimiter: str) -> list[str] | None:
    """Return the cells of a line with quotes around cells and none within: a fast path for nearly all quoted lines."""
    try:
        cells = next(csv.reader((text,), delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return None if '"' in "".join(cells) else cells


def _closed(
    lines: Iterator[str], waiting: deque[str], grammar: _Grammar, text: str
) -> tuple[re.Match[str] | None, list[str]]:
    """Read the remaining lines of a row that ends within a quoted cell.

    Returns:
        A match if the row ends properly, and the lines that were read.
    """
    taken: list[str] = []
    size = len(text)
    while size <= LONGEST_CELL:
        more = waiting.popleft() if waiting else next(lines, "")
        if not more:
            break
        taken.append(more)
        size += len(more)
        if '"' not in more or grammar.still.match(more):
            continue
        found = grammar.rest.match(more)
        if found is None or not found["open"]:
            return found, taken
    return None, taken


def _fault(text: str, delimiter: str, header: Sequence[str]) -> str:
    """Describe what is wrong with the quotes of a line."""
    grammar = _grammar(delimiter)
    good = grammar.cells.match(text)
    begun = good.end() if good is not None else 0
    number = len(next(csv.reader((text[:begun] + "cell",), delimiter=delimiter)))
    name = f" (`{header[number - 1]}`)" if number <= len(header) and header[number - 1].strip() else ""
    blank = grammar.blank.match(text, begun)
    if blank is not None:
        side = "before its opening" if blank[1] is not None else "after its closing"
        return f"cell {number}{name} has a blank {side} quote: remove the blank"
    if text[begun : begun + 1] != '"':
        return f"cell {number}{name} has a stray quote: put the cell in quotes and double each quote in it"
    if grammar.still.match(text, begun + 1):
        return f"cell {number}{name} opens a quote that is never closed"
    return f"cell {number}{name} has text after its closing quote: double each quote in it"


def without_tail(text: str, delimiter: str) -> str:
    """Return a row's text without the columns `_line` and `_reason` that end each row of a file of rejects."""
    found = _grammar(delimiter).tail.fullmatch(text)
    return found[1] if found is not None else text


def separator_line(line: str) -> str | None:
    """Return the delimiter of a first line such as `sep=;`, which some tools write for Excel.

    Returns:
        None if it is not such a line; empty if it names no delimiter.
    """
    found = _SEPARATOR_LINE.fullmatch(line)
    return found[1].replace("\\t", "\t") if found is not None else None


def detect_delimiter(
    sample: Sequence[str], known: Callable[[str], bool], delimiters: Sequence[str] = DELIMITERS
) -> str:
    """Return the delimiter with which a text parses best as rows.

    Args:
        sample: the first lines; the last one may be cut off.
        known: returns whether a header is known.
        delimiters: those to choose from, the most common first.
    """

    def fitness(delimiter: str) -> tuple[int, float, int]:
        header, *rows = [row.cells for row in first_rows(read_rows(iter(sample), delimiter)) if row.fault is None] or [
            []
        ]
        alike = sum(len(cells) == len(header) for cells in rows) / len(rows) if rows else 1.0
        return sum(map(known, header)), alike if len(header) > 1 else 0.0, len(header)

    return max(delimiters, key=fitness)


def first_rows(rows: Iterable[Row]) -> list[Row]:
    """Return some rows from the beginning of a file."""
    found: list[Row] = []
    for row in rows:
        found.append(row)
        if len(found) == _SAMPLE_ROWS:
            break
    return found


def allow_long_cells() -> None:
    """Let the standard reader accept cells as long as a line may be; its limit is global to the process."""
    csv.field_size_limit(8 * LONGEST_CELL)


def is_blank(cells: Iterable[Any]) -> bool:
    """Return whether all cells are empty."""
    return not any(cell.strip() if isinstance(cell, str) else cell is not None for cell in cells)
