"""`custctl customer update`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from custctl.cli.commands.arguments import operation
from custctl.cli.commands.customer.fields import (
    AddressLine,
    City,
    Company,
    Country,
    Email,
    FirstName,
    LastName,
    Phone,
    PostalCode,
    Region,
    Set,
    Status,
    Unset,
    given,
    show_conflict,
    show_outcome,
)
from custctl.cli.context import Context
from custctl.cli.options import WRITE, IfVersionOption, OperationOption, WhoArgument, command
from custctl.customers.model import FIELDS
from custctl.support.errors import ConflictError, UsageError
from custctl.support.exact_json import same

if TYPE_CHECKING:
    from custctl.customers.operations import Outcome
    from custctl.schema.own import Value

_COLUMNS = ("field", "old", "new")
_KEPT = ("id", "version", "created_at", "updated_at")  # managed by the database


@command(
    shared=WRITE,
    examples="""
custctl customer update 42 --phone '+44 20 7946 0000'
custctl customer update ada@example.com --company '' --if-version e1-3
custctl customer update 42 --status suspended --retries 5
custctl customer update 42 --company '' --dry-run
""",
)
def update(
    ctx: typer.Context,
    who: WhoArgument,
    email: Email = None,
    first_name: FirstName = None,
    last_name: LastName = None,
    phone: Phone = None,
    company: Company = None,
    address_line: AddressLine = None,
    city: City = None,
    region: Region = None,
    postal_code: PostalCode = None,
    country: Country = None,
    status: Status = None,
    set_: Set = None,
    unset: Unset = None,
    if_version: IfVersionOption = None,
    retries: Annotated[
        int | None,
        typer.Option(
            "--retries", min=0, metavar="N", help="After a conflict, read the customer again and retry, up to N times."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show field by field what would change, and write nothing.")
    ] = False,
    operation_id: OperationOption = None,
) -> None:
    """Update fields of a customer; an empty text clears a field. A conflict overwrites nothing and exits 5."""
    from custctl.customers.rules import validate

    context = Context.of(ctx)
    if if_version is not None and retries is not None:
        raise UsageError(
            "`--if-version` and `--retries` cannot be used together",
            hint="`--retries` accepts any version, `--if-version` only the one given",
        )
    operation_id = operation(operation_id)
    asked = given(ctx)
    if not asked:
        raise UsageError("nothing to update: no field given", hint="give one, such as `--phone`; see `--help`")
    own = context.own_fields(asked)
    validate(asked, own, partial=True)
    if dry_run:
        context.renderer.check_fields(_COLUMNS)
    else:
        context.announce((*FIELDS, *own.names))
    try:
        outcome = context.customers.update(
            who, asked, operation_id=operation_id, if_version=if_version, retries=retries or 0, rehearse=dry_run
        )
    except ConflictError as error:
        show_conflict(context, error)
        raise
    if dry_run:
        _show_plan(context, outcome)
    else:
        show_outcome(context, outcome, "updated")


def _show_plan(context: Context, outcome: Outcome) -> None:
    """Print field by field what an update would change."""
    before, after = outcome.before, outcome.customer
    changes: list[dict[str, Value]] = []
    if before is not None and after is not None:
        changes = [
            {"field": name, "old": before[name], "new": after[name]}
            for name in after.as_dict()
            if name not in _KEPT and not same(before[name], after[name])
        ]
    if outcome.replayed:
        context.console.note(f"operation {outcome.operation_id} was already applied: nothing would change")
    elif not changes:
        context.console.note("nothing to change: the customer already has these values")
    version = before.version if before is not None else after.version if after is not None else None
    document = {"id": outcome.customer_id, "version": version, "dry_run": True, "changes": changes}
    context.renderer.document(document, rows=changes, columns=_COLUMNS)
    context.console.note("dry run: nothing was written")
