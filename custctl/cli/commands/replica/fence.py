"""`custctl replica fence`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import WRITE, command

_COLUMNS = ("node", "fenced", "by")


@command(
    shared=WRITE,
    examples="""
custctl replica fence
custctl replica fence a --yes
""",
)
def fence(
    ctx: typer.Context,
    node: Annotated[
        str | None,
        typer.Argument(metavar="[NODE]", help="A node of the profile.", show_default="the primary"),
    ] = None,
) -> None:
    """Stop a node from accepting writes, end its clients' sessions, and print how writes are blocked."""
    context = Context.of(ctx)
    context.announce(_COLUMNS)
    with context.client.replicas.driver(changes=True) as driver:
        node = driver.to_fence() if node is None else node
        driver.node(node)
        context.confirm_destruction(f"fence `{node}` of {context.profile.location}? this ends its clients' sessions")
        by = driver.fence(node)
    context.wrote(f"`{node}` was fenced", "`custctl replica status` shows the current state")
    context.renderer.one({"node": node, "fenced": True, "by": by}, _COLUMNS)
    context.console.note(f"`{node}` accepts no writes; `custctl replica unfence {node}` undoes that")
