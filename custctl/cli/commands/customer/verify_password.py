"""`custctl customer verify-password`."""

from __future__ import annotations

import typer

from custctl.cli.commands.customer.set_password import StdinOption
from custctl.cli.context import Context
from custctl.cli.options import DATA, WhoArgument, command

_COLUMNS = ("id", "email", "matches")


@command(
    shared=DATA,
    examples="""
custctl customer verify-password ada@example.com
custctl customer verify-password 42 --stdin < password.txt
""",
)
def verify_password(ctx: typer.Context, who: WhoArgument, stdin: StdinOption = False) -> None:
    """Check a customer's password: exit 0 if it matches, 9 if it does not, 7 if an identity provider checks passwords."""
    context = Context.of(ctx)
    context.customers.check_passwords_are_here()
    password = context.prompter.secret("password", from_stdin=stdin)
    found = context.customers.verify_password(who, password, before_writing=lambda: context.announce(_COLUMNS))
    context.renderer.one({"id": found.id, "email": found.email, "matches": True}, _COLUMNS)
