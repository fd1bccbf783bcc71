"""`custctl customer history`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from custctl.cli.commands.customer.fields import shown_value
from custctl.cli.context import Context
from custctl.cli.options import DATA, WhoArgument, command
from custctl.support.exact_json import told_apart
from custctl.terminal.formats import Format

if TYPE_CHECKING:
    from custctl.customers.history import Event, History
    from custctl.schema.own import Value
    from custctl.terminal.layout import LogEntry

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
    if context.renderer.format is Format.TABLE and not context.renderer.has_fields:
        context.renderer.log(_entry(event, found) for event in found.events)
    else:
        context.renderer.many([event.as_dict() for event in found.events], _COLUMNS, shown=_SHOWN)
    if found.withheld is not None:
        context.console.note(f"values not shown: {found.withheld.message}; {found.withheld.hint}")


def _entry(event: Event, found: History) -> LogEntry:
    """Return a write as an entry of a log: when, what and who, and each field as `old → new`."""
    head = (event.happened_at, event.action, event.actor, event.version or "")
    if event.changes is not None:
        changes = [(name, _change(old, new, event.action)) for name, (old, new) in event.changes.items()]
    elif event.fields:
        changes = [("(not shown)" if found.withheld else "(erased)", ", ".join(event.fields))]
    else:
        changes = []
    return head, changes


def _change(old: Value, new: Value, action: str) -> str:
    return shown_value(new) if action == "add" else " → ".join(map(shown_value, told_apart(old, new)))
