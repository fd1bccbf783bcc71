"""Writing the scripts that add an own field: a column of `customer`, for each engine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from custctl.customers.model import FIELDS
from custctl.customers.own_values import own_value
from custctl.customers.rules import clean_text
from custctl.engines import ENGINES, column_scripts
from custctl.engines.adding import INTEGERS, LONGEST_INDEXED, ColumnScripts, ColumnType, NewColumn, parse_type
from custctl.migrations.authoring import engine_folders, next_paths, write_all
from custctl.schema.own import Field, Kind, to_text
from custctl.support.errors import InvalidError, UsageError

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST_NAME: Final = 40
"""In characters: prefixed and suffixed, it names constraints, and PostgreSQL truncates names to 63."""


@dataclass(frozen=True, slots=True)
class FieldRequest:
    """A request for an own field.

    Attributes:
        type: as `engines.adding.parse_type` reads it.
        default: the value for customers without one; the field can then not be empty. None: it can.
        index: whether to index it.
        personal: whether it is personal data, which pseudonyms replace.
        searchable: whether `customer search` looks in it.
    """

    name: str
    type: str
    default: str | None = None
    index: bool = False
    personal: bool = False
    searchable: bool = False


def add_field(sql_dir: Path, request: FieldRequest, *, bundled: bool) -> list[Path]:
    """Write the scripts that add an own field, with the next number, for each engine of a `sql/` folder.

    Args:
        bundled: whether the folder belongs to the program and must not be written to.

    Returns:
        The new files. An engine that must build an index or check rows separately has a second script.

    Raises:
        UsageError: the folder is bundled or has no engine; or name, type or options are not possible.
        InvalidError: the default does not fit the type.
    """
    engines = [name for name in engine_folders(sql_dir, bundled=bundled) if name in ENGINES]
    scripts = {name: column_scripts(name) for name in engines}
    column = _checked(request, scripts)
    first, second = next_paths(sql_dir, engines, (f"add {request.name}", f"finish {request.name}"))
    markers = [name for name in ("personal", "searchable") if getattr(request, name)]
    header = "".join(f"-- custctl: {name}\n" for name in markers)
    files: dict[Path, str] = {}
    for engine, writer in scripts.items():
        made = writer.write(column)
        files[first[engine]] = f"-- Own field: {request.name}\n{header}{made.first}"
        if made.second is not None:
            files[second[engine]] = (
                f"-- Own field: {request.name}, what must run after its column is there\n{made.second}"
            )
    return write_all(files)


def _checked(request: FieldRequest, scripts: Mapping[str, ColumnScripts]) -> NewColumn:
    """Return the requested column.

    Raises:
        UsageError, InvalidError: the request is not possible; the message lists every problem.
    """
    faults = list(_name_faults(request.name))
    kind: ColumnType | None = None
    try:
        kind = parse_type(request.type)
    except ValueError as error:
        faults.append(str(error))
    wrong_default: str | None = None
    column = NewColumn(request.name, kind or ColumnType("text"), index=request.index)
    if kind is not None:
        faults += _type_faults(request, kind, scripts)
        if request.default is not None:
            try:
                column = replace(column, default=_default(kind, request.default))
            except ValueError as error:
                wrong_default = f"the default `{request.default}` {error}"
    everything = [*faults, *([wrong_default] if wrong_default else [])]
    if faults:
        raise UsageError("\n".join(everything), hint="see `custctl migrate new --help`")
    if wrong_default:
        raise InvalidError(wrong_default, hint=f"give a default of the type `{request.type}`, or leave it out")
    return column


def _name_faults(name: str) -> Sequence[str]:
    if not _NAME.fullmatch(name):
        return [f"the name `{name}` must consist of lower-case letters, digits and `_`, and begin with a letter"]
    if len(name) > _LONGEST_NAME:
        return [f"the name `{name}` is longer than {_LONGEST_NAME} characters"]
    taken = {field.replace("_", ""): field for field in FIELDS}.get(name.replace("_", ""))
    if taken is not None:
        return [f"the name `{name}` is taken: customers have `{taken}`"]
    return []


def _type_faults(request: FieldRequest, kind: ColumnType, scripts: Mapping[str, ColumnScripts]) -> Sequence[str]:
    faults = []
    if request.index and (kind.name == "json" or (kind.name == "text" and kind.size > LONGEST_INDEXED)):
        most = f": a text may have {LONGEST_INDEXED} characters" if kind.name == "text" else ""
        faults.append(f"`--index` cannot be used with the type `{request.type}`{most}")
    if request.searchable and kind.name != "text":
        faults.append(f"`--searchable` cannot be used with the type `{request.type}`: only text is searched")
    for engine, writer in scripts.items():
        if kind.name == "decimal" and kind.size > writer.most_digits:
            faults.append(f"`{request.type}`: {engine} keeps {writer.most_digits} digits exactly")
    return faults


def _default(kind: ColumnType, text: str) -> str:
    """Return a default in its stored form.

    Raises:
        ValueError: it does not fit; the message continues a sentence.
    """
    limits: dict[str, Any] = {}
    named: Kind = "integer" if kind.name in INTEGERS else kind.name  # type: ignore[assignment]
    if kind.name in INTEGERS:
        top = 1 << (INTEGERS[kind.name] - 1)
        limits = {"low": -top, "high": top - 1}
    elif kind.name == "text":
        limits = {"length": kind.size}
    elif kind.name == "decimal":
        limits = {"precision": kind.size, "scale": kind.scale}
    kept = to_text(own_value(Field("", named, kind.name, nullable=False, **limits), text, clean_text))
    if kind.name == "timestamp" and kept is not None and len(kept) > len("2026-03-31T12:00:00.000Z"):
        raise ValueError("has more than three decimal places in the seconds")
    return kept or ""
