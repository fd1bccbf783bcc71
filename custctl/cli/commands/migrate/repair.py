"""`custctl migrate repair`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import SCRIPTS, LockTimeoutOption, OperationOption, command

if TYPE_CHECKING:
    from custctl.migrations.repair import Repair

_COLUMNS = ("change", "script", "detail")


@command(
    shared=SCRIPTS,
    examples="""
custctl migrate repair
custctl migrate repair --env staging --environment staging --confirm staging
""",
)
def repair(
    ctx: typer.Context,
    environment: Annotated[
        str | None,
        typer.Option(
            "--environment",
            metavar="NAME",
            help="Stamp the database with this environment, which must be the profile's.",
        ),
    ] = None,
    lock_timeout: LockTimeoutOption = "5m",
    operation_id: OperationOption = None,
) -> None:
    """Accept changed checksums, settle an interrupted script, restamp a restored database. Prints each change first."""
    from dataclasses import asdict

    from custctl.cli.commands.arguments import duration, operation
    from custctl.cli.commands.telling import Teller

    context = Context.of(ctx)
    migrations = context.client.migrations
    operation_id = operation(operation_id)
    patience = duration("--lock-timeout", lock_timeout)
    planned = migrations.plan_repair(environment)
    context.announce(_COLUMNS)
    for line in planned.in_words():
        context.console.note(line)
    if planned.is_empty:
        context.console.note("nothing to repair")
    else:
        _confirm(context, planned)
        with context.console.steps() as step:
            migrations.repair(planned, operation_id=operation_id, lock_timeout=patience, listener=Teller(context, step))
        context.wrote("the journal was repaired", "`custctl migrate status` shows it")
    context.renderer.many([asdict(change) for change in planned.changes()], _COLUMNS)


def _confirm(context: Context, planned: Repair) -> None:
    question = f"make these changes to the journal of {context.profile.location}?"
    if planned.restamp:
        context.confirm_destruction(question, production=planned.stamps_production)
    else:
        context.confirm_in_production(question)
