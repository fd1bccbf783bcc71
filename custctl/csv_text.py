"""Blocks of rows as CSV. The two ways give the same bytes; one of them is for rows that an engine has joined."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from custctl.engines.base import CELL_END
from custctl.text import UNSAFE, csv_cell, csv_line, guard_formula, visible

_GUARD_AFTER = re.compile(f"(?<={CELL_END})(?='*[=+\\-@])")


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


def from_joined(text: str, *, raw: bool) -> tuple[str, bool]:
    """Return rows as CSV that an engine has joined, the first cell of each being a number; see `Joined`.

    What is rare is looked for in the whole block at once, and only a block that has it is taken apart.

    Returns:
        The text, and whether every value in it is read back exactly: nothing was made visible.
    """
    if raw:
        return (from_rows(_apart(text), raw=True) if "\r" in text else _quoted(text)), True
    if _is_altered(text):
        return from_rows(_apart(text), raw=False), False
    return _quoted(_guarded(text)), True


def _is_altered(text: str) -> bool:
    """Tell whether joined rows hold what is made visible, and so is not read back as it was."""
    bare = text.replace("\n", "").replace(CELL_END, "")
    return not bare.isprintable() and UNSAFE.search(bare) is not None


def _apart(text: str) -> list[list[str]]:
    return [row.split(CELL_END) for row in text.split("\n")]


def _guarded(text: str) -> str:
    if f"{CELL_END}'" in text:
        return _GUARD_AFTER.sub("'", text)
    for sign in "=+-@":
        text = text.replace(f"{CELL_END}{sign}", f"{CELL_END}'{sign}")
    return text


def _quoted(text: str) -> str:
    if "," in text or '"' in text:
        rows = text.split("\n")
        for number, row in enumerate(rows):
            if "," in row or '"' in row:
                rows[number] = CELL_END.join(map(csv_cell, row.split(CELL_END)))
        text = "\n".join(rows)
        # A quoted cell may hold the separator of CSV, so cells are divided last.
    return text.replace(CELL_END, ",") + "\n"
