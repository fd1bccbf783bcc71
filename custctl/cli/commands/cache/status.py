"""`custctl cache status`."""

from __future__ import annotations

from typing import Any

import typer

from custctl.cli.commands.cache.common import asked, opened
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
    """Show hits, misses, stale serves, entries, memory, latency, and whether the cache failed a moment ago.

    It does first what reads and writes do, and fails where the server refuses a part of that.
    """
    from custctl.cache.checking import latency, server_version
    from custctl.cache.maintenance import count_entries

    context = Context.of(ctx)
    memory = context.cache_memory
    # Before it is asked now, which begins anew.
    failure = memory.failure
    cache = opened(context)

    def ask() -> dict[str, Any]:
        cache.probe()
        counts = cache.counts()
        info = cache.info()
        entries = sum(count_entries(keys) for keys in cache.key_lists())
        served = counts.get("hits", 0) + counts.get("misses", 0)
        return {
            "hits": counts.get("hits", 0),
            "misses": counts.get("misses", 0),
            "stale": counts.get("stale", 0),
            "hit_ratio": round(counts.get("hits", 0) / served, 4) if served else None,
            "entries": entries,
            "memory_bytes": int(info["used_memory"]) if info.get("used_memory", "").isdigit() else None,
            "latency_ms": round(latency(cache) * 1000, 3),
            "server": server_version(info),
        }

    assert context.profile.cache is not None
    told = asked(context, ask)
    state = f"answers again; failed a moment ago: {failure}" if failure is not None else "answers"
    record = {"url": context.profile.cache.url, "state": state, **told, "in_doubt": len(memory.in_doubt)}
    context.renderer.one(record, _COLUMNS)
