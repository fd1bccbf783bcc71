"""`custctl migrate validate`."""

from __future__ import annotations

import typer

from custctl.cli.context import Context
from custctl.cli.options import SCRIPTS, command
from custctl.support.text import plural

_COLUMNS = ("severity", "script", "line", "rule", "phase", "message", "hint")


@command(
    shared=SCRIPTS,
    examples="""
custctl migrate validate
custctl migrate validate --env prod -o json
""",
)
def validate(ctx: typer.Context) -> None:
    """Check the scripts against the journal and the linter. Writes nothing."""
    from custctl.support.errors import MigrationError

    context = Context.of(ctx)
    problems = context.client.migrations.validate()
    rows = [problem.as_dict() for problem in problems]
    for row in rows:
        row["hint"] = context.carry(row["hint"]) if row["hint"] else None
    context.renderer.many(rows, _COLUMNS)
    errors = sum(problem.severity == "error" for problem in problems)
    if errors:
        raise MigrationError(
            f"{plural(errors, 'problem', 'problems')} found",
            hint="each is listed with its location and a safer alternative",
        )
    count = len(problems)
    warnings = f", with {plural(count, 'warning', 'warnings')}" if count else ""
    context.console.note(f"the scripts are valid{warnings}")
