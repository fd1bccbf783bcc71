"""Writes data to stdout in the requested format. No other module writes there."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from custctl.schema.times import is_time
from custctl.support.cells import cell_text
from custctl.support.errors import UsageError
from custctl.support.fieldnames import suggestion
from custctl.support.text import csv_line, visible
from custctl.terminal import layout
from custctl.terminal.formats import Format, guarded, line_writer, plain, to_json, to_yaml
from custctl.terminal.streams import lost_output

if TYPE_CHECKING:
    from custctl.engines.results import Joined
    from custctl.terminal.pager import Pager

Record = Mapping[str, Any]
Rows = Sequence[Sequence[Any]]

_TABLE_BLOCK = 500  # rows aligned together
_LEAST_COLUMNS = 2  # with fewer columns, each row is shown as a record instead


class Exported(NamedTuple):
    """How many rows were written, and whether an import reads every value back exactly."""

    rows: int
    is_exact: bool


class _Fit(NamedTuple):
    """How a table fits into a terminal; see `Renderer.many`."""

    may_drop: bool = False
    cut: Container[str] = ()
    wide: bool = False


def _write_bytes(stream: TextIO, data: bytes) -> None:
    """Write UTF-8 bytes to the stream's buffer; the stream uses UTF-8 and plain line feeds as well."""
    stream.flush()
    stream.buffer.write(data)


class Renderer:
    """Writes records to stdout.

    Args:
        chosen: the format; `auto` is a table on a terminal and TSV elsewhere.
        fields: the columns to show, in this order; None for the default of each command.
        raw: whether to write TSV and CSV cells unchanged.
        color: whether a table on a terminal may be styled.
        tell: called with a note about columns that do not fit the terminal.
        pager: shows output that is longer than the screen; None to write everything directly.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        chosen: Format,
        fields: Sequence[str] | None = None,
        raw: bool = False,
        color: bool = False,
        tell: Callable[[str], None] = lambda _: None,
        pager: Pager | None = None,
    ) -> None:
        self._stream = stream
        self._pager = pager
        self._tell = tell
        self._chosen = chosen
        self._fields = fields
        self.raw = raw
        self._color = color
        terminal = chosen is Format.AUTO and stream.isatty()
        self._fitted = terminal
        self.format = (Format.TABLE if terminal else Format.TSV) if chosen is Format.AUTO else chosen

    @property
    def has_format(self) -> bool:
        """Whether a format was requested."""
        return self._chosen is not Format.AUTO

    @property
    def has_fields(self) -> bool:
        """Whether fields were requested."""
        return self._fields is not None

    def one(self, record: Record, columns: Sequence[str]) -> None:
        """Write one record: an object in JSON, a name and a value per line in a table, a row elsewhere."""
        names = self._names(columns, columns)
        kept = {name: record.get(name) for name in names}
        if self.format is Format.JSON:
            self._stream.write(to_json(kept, indent=2) + "\n")
        elif self.format is Format.YAML:
            self._stream.write(to_yaml(kept))
        elif self.format is Format.TABLE:
            self._show(layout.record(names, [self._beside(value) for value in kept.values()], self._room()))
        else:
            self._rows([kept], names)

    def many(
        self,
        records: Iterable[Record],
        columns: Sequence[str],
        *,
        next: str | Callable[[], str | None] | None = None,
        shown: Sequence[str] | None = None,
        may_drop: bool = False,
        cut: Container[str] = (),
        wide: bool = False,
        paged: bool = False,
    ) -> None:
        """Write a list as it arrives, in constant memory.

        A list that is still being read ends when the reader closes the pipe. A complete list is written to its end,
        because the command may have to report how it ends.

        Args:
            columns: all columns, in order.
            next: the cursor of the next page, or a function that returns it, called after all records are written.
            shown: the columns of a table if no fields were requested.
            may_drop: whether a table may omit columns if the terminal is too narrow, the last ones first.
            cut: the columns whose texts such a table may cut.
            wide: whether a table shows all columns, in lines of any length.
            paged: whether a table that is longer than the screen goes to the pager.

        Raises:
            OSError: a list that is still being read cannot be written, or its reader quit.
        """
        whole = isinstance(records, Sequence)
        if not isinstance(records, Sequence):
            records = self._while_taken(records)
        brief = shown is not None and self.format is Format.TABLE and not wide
        names = self._names(columns, (shown or columns) if brief else columns)
        kept = ({name: record.get(name) for name in names} for record in records)
        if self.format is Format.JSON:
            self._json_list(kept, next)
        elif self.format is Format.YAML:
            self._stream.write(to_yaml({"items": list(kept), "next": _value(next)}))
        elif self.format is Format.TABLE:
            rows = ([visible(cell_text(record.get(name))) for name in names] for record in kept)
            left_out: set[str] = set()
            fit = _Fit(may_drop=may_drop and self._fields is None, cut=cut, wide=wide)
            lines = self._table(names, rows, fit, left_out)
            if paged:
                self._show(lines, whole=whole, chop=wide)
            else:
                self._lines(lines)
            self._note_left_out(names, left_out)
        else:
            self._rows(kept, names)

    def line(self, record: Record, text: str) -> None:
        """Write a line that stands for a record: an object in JSON, the text elsewhere."""
        in_json = self.format in (Format.JSON, Format.JSONL)
        self._lines([to_json(record) if in_json else visible(" ".join(text.split()))])

    def repaint(self) -> None:
        """Clear the screen; if stdout is not a terminal, the next output just follows the last.

        Raises:
            OSError: the last output could not be written.
        """
        self._stream.flush()
        self._check_taken()
        if self._fitted:
            self._stream.write("\x1b[H\x1b[J")

    def is_watched(self) -> bool:
        """Return whether a person may be watching: stdout is a terminal, or a pipe that may lead to one."""
        import stat

        try:
            return not stat.S_ISREG(os.fstat(self._stream.fileno()).st_mode)
        except OSError:
            return False

    def document(
        self,
        document: Record,
        *,
        rows: Iterable[Record] | None = None,
        columns: Sequence[str] = (),
        shown: Sequence[str] | None = None,
    ) -> None:
        """Write a report: complete in JSON and YAML; only its rows (or itself, as one row) in other formats.

        Args:
            columns: all columns of the rows, in order.
            shown: the columns of a table if no fields were requested.
        """
        if self.format is Format.JSON:
            self._stream.write(to_json(document, indent=2) + "\n")
        elif self.format is Format.YAML:
            self._stream.write(to_yaml(document))
        elif rows is not None:
            default = shown if shown is not None and self.format is Format.TABLE else columns
            self._rows(rows, self._names(columns, default))
        else:
            self.one(document, list(document))

    def check_person(self) -> None:
        """Reject other formats and fields for the data about one person, which is one complete document.

        Raises:
            UsageError: another format than JSON, or fields were requested.
        """
        if self._chosen not in (Format.AUTO, Format.JSON):
            raise UsageError(f"cannot export a person as {self._chosen}", hint="choose `-o json`, or omit the option")
        if self._fields is not None:
            raise UsageError("`--who` and `--fields` cannot be used together", hint="remove one of them")

    def person(self, document: Record, stream: TextIO | None = None) -> None:
        """Write all data about a person as JSON.

        Args:
            stream: where to write instead of stdout.
        """
        (self._stream if stream is None else stream).write(to_json(document, indent=2) + "\n")

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
        """Write rows as CSV or JSON lines, block by block, with all fields or the requested ones.

        Args:
            names: the columns of every row.
            rows: opens the rows as values.
            joined: opens the rows as text, for CSV.
            on_block: called with the number of rows written, after each block.
            stream: where to write instead of stdout.
            default: the format if none was requested.

        Raises:
            UsageError: another format was requested.
            OSError: the output cannot be written.
        """
        chosen = default if self._chosen is Format.AUTO else self._chosen
        if chosen not in (Format.CSV, Format.JSONL):
            raise UsageError(f"cannot export as {chosen}", hint="choose `-o csv` or `-o jsonl`")
        out = self._stream if stream is None else stream
        count, altered = 0, False
        if self._fields is not None:
            kept = self._names(names, names)
            places = [names.index(name) for name in kept]
            every, names = rows, kept

            def rows() -> Iterator[Rows]:
                return ([[row[at] for at in places] for row in block] for block in every())

            joined = rows
        from custctl.engines.results import Joined
        from custctl.terminal import csv_text

        if chosen is Format.JSONL:
            for block in rows():
                out.write("".join([to_json(dict(zip(names, row, strict=True))) + "\n" for row in block]))
                count += len(block)
                on_block(count)
                self._check_taken()
            return Exported(count, is_exact=True)
        parts = iter(joined())
        # If they cannot be read at all, nothing is written.
        first = list(islice(parts, 1))
        out.write(csv_line(names))
        for part in chain(first, parts):
            if isinstance(part, Joined):
                data, exact = csv_text.from_joined(part.data, raw=self.raw)
                _write_bytes(out, data)
                altered |= not exact
                count += part.rows
            else:
                text, exact = csv_text.from_rows(part, raw=self.raw)
                out.write(text)
                altered |= not exact
                count += len(part)
            on_block(count)
            self._check_taken()
        return Exported(count, is_exact=not altered)

    # -- the formats -------------------------------------------------------------------------------

    def check_fields(self, known: Sequence[str]) -> None:
        """Reject requested fields that the command does not have.

        Raises:
            UsageError: an unknown field was requested.
        """
        self._names(known, known)

    def _names(self, known: Sequence[str], default: Sequence[str]) -> Sequence[str]:
        if self._fields is None:
            return default
        for name in self._fields:
            if name not in known:
                raise UsageError(f"unknown field `{name}`", hint=suggestion(name, known))
        return self._fields

    def _rows(self, records: Iterable[Record], names: Sequence[str]) -> None:
        if self.format is Format.JSONL or self.format is Format.JSON:
            self._stream.writelines(to_json(record) + "\n" for record in records)
        elif self.format is Format.TABLE:
            rows = ([visible(cell_text(record.get(name))) for name in names] for record in records)
            self._lines(self._table(names, rows, _Fit(), set()))
        else:
            clean = cell_text if self.raw else guarded if self.format is Format.CSV else plain
            lines = line_writer(self._stream, self.format)
            lines(names)
            for record in records:
                lines([clean(record.get(name)) for name in names])

    def _json_list(self, records: Iterable[Record], next_cursor: object) -> None:
        self._stream.write('{"items": [')
        separator = "\n  "
        for record in records:
            self._stream.write(separator + to_json(record))
            separator = ",\n  "
        closing = "" if separator == "\n  " else "\n"
        self._stream.write(f'{closing}], "next": {to_json(_value(next_cursor))}}}\n')

    def _table(
        self, names: Sequence[str], rows: Iterable[Sequence[str]], fit: _Fit, left_out: set[str]
    ) -> Iterator[str]:
        """Yield the lines of a table, block by block; add columns that do not fit to `left_out`."""
        room = self._room()
        for block in _blocks(rows, _TABLE_BLOCK):
            if room is None or fit.wide:
                yield from layout.table(names, block, bold=self._color and room is not None)
                continue
            if fit.may_drop:
                found = layout.listed(names, block, room, cut=fit.cut, least=_LEAST_COLUMNS, bold=self._color)
                if found is not None:
                    yield from found[1]
                    left_out.update(names[found[0] :])
                    continue
            elif (widths := layout.fitting(names, block, room)) is not None:
                yield from layout.table(names, block, widths=widths, bold=self._color)
                continue
            for row in block:
                yield from (*layout.record(names, row, room), "")

    def _note_left_out(self, names: Sequence[str], left_out: set[str]) -> None:
        if left_out:
            shown = ", ".join(f"`{name}`" for name in names if name in left_out)
            self._tell(
                f"not shown because the terminal is too narrow: {shown}; choose fields with `--fields`, or see all with `--wide`"
            )

    def log(self, entries: Iterable[layout.LogEntry]) -> None:
        """Write a log as text: a headline and the changes of each entry. Times have the form of `is_time`."""
        shown = [
            ([self._beside(part) for part in head], [(visible(name), visible(text)) for name, text in changes])
            for head, changes in entries
        ]
        self._show(layout.log(shown, self._room()))

    def _beside(self, value: Any) -> str:
        """Return a cell; on a terminal, a time also shows how long ago it was."""
        cell = visible(cell_text(value))
        if self._fitted and isinstance(value, str) and is_time(value):
            from custctl.terminal.ago import ago

            return f"{cell} ({ago(value)})"
        return cell

    def _show(self, lines: Iterable[str], *, whole: bool = True, chop: bool = False) -> None:
        """Write lines, through the pager if they do not fit the terminal."""
        if self._fitted and self._pager is not None:
            self._pager.show(lines, whole=whole, chop=chop)
        else:
            self._lines(lines)

    def _room(self) -> int | None:
        """Return the width that a table must fit into, or None if stdout is not a terminal."""
        import shutil

        return shutil.get_terminal_size().columns if self._fitted else None

    def _lines(self, lines: Iterable[str]) -> None:
        self._stream.writelines(line + "\n" for line in lines)

    def _while_taken(self, records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            yield record
            self._check_taken()

    def _check_taken(self) -> None:
        lost = lost_output(self._stream)
        if lost is not None:
            raise lost


def _value(value: Any) -> Any:
    return value() if callable(value) else value


def _blocks(rows: Iterable[Sequence[str]], size: int) -> Iterator[list[Sequence[str]]]:
    iterator = iter(rows)
    while block := list(islice(iterator, size)):
        yield block
