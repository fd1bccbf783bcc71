"""Detects poolers such as PgBouncer between the program and the server, and refuses them where a session is needed.

A pooler may ignore the settings of a login, and in transaction mode each transaction may get another server session. So
behind a pooler, each transaction sets its own settings, which end with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Final

from custctl.engines.postgresql.connection import LimitedConnection, NoAnswerError
from custctl.support.errors import RefusedError, UnavailableError

APPLICATION: Final = "custctl"
"""The start of the application name of all our sessions."""

# The largest process id on Linux: 2^22, `PID_MAX_LIMIT` in include/linux/threads.h.
_LARGEST_PID = 1 << 22
_LOOKS = 20  # transactions in which a pooler may hand out our session: a pool has twenty sessions by default
_WHO = "SELECT pg_catalog.pg_backend_pid()"


def is_pooled(driver: LimitedConnection) -> bool:
    """Tell whether a pooler is in between, from what the server sent with the login, without a query.

    A server reports the application name from the login's settings; a pooler that drops those settings reports another
    one. PgBouncer also makes up the process id, from 2^32 numbers: one in a thousand could be real.
    """
    name = driver.info.parameter_status("application_name") or ""
    return not name.startswith(APPLICATION) or not 0 < driver.pgconn.backend_pid <= _LARGEST_PID


def set_config(settings: Mapping[str, str], *, local: bool) -> str:
    """Return the statement that makes these settings, for the session or only for the transaction."""
    quoted = {name: value.replace("\\", "\\\\").replace("'", "''") for name, value in settings.items()}
    calls = (f"pg_catalog.set_config('{name}', E'{value}', {local})" for name, value in quoted.items())
    return f"SELECT {', '.join(calls)}"


def keeps_session(driver: LimitedConnection, dial: Callable[[], LimitedConnection]) -> bool:
    """Tell whether an idle client keeps its session, as in PgBouncer's session mode.

    A second client runs transactions. In transaction mode it gets the first client's session sooner or later: at once
    if the pool hands out the session used last, or in its turn if the pool rotates.

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
    """Refuse an operation that needs a session-level lock if a pooler does not keep the session.

    Args:
        driver: outside any transaction.
        dial: makes another connection to the same node.
        where: the node, as named in messages.
        what: the operation that needs the lock, in words.

    Raises:
        RefusedError: the pooler does not keep the session.
        UnavailableError: the pooler has no second session for the check.
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
