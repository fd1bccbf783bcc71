"""Compares a login's rights with those that its role should have, for `doctor`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from custctl.engines.model import Check
from custctl.engines.roles import ADMIN, RIGHTS, SUPPORT
from custctl.support.errors import ExitCode
from custctl.support.text import plural

_SHOWN = 4  # missing rights that are listed; the others are only counted

Right = tuple[str, str, str | None]
"""A table, a privilege, and the column it applies to; None means the whole table."""


def all_rights() -> list[Right]:
    """Return the rights of all roles, without duplicates."""
    return list(dict.fromkeys(right for role in RIGHTS for right in rights_of(role)))


def rights_of(role: str) -> list[Right]:
    """Return the rights of a role."""
    return [
        (table, privilege, column)
        for table, granted in RIGHTS[role].items()
        for privilege, columns in granted.items()
        for column in (columns or (None,))
    ]


def judge(
    roles: Sequence[str],
    sovereign: str | None,
    lacks: Callable[[str], Sequence[str]],
    *,
    run_script: str,
    join: str | None,
) -> Iterator[Check]:
    """Yield the checks of a login's roles and rights.

    Args:
        roles: custctl's roles that the login is a member of.
        sovereign: why it needs none of them, in words, such as a superuser or the owner of the tables.
        lacks: returns the rights of a role that are missing, in words.
        run_script: the command with which an administrator creates the roles and grants their rights.
        join: the statement that makes this login a member of the least role; None if that role does not exist.
    """
    told = [*roles, *([sovereign] if sovereign else [])]
    yield Check("roles", True, ", ".join(told) or "none of custctl's")
    expected = ADMIN if sovereign else next((role for role in reversed([*RIGHTS]) if role in roles), None)
    if expected is not None:
        missing = lacks(expected)
        hint = f"ask an administrator to run `{run_script}`"
    else:
        # Rights granted directly, without a role, count too.
        able = next((role for role in reversed([*RIGHTS]) if not lacks(role)), None)
        expected, missing = able or SUPPORT, () if able else lacks(SUPPORT)
        hint = f"ask an administrator to run `{join or run_script}`"
    if missing:
        more = f" and {plural(len(missing) - _SHOWN, 'other', 'others')}" if len(missing) > _SHOWN else ""
        yield Check("rights", False, f"lacks {', '.join(missing[:_SHOWN])}{more}", hint, ExitCode.CREDENTIAL)
    else:
        yield Check("rights", True, f"all that `{expected}` needs")


def in_words(missing: Sequence[Right]) -> list[str]:
    """Format rights for messages, with the columns of one table together."""
    found: dict[tuple[str, str], list[str]] = {}
    for table, privilege, column in missing:
        found.setdefault((table, privilege), []).extend([column] if column else [])
    return [
        f"{privilege} on `{table}`" + (f" ({', '.join(columns)})" if columns else "")
        for (table, privilege), columns in found.items()
    ]
