"""`custctl customer set-password`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.cli.commands.arguments import operation
from custctl.cli.commands.customer.fields import note_outcome
from custctl.cli.context import Context
from custctl.cli.options import WRITE, OperationOption, WhoArgument, command

StdinOption = Annotated[bool, typer.Option("--stdin", help="Read the password from the first line of stdin.")]
_COLUMNS = ("id", "email", "password_set", "operation_id")


@command(
    shared=WRITE,
    examples="""
custctl customer set-password ada@example.com
custctl customer set-password 42 --stdin < password.txt
""",
)
def set_password(
    ctx: typer.Context, who: WhoArgument, stdin: StdinOption = False, operation_id: OperationOption = None
) -> None:
    """Set a customer's password from a hidden prompt or `--stdin`; it is never shown.

    With an identity provider, the password is set there and stored nowhere else; otherwise its argon2id hash is stored.
    """
    context = Context.of(ctx)
    operation_id = operation(operation_id)
    context.announce(_COLUMNS)
    password = context.prompter.secret("new password", from_stdin=stdin, again=True)
    outcome = context.customers.set_password(who, password, operation_id=operation_id)
    note_outcome(context, outcome, "given a password")
    if outcome.replayed:
        context.console.note(f"operation {outcome.operation_id} was already applied; this is its outcome")
    found = outcome.customer or context.customers.find(str(outcome.customer_id))
    email = found.email if found else None
    record = {"id": outcome.customer_id, "email": email, "password_set": True, "operation_id": outcome.operation_id}
    context.renderer.one(record, _COLUMNS)
