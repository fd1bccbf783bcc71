"""Formats a customer and its history as lines that fit the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from custctl.cli.browser.columns import cell
from custctl.support.exact_json import told_apart
from custctl.terminal.layout import width_of

if TYPE_CHECKING:
    from custctl.api.accounts import Linked
    from custctl.customers.history import History
    from custctl.customers.merge import FieldConflict
    from custctl.customers.model import Customer
    from custctl.schema.own import Value

_EMPTY: Final = "(empty)"


def shown(value: Value) -> str:
    """Return a value as text that is safe for a terminal and never empty."""
    return _EMPTY if value is None else cell(value)


def wrapped(text: str, width: int) -> Iterator[str]:
    """Yield a text in lines, broken at spaces, or within a word that is longer than a line."""
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if width_of(joined) <= width:
            line = joined
            continue
        if line:
            yield line
        line = ""
        for char in word:
            if width_of(line + char) > width:
                yield line
                line = ""
            line += char
    yield line


def record(row: Customer, room: int) -> tuple[list[str], list[str]]:
    """Return first the field of each line, then the lines of a customer."""
    return _fields(row.as_dict(), room)


def account(found: Linked, room: int, carry: Callable[[str], str]) -> list[str]:
    """Return the lines of a customer's account.

    Args:
        carry: completes a command, so that it can be pasted.
    """
    verify = carry("`custctl identity verify` finds all differences")
    if found.subject is None:
        step = carry("`custctl identity sync` makes it") if found.pending else verify
        return list(wrapped(f"no account at the provider: {step}", room))
    _, rows = _fields(found.fields(), room)
    if found.is_lost:
        rows += wrapped(f"the provider has no such account: {verify}", room)
    return rows


def _fields(fields: Mapping[str, Value], room: int) -> tuple[list[str], list[str]]:
    """Return first the field of each line, then the lines."""
    label = max(map(width_of, map(cell, fields))) + 2
    owners, lines = [], []
    for name, value in fields.items():
        for number, part in enumerate(wrapped(cell(value), max(room - label, 10))):
            owners.append(name)
            lines.append(cell("" if number else name).ljust(label) + part)
    return owners, lines


def conflicts(
    found: Sequence[FieldConflict], mine: Mapping[str, bool], room: int, *, was_known: bool
) -> tuple[list[str], list[str]]:
    """Return first the field of each line, then the lines of a conflict.

    Args:
        mine: the decisions by field: whether to keep the typed value.
        was_known: whether the values before are known.
    """
    owners, lines = [], []
    for each in found:
        kept = {None: "undecided", True: "keep mine", False: "keep theirs"}[mine.get(each.field)]
        parts = [f"{cell(each.field)}: {kept}"]
        was = shown(each.base) if was_known else "(not recorded)"
        for label, text in (("was", was), ("now", shown(each.theirs)), ("asked", shown(each.mine))):
            first, *others = wrapped(text, max(room - 9, 10))
            parts += [f"  {label:<7}{first}", *(f"         {other}" for other in others)]
        owners += [each.field] * len(parts)
        lines += parts
    return owners, lines


def history(found: History, room: int) -> list[str]:
    """Return the lines of a history, the newest event first."""
    lines: list[str] = []
    if found.withheld is not None:
        lines.append(f"values not shown: {found.withheld.message}")
    for event in reversed(found.events):
        version = f"  ({event.version})" if event.version else ""
        lines.append(cell(f"{event.happened_at}  {event.action} by {event.actor}{version}"))
        if event.changes is None:
            changed = [f"{name}: (not shown)" for name in event.fields]
        else:
            changed = [
                f"{cell(name)}: {' → '.join(map(shown, told_apart(*change)))}" for name, change in event.changes.items()
            ]
        for text in changed:
            for number, part in enumerate(wrapped(text, room - 4)):
                lines.append(("    " if number else "  ") + part)
    return lines
