"""The run of bare `custctl migrate`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custctl.cli.commands.arguments import duration
from custctl.cli.commands.migrate.summary import SummaryReporter, summarised
from custctl.cli.commands.reporting import tell_indexes
from custctl.cli.context import Context
from custctl.migrations.plan import Step
from custctl.migrations.run import Applied
from custctl.migrations.scripts import Script
from custctl.support.errors import UsageError
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.migrations.directives import Phase

COLUMNS = ("version", "description", "kind", "script", "statements", "duration_ms")
_PLANNED = ("version", "description", "kind", "script", "reason", "phase")


def run_migrate(
    context: Context,
    *,
    dry_run: bool,
    target: int | None,
    lock_timeout: str,
    wait: str,
    allow_out_of_order: bool,
    phase: str | None,
    summary: Path | None,
) -> None:
    """Migrate, and print the result."""
    if phase not in (None, "expand"):
        raise UsageError(
            f"unknown phase `{phase}`", hint="use `--phase expand`; without `--phase`, all pending scripts are applied"
        )
    profile, migrations = context.profile, context.client.migrations
    locked, patience = duration("--lock-timeout", lock_timeout), duration("--wait", wait)
    if not dry_run:
        context.announce(COLUMNS)
    with context.console.steps() as step:
        listener = SummaryReporter(context, step)
        with summarised(context, summary, listener, dry_run=dry_run):
            migrations.wait(patience)
            migrate = migrations.plan if dry_run else partial(migrations.apply, lock_timeout=locked)
            run = migrate(
                target=target,
                allow_out_of_order=allow_out_of_order,
                expand_only=phase is not None,
                listener=listener,
            )
    document: dict[str, Any] = {
        "environment": str(profile.environment),
        "applied": [_row(done) for done in run.applied],
        "from": run.before,
        "to": run.after,
    }
    if dry_run:
        document["indexes"] = list(run.indexes)
        document["planned"] = [_planned(step, run.phases) for step in run.planned]
        context.console.note("dry run: nothing was changed; another run may change what is pending")
        tell_indexes(context.console, run.indexes)
        context.renderer.document(document, rows=document["planned"], columns=_PLANNED)
        return
    if not run.applied:
        where = f"version {run.after}" if run.after is not None else "no version"
        below = target is not None and run.after is not None and target < run.after
        context.console.note(f"nothing to do: the schema is at {where}{', and migrate only goes up' if below else ''}")
    else:
        context.wrote(
            f"{plural(len(run.applied), 'script was', 'scripts were')} applied", "`custctl migrate status` shows them"
        )
    context.renderer.document(document, rows=document["applied"], columns=COLUMNS)


def _row(done: Applied) -> dict[str, Any]:
    return {**_named(done.script), "statements": done.statements, "duration_ms": done.duration_ms}


def _planned(step: Step, phases: Mapping[str, Phase]) -> dict[str, Any]:
    return {**_named(step.script), "reason": step.reason, "phase": phases[step.script.name]}


def _named(script: Script) -> dict[str, Any]:
    return {
        "version": script.version,
        "description": script.description,
        "kind": script.kind,
        "script": script.name,
    }
