"""`custctl cache clear`."""

from __future__ import annotations

import typer

from custctl.cli.commands.cache.common import asked, opened
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
    """Remove this database's entries from the cache, and nothing else; the next reads go to the database."""
    from custctl.cache.maintenance import clear as clear_all

    context = Context.of(ctx)
    cache = opened(context)
    context.announce(_COLUMNS)
    removed = asked(context, lambda: clear_all(cache))
    context.wrote("the cache was cleared", "`custctl cache status` shows it")
    assert context.profile.cache is not None
    context.renderer.one({"url": context.profile.cache.url, "removed": removed}, _COLUMNS)
