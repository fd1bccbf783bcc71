"""`custctl identity unlink`."""

from __future__ import annotations

import typer

from custctl.cli.commands.arguments import operation
from custctl.cli.context import Context
from custctl.cli.options import WRITE, OperationOption, WhoArgument, command

_COLUMNS = ("id", "email", "unlinked", "operation_id")


@command(
    shared=WRITE,
    examples="""
custctl identity unlink 42
""",
)
def unlink(ctx: typer.Context, who: WhoArgument, operation_id: OperationOption = None) -> None:
    """Remove the link between a customer and its account at the provider. The account itself does not change."""
    context = Context.of(ctx)
    operation_id = operation(operation_id)
    context.announce(_COLUMNS)
    outcome = context.client.accounts.unlink(who, operation_id=operation_id)
    context.wrote(
        f"customer {outcome.customer_id} was unlinked", "`custctl identity verify` lists accounts without a customer"
    )
    email = outcome.customer.email if outcome.customer is not None else None
    record = {"id": outcome.customer_id, "email": email, "unlinked": True, "operation_id": operation_id}
    context.renderer.one(record, _COLUMNS)
