"""`custctl customer import`."""

from __future__ import annotations

import io
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from custctl.cli.commands.arguments import operation
from custctl.cli.context import Context
from custctl.cli.options import WRITE, OperationOption, command
from custctl.support.errors import InterruptedRunError, InvalidError, PartialError, UnavailableError, UsageError
from custctl.support.files import is_endless
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.customers.batch import Counts
    from custctl.customers.headers import Mapped
    from custctl.customers.importing import Import, Request, Result
    from custctl.customers.records import Reading

_COLUMNS = ("file", "rows", "inserted", "updated", "unchanged", "skipped", "rejected", "operation_id")


@command(
    shared=WRITE,
    examples="""
custctl customer import customers.csv --rejects rejects.csv
custctl customer import crm.csv --map address_line=Address --map region=State --on-conflict skip
custctl customer import shop.csv --map first_name,last_name=Name --map address_line=Street1,Street2 --map status=
custctl customer import old.txt --delimiter tab --encoding cp1252 --join-lines
zcat dump.jsonl.gz | custctl customer import - --format jsonl --on-conflict update
""",
)
def import_(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The file to read; `-` is stdin.")],
    format: Annotated[
        str | None,
        typer.Option("--format", metavar="csv|jsonl", help="Default: inferred from the file name."),
    ] = None,
    map: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=HEADER",
            help="Read a field from this column, or from several (A,B), joined by a comma. `FIELD=` leaves it out."
            " `first_name,last_name=HEADER` splits a name.",
        ),
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(
            "--delimiter",
            metavar="CHARACTER|tab",
            help="What separates the cells of CSV. Default: detected among comma, semicolon, tab and bar.",
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(
            "--encoding", metavar="NAME", help="Default: UTF-8, or UTF-16 or UTF-32 where the file is in one of them."
        ),
    ] = None,
    join_lines: Annotated[
        bool, typer.Option("--join-lines", help="Join the lines of a cell with `, ` instead of rejecting the row.")
    ] = False,
    on_conflict: Annotated[
        str,
        typer.Option("--on-conflict", metavar="fail|skip|update", help="What to do with a row whose email is taken."),
    ] = "fail",
    rejects: Annotated[
        Path | None, typer.Option("--rejects", metavar="FILE", help="Write rejected rows to this file.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file and look up the emails; write nothing.")
    ] = False,
    operation_id: OperationOption = None,
) -> None:
    """Import customers from CSV or JSON lines.

    Good rows are imported; bad rows are rejected, each with its line and reason, and the exit code is then 10. If an
    import is killed, run it again with the same file and options: it resumes where it stopped.
    """
    from custctl.customers.headers import parse_mapping
    from custctl.customers.importing import Import, Request
    from custctl.customers.recognition import recognise
    from custctl.customers.records import Reading, fingerprint, guess_format
    from custctl.customers.sources import open_source

    context = Context.of(ctx)
    if on_conflict not in ("fail", "skip", "update"):
        raise UsageError(f"`--on-conflict {on_conflict}` is not known", hint="one of fail, skip, update")
    if format not in (None, "csv", "jsonl"):
        raise UsageError(f"`--format {format}` is not known", hint="one of csv, jsonl")
    operation_id = operation(operation_id)
    mapping = parse_mapping(map or [])
    separator = None if delimiter is None else _delimiter(delimiter)
    path = None if file == "-" else Path(file)
    if rejects is not None and path is not None and rejects.exists() and path.exists() and rejects.samefile(path):
        raise UsageError("`--rejects` names the file that is imported")
    chosen = format or guess_format(path)
    if separator is not None and chosen != "csv":
        raise UsageError("`--delimiter` is for CSV alone", hint="`--format csv` reads the file as CSV")
    with _opened(path) as data:
        reading = Reading(
            format=chosen,  # type: ignore[arg-type]
            encoding=recognise(data, encoding),
            mapping=mapping,
            delimiter=separator,
            raw=context.renderer.raw,
            join_lines=join_lines,
        )
        known = fingerprint(data)
        source = open_source(data, reading)
        if not dry_run:
            context.announce(_COLUMNS)
        _say_left_out(context, source.kept, source.left_out)
        if on_conflict == "update" and not dry_run:
            context.confirm_in_production(f"update customers of {context.profile.location} from {file}?")
        request = Request(
            name="stdin" if path is None else path.name,
            source=source,
            fingerprint=known,
            key_parts=(str(reading), on_conflict),
            on_conflict=on_conflict,  # type: ignore[arg-type]
            operation_id=operation_id,
            rejects=rejects,
            dry_run=dry_run,
        )
        work = Import(context.customers, context.database, request, context.actor)
        told = len(source.left_out) + len(source.kept)
        result = _run(context, work, known.lines, dry_run=dry_run, updates=on_conflict == "update")
        if len(source.left_out) + len(source.kept) > told:
            _say_left_out(context, source.kept, source.left_out)
        if source.unmet and not result.replayed:
            names = ", ".join(f"`{name}`" for name in source.unmet)
            context.console.warn(f"no object has what `--map` names: {names}")
        hints = _hints(request, result, reading, data)
    _show(context, result, file, operation_id, dry_run=dry_run, rejects=rejects, hints=hints)


def _run(context: Context, work: Import, lines: int, *, dry_run: bool, updates: bool) -> Result:
    try:
        with context.console.progress("importing", lines) as progress:
            if dry_run or not updates:
                return work.run(progress.advance)
            with context.writing_many():
                return work.run(progress.advance)
    except InvalidError:
        if not dry_run:
            context.console.note(f"before the error, {_committed(work.result.counts)}")
        raise
    except KeyboardInterrupt as interrupt:
        from custctl.support.signals import Terminated

        raise InterruptedRunError(
            "interrupted; nothing was written" if dry_run else f"interrupted; {_committed(work.committed())}",
            terminated=isinstance(interrupt, Terminated),
            hint="run the same command again" + ("" if dry_run else ": it goes on there"),
        ) from interrupt


def _committed(counts: Counts) -> str:
    return (
        f"{counts.rows} rows were dealt with and committed: {counts.inserted} inserted, {counts.updated} updated,"
        f" {counts.unchanged} unchanged, {counts.skipped} skipped, {counts.rejected} rejected"
    )


@contextmanager
def _opened(path: Path | None) -> Iterator[IO[bytes]]:
    """Open the file, which is read twice: what can be read once alone is kept in an unnamed file.

    Raises:
        UsageError: it cannot be read.
        InvalidError: on reading; it is changed meanwhile.
    """
    from custctl.customers.steady import Steady

    with _seekable(path) as data:
        yield io.BufferedReader(Steady(data))


@contextmanager
def _seekable(path: Path | None) -> Iterator[IO[bytes]]:
    if path is None:
        if is_endless(sys.stdin):
            raise UsageError("standard input cannot be read: it is a device, not a file")
        with _spooled(sys.stdin.buffer) as spool:
            yield spool
        return
    try:
        data = path.open("rb")
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror}") from error
    with data:
        if is_endless(data):
            raise UsageError(f"`{path}` cannot be read: it is a device, not a file")
        if data.seekable():
            yield data
            return
        with _spooled(data) as spool:
            yield spool


def _read(stream: IO[bytes]) -> bytes:
    try:
        return stream.read(1 << 20)
    except OSError as error:
        raise UnavailableError(f"the input cannot be read: {error.strerror}", hint="nothing was imported") from error


@contextmanager
def _spooled(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as spool:
        while chunk := _read(stream):
            spool.write(chunk)
        spool.seek(0)
        yield spool


def _say_left_out(context: Context, kept: list[str], left_out: list[str]) -> None:
    if left_out:
        names = ", ".join(f"`{name}`" for name in left_out[:20])
        more = f" and {len(left_out) - 20} more" if len(left_out) > 20 else ""
        context.console.note(f"left out, as no field matches: {names}{more}")
    if kept:
        context.console.note(f"left out, as the database keeps them: {', '.join(f'`{name}`' for name in kept)}")


def _show(
    context: Context,
    result: Result,
    file: str,
    operation_id: str,
    *,
    dry_run: bool,
    rejects: Path | None,
    hints: Sequence[str],
) -> None:
    if result.replayed:
        context.console.note(f"operation {operation_id} had been applied already; this is its outcome")
    if result.resumed_at:
        context.console.note(f"went on behind row {result.resumed_at}, where an earlier run had stopped")
    if result.lost_rejects and rejects is not None:
        context.console.warn(
            f"{result.lost_rejects} rows that an earlier run rejected are not in `{rejects}`",
            hint="they are where that run's `--rejects` put them, if it had one",
        )
    if dry_run:
        context.console.note("dry run: nothing was written")
    else:
        look = f"`custctl audit list --operation {operation_id}` shows it"
        context.wrote(f"the import is complete: {_committed(result.counts)}", look)
    counts = asdict(result.counts)
    context.renderer.one({"file": file, **counts, "operation_id": operation_id}, _COLUMNS)
    if result.blank:
        context.console.note(f"skipped {plural(result.blank, 'empty row', 'empty rows')}")
    if not result.counts.rejected:
        return
    for line, reason in result.reasons:
        context.console.note(f"line {line}: {reason}")
    unseen = result.counts.rejected - len(result.reasons)
    if unseen > 0 and result.reasons:
        context.console.note(f"… and {unseen} more")
    raise PartialError(
        f"{result.counts.rejected} of {result.counts.rows} rows {'would be' if dry_run else 'were'} rejected",
        hint="; ".join(hints) or None,
        details=counts,
    )


def _hints(request: Request, result: Result, reading: Reading, data: IO[bytes]) -> list[str]:
    """Return what to do about rejected rows, the most general first."""
    from custctl.customers.encodings import encoding_hint

    hints: list[str] = []
    if not result.counts.rejected:
        return hints
    if result.undecodable:
        hints.append(encoding_hint(data, reading.encoding.name))
        if result.counts.inserted and request.on_conflict == "fail" and request.rejects is None and not request.dry_run:
            hints.append("`--on-conflict skip` passes over the rows that are imported already")
    hints += [_unmatched(field, reading.mapping) for field in _misread(result)]
    if request.rejects is None:
        name = Path(request.name)
        kept = f"{name.stem}.rejects.{reading.format}"
        hints.append(f"keep them in a file with `--rejects {shlex.quote(kept)}`")
    elif not request.dry_run and not result.replayed:
        hints.append(f"they are in `{request.rejects}`: fix and import them")
    return hints


def _misread(result: Result) -> list[str]:
    """Return the fields of which most cells that hold something do not fit: the column is of another meaning."""
    return [name for name, count in result.misfits.items() if count * 2 > result.filled[name]]


def _unmatched(field: str, mapping: Sequence[Mapped]) -> str:
    for option in mapping:
        if field in option.fields:
            return f"`{option.header}` may not be your `{field}`: map another column, or none"
    return f"if that column is not your `{field}`, leave it out with `--map {field}=`"


def _delimiter(text: str) -> str:
    separator = {"tab": "\t", "\\t": "\t"}.get(text.casefold(), text)
    if len(separator) != 1 or separator in '"\r\n':
        raise UsageError(f"`--delimiter {text}` is not one character", hint="such as `;`, or `tab`")
    return separator
