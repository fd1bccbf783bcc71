"""What bare `custctl migrate` does."""

from __future__ import annotations

import time
from typing import Any

from custctl.context import Context
from custctl.engines.base import LockHolder
from custctl.engines.scripts import Finding
from custctl.errors import UnavailableError, UsageError
from custctl.migrations.journal import Record
from custctl.migrations.plan import Step
from custctl.migrations.runner import Applied, Listener, Request, Run, migrate
from custctl.migrations.scripts import Script
from custctl.units import parse_duration

COLUMNS = ("version", "description", "kind", "script", "statements", "duration_ms")
_PLANNED = ("version", "description", "kind", "script", "reason")
_WAIT_STEP = 0.5  # seconds between attempts to reach a database that is still starting


class Teller(Listener):
    """Tells a run on stderr, a line a step."""

    def __init__(self, context: Context) -> None:
        self._console = context.console
        self._location = context.profile.location

    def stamped(self, environment: str) -> None:
        """Say that the database now carries its environment."""
        self._console.announce(f"stamped {self._location} as `{environment}`")

    def waiting(self, holder: LockHolder | None) -> None:
        """Say whom the run waits for."""
        self._console.note(f"waiting for another migration{f': {holder.description}' if holder else ''}")

    def finding(self, script: Script, finding: Finding) -> None:
        """Warn."""
        self._console.warn(f"{script.name}:{finding.line}: {finding.rule}: {finding.message}", finding.hint)

    def missing(self, record: Record) -> None:
        """Warn."""
        self._console.warn(f"`{record.name}` is {record.state} in the journal and not on disk")

    def applying(self, step: Step) -> None:
        """Say what is about to run, where that was asked for."""
        self._console.detail(f"applying {step.script.name} ({step.reason})")

    def applied(self, done: Applied) -> None:
        """Say what was applied."""
        self._console.note(f"applied {done.script.name} in {done.duration_ms} ms")


def duration(option: str, text: str) -> float:
    """Return seconds.

    Raises:
        UsageError: it is no duration.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"`{option}`: {error}") from None


def run_migrate(
    context: Context, *, dry_run: bool, target: int | None, lock_timeout: str, wait: str, allow_out_of_order: bool
) -> None:
    """Migrate, and print what was done."""
    profile = context.profile
    request = Request(
        sql_dir=context.sql_dir[0],
        environment=profile.environment,
        actor=context.actor,
        target=target,
        allow_out_of_order=allow_out_of_order,
        lock_timeout=duration("--lock-timeout", lock_timeout),
        dry_run=dry_run,
    )
    patience = duration("--wait", wait)
    if not dry_run:
        context.announce(COLUMNS)
    run = _when_reachable(context, request, patience)
    document: dict[str, Any] = {
        "environment": str(profile.environment),
        "applied": [_row(done) for done in run.applied],
        "from": run.before,
        "to": run.after,
    }
    if dry_run:
        document["planned"] = [_planned(step) for step in run.planned]
        context.console.note("dry run: nothing was changed; another run may change what is pending")
        context.renderer.document(document, rows=document["planned"], columns=_PLANNED)
        return
    if not run.applied:
        where = f"version {run.after}" if run.after is not None else "no version"
        below = target is not None and run.after is not None and target < run.after
        context.console.note(f"nothing to do: the schema is at {where}{', and migrate only goes up' if below else ''}")
    context.renderer.document(document, rows=document["applied"], columns=COLUMNS)


def _when_reachable(context: Context, request: Request, patience: float) -> Run:
    deadline = time.monotonic() + patience
    teller = Teller(context)
    while True:
        try:
            context.database.probe()
        except UnavailableError as error:
            left = deadline - time.monotonic()
            if left <= 0:
                raise
            context.console.detail(f"waiting: {error.message}")
            time.sleep(min(_WAIT_STEP, left))
            continue
        return migrate(context.database, request, teller)


def _row(done: Applied) -> dict[str, Any]:
    return {
        "version": done.script.version,
        "description": done.script.description,
        "kind": done.script.kind,
        "script": done.script.name,
        "statements": done.statements,
        "duration_ms": done.duration_ms,
    }


def _planned(step: Step) -> dict[str, Any]:
    return {
        "version": step.script.version,
        "description": step.script.description,
        "kind": step.script.kind,
        "script": step.script.name,
        "reason": step.reason,
    }
