"""`custctl audit verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import PLAIN, command
from custctl.support.text import plural

_COLUMNS = ("kind", "customer_id", "audit_id", "message")


@command(
    shared=(*PLAIN, "fields"),
    examples="""
custctl audit verify
custctl audit verify -o json > checkpoint.json
custctl audit verify --checkpoint checkpoint.json
""",
)
def verify(
    ctx: typer.Context,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", metavar="FILE", help="Checkpoint file: earlier output of `audit verify -o json`."),
    ] = None,
) -> None:
    """Verify every hash chain of the audit log; a checkpoint also reveals removed or rewritten entries.

    The JSON output is a checkpoint: store it outside the database.
    """
    from custctl.support.errors import InvalidError

    context = Context.of(ctx)
    report = context.client.audit.verify(checkpoint)
    document = report.as_dict()
    context.renderer.document(document, rows=document["faults"], columns=_COLUMNS)
    if report.faults:
        count = len(report.faults)
        raise InvalidError(
            f"the audit log has {plural(count, 'fault', 'faults')}",
            hint="compare with a backup, and find out who wrote to the table",
        )
    context.console.note(
        f"verified {plural(report.rows, 'entry', 'entries')} in {plural(report.chains, 'chain', 'chains')}"
    )
