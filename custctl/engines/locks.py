"""Waiting for the lock of migrations, where the engine cannot queue those who wait."""

from __future__ import annotations

import time
from collections.abc import Callable

from custctl.engines.model import LockHolder
from custctl.support.errors import UnavailableError


def wait_for_lock(
    take: Callable[[], object],
    holder: Callable[[], LockHolder | None],
    timeout: float,
    pause: float,
    on_wait: Callable[[LockHolder | None], None],
) -> None:
    """Try to take a lock until it is free.

    Args:
        take: tries once; returns whether it has the lock.
        holder: returns who has it, if that is known.
        timeout: seconds to wait for another holder.
        pause: seconds between attempts.
        on_wait: called once with the holder, before waiting.

    Raises:
        UnavailableError: timed out; the message names the holder.
    """
    deadline = time.monotonic() + timeout
    waited = False
    while not take():
        if time.monotonic() >= deadline:
            raise lock_is_held(holder())
        if not waited:
            waited = True
            on_wait(holder())
        time.sleep(pause)


def lock_is_held(holder: LockHolder | None) -> UnavailableError:
    """Return the error for a lock that was not free in time."""
    return UnavailableError(
        f"another migration holds the lock{f': {holder.description}' if holder else ''}",
        hint="wait until it ends, or wait longer with `--lock-timeout`",
    )
