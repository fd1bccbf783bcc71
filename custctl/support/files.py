"""Opening a file that somebody else named: never a pipe or a device, which may be endless, unless intended."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO, Any


class UnfitFileError(OSError):
    """The path does not lead to a regular file."""


def open_regular(path: Path | str) -> int:
    """Open a file for reading, without waiting for a pipe or device. The check uses the opened file.

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
    """Return the content of a file.

    Args:
        largest: maximum number of bytes to read.

    Raises:
        OSError: as `open_regular`; or it cannot be read.
    """
    with open(open_regular(path), "rb") as stream:
        return stream.read(largest)


def require_regular(path: Path | str) -> None:
    """Ensure that a library that opens a file by name does not wait for a pipe or a device.

    Raises:
        OSError: as `open_regular`.
    """
    os.close(open_regular(path))


def is_endless(stream: IO[Any]) -> bool:
    """Tell whether a stream is a device whose data may be endless; a terminal and a pipe do end."""
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
