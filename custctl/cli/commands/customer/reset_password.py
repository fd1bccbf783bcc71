"""`custctl customer reset-password`."""

from __future__ import annotations

import typer

from custctl.cli.commands.arguments import operation
from custctl.cli.commands.customer.fields import note_outcome
from custctl.cli.context import Context
from custctl.cli.options import WRITE, OperationOption, WhoArgument, command

_COLUMNS = ("id", "email", "reset_sent", "operation_id")


@command(
    shared=WRITE,
    examples="""
custctl customer reset-password ada@example.com
""",
)
def reset_password(ctx: typer.Context, who: WhoArgument, operation_id: OperationOption = None) -> None:
    """Have the identity provider send a customer a password reset. The code or link is not shown here."""
    context = Context.of(ctx)
    operation_id = operation(operation_id)
    context.announce(_COLUMNS)
    outcome = context.customers.reset_password(who, operation_id=operation_id)
    note_outcome(context, outcome, "sent a password reset")
    if outcome.replayed:
        context.console.note(f"operation {outcome.operation_id} was already applied; this is its outcome")
    email = outcome.customer.email if outcome.customer is not None else None
    record = {"id": outcome.customer_id, "email": email, "reset_sent": True, "operation_id": outcome.operation_id}
    context.renderer.one(record, _COLUMNS)
