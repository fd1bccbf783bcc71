"""`custctl replica status`."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import DATA, command

if TYPE_CHECKING:
    from custctl.replication.topology import Topology

_COLUMNS = (
    "node",
    "role",
    "writable",
    "reachable",
    "lag_s",
    "delay_s",
    "behind_bytes",
    "sync_state",
    "timeline",
    "epoch",
    "received",
    "replayed",
    "source",
    "system_id",
    "host",
    "port",
    "course",
    "fault",
)
_SHOWN = (
    "node",
    "role",
    "writable",
    "lag_s",
    "sync_state",
    "timeline",
    "epoch",
    "received",
    "replayed",
    "course",
    "fault",
)
_INTERVAL = 2.0  # seconds between two polls
_COURSE = 20  # polls whose lag is shown
_BARS = "▁▂▃▄▅▆▇█"


@command(
    shared=DATA,
    examples="""
custctl replica status
custctl replica status --check -o json
custctl replica status --watch
""",
)
def status(
    ctx: typer.Context,
    check: Annotated[
        bool,
        typer.Option("--check", help="Exit 12 if degraded, 3 if there is no primary, 14 if there are several."),
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh every two seconds until Ctrl-C.")] = False,
) -> None:
    """Query all nodes at once, and show their role, lag and health."""
    from custctl.replication.topology import check_health

    context = Context.of(ctx)
    context.renderer.check_fields(_COLUMNS)
    courses: dict[str, deque[float | None]] = {}
    with context.client.replicas.driver() as driver:
        while True:
            topology = driver.refreshed(driver.observe())
            if watch:
                context.renderer.repaint()
            _show(context, driver.name, topology, courses if watch else None)
            if not watch:
                break
            time.sleep(_INTERVAL)
        check_health(topology, driver.way_out(topology), strictly=check)


def _show(context: Context, driver: str, topology: Topology, courses: dict[str, deque[float | None]] | None) -> None:
    rows = topology.records()
    if courses is not None:
        for row in rows:
            course = courses.setdefault(row["node"], deque(maxlen=_COURSE))
            course.append(row.get("lag_s"))
            row["course"] = _drawn(course, topology.max_lag)
    reasons = topology.reasons()
    document = {
        "health": str(topology.health),
        "reasons": reasons,
        "notes": topology.remarks(),
        "driver": driver,
        "primary": topology.primary[0].name if topology.primary else None,
        "epoch": topology.primary[1].epoch if topology.primary else None,
        "max_lag_s": topology.max_lag,
        "recorded": topology.recorded(),
        "items": rows,
        "next": None,
    }
    names = [name for name in _COLUMNS if name != "course" or courses is not None]
    shown = [name for name in _SHOWN if name in names]
    context.renderer.document(document, rows=rows, columns=names, shown=shown)
    context.console.note(str(topology.health))
    for told in (*reasons, *topology.remarks()):
        context.console.note(f"  {told}")


def _drawn(course: Iterable[float | None], full: float) -> str:
    """Return lags as bars, the highest for `full` or more; a dot for an unknown lag."""
    highest = len(_BARS) - 1
    return "".join(
        "·" if lag is None else _BARS[min(highest, int(lag / full * highest)) if full else highest] for lag in course
    )
