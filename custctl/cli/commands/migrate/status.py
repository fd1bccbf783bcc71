"""`custctl migrate status`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import SCRIPTS, command
from custctl.support.text import plural

_COLUMNS = (
    "version",
    "description",
    "kind",
    "space",
    "state",
    "script",
    "statements_applied",
    "statements_total",
    "started_at",
    "finished_at",
    "duration_ms",
    "applied_by",
    "tool_version",
    "error",
)
_SHOWN = ("version", "description", "kind", "space", "state", "finished_at", "applied_by", "error")


@command(
    shared=SCRIPTS,
    examples="""
custctl migrate status
custctl migrate status --check --env prod
custctl migrate status -o json
""",
)
def status(
    ctx: typer.Context,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Exit 8 when anything is pending; 11 when an applied script has changed or is missing, or the schema differs from the scripts.",
        ),
    ] = False,
) -> None:
    """Show what is applied, pending, drifted or missing, and where the schema differs from the scripts. Reads only."""
    from custctl.cli.commands.migrate.shape import check_shape, tell_shape
    from custctl.cli.commands.reporting import tell_lacking
    from custctl.migrations.plan import check_plan
    from custctl.migrations.runner import check_adopted
    from custctl.support.errors import MigrationError, PendingError

    context = Context.of(ctx)
    environment = context.profile.environment
    found = context.client.migrations.status()
    plan, stamp = found.plan, found.stamp
    rows = []
    for entry in found.entries:
        record = entry.record
        rows.append(
            {
                "version": entry.version,
                "description": entry.description,
                "kind": entry.kind,
                "space": entry.space,
                "state": entry.state,
                "script": entry.name,
                **{name: getattr(record, name, None) for name in _COLUMNS[6:]},
            }
        )
    context.renderer.many(rows, _COLUMNS, shown=_SHOWN)
    if found.state.has_journal and stamp != environment:
        context.console.warn(
            f"the database is stamped {f'`{stamp}`' if stamp else 'with no environment'},"
            f" and the profile is of `{environment}`"
        )
    if found.lacking is not None:
        tell_lacking(context.console, found.lacking)
    tell_shape(context, found.shape)
    if check:
        check_adopted(found.state, context.profile.location)
        check_plan(plan, allow_out_of_order=True)
        if plan.missing:
            names = ", ".join(f"`{record.name}`" for record in plan.missing)
            raise MigrationError(
                f"in the journal but not on disk: {names}",
                hint="restore the file, or name its folder with `--sql-dir`",
                details={"missing": [record.name for record in plan.missing]},
            )
        check_shape(found.shape)
        if plan.steps:
            count = len(plan.steps)
            raise PendingError(f"{plural(count, 'script is', 'scripts are')} pending", hint="run `custctl migrate`")
