"""CSV as a source of records."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import IO

from custctl.customers.csv_rows import (
    DELIMITERS,
    Row,
    allow_long_cells,
    detect_delimiter,
    first_rows,
    is_blank,
    read_rows,
    separator_line,
    without_tail,
)
from custctl.customers.encodings import encoding_hint
from custctl.customers.headers import Columns, field_of, is_known, match_headers, option
from custctl.customers.model import REQUIRED
from custctl.customers.recognition import looks_like_json_lines
from custctl.customers.records import BLANK, OURS, Decoded, Reading, Record, clean_cells, encodable
from custctl.support.errors import InvalidError, UsageError
from custctl.support.text import csv_line, nearest, plural

_SAMPLE_LINES = 200
_SAMPLE_SIZE = 1 << 16  # characters
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_MOST_NAMES = 50
_LONGEST_NAME = 60  # characters
_WIDTH = re.compile(r"has (\d+) cells?, the header has \d+")


class Csv:
    """Cells separated by commas, semicolons, tabs, bars or the user's delimiter, below a header.

    Raises:
        InvalidError: no header, one that cannot be read, or none that matches `email`.
        UsageError: a mapped header does not exist, or two match one field.
    """

    def __init__(self, file: IO[bytes], reading: Reading) -> None:
        allow_long_cells()
        self._file = file
        self._reading = reading
        self.encoding = reading.encoding
        self._decoded = Decoded(file, reading.encoding, newline="")
        try:
            sample = self._sample()
        except UnicodeDecodeError as error:
            raise self._decoded.undecodable(error) from error
        # What precedes the header in the file; the file of rejects begins with it too.
        self._beginning = "\ufeff" if reading.encoding.mark else ""
        self._skipped = 0
        named = separator_line(sample[0]) if sample else None
        if named is not None:
            self._beginning += sample.pop(0).rstrip("\r\n") + "\n"
            self._skipped = 1
        if not any(text.strip() for text in sample):
            raise InvalidError("the file is empty", hint="it needs a header")
        if looks_like_json_lines("".join(sample)):
            raise InvalidError("the file is JSON lines, not CSV", hint="read it with `--format jsonl`")
        self._delimiter = reading.delimiter or _named(named) or detect_delimiter(sample, self._is_known)
        self._header: list[str] = []
        self.quoted = False
        lines: Iterator[str] = chain(sample, self._decoded.text)
        if self._delimiter == "\t":
            lines = self._watched(lines)
        self._rows = read_rows(lines, self._delimiter, line=self._skipped, header=self._header)
        self._header.extend(self._first(self._rows))
        self._is_rejects = self._take_tail()
        self._columns = self._match(sample)
        self.columns = self._columns.fields
        self.left_out = list(self._columns.left_out)
        self.kept = list(self._columns.kept)
        self.unmet: list[str] = []

    @property
    def offset(self) -> int:
        """Bytes read so far."""
        return self._decoded.offset

    def _sample(self) -> list[str]:
        lines: list[str] = []
        size = 0
        for text in self._decoded.text:
            lines.append(text if lines else self._without_mark(text))
            size += len(text)
            if len(lines) == _SAMPLE_LINES or size > _SAMPLE_SIZE:
                break
        return lines

    def _without_mark(self, text: str) -> str:
        """Remove the byte order mark; also UTF-8's if the user says that the file is in another encoding."""
        foreign = codecs.BOM_UTF8.decode(self.encoding.name, "ignore")
        return text.removeprefix("\ufeff").removeprefix(foreign or "\ufeff")

    def _is_known(self, header: str) -> bool:
        return header in OURS or is_known(header, self._reading.mapping, self._reading.own)

    def _first(self, rows: Iterator[Row]) -> list[str]:
        try:
            header = next(rows)
        except UnicodeDecodeError as error:
            raise self._decoded.undecodable(error) from error
        if "\0" in "".join((header.text, *header.cells)):
            raise _binary()
        if header.fault is not None:
            raise InvalidError(f"the header cannot be read: {header.fault}", hint="is the file CSV?")
        return header.cells

    def _take_tail(self) -> bool:
        """Remove the columns of an earlier round from the header, and empty ones that a spreadsheet put after them."""
        width = len(self._header)
        while width and not self._header[width - 1].strip():
            width -= 1
        if width <= len(OURS) or tuple(self._header[width - len(OURS) : width]) != OURS:
            return False
        del self._header[width - len(OURS) :]
        return True

    def _check_form(self, sample: Sequence[str]) -> None:
        """Refuse a file whose lines or cells end with something else than they seem to: values would be lost or altered.

        Raises:
            InvalidError: its rows are in the header, or its delimiter has several characters.
        """
        header = self._header
        if not any(map(self._is_known, header)):
            return
        if sum(not text.isspace() for text in sample) == 1 and any(map(_ADDRESS.search, header)):
            raise InvalidError(
                "the file is a single line, and its header contains an address",
                hint="end the header and each row with a line feed",
            )
        _, *rows = [row.cells for row in first_rows(read_rows(iter(sample), self._delimiter)) if row.cells]
        around = {_around(cells) for cells in (header, *rows)}
        mark = around.pop() if rows and len(around) == 1 else ""
        if mark and not mark.isalnum() and not mark.isspace():
            raise InvalidError(
                f"the cells are separated by `{mark}{self._delimiter}{mark}`, or enclosed in `{mark}`",
                hint="separate the cells by one character, and enclose them in double quotes or in none",
            )

    def _match(self, sample: Sequence[str]) -> Columns:
        self._check_form(sample)
        headers = self._header
        columns = match_headers(headers, self._reading.mapping, self._reading.own)
        for asked, name in columns.missing:
            close = nearest(name, headers)
            raise UsageError(
                f"`--map {','.join(asked.fields)}={asked.header}`: the file has no column `{name}`",
                hint=self._other_encoding() or (f"did you mean `{close}`?" if close else self._all_headers()),
            )
        for first, second, field in columns.twice:
            raise UsageError(
                f"`{first}` and `{second}` both match the field `{field}`",
                hint=f"choose one with {made}" if (made := option(field, second)) else "rename one of them",
            )
        if "email" not in columns.fields:
            if "\0" in "".join(sample):
                raise _binary()
            raise InvalidError(
                "no column matches `email`",
                hint=self._other_encoding()
                or self._other_delimiter(sample)
                or self._other_header(sample)
                or f"{self._way_to_email(sample)}; {self._all_headers()}",
            )
        return columns

    def _all_headers(self) -> str:
        """Return the headers for a message, limited in number and length."""
        shown = [name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…" for name in self._header]
        return f"columns: {', '.join(shown[:_MOST_NAMES])}" + (", …" if len(shown) > _MOST_NAMES else "")

    def _way_to_email(self, sample: Sequence[str]) -> str:
        """Name the column that holds addresses, if exactly one does."""
        rows = [row.cells for row in read_rows(iter(sample), self._delimiter) if row.fault is None][1:]
        columns = zip(*(row for row in rows if len(row) >= len(self._header)), strict=False)
        held = [name for name, cells in zip(self._header, columns, strict=False) if _are_addresses(cells)]
        held = held or [name for name in self._header if "mail" in name.casefold()]
        made = option("email", held[0]) if len(held) == 1 else None
        return f"name it with {made}" if made else "name the email column with `--map`"

    def _other_header(self, sample: Sequence[str]) -> str | None:
        """Return a hint if the header is further down, or missing."""
        for delimiter in DELIMITERS:
            for row in first_rows(read_rows(iter(sample), delimiter, line=self._skipped)):
                fields = {field_of(cell, self._reading.own) for cell in row.cells} - {None}
                if "email" in fields and len(fields) > 1:
                    return f"line {row.line} looks like the header: remove the lines above it"
        if any(_ADDRESS.fullmatch(name.strip()) for name in self._header):
            return f"the first line holds an address: put a header above it, such as `{','.join(REQUIRED)}`"
        return None

    def _other_encoding(self) -> str | None:
        """Return a hint if a header has bytes that the encoding does not have."""
        if not re.search("[\udc80-\udcff]", "".join(self._header)):
            return None
        return encoding_hint(self._file, self.encoding.name)

    def _watched(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            self.quoted = self.quoted or '"' in line
            yield line

    def _other_delimiter(self, sample: Sequence[str]) -> str | None:
        """Return a hint if the header is valid only with another delimiter than the user's or the file's."""
        found = detect_delimiter(sample, self._is_known)
        if found == self._delimiter and len(self._header) == 1:
            # Two known names between which the same character stands are hardly one name.
            others = dict.fromkeys(re.findall(r"[^\w\"'\0\n\r\x7f]", self._header[0]))
            found = detect_delimiter(sample, self._is_known, (found, *others))
            if sum(map(self._is_known, self._header[0].split(found))) < 2:
                return None
            if found == self._delimiter:
                return "each line is in quotes as a whole: remove them"
            if found == " " and "  " in self._header[0].strip():
                return "the columns have a fixed width: convert the file to CSV"
        if found == self._delimiter:
            return None
        shown = "tab" if found == "\t" else f"'{found}'" if found.isprintable() else f"$'\\x{ord(found):02x}'"
        return f"the cells are not separated by `{self._delimiter}`: `--delimiter {shown}` reads the file"

    def records(self) -> Iterator[Record]:
        """Yield the rows below the header; blank lines are skipped.

        Raises:
            InvalidError: the rest of the text cannot be decoded.
        """
        try:
            yield from self._read()
        except UnicodeDecodeError as error:
            raise self._decoded.undecodable(error) from error

    def _read(self) -> Iterator[Record]:
        columns, width, is_rejects = self._columns, len(self._header), self._is_rejects
        guarded, join_lines = not self._reading.raw and self._delimiter != "\t", self._reading.join_lines
        fields, used, is_made = columns.fields, columns.used, columns.widths is not None
        first_used = used[fields.index("email")] if not is_made else None
        for line, found, text, fault in self._rows:
            if fault is not None:
                yield self._faulty(line, text, fault)
                continue
            cells, problem = self._without_tail(found) if is_rejects else (found, None)
            if len(cells) > width and is_blank(cells[width:]):
                # Spreadsheets end rows with empty cells: nothing is lost without them.
                cells = cells[:width]
            if len(cells) != width or problem is not None:
                problem = problem or f"has {plural(len(cells), 'cell', 'cells')}, the header has {width}"
                yield Record(line, fields, (), cells, BLANK if is_blank(cells) else problem)
                continue
            if (first_used is None or not cells[first_used].strip()) and is_blank(cells):
                yield Record(line, fields, (), cells, BLANK)
                continue
            picked = [cells[position] for position in used]
            clean_cells(picked, guarded=guarded, join_lines=join_lines)
            if is_made:
                try:
                    picked = columns.made(picked)
                except ValueError as error:
                    problem = str(error)
            yield Record(line, fields, picked, cells, problem)

    def _faulty(self, line: int, text: str, fault: str) -> Record:
        text = text.rstrip("\r\n")
        if self._is_rejects:
            text = without_tail(text, self._delimiter)
            # The reason is about the original row, without the columns that we appended.
            alone = next(read_rows(iter((text,)), self._delimiter, header=self._header), None)
            fault = alone.fault if alone is not None and alone.fault is not None else fault
        return Record(line, self.columns, (), text, fault)

    def _without_tail(self, cells: list[str]) -> tuple[list[str], str | None]:
        """Return a row's cells as before its rejection, and its problem if it still has one.

        A row wider or narrower than the header was padded, or has its last cells after the reason.
        """
        width = len(self._header)
        if len(cells) < width + len(OURS):
            return cells, None
        row, told = cells[:width] + cells[width + len(OURS) :], _WIDTH.fullmatch(cells[width + 1])
        if told is not None and int(told[1]) < width and is_blank(row[int(told[1]) :]):
            return row[: int(told[1])], told.group()
        return row, None

    def reject(self, file: IO[str], record: Record, reason: str, *, first: bool) -> None:
        """Write a row; cells beyond the header follow the reason, so that nothing is lost.

        A row with a quoting fault has no separate cells: it is written as it was.
        """
        width = len(self._header)
        if first:
            file.write(self._beginning + csv_line([*self._header, *OURS], self._delimiter))
        reason = encodable(reason, self.encoding)
        if isinstance(record.raw, str):
            quoted = reason.replace('"', '""')
            file.write(f'{record.raw}{self._delimiter}{record.line}{self._delimiter}"{quoted}"\n')
            return
        cells: Sequence[str] = record.raw
        padded = [*cells[:width], *[""] * (width - len(cells))]
        file.write(csv_line([*padded, str(record.line), reason, *cells[width:]], self._delimiter))


def _binary() -> InvalidError:
    return InvalidError("the file is binary, not CSV or JSON lines", hint="ask for the data as CSV")


def _around(cells: Sequence[str]) -> str:
    """Return the character on both sides of each delimiter of a row; empty if there is no such character."""
    sides = {cell[-1:] for cell in cells[:-1]} | {cell[:1] for cell in cells[1:]}
    return sides.pop() if len(sides) == 1 else ""


def _are_addresses(cells: Sequence[str]) -> bool:
    held = [cell for cell in cells if cell.strip()]
    return 2 * sum(_ADDRESS.fullmatch(cell.strip()) is not None for cell in held) > len(held)


def _named(delimiter: str | None) -> str | None:
    return delimiter if delimiter and delimiter not in '"\r\n' else None
