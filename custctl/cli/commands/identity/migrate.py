"""`custctl identity migrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import WRITE, command
from custctl.support.errors import IncompleteError, PartialError
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.identity.accounts.moving import Moved, MovePlan

_PLANNED = ("provider", "hashes", "imports", "resets", "without_reset")
_DONE = ("provider", "imports", "resets", "without_reset", "rejected", "left")
_SHOWN = 20


@command(
    shared=WRITE,
    examples="""
custctl identity migrate --dry-run
custctl identity migrate --limit 100
custctl identity migrate --env prod --confirm prod
""",
)
def migrate(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done; write nothing.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", min=0, metavar="N", help="Maximum passwords to move; 0 means no limit.")
    ] = 0,
) -> None:
    """Move the passwords in this database to the provider, after confirmation; the next run resumes one that was killed.

    Auth0 imports the hashes, and customers notice nothing. Cognito and SCIM take none: the customer gets an account without
    a password, Cognito sends a code to set one, and the hash is deleted. Exits with 10 if passwords were rejected.
    """
    context = Context.of(ctx)
    context.renderer.check_fields(_PLANNED if dry_run else _DONE)
    accounts = context.client.accounts
    plan = accounts.plan_migration()
    if dry_run:
        context.renderer.one({name: getattr(plan, name) for name in _PLANNED}, _PLANNED)
        return
    context.announce(_DONE)
    if plan.hashes:
        context.confirm_destruction(f"move {_in_words(plan, limit)} from {context.profile.location}?")
    else:
        context.console.note("nothing to do: there are no passwords in this database")
    with context.console.progress("moving", limit or plan.hashes) as progress:
        moved = accounts.migrate(limit, progress.advance)
    if moved.done:
        done = f"{plural(moved.done, 'password was', 'passwords were')} moved"
        context.wrote(done, "`custctl identity status` shows how many are left")
    _report(context, moved)


def _in_words(plan: MovePlan, limit: int) -> str:
    """Return the question to confirm, including how many mails are sent."""
    most = f"at most {limit} of " if limit and limit < plan.hashes else ""
    parts = [
        f"{plan.imports} with the hash" if plan.imports else "",
        f"{plural(plan.resets, 'customer gets', 'customers get')} a reset mail" if plan.resets else "",
        f"{plan.without_reset} without a reset mail" if plan.without_reset else "",
    ]
    told = ", ".join(part for part in parts if part)
    return f"{most}{plural(plan.hashes, 'password', 'passwords')} to {plan.provider} ({told}) and delete the hashes"


def _report(context: Context, moved: Moved) -> None:
    """Print what was done, and raise an error if the run did not complete."""
    for reject in moved.rejects[:_SHOWN]:
        context.console.warn(f"the password of customer {reject.customer_id} was not moved: {reject.reason}")
    if moved.rejected > _SHOWN:
        context.console.note(f"{moved.rejected - _SHOWN} more were not moved; `-o json` lists the first 1000")
    record = {name: getattr(moved, name) for name in _DONE}
    rejects = [{"customer_id": reject.customer_id, "reason": reject.reason} for reject in moved.rejects]
    context.renderer.document({**record, "rejects": rejects}, rows=[record], columns=_DONE)
    details = {name: record[name] for name in _DONE[1:]}
    if moved.reason is not None:
        if not moved.done:
            raise moved.reason
        again = "run `custctl identity migrate` again; it resumes"
        raise IncompleteError(
            f"{plural(moved.done, 'password was', 'passwords were')} moved, and then: {moved.reason.message}",
            hint=f"{moved.reason.hint}; then {again}" if moved.reason.hint else again,
            details=details,
        )
    if moved.rejected:
        raise PartialError(
            f"{plural(moved.rejected, 'password was', 'passwords were')} not moved",
            hint="repair what the reasons name, and run `custctl identity migrate` again",
            details=details,
        )
