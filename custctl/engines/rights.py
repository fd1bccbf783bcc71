"""What a login may do, against what its role is to do, for `doctor`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from custctl.engines.model import Check
from custctl.engines.roles import ADMIN, RIGHTS, SUPPORT
from custctl.support.errors import ExitCode
from custctl.support.text import plural

_SHOWN = 4  # rights that are missing, beyond which they are counted

Right = tuple[str, str, str | None]
"""A table, a privilege, and the column it is for, or None where it is the whole table's."""


def all_rights() -> list[Right]:
    """Return every right that a role has, each once."""
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
        roles: those of custctl's roles that it is a member of.
        sovereign: why it needs none of them, in words: a superuser, the owner of the tables.
        lacks: returns what of a role's rights is missing, in words.
        run_script: the command by which an administrator creates the roles and gives them their rights.
        join: the statement that makes this login a member of the least role; None while that role does not exist.
    """
    told = [*roles, *([sovereign] if sovereign else [])]
    yield Check("roles", True, ", ".join(told) or "none of custctl's")
    expected = ADMIN if sovereign else next((role for role in reversed([*RIGHTS]) if role in roles), None)
    if expected is not None:
        missing = lacks(expected)
        hint = f"ask an administrator to run `{run_script}`"
    else:
        # What was granted without a role is good as far as it goes.
        able = next((role for role in reversed([*RIGHTS]) if not lacks(role)), None)
        expected, missing = able or SUPPORT, () if able else lacks(SUPPORT)
        hint = f"ask an administrator to run `{join or run_script}`"
    if missing:
        more = f" and {plural(len(missing) - _SHOWN, 'other', 'others')}" if len(missing) > _SHOWN else ""
        yield Check("rights", False, f"lacks {', '.join(missing[:_SHOWN])}{more}", hint, ExitCode.CREDENTIAL)
    else:
        yield Check("rights", True, f"all that `{expected}` is to have")


def in_words(missing: Sequence[Right]) -> list[str]:
    """Return rights as messages name them; the columns of one table together."""
    found: dict[tuple[str, str], list[str]] = {}
    for table, privilege, column in missing:
        found.setdefault((table, privilege), []).extend([column] if column else [])
    return [
        f"{privilege} on `{table}`" + (f" ({', '.join(columns)})" if columns else "")
        for (table, privilege), columns in found.items()
    ]
