"""`custctl credential delete`."""

from __future__ import annotations

import typer

from custctl.cli.commands.credential.purposes import DATABASE, ForOption, option_of
from custctl.cli.context import Context
from custctl.cli.options import PLAIN, command
from custctl.support.errors import CredentialError

_COLUMNS = ("profile", "service", "user", "deleted", "for")


@command(
    shared=(*PLAIN, "yes"),
    examples="""
custctl credential delete --env staging --yes
custctl credential delete --env staging --for cache --yes
""",
)
def delete(ctx: typer.Context, purpose: ForOption = DATABASE) -> None:
    """Delete a password or key of the profile from the system keyring. Asks for confirmation."""
    from custctl.profiles.credentials import delete_credential, entry_of

    context = Context.of(ctx)
    profile = context.profile
    entry = entry_of(profile, purpose)
    look = f"`custctl credential check{option_of(purpose)}` shows it"
    context.prompter.confirm(f"delete the {entry.noun} of `{entry.user}` at `{entry.service}` from the keyring?")
    if not delete_credential(profile, context.environ, purpose):
        message = f"the keyring has no {entry.noun} of `{entry.user}` at `{entry.service}`"
        raise CredentialError(message, hint=look)
    context.wrote(f"the {entry.noun} was deleted from the keyring", look)
    record = {"profile": profile.name, "service": entry.service, "user": entry.user, "deleted": True}
    context.renderer.one({**record, "for": str(purpose)}, _COLUMNS)
