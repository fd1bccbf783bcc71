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
    """Check a customer's password: exit 0 where it matches, 9 where it does not."""
    from custctl.customers.passwords import verify_customer
    from custctl.support.errors import CustctlError

    context = Context.of(ctx)
    password = context.prompter.secret("password", from_stdin=stdin)
    store = context.customers
    found, stored = store.password_hash(who)
    renewed = verify_customer(stored, password)
    if stored is not None and renewed is not None:
        context.announce(_COLUMNS)
        try:
            store.replace_hash(found.id, stored, renewed)
        except CustctlError as error:
            # The password was right; a hash with older parameters can wait for a writable database.
            context.console.detail(f"the hash keeps its older parameters: {error.message}")
    context.renderer.one({"id": found.id, "email": found.email, "matches": True}, _COLUMNS)
