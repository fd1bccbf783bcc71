"""Tables and records as lines of text: aligned, and fitted into the width of a terminal without loss.

A word is never broken: an email or an id is one piece, to be read and copied.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

Cells = Sequence[str]

_GAP = "   "
_NARROWEST = 16  # columns of text that is wrapped, unless its words need more
_INDENT = "  "  # of a value that stands below its name


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text needs."""
    if text.isascii():
        return len(text)
    wide = (2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text if not _joins(char))
    return sum(wide)


def _joins(char: str) -> bool:
    """Tell whether a character has zero width."""
    return unicodedata.category(char) in ("Mn", "Me", "Cf")


def table(names: Cells, rows: Sequence[Cells], *, widths: Sequence[int] | None = None, bold: bool = False) -> list[str]:
    """Return the lines of a table with its header.

    Args:
        widths: widths of the columns; longer texts wrap at spaces. None to fit the longest text.
        bold: whether the header is bold.
    """
    widths = widths or _natural(names, rows)
    rule = "─" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    head = _joined(names, widths)
    lines = [f"\x1b[1m{head}\x1b[0m" if bold else head, rule]
    for row in rows:
        wrapped = [_wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
        for number in range(max(map(len, wrapped))):
            lines.append(_joined([part[number] if number < len(part) else "" for part in wrapped], widths))
    return lines


def fitting(names: Cells, rows: Sequence[Cells], room: int, *, wrap: bool) -> list[int] | None:
    """Return the widths of a table's columns so that it fits; None if it cannot.

    Args:
        room: columns of the terminal.
        wrap: whether texts may wrap at spaces.
    """
    widths = _natural(names, rows)
    over = sum(widths) + len(_GAP) * (len(widths) - 1) - room
    if over <= 0:
        return widths
    if not wrap:
        return None
    least = [
        max(width_of(name), min(width, _NARROWEST), *(width_of(word) for row in rows for word in row[at].split(" ")))
        for at, (name, width) in enumerate(zip(names, widths, strict=True))
    ]
    while over > 0:
        # The widest gives way first, so that they end alike.
        spare = [(width, at) for at, width in enumerate(widths) if width > least[at]]
        if not spare:
            return None
        _, at = max(spare)
        widths[at] -= 1
        over -= 1
    return widths


def record(names: Cells, cells: Cells, room: int | None = None) -> Iterator[str]:
    """Yield the lines of one record: a name and its value on each.

    Args:
        room: columns of the terminal; longer values wrap at spaces. None for lines of any length.
    """
    label = max(map(width_of, names), default=0)
    left = room - label - len(_GAP) if room is not None else None
    for name, cell in zip(names, cells, strict=True):
        first = name + " " * (label - width_of(name)) + _GAP
        if left is None or width_of(cell) <= left:
            yield (first + cell).rstrip()
        elif left >= max(map(width_of, cell.split(" "))):
            for part in _wrap(cell, left):
                yield (first + part).rstrip()
                first = " " * len(first)
        else:
            # A word that is too long even so begins at the edge: what the terminal then folds is one line to copy.
            yield name
            assert room is not None
            for part in _wrap(cell, room - len(_INDENT)):
                yield part if width_of(part) > room - len(_INDENT) else _INDENT + part


def _natural(names: Cells, rows: Sequence[Cells]) -> list[int]:
    return [max(width_of(row[at]) for row in (names, *rows)) for at in range(len(names))]


def _joined(cells: Cells, widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - width_of(cell)) for cell, width in zip(cells, widths, strict=True))
    return _GAP.join(padded).rstrip()


def _wrap(text: str, width: int) -> list[str]:
    """Return a text in lines, broken only at spaces."""
    if width_of(text) <= width:
        return [text]
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and width_of(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
