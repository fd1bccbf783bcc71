"""`custctl profile list`."""

from __future__ import annotations

import typer

from custctl.cli.context import Context
from custctl.cli.options import DATA, command

_COLUMNS = ("name", "environment", "source", "bundled", "problem")


@command(shared=DATA, examples="custctl profile list")
def list_(ctx: typer.Context) -> None:
    """List the profiles, each from the first folder that has it."""
    from custctl.profiles import find_profiles

    context = Context.of(ctx)
    entries = find_profiles(profiles_dir=context.profiles_dir, environ=context.environ, cwd=context.cwd)
    rows = [
        {
            "name": entry.name,
            "environment": str(entry.environment) if entry.environment else None,
            "source": str(entry.source),
            "bundled": entry.bundled,
            "problem": entry.problem,
        }
        for entry in entries
    ]
    context.renderer.many(rows, _COLUMNS)
