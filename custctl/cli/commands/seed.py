"""`custctl seed`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import SCRIPTS, OperationOption, command
from custctl.support.errors import InterruptedRunError, UsageError
from custctl.support.signals import Terminated

if TYPE_CHECKING:
    from custctl.migrations.seeding import Seeded

_COLUMNS = ("environment", "sets", "scripts", "customers")


@command(
    shared=SCRIPTS,
    examples="""
custctl seed
custctl seed --set reference --env prod
custctl seed --customers 1000 --random-seed 7
""",
)
def seed(
    ctx: typer.Context,
    set: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME", help="Load this set; can be repeated.")
    ] = None,
    customers: Annotated[
        int | None,
        typer.Option(
            "--customers",
            min=1,
            max=100_000_000,
            metavar="N",
            help="Add N synthetic customers; development and test only.",
        ),
    ] = None,
    random_seed: Annotated[
        int | None,
        typer.Option(
            "--random-seed",
            min=0,
            metavar="N",
            help="Random seed: the same number generates the same customers.",
            show_default="1",
        ),
    ] = None,
    operation_id: OperationOption = None,
) -> None:
    """Load seed data. Default: the sets that the profile names. A second run adds nothing."""
    from custctl.cli.commands.arguments import operation
    from custctl.cli.commands.reporting import Reporter
    from custctl.migrations.seeding import Seeded, refuse_synthetic

    context = Context.of(ctx)
    environment, migrations = context.profile.environment, context.client.migrations
    operation_id = operation(operation_id)
    if random_seed is not None and customers is None:
        raise UsageError("`--random-seed` needs `--customers`", hint="for example `--customers 1000 --random-seed 7`")
    sets: list[str] = []
    if set or customers is None:
        sets = migrations.seed_sets(set or ())
    if customers is not None:
        refuse_synthetic(environment)
    context.announce(_COLUMNS)
    ran, made = Seeded(), Seeded()
    if sets:
        with context.console.steps() as step:
            ran = migrations.seed(sets, operation_id=operation_id, listener=Reporter(context, step))
    if customers is not None:
        made = _make_customers(context, customers, 1 if random_seed is None else random_seed, operation_id)
    if sets and not ran.scripts:
        context.console.note(f"nothing to do: {', '.join(sets)} {'is' if len(sets) == 1 else 'are'} up to date")
    if customers is not None and not made.customers:
        context.console.note(f"nothing to do: the {customers} customers already exist")
    if ran.scripts or made.customers:
        context.wrote("the data was loaded", f"`custctl audit list --operation {operation_id}` shows it")
    record = {
        "environment": str(environment),
        "sets": tuple(sets),
        "scripts": tuple(ran.scripts),
        "customers": ran.customers + made.customers,
    }
    context.renderer.one(record, _COLUMNS)


def _make_customers(context: Context, count: int, random_seed: int, operation_id: str) -> Seeded:
    from custctl.migrations.seeding import count_added

    try:
        with context.console.progress("seeding", count) as progress:
            return context.client.migrations.seed_customers(
                count, random_seed=random_seed, operation_id=operation_id, on_progress=progress.advance
            )
    except KeyboardInterrupt as interrupt:
        # Ask the database: the interrupt may have come between a commit and its confirmation.
        added = count_added(context.database, operation_id)
        raise InterruptedRunError(
            f"interrupted; {added} customers were added and committed",
            terminated=isinstance(interrupt, Terminated),
            hint="run the same command again: it adds the rest",
        ) from interrupt
