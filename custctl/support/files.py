"""Opening a file that somebody else has named: never a pipe or a device, which may never end, unless that is meant."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO, Any


class UnfitFileError(OSError):
    """What is there is no file to read."""


def open_regular(path: Path | str) -> int:
    """Open a file to read it; a pipe or device is not waited for. What was opened is what is looked at.

    Raises:
        OSError: there is none, or it is not a file.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    kind = _unfit(os.fstat(descriptor).st_mode)
    if kind is not None:
        os.close(descriptor)
        raise UnfitFileError(0, f"it is {kind}, not a file")
    return descriptor


def read_regular(path: Path | str, largest: int = -1) -> bytes:
    """Return what a file holds.

    Args:
        largest: bytes to read at the most.

    Raises:
        OSError: as `open_regular`; or it cannot be read.
    """
    with open(open_regular(path), "rb") as stream:
        return stream.read(largest)


def require_regular(path: Path | str) -> None:
    """Make sure that a library which opens a file by its name will not wait for a pipe or a device.

    Raises:
        OSError: as `open_regular`.
    """
    os.close(open_regular(path))


def is_endless(stream: IO[Any]) -> bool:
    """Tell whether a stream is of a device whose data may never end; a terminal's do, and a pipe's."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False  # it is no stream of the system's
    if stat.S_ISBLK(found.st_mode):
        return True
    return stat.S_ISCHR(found.st_mode) and not stream.isatty() and not os.path.samestat(found, os.stat(os.devnull))


def _unfit(mode: int) -> str | None:
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISDIR(mode):
        return "a directory"
    return "a pipe" if stat.S_ISFIFO(mode) else "a device"
