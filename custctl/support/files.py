"""Opens files named by the user; refuses pipes and devices, which may be endless, unless they are allowed.

What is written must not overwrite the database, or what is read.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path
from typing import IO, Any

from custctl.support.errors import UsageError

_PATIENCE = 10.0  # seconds to wait until somebody opens the other end of a named pipe
_PAUSE = 0.05


class UnfitFileError(OSError):
    """The path does not lead to a regular file."""


def open_regular(path: Path | str) -> int:
    """Open a regular file for reading, without waiting on a pipe or device. The check uses the opened file.

    Raises:
        OSError: the file does not exist, or is not a regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    kind = unfit(os.fstat(descriptor).st_mode)
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
    """Ensure that a library that opens a file by name will not wait on a pipe or device.

    Raises:
        OSError: as `open_regular`.
    """
    os.close(open_regular(path))


def open_input(path: Path | str) -> tuple[IO[bytes], bytes]:
    """Open a file, device or named pipe for reading, with a time limit for a pipe that nobody writes to.

    Returns:
        The stream, and the bytes that were already read from a pipe.

    Raises:
        TimeoutError: nothing writes to the pipe.
        OSError: it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    stream = open(descriptor, "rb")  # noqa: SIM115 - the caller closes it
    try:
        begun = _wait_for_writer(descriptor) if stat.S_ISFIFO(os.fstat(descriptor).st_mode) else b""
        if hasattr(os, "O_NONBLOCK"):
            os.set_blocking(descriptor, True)
    except BaseException:
        stream.close()
        raise
    return stream, begun


def _wait_for_writer(descriptor: int) -> bytes:
    """Wait until a pipe has a writer, and return the bytes read by then."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            begun = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return b""  # there is a writer, but no data yet
        if begun:
            return begun
        if time.monotonic() >= deadline:
            raise TimeoutError(errno.ETIMEDOUT, "nothing writes to the pipe")
        time.sleep(_PAUSE)


def open_output(path: Path | str) -> int:
    """Open a device or named pipe for writing, with a time limit for a pipe that nobody reads.

    Raises:
        TimeoutError: nothing reads from the pipe.
        OSError: it cannot be opened.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        except OSError as error:
            if error.errno != errno.ENXIO or not stat.S_ISFIFO(os.stat(path).st_mode):
                raise
            if time.monotonic() >= deadline:
                raise TimeoutError(errno.ETIMEDOUT, "nothing reads from the pipe") from None
            time.sleep(_PAUSE)
        else:
            if hasattr(os, "O_NONBLOCK"):
                os.set_blocking(descriptor, True)
            return descriptor


def check_apart(option: str, path: Path, database: Path | None) -> None:
    """Refuse to overwrite the file of a database, or one that is kept beside it.

    Args:
        option: the option that names the path, for the message.
        path: the file to write.
        database: the database's file, absolute and with links followed; None if it has none.

    Raises:
        UsageError: the path is such a file.
    """
    if database is None:
        return
    beside = [Path(f"{database}{end}") for end in ("", "-wal", "-shm", "-journal", ".lock")]
    if Path(os.path.realpath(path)) in beside or is_same(path, database):
        raise UsageError(f"`{option} {path}` would overwrite the database", hint="name another file")


def is_same(path: Path, other: Path | IO[bytes]) -> bool:
    """Return whether two paths, or a path and a stream, lead to one file; never if one of them is not there."""
    try:
        found = os.stat(other) if isinstance(other, Path) else os.fstat(other.fileno())
        return os.path.samestat(found, os.stat(path))
    except OSError:
        return False


def is_endless(stream: IO[Any]) -> bool:
    """Return whether a stream is a device whose data may be endless; terminals and pipes end."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False  # not a stream of the operating system
    if stat.S_ISBLK(found.st_mode):
        return True
    return stat.S_ISCHR(found.st_mode) and not stream.isatty() and not os.path.samestat(found, os.stat(os.devnull))


def unfit(mode: int) -> str | None:
    """Return what a file's mode says it is instead of a regular file, or None."""
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISDIR(mode):
        return "a directory"
    return "a pipe" if stat.S_ISFIFO(mode) else "a device"
