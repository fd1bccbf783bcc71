"""Formats blocks of rows as CSV, from values or from rows that the engine has joined, to the same bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from custctl.engines.results import CELL_END
from custctl.support.cells import cell_text
from custctl.support.text import csv_line, guard_formula, is_safe, visible

_END = CELL_END.encode()
# The first lookahead is for speed: it skips nearly all cells.
_FORMULA = re.compile(b"%s(?=[=+\\-@'])(?='*[=+\\-@])" % _END)
_COMMA = re.compile(b",")
_COMMA_OR_QUOTE = re.compile(b'[,"]')
# The characters of `custctl.support.text.UNSAFE` that `Joined` may contain, in UTF-8. The search for one of them runs
# only if its first byte is present: searching for one byte is nearly free.
_LONGER = (
    (b"\xc2", re.compile(rb"\xc2[\x80-\x9f]")),
    (b"\xd8", re.compile(rb"\xd8\x9c")),
    (b"\xe2", re.compile(rb"\xe2(?:\x80[\x8e\x8f\xa8-\xae]|\x81[\xa6-\xa9])")),
)


def from_rows(rows: Sequence[Sequence[Any]], *, raw: bool) -> tuple[str, bool]:
    """Return rows of values as CSV; None is empty.

    Args:
        raw: whether to write text unchanged; otherwise control characters are escaped and formulas are guarded.

    Returns:
        The CSV, and whether an import reads every value back exactly: nothing was escaped.
    """
    text = "".join([csv_line([_text(cell, raw) for cell in row]) for row in rows])
    return text, raw or all(is_safe(cell_text(cell)) for row in rows for cell in row if isinstance(cell, str))


def _text(cell: Any, raw: bool) -> str:
    text = cell_text(cell)
    return guard_formula(visible(text)) if isinstance(cell, str) and not raw else text


def from_joined(data: bytes, *, raw: bool) -> tuple[bytes, bool]:
    """Return rows that an engine has joined as CSV; each row's first cell is a number; see `Joined`.

    Rare cases are searched in the whole block at once, and only a block with one is split.

    Returns:
        The CSV in UTF-8, and whether an import reads every value back exactly, as for `from_rows`.
    """
    if raw:
        return _quoted(data), True
    if _is_altered(data):
        return from_rows(_apart(data), raw=False)[0].encode(), False
    return _quoted(_FORMULA.sub(_END + b"'", data)), True


def _is_altered(data: bytes) -> bool:
    """Return whether joined rows contain characters that are escaped and therefore not read back exactly."""
    return any(beginning in data and pattern.search(data) for beginning, pattern in _LONGER)


def _apart(data: bytes) -> list[list[str]]:
    return [row.split(CELL_END) for row in data.decode().split("\n")]


def _quoted(data: bytes) -> bytes:
    special = _COMMA_OR_QUOTE if b'"' in data else _COMMA
    parts: list[bytes] = []
    done = 0
    while (found := special.search(data, done)) is not None:
        # A row's first cell is a number, so a cell separator precedes every other cell closely.
        begin = data.rfind(_END, done, found.start()) + 1
        end = data.find(b"\n", begin)
        row = data[begin : end if end >= 0 else len(data)]
        cell, _, _ = row.partition(_END)
        # A quoted cell may contain a comma, so the text between quoted cells is split separately.
        parts += (data[done:begin].replace(_END, b","), b'"' + cell.replace(b'"', b'""') + b'"')
        done = begin + len(cell)
    return b"".join([*parts, data[done:].replace(_END, b","), b"\n"])
