"""`custctl credential delete`."""

from __future__ import annotations

import typer

from custctl.context import Context
from custctl.errors import CredentialError
from custctl.options import PLAIN, command

_COLUMNS = ("profile", "service", "user", "deleted")


@command(shared=(*PLAIN, "yes"), examples="custctl credential delete --env staging --yes")
def delete(ctx: typer.Context) -> None:
    """Take the profile's database password out of the system keyring. Asks first."""
    from custctl.credentials import delete_credential, service_name

    context = Context.of(ctx)
    profile = context.profile
    service = service_name(profile)
    context.prompter.confirm(f"take `{service}` out of the keyring?")
    if not delete_credential(profile, context.environ):
        raise CredentialError(f"the keyring holds no password as `{service}`", hint="`custctl credential check` looks")
    record = {"profile": profile.name, "service": service, "user": profile.database.user, "deleted": True}
    context.renderer.one(record, _COLUMNS)
