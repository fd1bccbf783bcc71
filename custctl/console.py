"""Everything that a person reads besides data goes through here, to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from custctl.errors import CustctlError
from custctl.text import visible

if TYPE_CHECKING:
    from rich.progress import TaskID

_RED, _YELLOW, _CYAN, _RESET = "\x1b[31m", "\x1b[33m", "\x1b[36m", "\x1b[0m"


def wants_color(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether a stream takes colour; see https://no-color.org and https://force-color.org."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and environ.get("TERM") != "dumb"


class Progress(Protocol):
    """What a long work tells of itself."""

    def advance(self, done: int) -> None:
        """Say how many rows are done in all."""


class Console:
    """stderr: notes, warnings, progress and errors, in one form.

    Args:
        quiet: leaves out notes and progress; announcements, warnings and errors stay.
        verbosity: 0, or how many `-v` were given.
        as_json: errors are printed as one JSON object.
    """

    def __init__(
        self,
        stream: TextIO,
        environ: Mapping[str, str],
        *,
        quiet: bool = False,
        verbosity: int = 0,
        as_json: bool = False,
    ) -> None:
        self._stream = stream
        self._color = wants_color(stream, environ)
        self._dumb = environ.get("TERM") == "dumb"
        self.quiet = quiet
        self.verbosity = verbosity
        self.as_json = as_json

    def announce(self, text: str) -> None:
        """Say what is about to be changed; not even `-q` hides that."""
        self._line(text)

    def note(self, text: str) -> None:
        """Say what is good to know."""
        if not self.quiet:
            self._line(text)

    def detail(self, text: str) -> None:
        """Say what only `-v` asks for."""
        if self.verbosity and not self.quiet:
            self._line(text)

    def warn(self, text: str, hint: str | None = None) -> None:
        """Say what may be wrong."""
        self._line(text, "warning", _YELLOW)
        if hint:
            self._line(hint, "hint", _CYAN)

    def error(self, error: CustctlError) -> None:
        """Print an error and its hint, or one JSON object where that was asked for."""
        if self.as_json:
            import json

            from custctl.text import escape_json

            document = {
                "error": {
                    "code": error.exit_code.label,
                    "exit_code": int(error.exit_code),
                    "message": error.message,
                    "hint": error.hint,
                    "details": error.details,
                }
            }
            self._write(escape_json(json.dumps(document, ensure_ascii=False, default=str)) + "\n")
            return
        first, *others = error.message.split("\n")
        self._line(first, "error", _RED)
        for other in others:
            self._line(f"  {other}")
        if error.hint:
            self._line(error.hint, "hint", _CYAN)

    def table(self, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        """Print a few rows in aligned columns, as part of a message."""
        cells = [tuple(map(visible, row)) for row in (header, *rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
        for row in cells:
            self._line("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def _line(self, text: str, label: str | None = None, color: str = "") -> None:
        prefix = ""
        if label:
            prefix = f"{color}{label}:{_RESET} " if self._color else f"{label}: "
        self._write(f"{prefix}{visible(text)}\n")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            # What nobody reads any more must not end the work that it tells of.
            forget(self._stream)

    @contextmanager
    def progress(self, what: str, total: int | None) -> Iterator[Progress]:
        """Show rows, rate and time left while the block runs; on a terminal alone.

        Args:
            total: how many rows are expected, where that is known.
        """
        if self.quiet or self._dumb or not self._stream.isatty():
            yield _Silent()
            return
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        terminal = RichConsole(file=self._stream, markup=False, highlight=False, emoji=False, no_color=not self._color)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(show_speed=True),
            TextColumn("{task.completed:,.0f} rows, {task.fields[rate]:,.0f}/s", markup=False),
            TimeRemainingColumn(),
        )
        with RichProgress(*columns, console=terminal, transient=True) as bar:
            yield _Bar(bar, bar.add_task(visible(what), total=total, rate=0.0))


class _Silent:
    def advance(self, done: int) -> None:
        pass


class _Bar:
    def __init__(self, bar: object, task: TaskID) -> None:
        from rich.progress import Progress as RichProgress

        assert isinstance(bar, RichProgress)
        self._bar = bar
        self._task = task

    def advance(self, done: int) -> None:
        speed = self._bar.tasks[0].finished_speed or self._bar.tasks[0].speed or 0.0
        self._bar.update(self._task, completed=done, rate=speed)


def forget(stream: TextIO) -> None:
    """Let what is written to a stream, and what it still holds, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def prepare_streams() -> None:
    """Make the streams UTF-8 with plain line feeds, whatever the locale says; one that is closed leads nowhere."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - for the whole process; so below
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    for stream, errors in ((sys.stdout, "strict"), (sys.stderr, "backslashreplace")):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors=errors, newline="\n")
