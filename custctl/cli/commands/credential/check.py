"""`custctl credential check`."""

from __future__ import annotations

import typer

from custctl.cli.commands.credential.purposes import DATABASE, ForOption
from custctl.cli.context import Context
from custctl.cli.options import PLAIN, command

_COLUMNS = ("source", "state", "problem", "hint")


@command(
    shared=(*PLAIN, "fields"),
    examples="""
custctl credential check --env prod
custctl credential check --env prod --for cache
""",
)
def check(ctx: typer.Context, purpose: ForOption = DATABASE) -> None:
    """Show each place where a password or key can come from, without showing the secret."""
    from custctl.profiles.credentials import check_credential, find_credential

    context = Context.of(ctx)
    places = check_credential(context.profile, context.environ, purpose)
    rows = [
        {"source": p.source, "state": p.state, "problem": p.problem, "hint": p.hint and context.carry(p.hint)}
        for p in places
    ]
    context.renderer.many(rows, _COLUMNS)
    found = find_credential(context.profile, context.environ, purpose)
    context.console.note(f"credential: {found.source}")
