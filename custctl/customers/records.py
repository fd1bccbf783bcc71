"""Reading an import's file: what all formats share."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, Protocol

from custctl.customers.headers import Mapped
from custctl.customers.recognition import Encoding
from custctl.schema.own import NO_OWN_FIELDS, OwnFields
from custctl.support.errors import InvalidError
from custctl.support.text import unguard_formula, without_text_formula

Format = Literal["csv", "jsonl"]

LONGEST_LINE = 1 << 22  # characters
# A row grows when it is rejected; it must still be readable, however its characters are escaped.
LONGEST_REJECT = 8 * LONGEST_LINE
OURS = ("_line", "_reason")
"""The columns at the end of a file of rejects; reading the file removes those of an earlier round."""

BLANK = "has no value"
"""The problem of a record whose cells are all empty: it is skipped, not rejected."""

_LINE_BREAKS = re.compile(r"\s*[\n\v\f\r\x85\u2028\u2029]\s*")


class Record(NamedTuple):
    """One record of a file; a tuple, because there are millions of them.

    Attributes:
        line: 1-based line on which it begins.
        columns: its fields.
        cells: their values, in the same order; empty if the record cannot be read.
        raw: the original record, for the rejects: the cells of CSV, or the text if it has no cells or is JSON.
        problem: why it cannot be read, or None.
    """

    line: int
    columns: tuple[str, ...]
    cells: Sequence[Any]
    raw: Any
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a file.

    Attributes:
        encoding: as `recognise` found it.
        delimiter: for CSV; None to detect it from the file.
        raw: take cells as they are; otherwise remove the `'` that CSV has before a formula. Cells of TSV are always
            taken as they are: our own output does not guard them.
        join_lines: join the lines of a cell into one line with `, `.
        own: the company's own fields; not part of the key of an import's position.
    """

    format: Format
    encoding: Encoding
    mapping: Sequence[Mapped] = ()
    delimiter: str | None = None
    raw: bool = False
    join_lines: bool = False
    own: OwnFields = field(default=NO_OWN_FIELDS, repr=False)


class Source(Protocol):
    """A file of records.

    Attributes:
        encoding: the file's encoding; the file of rejects has the same.
        left_out: columns that match no field, in the order of their first appearance.
        kept: columns that the database manages itself: id, version and times.
        unmet: headers that a mapping names and no record has had yet.
        quoted: whether the file has quotes, and tabs between its cells. The quotes enclose cells as in CSV, but `-o
            tsv` writes a value's quotes as they are.
    """

    encoding: Encoding
    left_out: list[str]
    kept: list[str]
    unmet: list[str]
    quoted: bool

    @property
    def offset(self) -> int:
        """Bytes read so far."""

    def records(self) -> Iterator[Record]:
        """Yield the records from the beginning of the file."""

    def reject(self, file: IO[str], record: Record, reason: str, *, first: bool) -> None:
        """Write a record as it was, with its line and the reason; `first` also writes what the file begins with."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Identifies a file: SHA-256 of its bytes, and its number of line feeds."""

    digest: str
    lines: int


def fingerprint(file: IO[bytes]) -> Fingerprint:
    """Read a file once, in constant memory, and rewind it.

    Raises:
        InvalidError: a line is too long to hold in memory.
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
    if max(longest, begun) > LONGEST_REJECT:
        raise InvalidError(
            f"the file has a line of more than {LONGEST_REJECT} bytes",
            hint="check that it is uncompressed CSV or JSON lines",
        )
    file.seek(0)
    return Fingerprint(digest.hexdigest(), lines)


def guess_format(path: Path | None) -> Format:
    """Return the format that a file's name implies; the default is CSV."""
    return "jsonl" if path is not None and path.suffix.lower() in (".jsonl", ".ndjson") else "csv"


class _Counted(io.BufferedReader):
    """Counts the bytes it has returned."""

    count = 0

    def read1(self, size: int = -1, /) -> bytes:
        data = super().read1(size)
        self.count += len(data)
        return data


class Decoded:
    """A file as text that knows where its bytes cannot be decoded.

    Args:
        newline: as for `open`.
    """

    def __init__(self, file: IO[bytes], encoding: Encoding, newline: str) -> None:
        self._source = file
        self._file = _Counted(file)  # type: ignore[arg-type]
        self._encoding = encoding
        # A byte that is not a character becomes a violation of its row, and is written back as it was. In UTF-16 and
        # UTF-32
        # nothing after such a byte can be trusted, so it ends the import.
        self.text = io.TextIOWrapper(self._file, encoding=encoding.name, errors="surrogateescape", newline=newline)

    @property
    def offset(self) -> int:
        """Bytes read so far."""
        return self._file.count

    def undecodable(self, error: UnicodeDecodeError) -> InvalidError:
        """Return the error that names the line and the byte, both counted from 1, where decoding failed."""
        at = self._file.count - len(error.object) + error.start
        self._source.seek(0)
        head = io.TextIOWrapper(io.BufferedReader(_Head(self._source, at)), self._encoding.name, "ignore", newline=None)
        line = 1
        while block := head.read(1 << 16):
            line += block.count("\n")
        name = self._encoding.name.upper()
        return InvalidError(
            f"the file is not valid {name} at line {line} (byte {at + 1} of the file)",
            hint="check that the file is complete; if it has another encoding, name it with `--encoding`",
        )


class _Head(io.RawIOBase):
    """The first bytes of a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        data = self._file.read(min(len(buffer), self._left))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)


def clean_cells(cells: list[Any], *, guarded: bool, join_lines: bool) -> None:
    """Turn a file's cells into values, in place.

    Args:
        guarded: the cells are text, and a `'` precedes one that a spreadsheet would run; one without it comes from
            another program.
        join_lines: as for `Reading`.
    """
    if guarded:
        for number, cell in enumerate(cells):
            first = cell[:1]
            if first == "'":
                cells[number] = unguard_formula(cell)
            elif first == "=":
                cells[number] = without_text_formula(cell)
    if join_lines:
        for number, cell in enumerate(cells):
            if isinstance(cell, str) and not cell.isprintable():
                cells[number] = _LINE_BREAKS.sub(", ", cell.strip())


def encodable(reason: str, encoding: Encoding) -> str:
    """Return a reason, with characters that the file's encoding lacks escaped."""
    return reason.encode(encoding.name, "backslashreplace").decode(encoding.name)
