"""Shared by the commands on one customer: an option for each field, and the display of an outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from custctl.cli.completion import complete_settable, complete_setting
from custctl.cli.context import Context
from custctl.customers.model import EDITABLE, FIELDS, STATUSES
from custctl.schema.own import Value, to_text
from custctl.support.errors import ConflictError, UsageError
from custctl.support.exact_json import told_apart
from custctl.support.fieldnames import field_name, split_quoted

if TYPE_CHECKING:
    from custctl.customers.operations import Outcome

Email = Annotated[str | None, typer.Option("--email", metavar="TEXT", help="Unique; stored in lower case.")]
FirstName = Annotated[str | None, typer.Option("--first-name", metavar="TEXT")]
LastName = Annotated[str | None, typer.Option("--last-name", metavar="TEXT")]
Phone = Annotated[str | None, typer.Option("--phone", metavar="TEXT")]
Company = Annotated[str | None, typer.Option("--company", metavar="TEXT")]
AddressLine = Annotated[str | None, typer.Option("--address-line", metavar="TEXT")]
City = Annotated[str | None, typer.Option("--city", metavar="TEXT")]
Region = Annotated[str | None, typer.Option("--region", metavar="TEXT")]
PostalCode = Annotated[str | None, typer.Option("--postal-code", metavar="TEXT")]
Country = Annotated[str | None, typer.Option("--country", metavar="TEXT")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Set any field, your company's own fields too; repeatable.",
        autocompletion=complete_setting,
    ),
]
Unset = Annotated[
    list[str] | None,
    typer.Option("--unset", metavar="FIELD", help="Clear a field; repeatable.", autocompletion=complete_settable),
]
Status = Annotated[
    str | None,
    typer.Option(
        "--status", metavar="STATUS", help=f"One of {', '.join(STATUSES)}.", autocompletion=lambda: list(STATUSES)
    ),
]


def given(ctx: typer.Context) -> dict[str, str | None]:
    """Return the fields given on the command line, by name; None clears a field.

    Raises:
        UsageError: a field is given twice, or not in the form `FIELD=VALUE`.
    """
    found: dict[str, str | None] = {name: ctx.params[name] for name in EDITABLE if ctx.params.get(name) is not None}
    settings: list[tuple[str, str | None]] = [_setting(text) for text in ctx.params.get("set_") or ()]
    settings += [(field_name(text), None) for text in ctx.params.get("unset") or ()]
    for name, value in settings:
        if name in found:
            raise UsageError(f"`{name}` is given twice", hint="give each field once")
        found[name] = value
    return found


def _setting(text: str) -> tuple[str, str]:
    quoted, rest = split_quoted(text, "=")
    name, separator, value = rest.partition("=")
    name = quoted or name.strip()
    if not separator or not name:
        raise UsageError(f"`--set {text}` is not `FIELD=VALUE`", hint="such as `--set company='Analytical Engines'`")
    return name, value


def show_outcome(context: Context, outcome: Outcome, done: str) -> None:
    """Print the customer after a write, and say if nothing was written.

    Args:
        done: what the write did to the customer, such as `added`.
    """
    note_outcome(context, outcome, done)
    if outcome.replayed:
        context.console.note(f"operation {outcome.operation_id} was already applied; this is its outcome")
    elif not outcome.changed:
        context.console.note("nothing to change: the customer already has these values")
    context.console.detail(f"operation {outcome.operation_id}")
    if outcome.customer is None:
        context.console.note(f"customer {outcome.customer_id} has since been deleted, and its values are erased")
        context.renderer.one({"id": outcome.customer_id}, FIELDS)
    else:
        row = outcome.customer.as_dict()
        context.renderer.one(row, tuple(row))
    if outcome.account_error is not None:
        raise outcome.account_error


def note_outcome(context: Context, outcome: Outcome, done: str) -> None:
    """Record what a write did, in case the output is lost."""
    if outcome.changed:
        note_done(context, f"customer {outcome.customer_id} was {done}", outcome.operation_id)
    else:
        context.wrote(
            f"customer {outcome.customer_id} already has these values", f"`custctl customer get {outcome.customer_id}`"
        )


def note_done(context: Context, what: str, operation_id: str) -> None:
    """Record what an operation did, in case the output is lost."""
    context.wrote(what, f"`custctl audit list --operation {operation_id}` shows it")


def show_conflict(context: Context, error: ConflictError) -> None:
    """Show, field by field, the old value, the current value and the requested value."""
    fields = error.details.get("fields")
    if not fields or context.console.as_json:
        return
    unknown = "(not recorded)"
    rows = []
    for field in fields:
        was, now, asked = map(shown_value, told_apart(field["was"], field["now"], field.get("asked")))
        rows.append(
            (field["field"], was if error.details["was_known"] else unknown, now, asked if "asked" in field else "")
        )
    context.console.table(("field", "was", "now", "asked"), rows)


def shown_value(value: Value) -> str:
    """Return a value for a message."""
    text = to_text(value)
    return "(empty)" if text is None else text
