"""`custctl identity status`."""

from __future__ import annotations

import typer

from custctl.cli.context import Context
from custctl.cli.options import PLAIN, command

_COLUMNS = (
    "provider",
    "state",
    "keeps_reference",
    "sets_passwords",
    "sends_resets",
    "takes_hashes",
    "linked",
    "pending",
    "failed",
    "oldest",
    "next_attempt_at",
    "last_error",
    "hashes",
)


@command(
    shared=(*PLAIN, "fields"),
    examples="""
custctl identity status
custctl identity status --env prod -o json
""",
)
def status(ctx: typer.Context) -> None:
    """Show the identity provider, what it can do, the linked accounts and the pending work.

    `hashes` counts the passwords that are still in this database. Fails if the provider does not answer.
    """
    context = Context.of(ctx)
    found = context.client.accounts.status()
    able = found.abilities
    record = {
        "provider": found.provider,
        "state": "answers" if found.fault is None else found.fault.message,
        **{name: getattr(able, name) if able is not None else None for name in _COLUMNS[2:6]},
        **{name: getattr(found, name) for name in _COLUMNS[6:]},
    }
    if found.provider == "local":
        record["state"] = "passwords are in this database"
    context.renderer.one(record, _COLUMNS)
    if found.failed:
        context.console.note("`custctl identity sync` tries again")
    if found.fault is not None:
        raise found.fault
