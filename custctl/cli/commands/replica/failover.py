"""`custctl replica failover`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.cli.commands.replica.steering import DryRunOption, steer
from custctl.cli.context import Context
from custctl.cli.options import WRITE, command


@command(
    shared=WRITE,
    examples="""
custctl replica failover --primary-is-stopped
custctl replica failover --to c --primary-is-stopped --allow-data-loss
custctl replica failover --env prod --primary-is-stopped --confirm prod
""",
)
def failover(
    ctx: typer.Context,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="NODE",
            help="The new primary.",
            show_default="the standby with the most data",
        ),
    ] = None,
    primary_is_stopped: Annotated[
        bool,
        typer.Option("--primary-is-stopped", help="The old primary is stopped and will not restart by itself."),
    ] = False,
    allow_data_loss: Annotated[
        bool, typer.Option("--allow-data-loss", help="Continue even if acknowledged writes may be lost.")
    ] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Promote a standby after the primary has failed. Prints what could be lost, and refuses if that is unknown."""
    from custctl.replication.plan import Accepted

    context = Context.of(ctx)
    accepted = Accepted(primary_is_stopped=primary_is_stopped, data_loss=allow_data_loss)
    steer(
        context,
        lambda driver, topology, unfinished: driver.plan_failover(topology, to, accepted, unfinished),
        lambda plan: f"fail {context.profile.location} over to `{plan.target}`? {plan.loss}",
        dry_run=dry_run,
    )
