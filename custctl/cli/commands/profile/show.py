"""`custctl profile show`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.cli.completion import complete_environments
from custctl.cli.context import Context
from custctl.cli.options import DATA, command

NameArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]", help="Profile name. Default: the profile of `--env`.", autocompletion=complete_environments
    ),
]
_COLUMNS = ("key", "value", "origin")


@command(
    shared=DATA,
    examples="""
custctl profile show
custctl profile show prod -o json
""",
)
def show(ctx: typer.Context, name: NameArgument = None) -> None:
    """Show a profile's values and where each comes from."""
    context = Context.of(ctx)
    context.choose_environment(name)
    profile = context.profile
    rows = [
        {"key": s.key, "value": tuple(s.value) if isinstance(s.value, list) else s.value, "origin": s.origin}
        for s in profile.settings()
    ]
    context.renderer.many(rows, _COLUMNS)
