"""The role that each command needs, if the profile requires operators to log in.

Only this program checks these roles: anybody who can reach the database without it is limited only by the database's
own roles, unless the database checks the tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from custctl.identity.login.roles import Role, why_no_role
from custctl.support.errors import CredentialError

if TYPE_CHECKING:
    import typer

    from custctl.identity.login.session import Session
    from custctl.profiles.model import Login

FREE = frozenset({"login", "logout", "whoami", "profile list", "profile show", "profile validate"})
"""Commands that need no login, because they use no database."""

_SUPPORT, _OPERATOR, _ADMIN = Role.SUPPORT, Role.OPERATOR, Role.ADMIN

NEEDED = {
    # Reads.
    "audit list": _SUPPORT,
    "audit verify": _SUPPORT,
    "cache status": _SUPPORT,
    "customer export": _SUPPORT,
    "customer get": _SUPPORT,
    "customer history": _SUPPORT,
    "customer list": _SUPPORT,
    "customer search": _SUPPORT,
    "doctor": _SUPPORT,
    "identity status": _SUPPORT,
    "identity verify": _SUPPORT,
    "migrate status": _SUPPORT,
    "migrate validate": _SUPPORT,
    "replica history": _SUPPORT,
    "replica status": _SUPPORT,
    # Writes of customers, caches and accounts.
    "browse": _OPERATOR,
    "cache clear": _OPERATOR,
    "cache warm": _OPERATOR,
    "customer add": _OPERATOR,
    "customer delete": _OPERATOR,
    "customer edit": _OPERATOR,
    "customer import": _OPERATOR,
    "customer reset-password": _OPERATOR,
    "customer set-password": _OPERATOR,
    "customer update": _OPERATOR,
    "customer verify-password": _OPERATOR,
    "identity sync": _OPERATOR,
    # The schema, the servers, and irreversible actions.
    "credential check": _ADMIN,
    "credential delete": _ADMIN,
    "credential set": _ADMIN,
    "customer erase": _ADMIN,
    "identity link": _ADMIN,
    "identity migrate": _ADMIN,
    "identity unlink": _ADMIN,
    "migrate": _ADMIN,
    "migrate baseline": _ADMIN,
    "migrate new": _ADMIN,
    "migrate repair": _ADMIN,
    "replica failover": _ADMIN,
    "replica fence": _ADMIN,
    "replica rejoin": _ADMIN,
    "replica switchover": _ADMIN,
    "replica unfence": _ADMIN,
    "seed": _ADMIN,
}
"""The lowest role for each command."""

# Options that turn a command into another kind of command.
_WITH_OPTION = {("browse", "read_only"): _SUPPORT, ("identity verify", "fix"): _OPERATOR}


def needed(ctx: typer.Context) -> Role | None:
    """Return the role that a command needs, or None if it needs no login."""
    name = _name(ctx)
    if name in FREE:
        return None
    for (command, option), role in _WITH_OPTION.items():
        if command == name and ctx.params.get(option):
            return role
    return NEEDED.get(name, _ADMIN)


def check_role(ctx: typer.Context, role: Role, session: Session, login: Login) -> None:
    """Ensure that the operator's role allows a command.

    Raises:
        CredentialError: the role does not allow it.
    """
    if session.role is not None and session.role.includes(role):
        return
    if session.role is None:
        has, hint = "has no role", why_no_role(session.claims, login)
    else:
        has, hint = f"has the role `{session.role}`", "ask whoever manages the groups at the identity provider"
    raise CredentialError(
        f"`{_name(ctx)}` needs the role `{role}`: `{session.subject}` {has}",
        hint=hint,
        details={"needed": str(role), "role": str(session.role) if session.role else None},
    )


def _name(ctx: typer.Context) -> str:
    """Return a command's name without the program's name."""
    names: list[str] = []
    each = ctx
    while each.parent is not None:
        names.append(each.info_name or "")
        each = each.parent  # type: ignore[assignment]
    return " ".join(reversed(names))
