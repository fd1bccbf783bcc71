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
    """List switchovers and failovers: those recorded in the database, and those started on this machine."""
    context = Context.of(ctx)
    found = context.client.replicas.history()
    if found.fault is not None:
        context.console.warn(f"cannot read the history in the database: {found.fault.message}", found.fault.hint)
    context.renderer.many([change.as_dict() for change in found.items], _COLUMNS)
