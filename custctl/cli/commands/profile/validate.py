"""`custctl profile validate`."""

from __future__ import annotations

import typer

from custctl.cli.commands.profile.show import NameArgument
from custctl.cli.context import Context
from custctl.cli.options import DATA, command

_COLUMNS = ("name", "environment", "source", "valid")


@command(
    shared=DATA,
    examples="""
custctl profile validate
custctl profile validate prod
""",
)
def validate(ctx: typer.Context, name: NameArgument = None) -> None:
    """Validate a profile, and print the file, line and nearest known key of every fault. Does not connect."""
    context = Context.of(ctx)
    context.choose_environment(name)
    profile = context.profile
    record = {
        "name": profile.name,
        "environment": str(profile.environment),
        "source": str(profile.source),
        "valid": True,
    }
    context.renderer.one(record, _COLUMNS)
