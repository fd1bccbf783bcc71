"""`custctl migrate baseline`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import SCRIPTS, LockTimeoutOption, command
from custctl.support.text import plural

_COLUMNS = ("version", "description", "script")


@command(
    shared=SCRIPTS,
    examples="""
custctl migrate baseline 3
custctl migrate baseline 3 --env prod --confirm prod
""",
)
def baseline(
    ctx: typer.Context,
    version: Annotated[
        int, typer.Argument(metavar="VERSION", min=1, help="The newest script that the database already has.")
    ],
    lock_timeout: LockTimeoutOption = "5m",
) -> None:
    """Adopt a database that already has the schema: record the scripts up to VERSION as applied without running them, and stamp the database."""
    from custctl.cli.commands.arguments import duration
    from custctl.cli.commands.telling import Teller

    context = Context.of(ctx)
    patience = duration("--lock-timeout", lock_timeout)
    scripts = context.client.migrations.plan_baseline(version)
    context.announce(_COLUMNS)
    context.confirm_in_production(
        f"mark {plural(len(scripts), 'script', 'scripts')} as applied on {context.profile.location}?"
    )
    with context.console.steps() as step:
        context.client.migrations.baseline(scripts, lock_timeout=patience, listener=Teller(context, step))
    context.wrote(f"{plural(len(scripts), 'script is', 'scripts are')} adopted", "`custctl migrate status` shows them")
    rows = [{"version": s.version, "description": s.description, "script": s.name} for s in scripts]
    context.renderer.many(rows, _COLUMNS)
