"""Formats tables and records as aligned lines that fit a terminal's width without loss.

Words are never broken, so that an email or an id can be read and copied.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterator, Sequence

Cells = Sequence[str]

LogEntry = tuple[Sequence[str], Sequence[tuple[str, str]]]
"""A headline in parts, and the changes: names and texts."""

_GAP = "   "
_NARROWEST = 16  # minimum width of wrapped text, unless its words need more
_SHORTEST = 12  # minimum width of cut text
_CAP = 32  # maximum width of an email in a list before it gets its own line
_WORTH = 4  # minimum number of columns of a list before that
_INDENT = "  "  # of a value below its name
_SOFT_HYPHEN = "\u00ad"
_STYLE = re.compile("\x1b\\[[0-9;]*m")


def width_of(text: str) -> int:
    """Return the width of a text in columns of a terminal."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(char: str) -> int:
    """Return the width of a character in columns: 0 if it combines with the one before it."""
    if "\u1160" <= char <= "\u11ff" or (unicodedata.category(char) in ("Mn", "Me", "Cf") and char != _SOFT_HYPHEN):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def rows_of(line: str, room: int) -> int:
    """Return how many rows of a terminal a line takes, not counting colour codes."""
    return max(1, -(-width_of(_STYLE.sub("", line)) // room))


def shortened(text: str, width: int) -> str:
    """Return a text cut to a maximum width, with `…` for what is omitted."""
    if width_of(text) <= width:
        return text
    kept, left = [], width - 1
    for char in text:
        left -= _cells(char)
        if left < 0:
            break
        kept.append(char)
    return "".join(kept).rstrip() + "…"


def table(names: Cells, rows: Sequence[Cells], *, widths: Sequence[int] | None = None, bold: bool = False) -> list[str]:
    """Return the lines of a table with its header.

    Args:
        widths: widths of the columns; longer texts wrap at spaces. None to fit the longest text.
        bold: whether the header is bold.
    """
    widths = widths or _natural(names, rows)
    lines = _head(names, widths, bold=bold)
    for row in rows:
        wrapped = [_wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
        for number in range(max(map(len, wrapped))):
            lines.append(_joined([part[number] if number < len(part) else "" for part in wrapped], widths))
    return lines


def _head(names: Cells, widths: Sequence[int], *, bold: bool) -> list[str]:
    head = _joined(names, widths)
    return [f"\x1b[1m{head}\x1b[0m" if bold else head, "─" * (sum(widths) + len(_GAP) * (len(widths) - 1))]


def fitting(names: Cells, rows: Sequence[Cells], room: int) -> list[int] | None:
    """Return column widths with which a table fits if texts wrap at spaces; None if it cannot fit.

    Args:
        room: columns of the terminal.
    """
    widths = _natural(names, rows)
    over = sum(widths) + len(_GAP) * (len(widths) - 1) - room
    if over <= 0:
        return widths
    least = [
        max(width_of(name), min(width, _NARROWEST), *(width_of(word) for row in rows for word in row[at].split(" ")))
        for at, (name, width) in enumerate(zip(names, widths, strict=True))
    ]
    return _narrowed(widths, least, over)


def _narrowed(widths: list[int], least: Sequence[int], over: int) -> list[int] | None:
    """Return widths reduced by `over` in total, or None if that goes below `least`."""
    while over > 0:
        # Shrink the widest first, so that the widths become similar.
        spare = [(width, at) for at, width in enumerate(widths) if width > least[at]]
        if not spare:
            return None
        _, at = max(spare)
        widths[at] -= 1
        over -= 1
    return widths


def listed(
    names: Cells, rows: Sequence[Cells], room: int, *, cut: Container[str], least: int, bold: bool = False
) -> tuple[int, list[str]] | None:
    """Return how many columns of a list fit, and its lines; None if fewer than `least` fit.

    Texts are cut before columns are omitted; emails are never cut. If a few emails are so long that important columns
    would be omitted, the rest of each such row continues on its own line.

    Args:
        names: the columns in order of importance: the last one is omitted first.
        room: columns of the terminal.
        cut: the columns whose texts may be cut.
        least: minimum number of columns of a list.
        bold: whether the header is bold.
    """
    natural = _natural(names, rows)
    for capped in (False, True):
        for count in range(len(names), (least if capped else max(least, min(_WORTH, len(names)))) - 1, -1):
            widths = [
                min(width, max(_CAP, width_of(name))) if capped and name not in cut else width
                for name, width in zip(names, natural[:count], strict=False)
            ]
            smallest = [
                min(width, max(width_of(name), _SHORTEST)) if name in cut else width
                for name, width in zip(names, widths, strict=False)
            ]
            found = _narrowed(widths, smallest, sum(widths) + len(_GAP) * (count - 1) - room)
            if found is not None:
                shown = [
                    [
                        shortened(cell, width) if name in cut else cell
                        for name, cell, width in zip(names, row, found, strict=False)
                    ]
                    for row in rows
                ]
                lines = _head(names[:count], found, bold=bold)
                for row in shown:
                    lines += _spilled(row, found, room)
                return count, lines
    return None


def _spilled(cells: Cells, widths: Sequence[int], room: int) -> list[str]:
    """Return a row in lines: the cells after one that is too wide continue below it, in their own columns."""
    lines, line, start = [], "", 0
    for cell, width in zip(cells, widths, strict=True):
        if cell:
            size = width_of(cell)
            # A cell that would cross the right edge starts further left: the terminal would break it.
            begin = start if size <= width or start + size <= room else max(room - size, 0)
            if line and width_of(line) + len(_GAP) > begin:
                lines.append(line)
                line = ""
            line += " " * (begin - width_of(line)) + cell
        start += width + len(_GAP)
    return [*lines, line]


def record(names: Cells, cells: Cells, room: int | None = None) -> Iterator[str]:
    """Yield the lines of one record: a name and its value per line.

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
            # A word that is still too long starts at the left edge: folded by the terminal, it is still copied whole.
            yield name
            assert room is not None
            for part in _wrap(cell, room - len(_INDENT)):
                yield part if width_of(part) > room - len(_INDENT) else _INDENT + part


def log(entries: Sequence[LogEntry], room: int | None = None) -> Iterator[str]:
    """Yield the lines of a log: a headline for each entry, and its changes below it.

    Args:
        room: columns of the terminal; longer texts wrap at spaces. None for lines of any length.
    """
    for head, changes in entries:
        line = _GAP.join(filter(None, head))
        if room is None or width_of(line) <= room:
            yield line
        else:
            yield head[0]
            for part in _wrap(_GAP.join(filter(None, head[1:])), room - len(_INDENT)):
                yield _INDENT + part
        names, cells = [name for name, _ in changes], [text for _, text in changes]
        for part in record(names, cells, room - len(_INDENT) if room is not None else None):
            yield _INDENT + part


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
