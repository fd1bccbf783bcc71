"""`custctl migrate repair`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import SCRIPTS, LockTimeoutOption, OperationOption, command
from custctl.support.errors import UsageError

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
            "--environment", metavar="NAME", help="Stamp the database as this environment, the profile's own."
        ),
    ] = None,
    lock_timeout: LockTimeoutOption = "5m",
    operation_id: OperationOption = None,
) -> None:
    """Accept changed checksums, settle an interrupted script, restamp a restored database. Says what it changes."""
    from custctl.cli.commands.arguments import duration, operation
    from custctl.cli.commands.telling import Teller
    from custctl.migrations.directives import ENVIRONMENTS
    from custctl.migrations.repair import plan_repair
    from custctl.migrations.repair import repair as mend
    from custctl.support.text import nearest

    context = Context.of(ctx)
    profile = context.profile
    operation_id = operation(operation_id)
    patience = duration("--lock-timeout", lock_timeout)
    if environment is not None and environment not in ENVIRONMENTS:
        close = nearest(environment, ENVIRONMENTS)
        raise UsageError(
            f"there is no environment `{environment}`",
            hint=f"did you mean `{close}`?" if close else f"environments: {', '.join(ENVIRONMENTS)}",
        )
    if environment is not None and environment != profile.environment:
        raise UsageError(
            f"`--environment {environment}` is not the environment of the profile `{profile.name}`, `{profile.environment}`",
            hint=f"use a profile of `{environment}`, so that the stamp and the profile agree",
        )
    restamp = environment is not None
    planned = plan_repair(context.database, context.sql_dir[0], environment=profile.environment, restamp=restamp)
    context.announce(_COLUMNS)
    rows = [{"change": "accept", "script": d.script.name, "detail": d.script.checksum} for d in planned.accept]
    rows += [
        {
            "change": "settle",
            "script": u.script.name,
            "detail": f"{u.record.statements_applied} of {u.record.statements_total} statements are applied",
        }
        for u in planned.settle
    ]
    if planned.restamp:
        before, after = planned.restamp
        rows.append({"change": "restamp", "script": "", "detail": f"{before or 'no stamp'} -> {after}"})
    for row in rows:
        context.console.note(" ".join(filter(None, row.values())))
    for u in planned.settle:
        if u.record.in_flight is not None:
            context.console.note(
                f"statement {u.record.in_flight + 1} of {u.script.name} was in flight: it is taken for applied only where"
                " the database shows it"
            )
    for drift in planned.accept:
        for line in drift.diff.splitlines():
            context.console.note(f"  {line}")
    if planned.is_empty:
        context.console.note("nothing to repair")
    else:
        question = f"change the journal of {profile.location} as said?"
        if planned.restamp:
            context.confirm_destruction(question, production="production" in planned.restamp)
        else:
            context.confirm_in_production(question)
        # Under its old id, too, nothing of it is to be read from the cache any more.
        with context.console.steps() as step, context.writing_many():
            mend(
                context.database,
                planned,
                context.sql_dir[0],
                environment=profile.environment,
                restamp=restamp,
                actor=context.actor,
                operation_id=operation_id,
                lock_timeout=patience,
                listener=Teller(context, step),
            )
        context.wrote("the journal was repaired", "`custctl migrate status` shows it")
    context.renderer.many(rows, _COLUMNS)
