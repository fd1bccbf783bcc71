"""SIGTERM ends a command as Ctrl-C does: by an exception, so that open transactions are rolled back."""

from __future__ import annotations

import signal
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM was received."""


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated


def install() -> None:
    """Turn SIGTERM into `Terminated`."""
    signal.signal(signal.SIGTERM, _terminate)
