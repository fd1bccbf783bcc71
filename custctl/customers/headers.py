"""Matching a file's columns with fields."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from custctl.customers.model import EDITABLE, FIELDS
from custctl.schema.own import NO_OWN_FIELDS, OwnFields
from custctl.support.errors import UsageError
from custctl.support.fieldnames import in_option, split_quoted, suggestion

_KEPT = tuple(name for name in FIELDS if name not in EDITABLE)
_JOINT = ", "
_NAMES = (("first_name", "last_name"), ("last_name", "first_name"))


def bare(name: str) -> str:
    """Return the significant part of a header: letters and digits, case-folded."""
    return re.sub(r"[\W_]", "", name.casefold())


_BY_BARE = {bare(name): name for name in FIELDS}


def field_of(header: str, own: OwnFields = NO_OWN_FIELDS) -> str | None:
    """Return the field that a header matches without a mapping: a product field takes precedence over an own one."""
    if header in own.by_name:
        return header
    sought = bare(header)
    found = _BY_BARE.get(sought)
    if found is None and sought:
        found = next((name for name in own.names if bare(name) == sought), None)
    return found


@dataclass(frozen=True, slots=True)
class Mapped:
    """One `--map` option.

    Attributes:
        fields: the field that it fills, or first and last name in either order.
        header: the header as given; empty to leave the field out.
    """

    fields: tuple[str, ...]
    header: str

    @property
    def headers(self) -> list[str]:
        """The headers, if the text names several."""
        return [name for part in self.header.split(",") if (name := part.strip())] or [self.header]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which cells of a row make up which fields.

    Attributes:
        fields: the fields that a row fills, in the order of its values.
        used: the positions of the cells that are read; those of one field are adjacent.
        widths: how many cells make up each field; None if each field is one cell.
        names: the two fields into which the last cell is split, in order; they are the last fields.
        left_out: headers that match no field.
        kept: headers of columns that the database manages itself: id, version, times, and computed ones.
        missing: the options that name a header which does not exist, each with that header.
        twice: two headers that match one field, with the field.
    """

    fields: tuple[str, ...]
    used: tuple[int, ...]
    widths: tuple[int, ...] | None
    names: tuple[str, ...]
    left_out: tuple[str, ...]
    kept: tuple[str, ...]
    missing: tuple[tuple[Mapped, str], ...]
    twice: tuple[tuple[str, str, str], ...]

    def made(self, cells: Sequence[Any]) -> list[Any]:
        """Return the values of the fields, from the cells in the order of `used`.

        Raises:
            ValueError: a name cannot be split; the message says why.
        """
        if self.widths is None:
            return list(cells)
        values, at = [], 0
        for width in self.widths:
            values.append(cells[at] if width == 1 else _joined(cells[at : at + width]))
            at += width
        if self.names:
            values += _split(cells[at], self.names)
        return values


def _joined(parts: Sequence[Any]) -> Any:
    for part in parts:
        if part is not None and not isinstance(part, str):
            return part  # it is rejected as it is
    return _JOINT.join(filter(None, (part.strip() for part in parts if part is not None)))


def _split(cell: Any, names: tuple[str, ...]) -> list[Any]:
    if not isinstance(cell, str):
        return [cell, cell]
    if names == _NAMES[0]:
        if "," in cell:
            raise ValueError(
                "the name contains a comma: map the column to `last_name,first_name` if it is `Last, First`"
            )
        first, _, last = " ".join(cell.split()).rpartition(" ")
        # A single word is the first name; the last name is then missing.
        return [first, last] if first else [last, ""]
    last, comma, first = cell.partition(",")
    if not comma:
        last, _, first = " ".join(cell.split()).partition(" ")
    return [last.strip(), first.strip()]


def option(field: str, header: str) -> str | None:
    """Return the option that maps a header to a field, quoted for a shell; None if the header cannot be typed."""
    return f"`--map {shlex.quote(f'{in_option(field)}={header}')}`" if header.strip() and header.isprintable() else None


def parse_mapping(texts: Sequence[str], own: OwnFields = NO_OWN_FIELDS) -> list[Mapped]:
    """Parse `--map` options: `field=Header`, `field=A,B`, `field=` and `first_name,last_name=Header`.

    Args:
        own: the company's own fields.

    Raises:
        UsageError: an option of another form, an unknown field, or a field or a header used twice.
    """
    known = (*EDITABLE, *own.settable)
    mapping: list[Mapped] = []
    fields: set[str] = set()
    headers: set[str] = set()
    for text in texts:
        quoted, rest = split_quoted(text, "=")
        left, separator, header = rest.partition("=")
        if quoted:
            left = quoted
        if not separator or not left:
            raise UsageError(f"`--map {text}` is not `field=Header`", hint="such as `--map address_line=Address`")
        names = (left,) if quoted or left in known else tuple(name.strip() for name in left.split(","))
        for name in names:
            if name not in known:
                raise UsageError(f"there is no field `{name}` to import", hint=suggestion(name, known))
            if name in fields:
                raise UsageError(f"`--map {name}=…` is given twice")
            fields.add(name)
        if len(names) > 1 and (names not in _NAMES or not header):
            raise UsageError(
                f"`--map {left}=…`: only a name can be split, and only into two fields",
                hint="such as `--map first_name,last_name=Name`, or `last_name,first_name` for `Last, First`",
            )
        if "email" in names and not header:
            raise UsageError("`email` cannot be left out", hint="it identifies the customer")
        if header and header in headers:
            raise UsageError(f"`--map` reads two fields from `{header}`", hint="a column fills one field")
        headers.add(header)
        mapping.append(Mapped(names, header))
    return mapping


def match_headers(headers: Sequence[str], mapping: Sequence[Mapped], own: OwnFields = NO_OWN_FIELDS) -> Columns:
    """Match headers with fields, ignoring case and underscores.

    Args:
        own: the company's own fields.

    Raises:
        UsageError: two options read the same column.
    """
    used: set[int] = set()
    single: dict[str, int] = {}
    several: list[tuple[str, list[int]]] = []
    split: tuple[tuple[str, ...], int] | None = None
    missing: list[tuple[Mapped, str]] = []
    for option in mapping:
        if not option.header:
            continue
        places: list[int] = []
        whole = _place(headers, option.header)
        for wanted in [option.header] if whole is not None or len(option.fields) > 1 else option.headers:
            place = _place(headers, wanted)
            if place is None:
                missing.append((option, wanted))
                continue
            if place in used:
                raise UsageError(f"`--map` reads two fields from `{headers[place]}`", hint="a column fills one field")
            used.add(place)
            places.append(place)
        if len(option.fields) > 1:
            split = (option.fields, places[0]) if places else None
        elif len(places) > 1:
            several.append((option.fields[0], places))
        elif places:
            single[option.fields[0]] = places[0]
    taken = {field for option in mapping for field in option.fields}
    emptied = {option.fields[0] for option in mapping if not option.header}
    left_out, kept, twice = [], [], []
    for position, header in enumerate(headers):
        if position in used:
            continue
        name = field_of(header, own)
        if name in _KEPT or (name in own.by_name and name not in own.settable):
            kept.append(header)
        elif name is None or name in taken:
            if name not in emptied:
                left_out.append(header if header.strip() else f"column {position + 1}")
        elif name in single:
            twice.append((headers[single[name]], header, name))
        else:
            single[name] = position
    fields = [*single, *(field for field, _ in several)]
    positions = [*single.values(), *(place for _, places in several for place in places)]
    widths = [1] * len(single) + [len(places) for _, places in several]
    names: tuple[str, ...] = ()
    if split is not None:
        names = split[0]
        positions.append(split[1])
    return Columns(
        fields=(*fields, *names),
        used=tuple(positions),
        widths=tuple(widths) if several or names else None,
        names=names,
        left_out=tuple(left_out),
        kept=tuple(kept),
        missing=tuple(missing),
        twice=tuple(twice),
    )


def _place(headers: Sequence[str], wanted: str) -> int | None:
    """Return the position of a header: an exact match, or one that differs only in case and underscores."""
    if wanted in headers:
        return headers.index(wanted)
    sought = bare(wanted)
    return next((place for place, name in enumerate(headers) if bare(name) == sought), None) if sought else None


def is_known(header: str, mapping: Sequence[Mapped], own: OwnFields = NO_OWN_FIELDS) -> bool:
    """Return whether a header matches a field or an option."""
    sought = bare(header)
    if not sought:
        return False
    return field_of(header, own) is not None or any(
        sought in map(bare, (option.header, *option.headers)) for option in mapping if option.header
    )
