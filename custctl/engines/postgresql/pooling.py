"""Poolers such as PgBouncer between the program and the server: recognised, lived with, or refused.

A pooler may drop what a login asks for, and in transaction mode each transaction may get another of the server's
sessions. So behind one, the settings come with each transaction and end with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Final

from custctl.engines.postgresql.connection import LimitedConnection, NoAnswerError
from custctl.support.errors import RefusedError, UnavailableError

APPLICATION: Final = "custctl"
"""What the name of every session of ours begins with."""

# Linux gives no process a larger number: 2^22, `PID_MAX_LIMIT` in include/linux/threads.h.
_LARGEST_PID = 1 << 22
_LOOKS = 20  # transactions in which a pooler may hand out a session that is held: a pool has twenty by default
_WHO = "SELECT pg_catalog.pg_backend_pid()"


def is_pooled(driver: LimitedConnection) -> bool:
    """Tell whether a pooler is in between, by what the login has brought; nothing is sent.

    A server reports the name that its session was given among the login's settings; a pooler that drops those reports
    another one. PgBouncer also makes up the number of the server's process: out of 2^32, one in a thousand could be
    one.
    """
    name = driver.info.parameter_status("application_name") or ""
    return not name.startswith(APPLICATION) or not 0 < driver.pgconn.backend_pid <= _LARGEST_PID


def set_config(settings: Mapping[str, str], *, local: bool) -> str:
    """Return the statement that sets them, for the session or for the transaction alone."""
    quoted = {name: value.replace("\\", "\\\\").replace("'", "''") for name, value in settings.items()}
    calls = (f"pg_catalog.set_config('{name}', E'{value}', {local})" for name, value in quoted.items())
    return f"SELECT {', '.join(calls)}"


def keeps_session(driver: LimitedConnection, dial: Callable[[], LimitedConnection]) -> bool:
    """Tell whether an idle client keeps its session, as in PgBouncer's session mode.

    Another client asks for sessions; in transaction mode it is given the first one's sooner or later: at once where
    the pool hands out the one used last, and when its turn comes where it goes round.

    Args:
        driver: outside any transaction.
        dial: makes another connection to the same node.
    """
    mine = _ask(driver)
    with closing(dial()) as other:
        other.patience = driver.patience
        for _ in range(_LOOKS):
            if _ask(other) == mine:
                return False
    return _ask(driver) == mine


def _ask(driver: LimitedConnection) -> int | None:
    row = driver.execute(_WHO).fetchone()
    return row[0] if row else None


def require_session(driver: LimitedConnection, dial: Callable[[], LimitedConnection], where: str, what: str) -> None:
    """Refuse what needs a lock of the session where a pooler does not keep the session.

    Args:
        driver: outside any transaction.
        dial: makes another connection to the same node.
        where: the node, as messages name it.
        what: what needs the lock, in words.

    Raises:
        RefusedError: the session is not kept.
        UnavailableError: the pooler has no second session to look with.
    """
    if not driver.pooled:
        return
    try:
        kept = keeps_session(driver, dial)
    except NoAnswerError as error:
        raise UnavailableError(
            f"{what} needs to know whether the pooler before {where} keeps sessions: a second one could not be opened, {error}",
            hint="allow the pool more sessions, or use the server's own port in `database.nodes` of the profile",
        ) from None
    if not kept:
        raise RefusedError(
            f"{what} needs its own session, but a pooler before {where} passes sessions from client to client",
            hint="use the server's own port, or a pool in session mode, in `database.nodes` of the profile",
        )
