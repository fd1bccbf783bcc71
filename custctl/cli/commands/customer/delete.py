"""`custctl customer delete`."""

from __future__ import annotations

import typer

from custctl.cli.commands.arguments import operation
from custctl.cli.commands.customer.fields import note_outcome, show_conflict
from custctl.cli.context import Context
from custctl.cli.options import WRITE, IfVersionOption, OperationOption, WhoArgument, command
from custctl.support.errors import ConflictError, NotFoundError

_COLUMNS = ("id", "deleted", "operation_id")


@command(
    shared=WRITE,
    examples="""
custctl customer delete 42
custctl customer delete ada@example.com --if-version e1-3 --yes
custctl customer delete 42 --env prod --confirm prod
""",
)
def delete(
    ctx: typer.Context, who: WhoArgument, if_version: IfVersionOption = None, operation_id: OperationOption = None
) -> None:
    """Delete a customer and its password, and erase its values from the audit log. Asks for confirmation."""
    from custctl.cli.commands.customer.unsaved import forget_customer

    context = Context.of(ctx)
    operation_id = operation(operation_id)
    customers = context.customers
    context.announce(_COLUMNS)
    found = None
    if not customers.is_applied(operation_id):
        # If there is no such customer, another process may just have applied the same operation: the store finds out.
        found = customers.find(who)
    if found is not None:
        context.confirm_destruction(f"delete customer {found.id} ({found.email}) from {context.profile.location}?")
        # Delete exactly what was confirmed: not a row that changed while the question was shown, nor another row that
        # has taken over its email.
        who = str(found.id)
        if_version = if_version if if_version is not None else found.version
    try:
        outcome = customers.delete(who, operation_id=operation_id, if_version=if_version)
    except ConflictError as error:
        show_conflict(context, error)
        raise
    except NotFoundError:
        # It may have been deleted while an edit was open, which was then kept.
        if who.isdecimal():
            forget_customer(context, int(who))
        raise
    note_outcome(context, outcome, "deleted")
    forget_customer(context, outcome.customer_id)
    if outcome.replayed:
        context.console.note(f"operation {outcome.operation_id} was already applied; this is its outcome")
    record = {"id": outcome.customer_id, "deleted": True, "operation_id": outcome.operation_id}
    context.renderer.one(record, _COLUMNS)
    if outcome.account_error is not None:
        raise outcome.account_error
