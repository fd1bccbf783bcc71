"""Shows text that is longer than the screen in the user's pager, like git and gh."""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, TextIO

from custctl.support.children import child_environment
from custctl.terminal.layout import rows_of
from custctl.terminal.streams import ReaderLeftError

_DEFAULT = "less"
# Quit if the text fits, show colours, leave the text on the screen: the same options as git's.
_LESS = "FRX"
_CHOP = "S"  # do not fold lines wider than the screen


class Pager:
    """Shows lines on a terminal, in a pager if they do not fit the screen.

    Args:
        stream: the terminal.
        environ: `PAGER` names the program; `cat` or an empty value means no pager.
        before: called before the pager starts: people may read for hours.
        warn: called with a warning for a person.
    """

    def __init__(
        self, stream: TextIO, environ: Mapping[str, str], before: Callable[[], None], warn: Callable[[str], None]
    ) -> None:
        self._stream = stream
        self._environ = environ
        self._before = before
        self._warn = warn

    def show(self, lines: Iterable[str], *, whole: bool, chop: bool = False) -> None:
        """Write lines until the end, or until the reader quits.

        Args:
            whole: whether all data was already read, so that connections can be closed.
            chop: whether a pager shows wide lines without folding them.

        Raises:
            ReaderLeftError: the reader quit while the list was still being read.
        """
        held: list[str] = []
        rest = iter(lines)
        size = shutil.get_terminal_size()
        # The last line is for the prompt.
        room = size.lines - 1
        for line in rest:
            held.append(line)
            room -= 1 if chop else rows_of(line, size.columns)
            if room < 0:
                break
        command = self._command() if room < 0 else None
        if command is not None:
            if whole:
                self._before()
            process = self._start(command, chop=chop)
            if process is not None:
                if not self._feed(process, held, rest) and not whole:
                    raise ReaderLeftError
                return
        for line in (*held, *rest):
            self._stream.write(line + "\n")

    def _command(self) -> list[str] | None:
        named = self._environ.get("PAGER")
        try:
            command = shlex.split(_DEFAULT if named is None else named)
        except ValueError as error:
            self._warn(f"cannot parse `PAGER`: {error}")
            return None
        if not command or command == ["cat"] or (named is None and shutil.which(_DEFAULT) is None):
            return None
        return command

    def _start(self, command: list[str], *, chop: bool) -> subprocess.Popen[bytes] | None:
        environ = {"LESS": _LESS + _CHOP * chop, "LV": "-c", **self._environ}
        self._stream.flush()
        try:
            # The user's own choice of a program, run without a shell.
            return subprocess.Popen(command, stdin=subprocess.PIPE, env=child_environment(environ))  # noqa: S603
        except OSError as error:
            self._warn(f"cannot start the pager `{command[0]}`: {error.strerror}")
            return None

    def _feed(self, process: subprocess.Popen[bytes], held: Iterable[str], rest: Iterator[str]) -> bool:
        """Send lines to the pager and wait for it to end; return whether it took all of them."""
        assert process.stdin is not None
        pipe: IO[bytes] = process.stdin
        try:
            with _ctrl_c_is_the_pagers():
                try:
                    for line in held:
                        pipe.write(f"{line}\n".encode())
                    # Show what is there, even if the rest takes a while.
                    pipe.flush()
                    for line in rest:
                        pipe.write(f"{line}\n".encode())
                    pipe.close()
                except BrokenPipeError:
                    return False
                finally:
                    with suppress(OSError):
                        pipe.close()
                    process.wait()
        except BaseException:
            # SIGTERM: the pager restores the terminal before it ends.
            process.terminate()
            process.wait()
            raise
        return True


@contextmanager
def _ctrl_c_is_the_pagers() -> Iterator[None]:
    """Leave Ctrl-C to the pager, which shares the terminal: it stops a search or a wait there, not the pager."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        # None: it was not set from Python.
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
