"""Reading an import's file: records with their line numbers, and which column is which field."""

from __future__ import annotations

import codecs
import csv
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from custctl.customers.model import EDITABLE, FIELDS
from custctl.errors import InvalidError, UsageError
from custctl.text import nearest, unguard_formula, visible

Format = Literal["csv", "jsonl"]

_LONGEST_CELL = 1 << 20  # characters; a quote that is never closed must not swallow the file
_LONGEST_LINE = 1 << 24  # bytes
_KEPT = tuple(name for name in FIELDS if name not in EDITABLE)
_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file.

    Attributes:
        line: 1-based line on which it begins.
        columns: the fields that it has.
        cells: their values, in the same order; empty where the record cannot be read.
        raw: the record as it was, for the rejects.
        problem: why it cannot be read, or None.
    """

    line: int
    columns: tuple[str, ...]
    cells: Sequence[Any]
    raw: Any
    problem: str | None = None


class Source(Protocol):
    """A file of records.

    Attributes:
        left_out: columns that match no field, in the order in which they were met.
        kept: columns that name what the database keeps itself: id, version and times.
    """

    left_out: list[str]
    kept: list[str]

    def records(self) -> Iterator[Record]:
        """Yield the records from the beginning."""

    def reject(self, file: IO[str], record: Record, reason: str, *, first: bool) -> None:
        """Write a record as it was, with its line and the reason; `first` writes the header too."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a file is known by: SHA-256 of its bytes, and how many line feeds it has."""

    digest: str
    lines: int


def fingerprint(file: IO[bytes]) -> Fingerprint:
    """Read a file once, in constant memory, and go back to its beginning."""
    digest, lines = hashlib.sha256(), 0
    while chunk := file.read(1 << 20):
        digest.update(chunk)
        lines += chunk.count(b"\n")
    file.seek(0)
    return Fingerprint(digest.hexdigest(), lines)


def guess_format(path: Path | None) -> Format:
    """Return the format that a file's name tells; CSV where it tells none."""
    return "jsonl" if path is not None and path.suffix.lower() in (".jsonl", ".ndjson") else "csv"


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
        mapping[field] = header
    return mapping


def open_source(file: IO[bytes], chosen: Format, mapping: Mapping[str, str], *, raw: bool) -> Source:
    """Return the source for a file.

    Args:
        mapping: field to header, for headers that do not match by themselves.
        raw: cells are taken as they are; otherwise the `'` is taken away that an export puts before a formula.

    Raises:
        InvalidError: no header, or none that matches `email`.
        UsageError: a mapped header is not there, or two match one field.
    """
    if chosen == "jsonl":
        return JsonLines(file, mapping)
    return Csv(file, mapping, raw=raw)


def _bare(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


_BY_BARE = {_bare(name): name for name in FIELDS}


def _encoding(file: IO[bytes]) -> str:
    start = file.read(4)
    file.seek(0)
    return "utf-16" if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


class Csv:
    """Comma-separated values with a header; semicolons and tabs are noticed in the header."""

    def __init__(self, file: IO[bytes], mapping: Mapping[str, str], *, raw: bool) -> None:
        import io

        csv.field_size_limit(_LONGEST_CELL)
        # Bytes that are not UTF-8 become a violation of their row, and leave as they came.
        self._text = io.TextIOWrapper(file, encoding=_encoding(file), errors="surrogateescape", newline="")
        self._raw = raw
        self._delimiter = ","
        self._rows = self._reader()
        try:
            self._header = next(self._rows)
        except StopIteration:
            raise InvalidError("the file is empty: a header is needed") from None
        except csv.Error as error:
            raise InvalidError(f"the header cannot be read: {error}") from error
        self._positions, self.columns, self.left_out, self.kept = match_headers(self._header, mapping)

    def _reader(self) -> Any:
        first = self._text.readline()
        self._text.seek(0)
        self._delimiter = max(_DELIMITERS, key=first.count) if first.count(",") == 0 else ","
        return csv.reader(self._text, delimiter=self._delimiter)

    def records(self) -> Iterator[Record]:
        """Yield the rows below the header; blank lines are passed over.

        Raises:
            InvalidError: a quote is never closed.
        """
        rows, positions, columns, width = self._rows, self._positions, self.columns, len(self._header)
        raw = self._raw
        end = rows.line_num
        while True:
            line = end + 1
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                raise InvalidError(
                    f"line {line}: {error}", hint="is a quote opened there and never closed? what came before has landed"
                ) from error
            end = rows.line_num
            if not cells:
                continue
            if len(cells) != width:
                problem = f"has {len(cells)} cells, the header has {width}"
                yield Record(line, columns, (), cells, problem)
                continue
            picked = [cells[position] for position in positions]
            if not raw:
                for number, cell in enumerate(picked):
                    if cell[:1] == "'":
                        picked[number] = unguard_formula(cell)
            yield Record(line, columns, picked, cells)

    def reject(self, file: IO[str], record: Record, reason: str, *, first: bool) -> None:
        """Write a row; cells beyond the header come after the reason, so that nothing is lost."""
        writer = csv.writer(file, delimiter=self._delimiter, lineterminator="\n")
        width = len(self._header)
        if first:
            writer.writerow([*self._header, "_line", "_reason"])
        cells = list(record.raw)
        padded = cells[:width] + [""] * (width - len(cells))
        writer.writerow([*padded, record.line, reason, *cells[width:]])


def match_headers(
    headers: Sequence[str], mapping: Mapping[str, str]
) -> tuple[list[int], tuple[str, ...], list[str], list[str]]:
    """Match headers with fields, whatever their case and underscores.

    Returns:
        The positions of the matched columns, their fields, the headers left out, and those the database keeps itself.

    Raises:
        InvalidError: none matches `email`.
        UsageError: a mapped header is not there, or two match one field.
    """
    found: dict[str, int] = {}
    used: set[int] = set()
    for field, header in mapping.items():
        exact = [i for i, name in enumerate(headers) if name == header]
        alike = exact or [i for i, name in enumerate(headers) if _bare(name) == _bare(header)]
        if not alike:
            close = nearest(header, list(headers))
            raise UsageError(
                f"`--map {field}={header}`: the file has no column `{header}`",
                hint=f"did you mean `{close}`?" if close else f"columns: {', '.join(headers)}",
            )
        found[field] = alike[0]
        used.add(alike[0])
    left_out, kept = [], []
    for position, header in enumerate(headers):
        name = _BY_BARE.get(_bare(header))
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


class JsonLines:
    """One JSON object a line; each may have fields of its own."""

    def __init__(self, file: IO[bytes], mapping: Mapping[str, str]) -> None:
        self._file = file
        self._mapping = {header: field for field, header in mapping.items()}
        self._fields: dict[str, str | None] = {}
        self.left_out: list[str] = []
        self.kept: list[str] = []

    def _field(self, key: str) -> str | None:
        if key not in self._fields:
            name = self._mapping.get(key) or _BY_BARE.get(_bare(key))
            taken_by_mapping = name in self._mapping.values() and key not in self._mapping
            if name is None or taken_by_mapping:
                self.left_out.append(key)
                name = None
            elif name in _KEPT:
                self.kept.append(key)
                name = None
            if len(self._fields) > 1000:
                # Keys are data here: they must not fill the memory.
                return name
            self._fields[key] = name
        return self._fields[key]

    def records(self) -> Iterator[Record]:
        """Yield the objects; blank lines are passed over.

        Raises:
            InvalidError: a line is too long to be an object.
        """
        for line, data in enumerate(iter(lambda: self._file.readline(_LONGEST_LINE), b""), start=1):
            if len(data) == _LONGEST_LINE:
                raise InvalidError(f"line {line} is longer than {_LONGEST_LINE} bytes", hint="is it JSON lines?")
            text = data.decode("utf-8", "surrogateescape")
            if line == 1:
                text = text.removeprefix("\ufeff")
            if not text.strip():
                continue
            try:
                found = json.loads(text)
            except (ValueError, RecursionError) as error:
                yield Record(line, (), (), text.rstrip("\r\n"), f"is not JSON: {visible(str(error))}")
                continue
            if not isinstance(found, dict):
                yield Record(line, (), (), text.rstrip("\r\n"), "is not a JSON object")
                continue
            values: dict[str, Any] = {}
            problem = None
            for key, value in found.items():
                field = self._field(key)
                if field in values:
                    problem = f"has the field `{field}` twice"
                elif field is not None:
                    values[field] = value
            yield Record(line, tuple(values), list(values.values()), found, problem)

    def reject(self, file: IO[str], record: Record, reason: str, *, first: bool) -> None:
        """Write an object with two keys more; a line that is no object stands under `_raw`."""
        held = record.raw if isinstance(record.raw, dict) else {"_raw": record.raw}
        file.write(json.dumps({**held, "_line": record.line, "_reason": reason}, ensure_ascii=False) + "\n")
