"""`custctl cache clear`."""

from __future__ import annotations

import typer

from custctl.cli.context import Context
from custctl.cli.options import WRITE, command

_COLUMNS = ("url", "removed")


@command(
    shared=WRITE,
    examples="""
custctl cache clear
""",
)
def clear(ctx: typer.Context) -> None:
    """Remove only this database's entries from the cache; the next reads go to the database."""
    context = Context.of(ctx)
    cache = context.client.cache
    cache.require()
    context.announce(_COLUMNS)
    removed = cache.clear()
    context.wrote("the cache was cleared", "`custctl cache status` shows it")
    context.renderer.one({"url": cache.url, "removed": removed}, _COLUMNS)
