"""`custctl customer import`."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from custctl.cli.commands.arguments import operation
from custctl.cli.context import Context
from custctl.cli.options import WRITE, OperationOption, command
from custctl.support.errors import CustctlError, InterruptedRunError, PartialError, UsageError
from custctl.support.fieldnames import in_option
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.api.importing import FileImport
    from custctl.customers.batch import Counts
    from custctl.customers.headers import Mapped
    from custctl.customers.importing import Result
    from custctl.customers.records import Source

_COLUMNS = ("file", "rows", "inserted", "updated", "unchanged", "skipped", "rejected", "operation_id")
_LONGEST_NAME = 60  # characters
_RESUMES = {False: ": it resumes there", True: ": it resumes there, and builds the indexes that are left out so far"}


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
        typer.Option("--format", metavar="csv|jsonl", help="File format. Default: inferred from the file name."),
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
            help="CSV delimiter. Default: detected (comma, semicolon, tab or `|`).",
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(
            "--encoding", metavar="NAME", help="File encoding. Default: UTF-8; UTF-16 and UTF-32 are detected."
        ),
    ] = None,
    join_lines: Annotated[
        bool, typer.Option("--join-lines", help="Join the lines of a cell with `, ` instead of rejecting the row.")
    ] = False,
    on_conflict: Annotated[
        str,
        typer.Option("--on-conflict", metavar="fail|skip|update", help="What to do if a row's email is already taken."),
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
    context = Context.of(ctx)
    if not file:
        raise UsageError("the name of the file is empty", hint="name a file, or `-` for stdin")
    if rejects == Path("-"):
        raise UsageError("`--rejects -`: stdout holds the result", hint="name a file")
    operation_id = operation(operation_id)
    path = None if file == "-" else Path(file)
    with context.customers.importing(
        path or sys.stdin.buffer,
        name="stdin" if path is None else path.name,
        format=format,  # type: ignore[arg-type]
        mapping=map or [],
        delimiter=delimiter,
        encoding=encoding,
        raw=context.renderer.raw,
        join_lines=join_lines,
        on_conflict=on_conflict,  # type: ignore[arg-type]
        rejects=rejects,
        dry_run=dry_run,
        operation_id=operation_id,
    ) as work:
        source = work.source
        if not dry_run:
            context.announce(_COLUMNS)
        _say_left_out(context, source.kept, source.left_out)
        if on_conflict == "update" and not dry_run:
            context.confirm_in_production(f"update customers of {context.profile.location} from {file}?")
        told = len(source.left_out) + len(source.kept)
        result = _run(context, work)
        if len(source.left_out) + len(source.kept) > told:
            _say_left_out(context, source.kept, source.left_out)
        if source.quoted and not result.replayed:
            context.console.note(
                "quotes around a cell are not part of its value, as in CSV; if `-o tsv` wrote the file, import what"
                " `-o csv` writes instead"
            )
        if source.unmet and not result.replayed:
            names = ", ".join(f"`{name}`" for name in source.unmet)
            context.console.warn(f"no object has the keys named by `--map`: {names}")
        if not result.counts.rejected and _has_undecodable_names(source):
            from custctl.customers.encodings import encoding_hint

            encoding = work.reading.encoding.name
            context.console.warn(f"column names are not {encoding.upper()}", hint=encoding_hint(work.data, encoding))
        _warn_of_nulls(context, result)
        hints = _hints(work, result)
    _show(context, result, file, operation_id, dry_run=dry_run, rejects=rejects, hints=hints)


def _warn_of_nulls(context: Context, result: Result) -> None:
    count = result.nulls.total()
    if count and not result.replayed:
        names = ", ".join(f"`{name}`" for name, many in result.nulls.items() if many)
        context.console.warn(
            f"{plural(count, 'cell', 'cells')} in {names} have the text `NULL` or `\\N`, which databases write for no value",
            hint="if they have no value, empty them; `--on-conflict update` then corrects customers that are imported",
        )


def _run(context: Context, work: FileImport) -> Result:
    dry_run = work.request.dry_run
    try:
        with context.console.progress("importing", work.lines) as progress:
            return work.run(progress.advance)
    except Exception:
        if not dry_run and work.counts.rows:
            context.console.note(f"before the error, {_committed(work.counts)}")
        raise
    except KeyboardInterrupt as interrupt:
        from custctl.support.signals import Terminated

        raise InterruptedRunError(
            "interrupted; nothing was written" if dry_run else f"interrupted; {_known(work)}",
            terminated=isinstance(interrupt, Terminated),
            hint="run the same command again" + ("" if dry_run else _RESUMES[work.deferred]),
        ) from interrupt


def _known(work: FileImport) -> str:
    """Return what is committed, according to the database if it responds."""
    try:
        return _committed(work.committed())
    except CustctlError:
        return f"at least {_committed(work.counts)}"


def _committed(counts: Counts) -> str:
    return (
        f"{plural(counts.rows, 'row', 'rows')} processed and committed: {counts.inserted} inserted, {counts.updated} updated,"
        f" {counts.unchanged} unchanged, {counts.skipped} skipped, {counts.rejected} rejected"
    )


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"


def _say_left_out(context: Context, kept: list[str], left_out: list[str]) -> None:
    if left_out:
        names = ", ".join(f"`{_shortened(name)}`" for name in left_out[:20])
        more = f" and {len(left_out) - 20} more" if len(left_out) > 20 else ""
        context.console.note(f"ignored, no field matches: {names}{more}")
    if kept:
        context.console.note(f"ignored, an import does not set: {', '.join(f'`{name}`' for name in kept)}")


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
        context.console.note(f"operation {operation_id} was already applied; this is its outcome")
    if result.resumed_at:
        context.console.note(f"resumed after row {result.resumed_at}, where an earlier run stopped")
    if result.lost_rejects and rejects is not None:
        context.console.warn(
            f"{result.lost_rejects} rows that an earlier run rejected are not in `{rejects}`",
            hint="look in the file that the earlier run named with `--rejects`, if any",
        )
    if dry_run:
        context.console.note("dry run: nothing was written")
    else:
        look = f"`custctl audit list --operation {operation_id}` shows it"
        context.wrote(f"import complete: {_committed(result.counts)}", look)
    counts = asdict(result.counts)
    context.renderer.one({"file": file, **counts, "operation_id": operation_id}, _COLUMNS)
    if result.blank:
        context.console.note(f"skipped {plural(result.blank, 'empty row', 'empty rows')}")
    if not result.counts.rejected:
        if result.account_error is not None:
            raise result.account_error
        return
    if result.account_error is not None:
        context.console.warn(result.account_error.message, result.account_error.hint)
    for line, reason in result.reasons:
        context.console.note(f"line {line}: {reason}")
    unseen = result.counts.rejected - len(result.reasons)
    if unseen > 0 and result.reasons:
        context.console.note(f"… and {unseen} more")
    rejected = result.counts.rejected
    verb = "would be" if dry_run else "was" if rejected == 1 else "were"
    raise PartialError(
        f"{rejected} of {result.counts.rows} rows {verb} rejected",
        hint="; ".join(hints) or None,
        details=counts,
    )


def _hints(work: FileImport, result: Result) -> list[str]:
    """Return hints for rejected rows, the most general first."""
    from custctl.customers.encodings import encoding_hint

    request, reading = work.request, work.reading
    hints: list[str] = []
    if not result.counts.rejected:
        return hints
    if result.undecodable or _has_undecodable_names(work.source):
        hints.append(encoding_hint(work.data, reading.encoding.name))
        if result.counts.inserted and request.on_conflict == "fail" and request.rejects is None and not request.dry_run:
            hints.append("`--on-conflict skip` skips rows that are already imported")
    hints += [_unmatched(field, reading.mapping) for field in _misread(result)]
    if request.rejects is None:
        name = Path(request.name)
        kept = f"{name.stem}.rejects.{reading.format}"
        hints.append(f"save them to a file with `--rejects {shlex.quote(kept)}`")
    elif not request.dry_run and not result.replayed:
        hints.append(f"they are in `{request.rejects}`: fix and import them")
    return hints


def _has_undecodable_names(source: Source) -> bool:
    """Return whether a column was ignored whose name has bytes that the file's encoding does not have."""
    return any(re.search("[\udc80-\udcff]", name) for name in source.left_out)


def _misread(result: Result) -> list[str]:
    """Return the fields for which most non-empty cells are invalid: the column has another meaning."""
    return [name for name, count in result.misfits.items() if count * 2 > result.filled[name]]


def _unmatched(field: str, mapping: Sequence[Mapped]) -> str:
    for option in mapping:
        if field in option.fields:
            return f"`{option.header}` may not hold `{field}`: map another column, or none"
    return f"if that column does not hold `{field}`, ignore it with `--map {shlex.quote(f'{in_option(field)}=')}`"
