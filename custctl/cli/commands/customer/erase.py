"""`custctl customer erase`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from custctl.cli.commands.customer.fields import note_done
from custctl.cli.context import Context
from custctl.cli.options import WRITE, OperationOption, WhoArgument, command
from custctl.support.errors import IncompleteError

if TYPE_CHECKING:
    from custctl.api.erasing import Erasure, ErasureRequest

_COLUMNS = ("what", "state", "count", "why", "remove")


@command(
    shared=WRITE,
    examples="""
custctl customer erase ada@example.com --request DSR-2041
custctl customer erase 42 --request DSR-2041 -o json > report.json
custctl customer erase 42 --request DSR-2041 --env prod --confirm prod
""",
)
def erase(
    ctx: typer.Context,
    who: WhoArgument,
    request: Annotated[
        str,
        typer.Option(
            "--request", metavar="REF", help="Reference of the data subject's request, recorded in the audit log."
        ),
    ],
    operation_id: OperationOption = None,
) -> None:
    """Erase all data held about a person, and report what was erased and what stays. Asks for confirmation.

    Name a deleted customer by id. If the command is interrupted, run it again.
    """
    from custctl.api.erasing import ErasureRequest

    context = Context.of(ctx)
    work = ErasureRequest(context.opened, who, request, operation_id)
    context.announce(_COLUMNS)
    if not work.is_applied:
        _confirm(context, work)
    made = work.run()
    note_done(context, f"customer {made.customer_id} was erased", made.operation_id)
    if made.replayed:
        context.console.note(f"the database had erased it already, in operation {made.operation_id}")
    context.renderer.document(made.as_dict(), rows=_rows(made), columns=_COLUMNS)
    if made.failed:
        names = ", ".join(f"`{each.what}`" for each in made.failed)
        raise IncompleteError(
            f"customer {made.customer_id} was erased from the database, but not everywhere: {names}",
            hint=f"run it again: `custctl customer erase {made.customer_id} --request {shlex.quote(made.request)}"
            f" --operation-id {made.operation_id}`",
            details={"customer_id": made.customer_id, "operation_id": made.operation_id},
        )


def _confirm(context: Context, work: ErasureRequest) -> None:
    number = work.customer_id
    named = f"customer {number} ({work.customer.email})" if work.customer else f"what is left of customer {number}"
    context.confirm_destruction(f"erase {named} from {context.profile.location}, and its values from the audit?")


def _rows(made: Erasure) -> list[dict[str, Any]]:
    erased = [{"what": name, "state": "erased", "count": count} for name, count in made.erased.items()]
    kept = [
        {"what": each.what, "state": "failed" if each.failed else "kept", "why": each.why, "remove": each.remove}
        for each in made.kept
    ]
    return [*erased, *kept]
