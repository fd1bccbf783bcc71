"""stdin, stdout and stderr of the process: UTF-8, and no failure of theirs is lost or becomes Python's own message."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Output(io.FileIO):
    """stdout or stderr below their buffers.

    What cannot be written is dropped, and the reason is kept: a command that goes on says how it ends, and Python's own
    flush at the end of the process finds nothing to complain of.

    Args:
        descriptor: the file's number; it stays open.
        lost: why nothing can be written, where that is known from the start.
    """

    def __init__(self, descriptor: int, lost: OSError | None = None) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._closed = lost
        self.lost: OSError | None = None
        """Why what was written is lost; None while all of it was taken."""

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
    """Return why what was written to a stream is lost; None where it is not, as far as is known before a flush."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.lost if isinstance(raw, Output) else None


def drop(stream: TextIO, reason: OSError) -> None:
    """Let what is written to a stream, and what its buffers still hold, go nowhere."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    if isinstance(raw, Output):
        raw.lost = raw.lost or reason


def prepare_streams() -> None:
    """Make the streams UTF-8 with plain line feeds, whatever the locale says."""
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
    """Keep Python's own words off stderr: warnings, and errors of objects and threads that nobody waits for.

    What goes wrong in a command reaches its end as an exception, and is told there.
    """
    import threading
    import warnings

    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    sys.unraisablehook = lambda _: None
    threading.excepthook = lambda _: None


def silence_logging() -> None:
    """Keep what libraries log off stderr. Called where one is used that logs: the module is no light one."""
    import logging

    logging.lastResort = None
