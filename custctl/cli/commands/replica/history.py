"""`custctl replica history`."""

from __future__ import annotations

import typer

from custctl.cli.context import Context
from custctl.cli.options import DATA, command
from custctl.support.errors import CustctlError

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
    from custctl.replication.history import merged, recorded
    from custctl.replication.journal import Journal

    context = Context.of(ctx)
    begun = Journal.of(context.profile, context.environ).operations()
    try:
        told = recorded(context.database)
    except CustctlError as error:
        told = []
        context.console.warn(f"what the database has recorded is not known: {error.message}", error.hint)
    context.renderer.many([entry.as_dict() for entry in merged(told, begun)], _COLUMNS)
