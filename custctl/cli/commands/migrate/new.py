"""`custctl migrate new`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import PLAIN, command
from custctl.support.text import plural


@command(
    shared=(*PLAIN, "sql_dir", "fields"),
    examples="""
custctl migrate new 'add loyalty tier'
""",
)
def new(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the script does, in a few words.")],
) -> None:
    """Create the next numbered script, one file per engine. No database is needed."""
    from custctl.migrations.authoring import new_scripts

    context = Context.of(ctx)
    folder, bundled = context.sql_dir
    made = new_scripts(folder, name, bundled=bundled)
    context.wrote(f"{plural(len(made), 'file was', 'files were')} created", f"they are in `{folder}`")
    context.renderer.many([{"script": str(path)} for path in made], ("script",))
