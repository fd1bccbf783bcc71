"""`custctl replica unfence`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import WRITE, command

_COLUMNS = ("node", "fenced", "by")


@command(
    shared=WRITE,
    examples="""
custctl replica unfence
custctl replica unfence a
""",
)
def unfence(
    ctx: typer.Context,
    node: Annotated[
        str | None,
        typer.Argument(
            metavar="[NODE]",
            help="A node of the profile.",
            show_default="the fenced node",
        ),
    ] = None,
) -> None:
    """Allow a fenced node to accept writes again, if no other node is the primary."""
    context = Context.of(ctx)
    context.announce(_COLUMNS)
    with context.client.replicas.driver(changes=True) as driver:
        node = driver.to_unfence() if node is None else node
        by = driver.unfence(node)
    context.wrote(f"`{node}` was unfenced", "`custctl replica status` shows the current state")
    context.renderer.one({"node": node, "fenced": False, "by": by}, _COLUMNS)
