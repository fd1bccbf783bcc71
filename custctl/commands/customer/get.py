"""`custctl customer get`."""

from __future__ import annotations

import typer

from custctl.context import Context
from custctl.customers.model import FIELDS
from custctl.options import DATA, WhoArgument, command
from custctl.render import Format

_SOURCE = ("source", "node", "lag_s")


@command(
    shared=DATA,
    examples="""
custctl customer get 42
custctl customer get ada@example.com -o json
custctl customer get 42 --fields email,version
custctl customer get 42 -v -o json
""",
)
def get(ctx: typer.Context, who: WhoArgument) -> None:
    """Show one customer by id or email."""
    context = Context.of(ctx)
    found = context.customers.get(who, replica=True)
    context.tell_source()
    if context.console.verbosity and context.renderer.format in (Format.JSON, Format.JSONL, Format.YAML):
        context.renderer.one({**found.as_dict(), **_source(context)}, (*FIELDS, *_SOURCE))
    else:
        context.renderer.one(found.as_dict(), FIELDS)


def _source(context: Context) -> dict[str, str | float | None]:
    source = context.database.source
    if source is None:
        return {"source": "primary", "node": None, "lag_s": None}
    return {"source": source.role, "node": source.node.name, "lag_s": source.lag and round(source.lag, 3)}
