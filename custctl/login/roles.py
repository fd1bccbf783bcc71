"""The three roles, and the role that a token's claims give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from custctl.profiles.model import Login


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
