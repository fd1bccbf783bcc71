"""`custctl replica history`."""

from __future__ import annotations

import typer

from custctl.cli.context import Context
from custctl.cli.options import DATA, command

_COLUMNS = ("at", "kind", "from", "to", "outcome", "epoch", "loss", "actor", "operation_id")


@command(
    shared=DATA,
    examples="""
custctl replica history
custctl replica history -o json
""",
)
def history(ctx: typer.Context) -> None:
    """Show the switchovers and failovers: those that the database has recorded, and those that this machine began."""
    from custctl.replication.history import changes
    from custctl.replication.journal import Journal

    context = Context.of(ctx)
    found, fault = changes(context.database, Journal.of(context.profile, context.environ))
    if fault is not None:
        context.console.warn(f"what the database has recorded is not known: {fault.message}", fault.hint)
    context.renderer.many([change.as_dict() for change in found], _COLUMNS)
