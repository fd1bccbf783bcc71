"""The columns of the list for a given width, and the text of a cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from custctl.schema.own import to_text
from custctl.support.fieldnames import sorted_by
from custctl.support.text import visible
from custctl.terminal.layout import width_of

if TYPE_CHECKING:
    from custctl.customers.model import Customer
    from custctl.schema.own import Value

_GAP: Final = 2
# In order of importance: the minimum width, and the share of the remaining width.
_COLUMNS: Final = {
    "id": (6, 0),
    "email": (24, 4),
    "first_name": (10, 1),
    "last_name": (12, 1),
    "status": (9, 0),
    "company": (14, 2),
    "country": (12, 1),
    "phone": (16, 0),
    "city": (12, 1),
    "updated_at": (20, 0),
}
_OTHER: Final = (14, 1)


def columns(room: int, sort: str, last_id: int) -> list[tuple[str, int]]:
    """Return the columns that fit, with their widths, always including the sort field.

    Args:
        room: columns of the terminal.
        sort: the sort field.
        last_id: the greatest id shown.
    """
    names = dict.fromkeys(("id", "email", sort, *_COLUMNS))
    chosen: dict[str, int] = {}
    left = room + _GAP
    for name in names:
        least = max(_COLUMNS.get(name, _OTHER)[0], len(str(last_id)) if name == "id" else 0)
        if left < least + _GAP and chosen:
            break
        chosen[name] = least
        left -= least + _GAP
    shares = {name: _COLUMNS.get(name, _OTHER)[1] for name in chosen}
    whole = sum(shares.values())
    for name, share in shares.items():
        chosen[name] += max(left, 0) * share // max(whole, 1)
    return list(chosen.items())


def cell(value: Value) -> str:
    """Return a value as text that is safe for a terminal."""
    return visible(to_text(value) or "")


def cut(text: str, width: int) -> str:
    """Return a text in exactly this width, with `…` if it was cut."""
    if (needed := width_of(text)) <= width:
        return text + " " * (width - needed)
    kept = text
    while kept and width_of(kept) > width - 1:
        kept = kept[:-1]
    return f"{kept}…" + " " * (width - 1 - width_of(kept))


def line(row: Customer, shown: Sequence[tuple[str, int]]) -> str:
    """Return a customer as a line of the list."""
    return (" " * _GAP).join(cut(cell(row[name]), width) for name, width in shown)


def header(shown: Sequence[tuple[str, int]], sort: str) -> str:
    """Return the column names, with an arrow at the sort field."""
    field, descending = sorted_by(sort)
    arrow = "↓" if descending else "↑"
    return (" " * _GAP).join(cut(f"{name} {arrow}" if name == field else name, width) for name, width in shown)
