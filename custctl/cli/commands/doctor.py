"""`custctl doctor`."""

from __future__ import annotations

import typer

from custctl.cli.context import Context
from custctl.cli.options import PLAIN, command
from custctl.support.text import plural

_COLUMNS = ("check", "state", "value", "hint")


@command(
    shared=(*PLAIN, "fields", "sql_dir"),
    examples="""
custctl doctor
custctl doctor --env prod -o json
""",
)
def doctor(ctx: typer.Context) -> None:
    """Check the driver, credential, database, schema, replicas and cache, with a hint for every fault found."""
    from custctl.support.errors import CustctlError

    context = Context.of(ctx)
    checks = list(context.client.doctor())
    rows = [
        {
            "check": check.name,
            "state": "ok" if check.ok else "fault",
            "value": check.value,
            "hint": check.hint and context.carry(check.hint),
        }
        for check in checks
    ]
    context.renderer.many(rows, _COLUMNS)
    faults = [check for check in checks if not check.ok]
    if faults:
        error = CustctlError(
            f"{plural(len(faults), 'fault', 'faults')} found: {', '.join(fault.name for fault in faults)}",
            hint=faults[0].hint,
        )
        error.exit_code = faults[0].exit_code
        raise error
    context.console.note("no faults found")
