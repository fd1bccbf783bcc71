"""`custctl customer get`."""

from __future__ import annotations

import typer

from custctl.context import Context
from custctl.customers.model import FIELDS
from custctl.options import DATA, WhoArgument, command


@command(
    shared=DATA,
    examples="""
custctl customer get 42
custctl customer get ada@example.com -o json
custctl customer get 42 --fields email,version
""",
)
def get(ctx: typer.Context, who: WhoArgument) -> None:
    """Show one customer by id or email."""
    context = Context.of(ctx)
    found = context.customers.get(who)
    context.renderer.one(found.as_dict(), FIELDS)
