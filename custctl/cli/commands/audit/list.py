"""`custctl audit list`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import DATA, AfterOption, LimitOption, command

_COLUMNS = (
    "id",
    "happened_at",
    "operation_id",
    "part",
    "action",
    "actor",
    "customer_id",
    "sequence",
    "version",
    "fields",
    "detail",
)
_SHOWN = ("id", "happened_at", "action", "actor", "customer_id", "version", "fields", "operation_id")


@command(
    shared=DATA,
    examples="""
custctl audit list
custctl audit list --operation 1f0e9a52-6b0c-4b8e-9d3e-0d8a51d7a001 -o json
custctl audit list --customer ada@example.com
""",
)
def list_(
    ctx: typer.Context,
    operation: Annotated[
        str | None, typer.Option("--operation", metavar="UUID", help="The writes of this operation alone.")
    ] = None,
    customer: Annotated[
        str | None, typer.Option("--customer", metavar="WHO", help="The writes to this customer alone.")
    ] = None,
    limit: LimitOption = 50,
    after: AfterOption = None,
) -> None:
    """List writes, newest first, without the values that they hold."""
    from custctl.customers.history import list_entries
    from custctl.customers.operations import parse_operation_id
    from custctl.support.errors import UsageError

    context = Context.of(ctx)
    if after is not None and not (after.isascii() and after.isdigit() and len(after) < 19):
        raise UsageError("the cursor is damaged", hint="take it whole from the page before, or start anew")
    entries, following = list_entries(
        context.database,
        operation_id=parse_operation_id(operation) if operation is not None else None,
        who=customer,
        limit=limit,
        before=int(after) if after is not None else None,
    )
    cursor = str(following) if following is not None else None
    context.renderer.many([entry.as_dict() for entry in entries], _COLUMNS, next=cursor, shown=_SHOWN, may_drop=True)
    if operation is not None and not entries:
        context.console.note(
            "no entry under this operation id: a commit that is pending is not seen yet; to run the command again with"
            " the same `--operation-id` tells"
        )
    if cursor is not None:
        context.console.note(f"there is more: go on with `--after {cursor}`")
