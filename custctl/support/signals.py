"""SIGTERM and SIGHUP end a command like Ctrl-C, with an exception, so that what it has begun is undone."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM was received, or SIGHUP, because the terminal is gone."""


class _When(Enum):
    """When a signal is raised."""

    ALWAYS = "always"
    FIRST = "first"
    LATER = "later"


received: KeyboardInterrupt | None = None
"""The exception of the last signal. A driver's callback may swallow it; the driver then reports only `interrupted`."""

_when = _When.ALWAYS
_exit_code: int | None = None


def _raise(number: int, _frame: FrameType | None) -> None:
    global received  # noqa: PLW0603 - a signal concerns the whole process
    if _exit_code is not None:
        # The command has ended and is only reporting: exit now with its exit code, and without a traceback.
        os._exit(_exit_code)
    if _when is not _When.ALWAYS and received is not None:
        return
    received = KeyboardInterrupt() if number == signal.SIGINT else Terminated()
    if _when is not _When.LATER:
        raise received


def install() -> None:
    """Raise `Terminated` on SIGTERM and SIGHUP, and remember these and Ctrl-C."""
    signal.signal(signal.SIGTERM, _raise)
    # In the background of a shell, Ctrl-C is not meant for the program; under `nohup`, neither is SIGHUP.
    for name in ("SIGINT", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise)


def interrupt_of(error: BaseException) -> KeyboardInterrupt | None:
    """Return the signal's exception that an error is or was made from, if any.

    Python 3.11 makes a `RuntimeError` from what is raised in `__set_name__`, while a class is made.
    """
    found: BaseException | None = error
    while found is not None and not isinstance(found, KeyboardInterrupt):
        found = found.__cause__
    return found


@contextmanager
def held_back() -> Iterator[None]:
    """Hold signals back during the block, so that cleanup finishes; `let_through` makes exceptions."""
    global received, _when  # noqa: PLW0603 - a signal concerns the whole process
    received, _when = None, _When.LATER
    try:
        yield
    finally:
        _when = _When.ALWAYS


@contextmanager
def let_through() -> Iterator[None]:
    """Within `held_back`: raise the first signal, even one received earlier. Later ones are ignored."""
    global _when  # noqa: PLW0603 - a signal concerns the whole process
    _when = _When.FIRST
    try:
        if received is not None:
            raise received
        yield
    finally:
        _when = _When.LATER


@contextmanager
def postponed() -> Iterator[None]:
    """Raise a signal that arrives during the block only after it, so that the block either runs whole or fails.

    Within `held_back` alone, nothing is raised.
    """
    global received, _when  # noqa: PLW0603 - a signal concerns the whole process
    before, earlier = _when, received
    if before is _When.ALWAYS:
        received = None
    _when = _When.LATER
    try:
        yield
    finally:
        _when = before
    if before is not _When.LATER and received is not None and received is not earlier:
        raise received


@contextmanager
def next_raises() -> Iterator[None]:
    """After a signal was raised: raise the next one in the block, too, even within `held_back`."""
    global received  # noqa: PLW0603 - a signal concerns the whole process
    first, received = received, None
    try:
        yield
    finally:
        received = received or first


def end_with(code: int) -> None:
    """From now on, a signal ends the process at once with the command's exit code."""
    global _exit_code  # noqa: PLW0603 - a signal concerns the whole process
    _exit_code = code
