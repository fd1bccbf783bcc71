"""`custctl cache status`."""

from __future__ import annotations

from dataclasses import asdict

import typer

from custctl.cli.context import Context
from custctl.cli.options import PLAIN, command

_COLUMNS = (
    "url",
    "state",
    "hits",
    "misses",
    "stale",
    "hit_ratio",
    "entries",
    "memory_bytes",
    "latency_ms",
    "server",
    "in_doubt",
)


@command(
    shared=(*PLAIN, "fields"),
    examples="""
custctl cache status
custctl cache status -o json
""",
)
def status(ctx: typer.Context) -> None:
    """Show hits, misses, stale serves, entries, memory, latency and any recent failure.

    First tries what reads and writes do, and fails if the server rejects any of it.
    """
    context = Context.of(ctx)
    found = context.client.cache.status()
    state = f"available again after a recent failure: {found.failure}" if found.failure is not None else "answers"
    context.renderer.one({**asdict(found), "state": state, "hit_ratio": found.hit_ratio}, _COLUMNS)
