"""`custctl customer history`."""

from __future__ import annotations

import typer

from custctl.cli.context import Context
from custctl.cli.options import DATA, WhoArgument, command

_COLUMNS = ("id", "happened_at", "action", "actor", "login", "version", "fields", "changes", "operation_id")
_SHOWN = ("happened_at", "action", "actor", "login", "version", "changes")


@command(
    shared=DATA,
    examples="""
custctl customer history ada@example.com
custctl customer history 42 -o json
""",
)
def history(ctx: typer.Context, who: WhoArgument) -> None:
    """Show the history of a customer, oldest first. Name a deleted customer by id; its values are erased."""
    context = Context.of(ctx)
    found = context.customers.history(who)
    context.tell_source()
    context.renderer.many([event.as_dict() for event in found.events], _COLUMNS, shown=_SHOWN)
    if found.withheld is not None:
        context.console.note(f"values not shown: {found.withheld.message}; {found.withheld.hint}")
