"""Which column of a file is which field."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from custctl.customers.model import EDITABLE, FIELDS
from custctl.errors import InvalidError, UsageError
from custctl.text import nearest

_KEPT = tuple(name for name in FIELDS if name not in EDITABLE)


def bare(name: str) -> str:
    """Return what counts of a header: neither case nor anything that is not a letter or a digit."""
    return re.sub(r"[\W_]", "", name.casefold())


_BY_BARE = {bare(name): name for name in FIELDS}


def field_of(header: str) -> str | None:
    """Return the field that a header matches by itself."""
    return _BY_BARE.get(bare(header))


def is_kept(field: str) -> bool:
    """Tell whether the database keeps a field itself."""
    return field in _KEPT


def parse_mapping(texts: Sequence[str]) -> dict[str, str]:
    """Read `field=Header` options.

    Returns:
        Field to header.

    Raises:
        UsageError: an option of another form, an unknown field, or a field twice.
    """
    mapping: dict[str, str] = {}
    for text in texts:
        field, separator, header = text.partition("=")
        if not separator or not header:
            raise UsageError(f"`--map {text}` is not `field=Header`", hint="such as `--map address_line=Address`")
        if field not in EDITABLE:
            close = nearest(field, EDITABLE)
            raise UsageError(
                f"there is no field `{field}` to import",
                hint=f"did you mean `{close}`?" if close else f"fields: {', '.join(EDITABLE)}",
            )
        if field in mapping:
            raise UsageError(f"`--map {field}=…` is given twice")
        if header in mapping.values():
            raise UsageError(f"`--map` reads two fields from `{header}`", hint="a column is one field")
        mapping[field] = header
    return mapping


def match_headers(
    headers: Sequence[str], mapping: Mapping[str, str]
) -> tuple[list[int], tuple[str, ...], list[str], list[str]]:
    """Match headers with fields, whatever their case and underscores.

    Returns:
        The positions of the matched columns, their fields, the headers left out, and those the database keeps itself.

    Raises:
        InvalidError: none matches `email`.
        UsageError: a mapped header is not there or mapped twice, or two match one field.
    """
    found: dict[str, int] = {}
    used: set[int] = set()
    for field, header in mapping.items():
        exact = [i for i, name in enumerate(headers) if name == header]
        alike = exact or [i for i, name in enumerate(headers) if bare(name) == bare(header)]
        if not alike:
            close = nearest(header, list(headers))
            raise UsageError(
                f"`--map {field}={header}`: the file has no column `{header}`",
                hint=f"did you mean `{close}`?" if close else f"columns: {', '.join(headers)}",
            )
        if alike[0] in used:
            raise UsageError(f"`--map` reads two fields from `{headers[alike[0]]}`", hint="a column is one field")
        found[field] = alike[0]
        used.add(alike[0])
    left_out, kept = [], []
    for position, header in enumerate(headers):
        name = field_of(header)
        if position in used:
            continue
        if name in _KEPT:
            kept.append(header)
        elif name is None or name in mapping:
            left_out.append(header)
        elif name in found:
            raise UsageError(
                f"`{headers[found[name]]}` and `{header}` both match the field `{name}`",
                hint=f"choose one with `--map {name}={header}`",
            )
        else:
            found[name] = position
    if "email" not in found:
        raise InvalidError(
            "no column matches `email`", hint=f"name it with `--map email=HEADER`; columns: {', '.join(headers)}"
        )
    return list(found.values()), tuple(found), left_out, kept
