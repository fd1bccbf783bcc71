"""The three roles, and the role that a token's claims give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from custctl.support.text import visible

if TYPE_CHECKING:
    from custctl.profiles.model import Login
_LONGEST = 100  # maximum characters of a value in a message
_SHOWN = 5  # maximum values in a message


class Role(StrEnum):
    """What an operator may do, lowest first; each role includes the ones before it."""

    SUPPORT = "support"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Return whether this role includes another one."""
        order = list(Role)
        return order.index(self) >= order.index(other)


def role_of(claims: Mapping[str, Any], login: Login) -> Role | None:
    """Return the highest role that the profile gives for a token's claims, or None."""
    held = set(_words(claims, login.claim))
    found = [role for role in Role if held.intersection(login.roles.get(role, ()))]
    return found[-1] if found else None


def why_no_role(claims: Mapping[str, Any], login: Login) -> str:
    """Return why the claims give no role, and what to do; for an operator without one."""
    held = [f"`{visible(word)[:_LONGEST]}`" for word in dict.fromkeys(_words(claims, login.claim)) if word]
    if held:
        shown = ", ".join(held[:_SHOWN]) + (", …" if len(held) > _SHOWN else "")
        return f"`login.roles` in the profile gives no role to the values of the claim `{login.claim}`: {shown}"
    what = "holds no text" if has_claim(claims, login.claim) else "is missing"
    return (
        f"the claim `{login.claim}` {what}: let the identity provider fill it, or change `login.claim` in the profile"
    )


def has_claim(claims: Mapping[str, Any], name: str) -> bool:
    """Return whether the claims contain a name."""
    return _value(claims, name) is not None


def _value(claims: Mapping[str, Any], name: str) -> Any:
    # A claim's name may contain dots, like a URL. If no claim has the name, it is a path, as in `realm_access.roles`.
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _words(claims: Mapping[str, Any], name: str) -> Iterator[str]:
    value = _value(claims, name)
    if isinstance(value, str):
        # One word, or several, as in `scope`.
        yield value
        yield from value.split()
    elif isinstance(value, list):
        yield from (each for each in value if isinstance(each, str))
