"""`custctl logout`."""

from __future__ import annotations

import typer

from custctl.cli.commands.whoami import require_login
from custctl.cli.context import Context
from custctl.cli.options import PLAIN, command
from custctl.support.errors import IncompleteError


@command(
    shared=PLAIN,
    examples="""
custctl logout --env prod
""",
)
def logout(ctx: typer.Context) -> None:
    """Revoke the login at the identity provider, and delete it from the system keyring."""
    from custctl.identity.login.session import end

    context = Context.of(ctx)
    section = require_login(context)
    was_there, failed = end(section, context.environ)
    if not was_there:
        context.console.note(f"not logged in at `{section.issuer}`")
    elif failed is not None:
        raise IncompleteError(
            f"logged out on this machine, but the tokens are not revoked: {failed.message}",
            hint="end the session at the identity provider, or wait until the tokens expire",
        )
    else:
        context.console.note(f"logged out at `{section.issuer}`")
