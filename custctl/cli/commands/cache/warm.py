"""`custctl cache warm`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import WRITE, command
from custctl.support.errors import UnavailableError

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
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="Maximum customers.")] = 10_000,
) -> None:
    """Fill the cache with the most recently updated customers, read from the primary; a second run adds only what is missing."""
    from custctl.cache.maintenance import reasons

    context = Context.of(ctx)
    cache = context.client.cache
    cache.require()
    context.announce(_COLUMNS)
    with context.console.progress("warming", limit) as progress:
        warmed = cache.warm(limit, progress.advance)
    context.wrote("the cache was filled", "`custctl cache status` shows it")
    context.renderer.one(
        {"looked_at": warmed.looked_at, "filled": warmed.filled, "held_already": warmed.held}, _COLUMNS
    )
    if warmed.left and not warmed.filled:
        raise UnavailableError(
            f"the cache accepted no customers: {reasons(warmed.left)}", hint="run this again in a moment"
        )
    if warmed.left:
        context.console.note(f"not filled: {reasons(warmed.left)}")
