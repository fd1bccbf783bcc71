"""`custctl credential set`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.context import Context
from custctl.options import PLAIN, command

COLUMNS = ("profile", "service", "user", "keyring")


@command(
    shared=PLAIN,
    examples="""
custctl credential set --env prod
custctl credential set --env prod --stdin < password.txt
""",
)
def set_(
    ctx: typer.Context,
    stdin: Annotated[bool, typer.Option("--stdin", help="Read the password from stdin: its first line.")] = False,
) -> None:
    """Keep the profile's database password in the system keyring; a hidden prompt asks for it."""
    from custctl.credentials import Secret, service_name, store_credential

    context = Context.of(ctx)
    profile = context.profile
    service = service_name(profile)
    password = context.prompter.secret(f"password of {profile.database.user}", from_stdin=stdin, again=True)
    backend = store_credential(profile, Secret(password), context.environ)
    context.console.note(f"the password is in {backend}, as `{service}`")
    record = {"profile": profile.name, "service": service, "user": profile.database.user, "keyring": backend}
    context.renderer.one(record, COLUMNS)
