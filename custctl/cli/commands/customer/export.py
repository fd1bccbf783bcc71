"""`custctl customer export`."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, TextIO

import typer

from custctl.cli.commands.customer.filters import CountryFilter, StatusFilter, Where, note_mistakes
from custctl.cli.context import Context
from custctl.cli.options import PLAIN, command
from custctl.support.errors import UnavailableError, UsageError
from custctl.support.files import check_apart, open_output
from custctl.support.text import plural
from custctl.terminal.formats import Format

# Endings of files that are opened by a program for their format.
_PROMISING = frozenset(
    ("csv", "jsonl", "json", "yaml", "yml", "tsv", "xls", "xlsx", "ods", "parquet", "gz", "bz2", "xz", "zst", "zip")
)


@command(
    shared=(*PLAIN, "fields", "raw"),
    examples="""
custctl customer export > customers.csv
custctl customer export --output-file customers.jsonl -o jsonl
custctl customer export --where 'created_at>=2026-01-01' --fields email,last_name,country
custctl customer export --who ada@example.com > held.json
""",
)
def export(
    ctx: typer.Context,
    status: StatusFilter = None,
    country: CountryFilter = None,
    where: Where = None,
    who: Annotated[
        str | None,
        typer.Option("--who", metavar="WHO", help="Export all data held about one customer, as JSON."),
    ] = None,
    output_file: Annotated[
        Path | None,
        typer.Option(
            "--output-file",
            metavar="FILE",
            help="Write to this file; it appears when the export is complete. `-` is stdout.",
        ),
    ] = None,
) -> None:
    """Export customers in order of id, as CSV, or as JSON lines with `-o jsonl`, in constant memory.

    With `--who`, export all data held about one person, for a data subject's request.
    """
    from custctl.customers.exporting import export_all
    from custctl.customers.records import guess_format

    context = Context.of(ctx)
    if output_file == Path("-"):
        output_file = None
    if output_file is not None:
        check_apart("--output-file", output_file, context.profile.database.path)
        if not context.renderer.has_format:
            _check_name(output_file, "csv or jsonl" if who is None else "json")
    if who is not None:
        filters = (("--status", status), ("--country", country), ("--where", where))
        _export_person(context, who, [name for name, value in filters if value], output_file)
        return
    note_mistakes(context, where or ())
    by_name = Format.JSONL if output_file is not None and guess_format(output_file) == "jsonl" else Format.CSV
    found = export_all(context.database, context.opened.filters(status, country, where or ()))
    context.renderer.check_fields(found.names)
    beside = output_file is None and context.renderer.is_watched()
    with context.console.progress("exporting", found.count, beside_data=beside) as progress:
        write = partial(
            context.renderer.export, found.names, found.rows, found.joined, on_block=progress.advance, default=by_name
        )
        if output_file is None:
            written = write()
        else:
            with _written_whole(output_file) as stream:
                written = write(stream=stream)
    context.tell_source()
    if output_file is not None:
        context.console.note(f"{plural(written.rows, 'customer was', 'customers were')} exported to `{output_file}`")
    if not written.is_exact:
        context.console.note(
            "some characters were escaped, and an import does not restore them: `--raw` and `-o jsonl` are exact"
        )


def _check_name(path: Path, written: str) -> None:
    """Refuse a file whose name promises a format that is not written.

    Args:
        written: what can be written, as a hint says it.

    Raises:
        UsageError: it does.
    """
    ending = path.suffix.lower().removeprefix(".")
    if ending in _PROMISING and ending not in written.split():
        raise UsageError(
            f"cannot export as {ending}", hint=f"`{path}` would hold {written}: choose another name, or give `--output`"
        )


def _export_person(context: Context, who: str, others: Sequence[str], output_file: Path | None) -> None:
    """Write all data about one customer.

    Args:
        others: given options that cannot be used together with it.
    """
    if others:
        raise UsageError(f"`--who` and `{others[0]}` cannot be used together", hint="remove one of them")
    context.renderer.check_person()
    found = context.customers.held(who)
    if output_file is None:
        context.renderer.person(found)
        return
    with _written_whole(output_file) as stream:
        context.renderer.person(found, stream)
    context.console.note(f"all data held about customer {found['customer_id']} was exported to `{output_file}`")


@contextmanager
def _written_whole(path: Path) -> Iterator[TextIO]:
    """Write a temporary file in the same folder and move it into place at the end; only its owner can read it.

    A device or a pipe is written to directly: a file must not replace it.
    """
    place = path
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if path.exists() and not path.is_file():
            stream: TextIO = os.fdopen(open_output(path), "w", encoding="utf-8", newline="")
            part = None
        else:
            # The target of a link, so that the link stays.
            place = path.resolve()
            # Not named after the process id, which repeats in containers; 60 characters take at most 240 bytes.
            descriptor, name = tempfile.mkstemp(prefix=f".{place.name[:60]}.", suffix=".part", dir=place.parent)
            stream, part = os.fdopen(descriptor, "w", encoding="utf-8", newline=""), Path(name)
    except TimeoutError as error:
        raise UnavailableError(
            f"cannot write `{path}`: {error.strerror}", hint="start the program that reads it, then run it again"
        ) from error
    except OSError as error:
        raise UsageError(f"cannot write `{path}`: {error.strerror}") from error
    try:
        with stream:
            yield stream
            stream.flush()
            if part is not None:
                os.fsync(stream.fileno())
        if part is not None:
            part.replace(place)
    except BaseException as error:
        if part is not None:
            part.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise UnavailableError(
                f"cannot write `{path}`: {error.strerror}", hint="free some disk space, or name another file"
            ) from error
        raise
