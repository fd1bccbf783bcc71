"""`custctl replica switchover`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.cli.commands.replica.steering import DryRunOption, steer
from custctl.cli.context import Context
from custctl.cli.options import WRITE, command


@command(
    shared=WRITE,
    examples="""
custctl replica switchover --to b
custctl replica switchover --to b --dry-run
custctl replica switchover --to sql2 --env prod --confirm prod
""",
)
def switchover(
    ctx: typer.Context,
    to: Annotated[str, typer.Option("--to", metavar="NODE", help="The new primary.")],
    dry_run: DryRunOption = False,
) -> None:
    """Promote a standby while the primary runs: either no acknowledged write is lost, or nothing changes."""
    context = Context.of(ctx)
    steer(
        context,
        lambda driver, topology, unfinished: driver.plan_switchover(topology, to, unfinished),
        lambda plan: f"switch {context.profile.location} over to `{plan.target}`? this ends its clients' sessions",
        dry_run=dry_run,
    )
