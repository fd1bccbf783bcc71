"""`custctl seed`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.context import Context
from custctl.errors import ConflictError, UsageError
from custctl.options import SCRIPTS, OperationOption, command

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
        list[str] | None, typer.Option("--set", metavar="NAME", help="Seed this set; may be given several times.")
    ] = None,
    customers: Annotated[
        int | None,
        typer.Option("--customers", min=1, metavar="N", help="Add N synthetic customers, in development and test alone."),
    ] = None,
    random_seed: Annotated[
        int | None,
        typer.Option("--random-seed", min=0, metavar="N", help="The same number makes the same customers. [default: 1]"),
    ] = None,
    operation_id: OperationOption = None,
) -> None:
    """Fill in data. Alone: the sets that the profile names. Seeding twice adds nothing the second time."""
    from custctl.commands.customer.fields import operation
    from custctl.commands.migrate.applying import Teller
    from custctl.migrations.scripts import seed_sets
    from custctl.seeding import Seeded, choose_sets, refuse_synthetic, seed_customers, seed_scripts

    context = Context.of(ctx)
    profile, database = context.profile, context.database
    operation_id = operation(operation_id)
    if random_seed is not None and customers is None:
        raise UsageError("`--random-seed` goes with `--customers`", hint="such as `--customers 1000 --random-seed 7`")
    sets: list[str] = []
    if set or customers is None:
        available = list(seed_sets(context.sql_dir[0], database.engine_name))
        sets = choose_sets(
            set or (), allowed=profile.seed, available=available, environment=profile.environment, profile=profile.name
        )
    if customers is not None:
        refuse_synthetic(profile.environment)
    context.announce()
    ran, made = Seeded(), Seeded()
    if sets:
        ran = seed_scripts(
            database,
            context.sql_dir[0],
            sets,
            environment=profile.environment,
            actor=context.actor,
            operation_id=operation_id,
            lock_timeout=300.0,
            listener=Teller(context),
        )
    if customers is not None:
        if context.customers.is_applied(operation_id):
            raise ConflictError(
                f"operation {operation_id} was applied already", hint="an operation id stands for one request"
            )
        made = seed_customers(
            context.customers,
            database,
            count=customers,
            random_seed=1 if random_seed is None else random_seed,
            actor=context.actor,
            operation_id=operation_id,
        )
    if sets and not ran.scripts:
        context.console.note(f"nothing to do: {', '.join(sets)} {'is' if len(sets) == 1 else 'are'} up to date")
    if customers is not None and not made.customers:
        context.console.note(f"nothing to do: the {customers} customers are there already")
    record = {
        "environment": str(profile.environment),
        "sets": sets,
        "scripts": list(ran.scripts),
        "customers": made.customers,
    }
    context.renderer.one(record, _COLUMNS)
