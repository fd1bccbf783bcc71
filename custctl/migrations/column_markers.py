"""The markers `personal` and `searchable` of the columns that a script adds to `customer`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from custctl.schema.names import CUSTOMER

MARKERS: Final = ("personal", "searchable")

# Most databases have no own fields to look for: these patterns are compiled when they are first used.
_MARK = r"(?aim)--[ \t]*custctl[ \t]*:[ \t]*(personal|searchable)[ \t]*$"
# Strings and comments, which add no column; a column's name may be in quotes or brackets.
_HIDDEN = r"(?s)'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/"
_NAME = r"(?:\"(?:[^\"]|\"\")*\"|\[(?:[^\]]|\]\])*\]|`[^`]*`|\w+)"
_ADDING = (
    rf"(?i)\bALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?(?:{_NAME}\s*\.\s*)*({_NAME})\s+(?:WITH\s+(?:NO)?CHECK\s+)?(?=ADD\b)"
    r"((?:[^;\"\[]|\"(?:[^\"]|\"\")*\"|\[[^\]]*\])*)"
)
_ITEM = rf"(?i)(?:ADD\s+)?(?:COLUMN\s+)?(?:IF\s+NOT\s+EXISTS\s+)?({_NAME})"
_TEXT = r"(?i)\s*(?:\w+\s*\.\s*|\[)?\w*(?:char|text|clob|string)"
_BATCH_END = r"(?im)^[ \t]*GO\b.*"


def column_markers(text: str, column: str) -> frozenset[str]:
    """Return the markers of a column that a script adds to `customer`.

    A marker alone on its line applies to every column that the script adds; one after a column, on the same line, only
    to that column.

    Args:
        text: the script.
        column: the column's name, in any case.

    Returns:
        Some of `personal` and `searchable`; empty if the script does not add the column.
    """
    lines = {line for name, _, line in _added(text) if _bare(name) == column.casefold()}
    if not lines:
        return frozenset()
    marked = set()
    for mark in re.finditer(_MARK, text):
        alone = not text[text.rfind("\n", 0, mark.start()) + 1 : mark.start()].strip(" \t-")
        if alone or text.count("\n", 0, mark.start()) in lines:
            marked.add(mark[1].lower())
    return frozenset(marked)


def searchable_columns(text: str) -> list[str]:
    """Return the columns of a text type that a script adds to `customer` and marks as searchable."""
    found = []
    for name, kind, _ in _added(text):
        if re.match(_TEXT, kind) and "searchable" in column_markers(text, _bare(name)):
            found.append(name.strip('"[]`') if name[0] in '"[`' else name.lower())
    return found


def _added(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield each column that a script adds to `customer`: its name as written, what follows it, and its line."""
    hidden = re.sub(_BATCH_END, ";", re.sub(_HIDDEN, lambda match: re.sub(r"[^\n]", " ", match[0]), text))
    for adding in re.finditer(_ADDING, hidden):
        if _bare(adding[1]) != CUSTOMER:
            continue
        for start, item in _items(adding.start(2), adding[2]):
            column = item.lstrip()
            if found := re.match(_ITEM, column):
                at = start + len(item) - len(column) + found.start(1)
                yield found[1], column[found.end() :], text.count("\n", 0, at)


def _items(start: int, text: str) -> list[tuple[int, str]]:
    """Split the text after a table's name at the commas outside parentheses."""
    found, depth, begin = [], 0, 0
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            found.append((start + begin, text[begin:at]))
            begin = at + 1
    return [*found, (start + begin, text[begin:])]


def _bare(name: str) -> str:
    return name.strip('"[]`').casefold()
