"""`custctl customer export`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from custctl.context import Context
from custctl.customers.model import FIELDS
from custctl.errors import UsageError
from custctl.options import PLAIN, command

if TYPE_CHECKING:
    from custctl.console import Progress


@command(
    shared=(*PLAIN, "raw"),
    examples="""
custctl customer export > customers.csv
custctl customer export --output-file customers.jsonl -o jsonl
""",
)
def export(
    ctx: typer.Context,
    output_file: Annotated[
        Path | None,
        typer.Option("--output-file", metavar="FILE", help="Write there; the file appears when it is complete."),
    ] = None,
) -> None:
    """Export all customers by id, as CSV or with `-o jsonl` as JSON lines, in constant memory."""
    from custctl.customers.exporting import exported

    context = Context.of(ctx)
    with exported(context.database) as (count, blocks), context.console.progress("exporting", count) as progress:
        counted = _counted(blocks, progress)
        if output_file is None:
            context.renderer.export(FIELDS, counted)
            return
        with _written_whole(output_file) as stream:
            written = context.renderer.export(FIELDS, counted, stream=stream)
    context.console.note(f"{written} customers are in `{output_file}`")


def _counted(blocks: Iterator[list[tuple[Any, ...]]], progress: Progress) -> Iterator[list[tuple[Any, ...]]]:
    done = 0
    for block in blocks:
        yield block
        done += len(block)
        progress.advance(done)


@contextmanager
def _written_whole(path: Path) -> Iterator[TextIO]:
    """Write a file beside its place and move it there at the end; it is its owner's alone."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageError(f"`{path}` cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
