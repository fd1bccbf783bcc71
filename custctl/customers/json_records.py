"""JSON lines as a source of records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

from custctl.customers.csv_rows import DELIMITERS, is_blank, separator_line
from custctl.customers.headers import Columns, is_known, match_headers
from custctl.customers.records import (
    BLANK,
    LONGEST_LINE,
    LONGEST_REJECT,
    OURS,
    Decoded,
    Reading,
    Record,
    clean_cells,
    encodable,
)
from custctl.support import exact_json
from custctl.support.errors import InvalidError
from custctl.support.patterns import compiled
from custctl.support.text import visible

_RAW = "_raw"  # the key for a line in the rejects that is not an object
_TAIL = compiled(r'"_line"\s*:\s*\d+\s*,\s*"_reason"\s*:\s*"(?:[^"\\]|\\.)*+"\s*\}\s*')
_MOST_SHAPES = 1000  # different lists of keys that are cached
_MOST_NAMES = 1000  # ignored keys that are reported


class JsonLines:
    """One JSON object per line; each may have different fields."""

    def __init__(self, file: IO[bytes], reading: Reading) -> None:
        self._reading = reading
        self.encoding = reading.encoding
        # Only a line feed ends a line: a JSON string may contain the other line ends.
        self._decoded = Decoded(file, reading.encoding, newline="\n")
        self._shapes: dict[tuple[str, ...], Columns] = {}
        self._repeated = False
        # Own fields with the names of our keys are data; our keys then count only where the rejects have them.
        self._ours = OURS if reading.own.by_name.keys().isdisjoint(OURS) else ()
        self._decode = json.JSONDecoder(object_pairs_hook=self._object, parse_float=exact_json.number).decode
        self.quoted = False
        self.left_out: list[str] = []
        self.kept: list[str] = []
        self.unmet: list[str] = [name for option in reading.mapping if option.header for name in option.headers]

    @property
    def offset(self) -> int:
        """Bytes read so far."""
        return self._decoded.offset

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            # Our own keys may occur twice: in a row that was rejected before and merged by hand.
            keys = [key for key, _ in pairs if key not in self._ours]
            self._repeated |= len(set(keys)) < len(keys)
        return made

    def _lines(self) -> Iterator[str]:
        try:
            yield from iter(lambda: self._decoded.text.readline(LONGEST_REJECT + 1), "")
        except UnicodeDecodeError as error:
            raise self._decoded.undecodable(error) from error

    def records(self) -> Iterator[Record]:
        """Yield the objects; blank lines are skipped.

        Raises:
            InvalidError: the file is CSV, a long line is not an object, or the rest of the text cannot be decoded.
        """
        begun = False
        for line, found in enumerate(self._lines(), start=1):
            text = (found.removeprefix("\ufeff") if line == 1 else found).rstrip("\r\n")
            if text.strip():
                if not begun and self._is_csv(text):
                    raise InvalidError("the file is CSV, not JSON lines", hint="read it with `--format csv`")
                begun = True
                yield self._record(line, text)

    def _is_csv(self, first: str) -> bool:
        """Return whether the first line is a CSV header, or names the delimiter of what follows."""
        if first.lstrip().startswith(("{", "[")):
            return False
        cells = (cell for delimiter in DELIMITERS for cell in first.split(delimiter))
        reading = self._reading
        return separator_line(first) is not None or any(is_known(cell, reading.mapping, reading.own) for cell in cells)

    def _record(self, line: int, text: str) -> Record:
        if f'"{_RAW}"' in text:
            text = self._unwrapped(text)
        if not self._ours:
            text = _without_tail(text) or text
        self._repeated = False
        try:
            found = self._decode(text)
        except (ValueError, RecursionError) as error:
            return _not_an_object(line, text, f"is not JSON: {_fault(error)}")
        if not isinstance(found, dict):
            return _not_an_object(line, text, "is not a JSON object")
        if not found.keys().isdisjoint(self._ours):
            for key in self._ours:
                found.pop(key, None)
            text = _without_tail(text) or (text if self._repeated else exact_json.dumps(found, ensure_ascii=True))
        columns = self._columns(tuple(found))
        values = list(found.values())
        if is_blank(values):
            return Record(line, columns.fields, (), text, BLANK)
        problem = "has a key twice" if self._repeated else None
        if columns.twice:
            problem = f"has the field `{columns.twice[0][2]}` twice"
        picked = [values[position] for position in columns.used]
        clean_cells(picked, guarded=False, join_lines=self._reading.join_lines)
        if columns.widths is not None:
            try:
                picked = columns.made(picked)
            except ValueError as error:
                problem = problem or str(error)
        return Record(line, columns.fields, picked, text, problem)

    def _unwrapped(self, text: str) -> str:
        """Return the original line of a rejected row that was not an object: the value of `_raw`."""
        try:
            found = self._decode(text)
        except (ValueError, RecursionError):
            return text
        if isinstance(found, dict) and isinstance(found.get(_RAW), str) and found.keys() <= {_RAW, *OURS}:
            return str(found[_RAW])
        return text

    def _columns(self, keys: tuple[str, ...]) -> Columns:
        columns = self._shapes.get(keys)
        if columns is not None:
            return columns
        columns = match_headers(keys, self._reading.mapping, self._reading.own)
        # Keys are data here: they must not fill the memory.
        if len(self._shapes) == _MOST_SHAPES:
            self._shapes.clear()
        self._shapes[keys] = columns
        missing = {name for _, name in columns.missing}
        self.unmet = [name for name in self.unmet if name in missing]
        for told, names in ((self.left_out, columns.left_out), (self.kept, columns.kept)):
            told += [name for name in names if len(told) < _MOST_NAMES and name not in told]
        return columns

    def reject(self, file: IO[str], record: Record, reason: str, *, first: bool) -> None:
        """Write an object as it was, with two more keys; a line that is not an object goes under `_raw`."""
        if first and self.encoding.mark:
            file.write("\ufeff")
        begun = record.raw.rstrip(" \t\r\n").removesuffix("}").rstrip(" \t")
        comma = "" if begun.endswith("{") else ", "
        reason = json.dumps(encodable(reason, self.encoding), ensure_ascii=False)
        file.write(f'{begun}{comma}"_line": {record.line}, "_reason": {reason}}}\n')


def _without_tail(text: str) -> str | None:
    """Return an object's text without the keys that end each object of the rejects; None if they are elsewhere."""
    begun = text
    while (at := begun.rfind('"_line"')) >= 0 and _TAIL.fullmatch(begun, at):
        begun = begun[:at].rstrip().removesuffix(",").rstrip() + "}"
    return begun if begun != text else None


def _fault(error: ValueError | RecursionError) -> str:
    """Return what is wrong with a line, without the parser's own number of the line."""
    if isinstance(error, json.JSONDecodeError):
        return f"{visible(error.msg[:1].lower() + error.msg[1:])} at column {error.colno}"
    return "it is nested too deeply" if isinstance(error, RecursionError) else "a number has too many digits"


def _not_an_object(line: int, text: str, fault: str) -> Record:
    """Return the record of a line to reject.

    Raises:
        InvalidError: the line is so long that it could not be read again with its characters escaped.
    """
    if len(text) > LONGEST_LINE:
        raise InvalidError(f"line {line} is longer than {LONGEST_LINE} characters", hint="is it JSON lines?")
    return Record(line, (), (), json.dumps({_RAW: text}, ensure_ascii=False), fault)
