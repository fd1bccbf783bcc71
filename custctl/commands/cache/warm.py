"""`custctl cache warm`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.commands.cache.common import asked, opened
from custctl.context import Context
from custctl.options import WRITE, command

_COLUMNS = ("looked_at", "filled", "held_already")


@command(
    shared=WRITE,
    examples="""
custctl cache warm
custctl cache warm --limit 100000
""",
)
def warm(
    ctx: typer.Context,
    limit: Annotated[
        int, typer.Option("--limit", min=1, metavar="N", help="How many of those that were touched last.")
    ] = 10_000,
) -> None:
    """Fill the cache with the customers that were touched last, from the primary; done again, it adds what is missing."""
    from custctl.cache.maintenance import warm as warm_all

    context = Context.of(ctx)
    cache = opened(context)
    context.announce(_COLUMNS)
    with context.console.progress("warming", limit) as progress:
        warmed = asked(context, lambda: warm_all(cache, context.database, limit, progress.advance))
    context.wrote("the cache was filled", "`custctl cache status` shows it")
    context.renderer.one(
        {"looked_at": warmed.looked_at, "filled": warmed.filled, "held_already": warmed.held}, _COLUMNS
    )
