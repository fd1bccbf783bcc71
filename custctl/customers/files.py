"""Opening files that the user names."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from custctl.customers.steady import Steady
from custctl.support.errors import UnavailableError, UsageError
from custctl.support.files import is_endless, open_input


@contextmanager
def opened(file: Path | IO[bytes]) -> Iterator[IO[bytes]]:
    """Open a file for reading twice; a stream that can be read only once is copied to an unnamed file.

    Args:
        file: its path, or a stream that the caller owns.

    Raises:
        UnavailableError: it is a pipe, and nothing writes to it.
        UsageError: it cannot be read.
        InvalidError: while reading, if the file has changed.
    """
    with _seekable(file) as data:
        yield io.BufferedReader(Steady(data))


@contextmanager
def _seekable(file: Path | IO[bytes]) -> Iterator[IO[bytes]]:
    if not isinstance(file, Path):
        if is_endless(file):
            raise UsageError("standard input cannot be read: it is a device, not a file")
        with _spooled(file) as spool:
            yield spool
        return
    data, begun = open_named(file)
    with data:
        if data.seekable():
            yield data
            return
        with _spooled(data, begun) as spool:
            yield spool


def open_named(path: Path) -> tuple[IO[bytes], bytes]:
    """Open a file that the user names, for reading once.

    Returns:
        The stream, and the bytes that were already read from a pipe.

    Raises:
        UnavailableError: it is a pipe, and nothing writes to it.
        UsageError: it cannot be read.
    """
    try:
        stream, begun = open_input(path)
    except TimeoutError as error:
        raise UnavailableError(
            f"`{path}` cannot be read: {error.strerror}", hint="start the program that writes to it, then run it again"
        ) from error
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror}") from error
    if is_endless(stream):
        stream.close()
        raise UsageError(f"`{path}` cannot be read: it is a device, not a file")
    return stream, begun


@contextmanager
def _spooled(stream: IO[bytes], begun: bytes = b"") -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as spool:
        spool.write(begun)
        while chunk := _read(stream):
            spool.write(chunk)
        spool.seek(0)
        yield spool


def _read(stream: IO[bytes]) -> bytes:
    try:
        return stream.read(1 << 20)
    except OSError as error:
        raise UnavailableError(f"the input cannot be read: {error.strerror}", hint="nothing was imported") from error
