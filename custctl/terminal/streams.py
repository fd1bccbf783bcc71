"""stdin, stdout and stderr of the process: UTF-8, and no failure is lost or becomes a message of Python's."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class ReaderLeftError(BrokenPipeError):
    """Whoever reads has seen enough of a list that is still being read: no failure."""


class Output(io.FileIO):
    """stdout or stderr below their buffers.

    What cannot be written is dropped, and the reason is kept: the command continues and reports how it ends, and Python's own
    flush at the end of the process finds nothing to complain of.

    Args:
        descriptor: the file descriptor; it stays open.
        lost: why nothing can be written, if known from the start.
    """

    def __init__(self, descriptor: int, lost: OSError | None = None) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._closed = lost
        self.lost: OSError | None = None
        """Why the output is lost; None as long as everything was written."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write, or drop what cannot be written."""
        size = memoryview(data).nbytes
        if self.lost is None:
            try:
                if self._closed is not None:
                    raise self._closed
                # None: the other end has made it non-blocking, and it is full.
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
    """Return why the output of a stream is lost; None if it is not, as far as known before a flush."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.lost if isinstance(raw, Output) else None


def drop(stream: TextIO, reason: OSError) -> None:
    """Discard what is written to a stream, and what its buffers still contain."""
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
            # Else the next file that is opened, a database perhaps, would be taken for the stream. The lowest number
            # that is free is given.
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
    """Keep Python's own messages off stderr: warnings, and errors of objects and threads that nothing waits for.

    A fault in a command arrives at its end as an exception, and is reported there.
    """
    import threading
    import warnings

    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    sys.unraisablehook = lambda _: None
    threading.excepthook = lambda _: None


def silence_logging() -> None:
    """Keep log messages of libraries off stderr. Called only before such a library is used, because `logging` is slow to import."""
    import logging

    logging.lastResort = None
    logging.raiseExceptions = False  # or `logging` says once on stderr that nobody listens
