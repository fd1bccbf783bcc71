"""`custctl audit list`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import DATA, AfterOption, LimitOption, WideOption, command

_COLUMNS = (
    "id",
    "happened_at",
    "operation_id",
    "part",
    "action",
    "actor",
    "login",
    "customer_id",
    "sequence",
    "version",
    "fields",
    "detail",
)
_SHOWN = ("id", "happened_at", "action", "actor", "login", "customer_id", "version", "fields", "operation_id")


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
        str | None, typer.Option("--operation", metavar="UUID", help="Show only the writes of this operation.")
    ] = None,
    customer: Annotated[
        str | None, typer.Option("--customer", metavar="WHO", help="Show only the writes to this customer.")
    ] = None,
    limit: LimitOption = 50,
    after: AfterOption = None,
    wide: WideOption = False,
) -> None:
    """List writes, newest first, without their values."""
    context = Context.of(ctx)
    found = context.client.audit.list(operation_id=operation, customer=customer, limit=limit, after=after)
    rows = [entry.as_dict() for entry in found.items]
    context.renderer.many(rows, _COLUMNS, next=found.next, shown=_SHOWN, may_drop=True, wide=wide, paged=True)
    if operation is not None and not rows:
        context.console.note(
            "no entry has this operation id; a pending commit is not visible yet: run the command again with"
            " the same `--operation-id` to find out"
        )
    if found.next is not None:
        context.console.note(f"more rows follow: continue with `--after {found.next}`")
