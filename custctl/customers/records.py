"""Reading an import's file: records with their line numbers, and which column is which field."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, Protocol

from custctl.customers.headers import bare, field_of, is_kept, match_headers
from custctl.errors import InvalidError
from custctl.text import csv_line, unguard_formula, visible

Format = Literal["csv", "jsonl"]

_LONGEST_CELL = 1 << 22  # characters; a quote that is never closed must not swallow the file
_LONGEST_LINE = 1 << 22  # bytes
_END = "\0"  # a last line of our own: only a quote that is never closed lets it into a row
_DELIMITERS = (",", ";", "\t")
_MOST_KEYS = 1000  # different keys of JSON objects that are remembered


class Record(NamedTuple):
    """One record of a file; a tuple, as there are millions of them.

    Attributes:
        line: 1-based line on which it begins.
        columns: the fields that it has.
        cells: their values, in the same order; empty where the record cannot be read.
        raw: the record as it was, for the rejects: cells of CSV, the text of a JSON object.
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
        unmet: headers that a mapping names and no record has had yet.
    """

    left_out: list[str]
    kept: list[str]
    unmet: list[str]

    @property
    def offset(self) -> int:
        """How many bytes were read."""

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
    """Read a file once, in constant memory, and go back to its beginning.

    Raises:
        InvalidError: a line is longer than memory should hold.
    """
    digest, lines, longest, begun = hashlib.sha256(), 0, 0, 0
    while chunk := file.read(1 << 20):
        digest.update(chunk)
        lines += chunk.count(b"\n")
        first = min((at for end in (b"\n", b"\r") if (at := chunk.find(end)) >= 0), default=None)
        if first is None:
            begun += len(chunk)
        else:
            longest = max(longest, begun + first)
            begun = len(chunk) - 1 - max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
    if max(longest, begun) > _LONGEST_LINE:
        raise InvalidError(
            f"the file has a line of more than {_LONGEST_LINE} bytes", hint="is it CSV or JSON lines, uncompressed?"
        )
    file.seek(0)
    return Fingerprint(digest.hexdigest(), lines)


def guess_format(path: Path | None) -> Format:
    """Return the format that a file's name tells; CSV where it tells none."""
    return "jsonl" if path is not None and path.suffix.lower() in (".jsonl", ".ndjson") else "csv"


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


def _encoding(file: IO[bytes]) -> str:
    start = file.read(4)
    file.seek(0)
    return "utf-16" if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


class _Counted(io.BufferedReader):
    """Counts the bytes that were handed on."""

    count = 0

    def read1(self, size: int = -1, /) -> bytes:
        data = super().read1(size)
        self.count += len(data)
        return data


class Csv:
    """Comma-separated values with a header; semicolons and tabs are noticed in the header."""

    def __init__(self, file: IO[bytes], mapping: Mapping[str, str], *, raw: bool) -> None:
        csv.field_size_limit(_LONGEST_CELL)
        self._encoding = _encoding(file)
        self._file = _Counted(file)  # type: ignore[arg-type]
        # Bytes that are not UTF-8 become a violation of their row, and leave as they came.
        self._text = io.TextIOWrapper(self._file, encoding=self._encoding, errors="surrogateescape", newline="")
        self._raw = raw
        self._delimiter = ","
        self._ended = False
        try:
            self._rows = self._reader()
            self._header = next(filter(None, self._rows))
        except csv.Error as error:
            raise InvalidError(f"the header cannot be read: {error}") from error
        except UnicodeDecodeError as error:
            raise self._undecodable(1) from error
        if self._ended and self._header == [_END]:
            raise InvalidError("the file is empty", hint="it needs a header")
        if self._ended:
            raise InvalidError("the header opens a quote that is never closed")
        self._positions, self.columns, self.left_out, self.kept = match_headers(self._header, mapping)
        self.unmet: list[str] = []

    @property
    def offset(self) -> int:
        """How many bytes were read."""
        return self._file.count

    def _reader(self) -> Any:
        first = next((line for line in self._text if line.strip()), "")
        self._text.seek(0)
        self._delimiter = max(_DELIMITERS, key=first.count) if first.count(",") == 0 else ","
        return csv.reader(chain(self._text, self._end()), delimiter=self._delimiter)

    def _end(self) -> Iterator[str]:
        self._ended = True
        yield _END

    def _undecodable(self, line: int) -> InvalidError:
        return InvalidError(f"line {line} or one soon after is not {self._encoding.upper()}", hint="is the file whole?")

    def records(self) -> Iterator[Record]:
        """Yield the rows below the header; blank lines are passed over.

        Raises:
            InvalidError: a quote is never closed, or the text breaks off.
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
                raise InvalidError(f"line {line}: {error}", hint="is a quote opened there and never closed?") from error
            except UnicodeDecodeError as error:
                raise self._undecodable(line) from error
            end = rows.line_num
            if not cells:
                continue
            if self._ended:
                cells[-1] = cells[-1].removesuffix(_END)
                if cells != [""]:
                    yield Record(line, columns, (), cells, "opens a quote that is never closed")
                return
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
        width = len(self._header)
        if first:
            file.write(csv_line([*self._header, "_line", "_reason"], self._delimiter))
        cells = list(record.raw)
        padded = cells[:width] + [""] * (width - len(cells))
        file.write(csv_line([*padded, str(record.line), reason, *cells[width:]], self._delimiter))


class JsonLines:
    """One JSON object a line; each may have fields of its own."""

    def __init__(self, file: IO[bytes], mapping: Mapping[str, str]) -> None:
        if _encoding(file) == "utf-16":
            raise InvalidError("JSON lines are UTF-8, and this is UTF-16", hint="such as `iconv -f UTF-16 -t UTF-8`")
        self._file = file
        self._mapping = {header: field for field, header in mapping.items()}
        self._loosely = {bare(header): header for header in self._mapping}
        self._fields: dict[str, str | None] = {}
        self._repeated = False
        self.left_out: list[str] = []
        self.kept: list[str] = []
        self.unmet: list[str] = list(self._mapping)
        self._offset = 0

    @property
    def offset(self) -> int:
        """How many bytes were read."""
        return self._offset

    def _field(self, key: str) -> str | None:
        if key in self._fields:
            return self._fields[key]
        left_out: list[str] | None = None
        header = key if key in self._mapping else self._loosely.get(bare(key))
        if header is not None:
            name: str | None = self._mapping[header]
            self.unmet = [other for other in self.unmet if other != header]
        else:
            name = field_of(key)
            if name is None or name in self._mapping.values():
                name, left_out = None, self.left_out
            elif is_kept(name):
                name, left_out = None, self.kept
        # Keys are data here: they must not fill the memory.
        if len(self._fields) < _MOST_KEYS:
            self._fields[key] = name
            if left_out is not None:
                left_out.append(key)
        return name

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        self._repeated |= len(made) < len(pairs)
        return made

    def records(self) -> Iterator[Record]:
        """Yield the objects; blank lines are passed over.

        Raises:
            InvalidError: a line is too long to be an object.
        """
        decode = json.JSONDecoder(object_pairs_hook=self._object).decode
        for line, data in enumerate(iter(lambda: self._file.readline(_LONGEST_LINE + 1), b""), start=1):
            self._offset += len(data)
            if len(data) > _LONGEST_LINE:
                raise InvalidError(f"line {line} is longer than {_LONGEST_LINE} bytes", hint="is it JSON lines?")
            # Bytes that are not UTF-8 become a violation of their row, and leave as they came.
            text = data.decode("utf-8", "surrogateescape")
            if line == 1:
                text = text.removeprefix("\ufeff")
            if not text.strip():
                continue
            self._repeated = False
            try:
                found = decode(text)
            except (ValueError, RecursionError) as error:
                yield Record(line, (), (), _wrapped(text), f"is not JSON: {visible(str(error))}")
                continue
            if not isinstance(found, dict):
                yield Record(line, (), (), _wrapped(text), "is not a JSON object")
                continue
            values: dict[str, Any] = {}
            problem = "has a key twice" if self._repeated else None
            for key, value in found.items():
                field = self._field(key)
                if field in values:
                    problem = f"has the field `{field}` twice"
                elif field is not None:
                    values[field] = value
            yield Record(line, tuple(values), list(values.values()), text, problem)

    def reject(self, file: IO[str], record: Record, reason: str, *, first: bool) -> None:
        """Write an object as it was, with two keys more; a line that is no object stands under `_raw`."""
        begun = record.raw.rstrip(" \t\r\n").removesuffix("}").rstrip(" \t")
        comma = "" if begun.endswith("{") else ", "
        file.write(f'{begun}{comma}"_line": {record.line}, "_reason": {json.dumps(reason, ensure_ascii=False)}}}\n')


def _wrapped(text: str) -> str:
    return json.dumps({"_raw": text.rstrip("\r\n")}, ensure_ascii=False)
