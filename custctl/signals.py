"""SIGTERM ends a command as Ctrl-C does: by an exception, so that open transactions are rolled back."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM was received."""


received: KeyboardInterrupt | None = None
"""What the last signal raised: a driver's callback may drop it, and the driver then only says `interrupted`."""

_only_first = False
_exit_code: int | None = None


def _raise(number: int, _frame: FrameType | None) -> None:
    global received  # noqa: PLW0603 - a signal concerns the whole process
    if _exit_code is not None:
        # The command has ended, and only tells it: whoever waits no longer gets its exit code, and no traceback.
        os._exit(_exit_code)
    if _only_first and received is not None:
        return
    received = Terminated() if number == signal.SIGTERM else KeyboardInterrupt()
    raise received


def install() -> None:
    """Turn SIGTERM into `Terminated`, and remember it and Ctrl-C."""
    signal.signal(signal.SIGTERM, _raise)
    # Where the shell started the program in the background, Ctrl-C is not meant for it.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _raise)


@contextmanager
def only_first() -> Iterator[None]:
    """Let the first signal end what is done inside, and ignore others: what has to be put in order then is."""
    global received, _only_first  # noqa: PLW0603 - a signal concerns the whole process
    received, _only_first = None, True
    try:
        yield
    finally:
        _only_first = False


def end_with(code: int) -> None:
    """Let a signal from now on end the process at once, with the code that the command came to."""
    global _exit_code  # noqa: PLW0603 - a signal concerns the whole process
    _exit_code = code
