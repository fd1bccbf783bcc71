"""`custctl doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import PLAIN, command
from custctl.support.errors import CustctlError, ExitCode
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.engines.model import Check

_COLUMNS = ("check", "state", "value", "hint")
# Exit codes by priority, for containers and jobs: an unreachable database hides other faults.
_KINDS = {
    ExitCode.UNAVAILABLE: (),  # and everything in no other row
    ExitCode.CREDENTIAL: (ExitCode.CREDENTIAL,),
    ExitCode.PENDING: (ExitCode.PENDING, ExitCode.REFUSED, ExitCode.MIGRATION),
    ExitCode.INCOMPLETE: (ExitCode.INCOMPLETE, ExitCode.SPLIT_BRAIN),
}


@command(
    shared=(*PLAIN, "fields", "sql_dir"),
    examples="""
custctl doctor
custctl doctor --env prod -o json
custctl doctor --check --env prod
""",
)
def doctor(
    ctx: typer.Context,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Print one line for each fault and nothing else. Exit 3 if something is unreachable, 4 for a credential,"
            " 8 for the schema, 12 if replicas or indexes are degraded; the first that applies.",
        ),
    ] = False,
) -> None:
    """Check the driver, credential, database, schema, replicas and cache, with a hint for every fault found."""
    context = Context.of(ctx)
    checks = list(context.client.doctor())
    faults = [found for found in checks if not found.ok]
    if check:
        for fault in faults:
            record = {"check": fault.name, "value": fault.value, "hint": fault.hint and context.carry(fault.hint)}
            context.renderer.line(record, f"{fault.name}: {fault.value}")
        raise typer.Exit(exit_code(faults))
    rows = [
        {
            "check": found.name,
            "state": "ok" if found.ok else "fault",
            "value": found.value,
            "hint": found.hint and context.carry(found.hint),
        }
        for found in checks
    ]
    context.renderer.many(rows, _COLUMNS)
    if faults:
        error = CustctlError(
            f"{plural(len(faults), 'fault', 'faults')} found: {', '.join(fault.name for fault in faults)}",
            hint=faults[0].hint,
        )
        error.exit_code = faults[0].exit_code
        raise error
    context.console.note("no faults found")


def exit_code(faults: Sequence[Check]) -> int:
    """Return the exit code of `--check`: that of the first kind of fault found, in a fixed order."""
    by_cause = {cause: code for code, causes in _KINDS.items() for cause in causes}
    found = {by_cause.get(fault.exit_code, ExitCode.UNAVAILABLE) for fault in faults}
    return next((code for code in _KINDS if code in found), ExitCode.OK)
