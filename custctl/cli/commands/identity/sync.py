"""`custctl identity sync`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import WRITE, command
from custctl.support.errors import IncompleteError
from custctl.support.text import plural

_COLUMNS = ("done", "failed", "pending")


@command(
    shared=WRITE,
    examples="""
custctl identity sync
custctl identity sync --limit 1000 --env prod
""",
)
def sync(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=0, metavar="N", help="Maximum customers; 0 means no limit.")] = 0,
) -> None:
    """Do the pending work at the provider: update the accounts that differ from their customers.

    Two runs at once do no harm, and the next run resumes one that was killed. Exits with 12 if work is left.
    """
    context = Context.of(ctx)
    if context.profile.identity.is_local:
        context.console.note("nothing to do: passwords are in this database, and there is no identity provider")
        context.renderer.one(dict.fromkeys(_COLUMNS, 0), _COLUMNS)
        return
    context.announce(_COLUMNS)
    accounts = context.client.accounts
    with context.console.progress("syncing", accounts.pending) as progress:
        worked = accounts.sync(limit, progress.advance)
    left = accounts.pending()
    if worked.done:
        context.wrote(f"{plural(worked.done, 'account was', 'accounts were')} synced", "`custctl identity status`")
    context.renderer.one({"done": worked.done, "failed": worked.failed, "pending": left}, _COLUMNS)
    if not left:
        return
    reason = f": {worked.reason.message}" if worked.reason is not None else ""
    hint = worked.reason.hint if worked.reason is not None else None
    again = "`custctl identity status` shows when the next attempt is due; then run `custctl identity sync` again"
    raise IncompleteError(
        f"{plural(left, 'account does not follow its customer', 'accounts do not follow their customers')} yet{reason}",
        hint=f"{hint}; {again}" if hint else again,
        details={"done": worked.done, "failed": worked.failed, "pending": left},
    )
