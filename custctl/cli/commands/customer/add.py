"""`custctl customer add`."""

from __future__ import annotations

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
    show_outcome,
)
from custctl.cli.context import Context
from custctl.cli.options import WRITE, OperationOption, command
from custctl.customers.model import FIELDS


@command(
    shared=WRITE,
    examples="""
custctl customer add --email ada@example.com --first-name Ada --last-name Lovelace
custctl customer add --email ada@example.com --first-name Ada --last-name Lovelace --country 'United Kingdom' -o json
""",
)
def add(
    ctx: typer.Context,
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
    operation_id: OperationOption = None,
) -> None:
    """Add a customer. `--email`, `--first-name` and `--last-name` are required."""
    from custctl.customers.rules import validate

    context = Context.of(ctx)
    operation_id = operation(operation_id)
    asked = given(ctx)
    own = context.own_fields(asked)
    validate(asked, own, partial=False)
    context.announce((*FIELDS, *own.names))
    show_outcome(context, context.customers.add(asked, operation_id=operation_id), "added")
