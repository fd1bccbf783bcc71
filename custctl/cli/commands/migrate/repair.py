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
custctl migrate repair --env staging --environment staging --pseudonymise --confirm staging
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
    pseudonymise: Annotated[
        bool,
        typer.Option(
            "--pseudonymise",
            help="Then replace all personal data by made-up values, and erase passwords and the audit's values; not in production.",
        ),
    ] = False,
    lock_timeout: LockTimeoutOption = "5m",
    operation_id: OperationOption = None,
) -> None:
    """Accept changed checksums, settle an interrupted script, restamp a restored database. Prints each change first."""
    from dataclasses import asdict

    from custctl.cli.commands.arguments import duration, operation
    from custctl.cli.commands.reporting import Reporter
    from custctl.migrations.repair import check_pseudonymise
    from custctl.support.errors import UsageError

    context = Context.of(ctx)
    if pseudonymise and environment is None:
        raise UsageError(
            "`--pseudonymise` needs `--environment`",
            hint="name the environment of the profile, such as `--environment staging`",
        )
    if pseudonymise:
        check_pseudonymise(context.profile.environment)
    migrations = context.client.migrations
    operation_id = operation(operation_id)
    patience = duration("--lock-timeout", lock_timeout)
    planned = migrations.plan_repair(environment)
    context.announce(_COLUMNS)
    for line in planned.in_words():
        context.console.note(line)
    if pseudonymise:
        context.console.note(
            "pseudonymise: replace the personal data of all customers, erase passwords and audit values"
        )
    done = None
    if planned.is_empty and not pseudonymise:
        context.console.note("nothing to repair")
    else:
        _confirm(context, planned, pseudonymise=pseudonymise)
        with context.console.steps() as step:
            done = migrations.repair(
                planned,
                operation_id=operation_id,
                lock_timeout=patience,
                listener=Reporter(context, step),
                pseudonymise=pseudonymise,
                on_progress=lambda count: step(f"replaced {count} customers"),
            )
        context.wrote("the journal was repaired", "`custctl migrate status` shows it")
    changes = [asdict(change) for change in planned.changes()]
    if done is not None:
        changes.append({"change": "pseudonymise", "script": "", "detail": done.in_words()})
    context.renderer.many(changes, _COLUMNS)


def _confirm(context: Context, planned: Repair, *, pseudonymise: bool) -> None:
    what = "the journal and all customers" if pseudonymise else "the journal"
    question = f"make these changes to {what} of {context.profile.location}?"
    if planned.restamp or pseudonymise:
        context.confirm_destruction(question, production=planned.stamps_production)
    else:
        context.confirm_in_production(question)
