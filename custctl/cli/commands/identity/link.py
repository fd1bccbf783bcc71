"""`custctl identity link`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.cli.commands.arguments import operation
from custctl.cli.context import Context
from custctl.cli.options import WRITE, OperationOption, WhoArgument, command

_COLUMNS = ("id", "email", "subject", "operation_id")


@command(
    shared=WRITE,
    examples="""
custctl identity link 42 248289761001
""",
)
def link(
    ctx: typer.Context,
    who: WhoArgument,
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="The account's id at the provider.")],
    operation_id: OperationOption = None,
) -> None:
    """Link an account at the provider to a customer. The account then follows the customer's email and status.

    Make sure that it is the customer's: whoever owns the account then logs in as that customer.
    """
    context = Context.of(ctx)
    operation_id = operation(operation_id)
    context.announce(_COLUMNS)
    outcome = context.client.accounts.link(who, subject, operation_id=operation_id)
    context.wrote(
        f"customer {outcome.customer_id} was linked",
        f"`custctl customer get {outcome.customer_id} --with-account` shows it",
    )
    email = outcome.customer.email if outcome.customer is not None else None
    record = {"id": outcome.customer_id, "email": email, "subject": subject, "operation_id": operation_id}
    context.renderer.one(record, _COLUMNS)
    if outcome.account_error is not None:
        raise outcome.account_error
