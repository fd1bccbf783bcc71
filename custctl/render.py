"""stdout: data alone, in the format that was asked for. Nobody else writes there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any, TextIO

from custctl.errors import UsageError
from custctl.text import csv_line, escape_json, guard_formula, nearest, visible

if TYPE_CHECKING:
    from custctl.engines.base import Joined

Record = Mapping[str, Any]
Rows = Sequence[Sequence[Any]]

_TABLE_BLOCK = 500  # rows that are aligned together
_UNLIMITED_WIDTH = 100_000  # an explicit table is the same everywhere: no terminal folds it


@dataclass(frozen=True, slots=True)
class Exported:
    """How many rows were written, and whether every value stands there so that an import reads it back exactly."""

    count: int
    is_exact: bool


def _write_bytes(stream: TextIO, data: bytes) -> None:
    """Write what is UTF-8 already, past the stream's own encoding; both are UTF-8 with plain line feeds."""
    stream.flush()
    stream.buffer.write(data)


class Format(StrEnum):
    """The output formats."""

    AUTO = "auto"
    TABLE = "table"
    TSV = "tsv"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"


class Renderer:
    """Writes records to stdout.

    Args:
        chosen: the format; `auto` is a table on a terminal and TSV elsewhere.
        fields: the columns to show, in this order; None for the default of each command.
        raw: TSV and CSV cells exactly as they are.
        color: whether a table on a terminal may be styled.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        chosen: Format,
        fields: Sequence[str] | None = None,
        raw: bool = False,
        color: bool = False,
    ) -> None:
        self._stream = stream
        self._chosen = chosen
        self._fields = fields
        self.raw = raw
        self._color = color
        terminal = chosen is Format.AUTO and stream.isatty()
        self._fitted = terminal
        self.format = (Format.TABLE if terminal else Format.TSV) if chosen is Format.AUTO else chosen

    def one(self, record: Record, columns: Sequence[str]) -> None:
        """Write one record: an object in JSON, a row elsewhere, name and value below each other in a table."""
        names = self._names(columns, columns)
        kept = {name: record.get(name) for name in names}
        if self.format is Format.JSON:
            self._stream.write(_json(kept, indent=2) + "\n")
        elif self.format is Format.YAML:
            self._stream.write(_yaml(kept))
        elif self.format is Format.TABLE:
            self._table(("field", "value"), [(name, _cell(value)) for name, value in kept.items()], header=False)
        else:
            self._rows([kept], names)

    def many(
        self,
        records: Iterable[Record],
        columns: Sequence[str],
        *,
        next: str | Callable[[], str | None] | None = None,
        shown: Sequence[str] | None = None,
    ) -> None:
        """Write a list as it comes, in constant memory.

        Args:
            columns: every column that there is, in order.
            next: the cursor of what follows, asked for when all records are written.
            shown: the columns of a table where no fields were asked for.
        """
        names = self._names(columns, shown if shown is not None and self.format is Format.TABLE else columns)
        kept = ({name: record.get(name) for name in names} for record in records)
        if self.format is Format.JSON:
            self._json_list(kept, next)
        elif self.format is Format.YAML:
            self._stream.write(_yaml({"items": list(kept), "next": _value(next)}))
        else:
            self._rows(kept, names)

    def repaint(self) -> None:
        """Begin a screen anew; nothing happens where stdout is no terminal."""
        if self._fitted:
            self._stream.write("\x1b[H\x1b[J")

    def document(
        self,
        document: Record,
        *,
        rows: Iterable[Record] | None = None,
        columns: Sequence[str] = (),
        shown: Sequence[str] | None = None,
    ) -> None:
        """Write a report: whole in JSON and YAML, its rows (or itself, as one row) elsewhere.

        Args:
            columns: every column that the rows have, in order.
            shown: those of a table where no fields were asked for.
        """
        if self.format is Format.JSON:
            self._stream.write(_json(document, indent=2) + "\n")
        elif self.format is Format.YAML:
            self._stream.write(_yaml(document))
        elif rows is not None:
            default = shown if shown is not None and self.format is Format.TABLE else columns
            self._rows(rows, self._names(columns, default))
        else:
            self.one(document, list(document))

    def export(
        self,
        names: Sequence[str],
        rows: Callable[[], Iterable[Rows]],
        joined: Callable[[], Iterable[Joined | Rows]],
        *,
        on_block: Callable[[int], None],
        stream: TextIO | None = None,
        default: Format = Format.CSV,
    ) -> Exported:
        """Write rows as CSV or JSON lines, block by block.

        Args:
            names: the columns of every row.
            rows: opens the rows as values.
            joined: opens the rows as text, for CSV.
            on_block: called with the number of rows written, after each block.
            stream: where to write in place of stdout.
            default: the format where none was asked for.

        Raises:
            UsageError: another format was asked for.
        """
        chosen = default if self._chosen is Format.AUTO else self._chosen
        if chosen not in (Format.CSV, Format.JSONL):
            raise UsageError(f"an export is not written as {chosen}", hint="choose `-o csv` or `-o jsonl`")
        out = self._stream if stream is None else stream
        count, altered = 0, False
        from custctl import csv_text
        from custctl.engines.base import Joined

        if chosen is Format.JSONL:
            for block in rows():
                out.write("".join([_json(dict(zip(names, row, strict=True))) + "\n" for row in block]))
                count += len(block)
                on_block(count)
            return Exported(count, is_exact=True)
        out.write(",".join(names) + "\n")
        for part in joined():
            if isinstance(part, Joined):
                data, exact = csv_text.from_joined(part.data, raw=self.raw)
                _write_bytes(out, data)
                altered |= not exact
                count += part.rows
            else:
                out.write(csv_text.from_rows(part, raw=self.raw))
                altered |= not self.raw
                count += len(part)
            on_block(count)
        return Exported(count, is_exact=not altered)

    # -- the formats -------------------------------------------------------------------------------

    def check_fields(self, known: Sequence[str]) -> None:
        """Refuse fields that a command does not have.

        Raises:
            UsageError: an unknown field was asked for.
        """
        self._names(known, known)

    def _names(self, known: Sequence[str], default: Sequence[str]) -> Sequence[str]:
        if self._fields is None:
            return default
        for name in self._fields:
            if name not in known:
                close = nearest(name, list(known))
                raise UsageError(
                    f"there is no field `{name}`",
                    hint=f"did you mean `{close}`?" if close else f"fields: {', '.join(known)}",
                )
        return self._fields

    def _rows(self, records: Iterable[Record], names: Sequence[str]) -> None:
        if self.format is Format.JSONL or self.format is Format.JSON:
            self._stream.writelines(_json(record) + "\n" for record in records)
        elif self.format is Format.TABLE:
            rows = (tuple(_cell(record.get(name)) for name in names) for record in records)
            for block in _blocks(rows, _TABLE_BLOCK):
                self._table(names, block)
        else:
            clean = _cell if self.raw else _guarded
            lines = _line_writer(self._stream, self.format)
            lines(names)
            for record in records:
                lines([clean(record.get(name)) for name in names])

    def _json_list(self, records: Iterable[Record], next_cursor: object) -> None:
        self._stream.write('{"items": [')
        separator = "\n  "
        for record in records:
            self._stream.write(separator + _json(record))
            separator = ",\n  "
        closing = "" if separator == "\n  " else "\n"
        self._stream.write(f'{closing}], "next": {_json(_value(next_cursor))}}}\n')

    def _table(self, names: Sequence[str], rows: Sequence[tuple[str, ...]], *, header: bool = True) -> None:
        from rich.box import SIMPLE
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        console = Console(
            file=self._stream,
            width=None if self._fitted else _UNLIMITED_WIDTH,
            color_system="standard" if self._fitted and self._color else None,
            force_terminal=self._fitted,
            no_color=not self._color,
            markup=False,
            highlight=False,
            emoji=False,
            legacy_windows=False,
        )
        table = Table(box=SIMPLE, show_header=header, pad_edge=False, show_edge=False, header_style="bold")
        for name in names:
            table.add_column(Text(name), overflow="fold")
        for row in rows:
            table.add_row(*(Text(visible(cell)) for cell in row))
        with console.capture() as capture:
            console.print(table)
        self._stream.writelines(line.rstrip() + "\n" for line in capture.get().splitlines())


def _line_writer(stream: TextIO, chosen: Format) -> Callable[[Sequence[str]], object]:
    if chosen is Format.CSV:
        return lambda cells: stream.write(csv_line(cells))
    return lambda cells: stream.write("\t".join(cells) + "\n")


def _guarded(value: Any) -> str:
    cell = _cell(value)
    # A negative number is no formula.
    return cell if isinstance(value, (int, float)) else guard_formula(visible(cell))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)) and all(isinstance(part, str) and "," not in part for part in value):
        return ",".join(value)
    if isinstance(value, (dict, list, tuple)):
        return _json(value)
    return str(value)


def _value(value: Any) -> Any:
    return value() if callable(value) else value


def _json(value: Any, indent: int | None = None) -> str:
    return escape_json(json.dumps(value, ensure_ascii=False, indent=indent))


def _yaml(value: Any) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes what has to be escaped: only double-quoted scalars know escapes."""

    def string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if visible(text) == text else '"')

    Dumper.add_representer(str, string)
    return escape_json(yaml.dump(value, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=2**31))


def _blocks(rows: Iterable[tuple[str, ...]], size: int) -> Iterator[list[tuple[str, ...]]]:
    iterator = iter(rows)
    while block := list(islice(iterator, size)):
        yield block
