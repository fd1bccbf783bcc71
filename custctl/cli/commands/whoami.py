"""`custctl whoami`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from custctl.cli.context import Context
from custctl.cli.options import PLAIN, command
from custctl.support.errors import UsageError

if TYPE_CHECKING:
    from custctl.identity.login.session import Session
    from custctl.profiles.model import Login

COLUMNS = ("profile", "actor", "name", "email", "role", "issuer", "client_id", "expires_at", "source")


@command(
    shared=(*PLAIN, "fields"),
    examples="""
custctl whoami --env prod
custctl whoami -o json
""",
)
def whoami(ctx: typer.Context) -> None:
    """Show who is logged in, with which role and until when. The audit records this operator."""
    context = Context.of(ctx)
    context.renderer.one(as_row(context, context.opened.session), COLUMNS)


def as_row(context: Context, session: Session | None) -> dict[str, Any]:
    """Return a login as a record; None stands for the user of this process."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"profile": context.profile.name, "source": "operating system"}
    login = context.profile.login
    if session is None or login is None:
        return {**row, "actor": context.opened.actor}
    told = {name: value for name in ("name", "email") if isinstance(value := session.claims.get(name), str)}
    return {
        **row,
        **told,
        "actor": session.subject,
        "role": str(session.role) if session.role is not None else None,
        "issuer": login.issuer,
        "client_id": login.client_id,
        "expires_at": datetime.fromtimestamp(session.expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "source": session.source,
    }


def require_login(context: Context) -> Login:
    """Return the profile's section `login`.

    Raises:
        UsageError: the profile has no such section.
    """
    login = context.profile.login
    if login is None:
        raise UsageError(
            f"profile `{context.profile.name}` has no `login`",
            hint="`login: {issuer: https://…, client_id: …, roles: {…}}` makes operators log in",
        )
    return login
