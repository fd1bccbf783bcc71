"""Blocks of rows as CSV. The two ways give the same bytes; one of them is for rows that an engine has joined."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from custctl.engines.connection import CELL_END
from custctl.support.text import csv_line, guard_formula, visible

_END = CELL_END.encode()
# The first look ahead is for speed: it passes over nearly all cells.
_FORMULA = re.compile(b"%s(?=[=+\\-@'])(?='*[=+\\-@])" % _END)
# What `custctl.support.text.UNSAFE` finds, as UTF-8 spells it: one byte each, but for what divides rows and cells; then those of
# more bytes, which are only looked for where their first byte is found: to search for one byte costs next to nothing.
_CONTROLS = bytes({*range(0x20), 0x7F} - {0x0A, *_END})
_LONGER = (
    (b"\xc2", re.compile(rb"\xc2[\x80-\x9f]")),
    (b"\xd8", re.compile(rb"\xd8\x9c")),
    (b"\xe2", re.compile(rb"\xe2(?:\x80[\x8e\x8f\xa8-\xae]|\x81[\xa6-\xa9])")),
)


def from_rows(rows: Sequence[Sequence[Any]], *, raw: bool) -> str:
    """Return rows of values as CSV; None is empty.

    Args:
        raw: text exactly as it is; otherwise made visible, and guarded where a spreadsheet would run it.
    """
    return "".join([csv_line([_text(cell, raw) for cell in row]) for row in rows])


def _text(cell: Any, raw: bool) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell if raw else guard_formula(visible(cell))
    return str(cell)


def from_joined(data: bytes, *, raw: bool) -> tuple[bytes, bool]:
    """Return rows as CSV that an engine has joined, the first cell of each being a number; see `Joined`.

    What is rare is looked for in the whole block at once, and only a block that has it is taken apart.

    Returns:
        The CSV in UTF-8, and whether every value in it is read back exactly: nothing was made visible.
    """
    if raw:
        return (from_rows(_apart(data), raw=True).encode() if b"\r" in data else _quoted(data)), True
    if _is_altered(data):
        return from_rows(_apart(data), raw=False).encode(), False
    return _quoted(_guarded(data)), True


def _is_altered(data: bytes) -> bool:
    """Tell whether joined rows hold what is made visible, and so is not read back as it was."""
    if len(data.translate(None, _CONTROLS)) != len(data):
        return True
    return any(beginning in data and pattern.search(data) for beginning, pattern in _LONGER)


def _apart(data: bytes) -> list[list[str]]:
    return [row.split(CELL_END) for row in data.decode().split("\n")]


def _guarded(data: bytes) -> bytes:
    return _FORMULA.sub(_END + b"'", data)


def _quoted(data: bytes) -> bytes:
    if b"," in data or b'"' in data:
        rows = data.split(b"\n")
        for number, row in enumerate(rows):
            if b"," in row or b'"' in row:
                rows[number] = _END.join(map(_quoted_cell, row.split(_END)))
        data = b"\n".join(rows)
        # A quoted cell may hold the separator of CSV, so cells are divided last.
    return data.replace(_END, b",") + b"\n"


def _quoted_cell(cell: bytes) -> bytes:
    return b'"' + cell.replace(b'"', b'""') + b'"' if b"," in cell or b'"' in cell else cell
