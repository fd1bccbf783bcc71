"""Makes stdin, stdout and stderr UTF-8, and ensures that no failure is lost or reported by Python itself."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class ReaderLeftError(BrokenPipeError):
    """The reader quit while a list was still being read; not a failure."""


class Output(io.FileIO):
    """The raw stream below the buffer of stdout or stderr.

    What cannot be written is dropped and the reason is kept. So the command continues and reports how it ends, and
    Python's own flush at the end of the process does not fail.

    Args:
        descriptor: the file descriptor; it stays open.
        lost: why nothing can be written, if known from the start.
    """

    def __init__(self, descriptor: int, lost: OSError | None = None) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._closed = lost
        self.lost: OSError | None = None
        """Why output was lost; None if everything was written so far."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write the data, or drop it if it cannot be written."""
        size = memoryview(data).nbytes
        if self.lost is None:
            try:
                if self._closed is not None:
                    raise self._closed
                # None: the other end has made the pipe non-blocking, and it is full.
                while (written := super().write(data)) is None:
                    self._wait()
                return written
            except OSError as error:
                self.lost = error
        return size

    def _wait(self) -> None:
        import select

        select.select([], [self], [])


def lost_output(stream: TextIO) -> OSError | None:
    """Return why a stream's output was lost, or None if no loss is known before a flush."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.lost if isinstance(raw, Output) else None


def drop(stream: TextIO, reason: OSError) -> None:
    """Discard everything written to a stream from now on, and its buffered data."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    if isinstance(raw, Output):
        raw.lost = raw.lost or reason


def prepare_streams() -> None:
    """Make the streams UTF-8 with plain line feeds, regardless of the locale."""
    closed = [stream is None for stream in (sys.stdin, sys.stdout, sys.stderr)]
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # Otherwise the next opened file, perhaps a database, would get the stream's number: the lowest free one.
            os.open(os.devnull, os.O_RDWR)
    if closed[0]:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - for the whole process
    elif hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    sys.stdout = _text(1, "strict", closed=closed[1])
    sys.stderr = _text(2, "backslashreplace", closed=closed[2])


def _text(descriptor: int, errors: str, *, closed: bool) -> TextIO:
    lost = OSError(errno.EBADF, "it is closed") if closed else None
    raw = Output(descriptor, lost)
    lines = descriptor == 2 or raw.isatty()
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors=errors, newline="\n", line_buffering=lines)


def silence_python() -> None:
    """Keep Python's own messages off stderr: warnings, and errors in destructors and background threads.

    A command's own errors are exceptions, reported at its end.
    """
    import threading
    import warnings

    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    sys.unraisablehook = lambda _: None
    threading.excepthook = lambda _: None


def silence_logging() -> None:
    """Keep libraries' log messages off stderr. Call it only before using one, because `logging` is slow to import."""
    import logging

    logging.lastResort = None
    logging.raiseExceptions = False  # otherwise `logging` reports once on stderr that there is no handler
