"""Writes to stderr everything that people read besides data."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from custctl.support.errors import CustctlError
from custctl.support.text import visible, without_hashes

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_RED, _YELLOW, _CYAN, _RESET = "\x1b[31m", "\x1b[33m", "\x1b[36m", "\x1b[0m"
_ERASE_LINE = "\r\x1b[K"


def wants_color(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether a stream supports colour; see https://no-color.org and https://force-color.org."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and environ.get("TERM") != "dumb"


class Progress(Protocol):
    """The progress of a long task."""

    def advance(self, done: int) -> None:
        """Report the total number of rows done."""


class Console:
    """stderr: announcements, notes, warnings, progress and errors, in one form.

    Args:
        quiet: whether to print errors only.
        verbosity: 0, or how many `-v` were given.
        as_json: whether every line is a JSON object, named after its kind.
        carry: completes the commands in a text, so that they can be pasted.
    """

    def __init__(
        self,
        stream: TextIO,
        environ: Mapping[str, str],
        *,
        quiet: bool = False,
        verbosity: int = 0,
        as_json: bool = False,
        carry: Callable[[str], str] = str,
    ) -> None:
        self._stream = stream
        self._color = wants_color(stream, environ)
        self._draws = stream.isatty() and environ.get("TERM") != "dumb" and not as_json and not quiet
        self._drawn = False
        self._bar: RichProgress | None = None
        self.quiet = quiet
        self.verbosity = verbosity
        self.as_json = as_json
        self._carry = carry

    def announce(self, profile: str, environment: str, database: str) -> None:
        """Announce what the command is about to change."""
        if self.quiet:
            return
        if self.as_json:
            self._object({"announce": {"profile": profile, "environment": environment, "database": database}})
        else:
            self._line(f"{profile} ({environment}): {database}")

    def note(self, text: str) -> None:
        """Print a note."""
        if self.quiet:
            return
        text = self._carry(text)
        if self.as_json:
            self._object({"note": text.strip()})
        else:
            self._line(text)

    def detail(self, text: str) -> None:
        """Print a detail, shown only with `-v`."""
        if self.verbosity:
            self.note(text)

    def warn(self, text: str, hint: str | None = None) -> None:
        """Print a warning."""
        if self.quiet:
            return
        text, hint = self._carry(text), self._carry(hint) if hint else None
        if self.as_json:
            self._object({"warning": text, **({"hint": hint} if hint else {})})
            return
        self._line(text, "warning", _YELLOW)
        if hint:
            self._line(hint, "hint", _CYAN)

    def error(self, error: CustctlError) -> None:
        """Print an error and its hint, as one JSON object if the output is JSON."""
        message, hint = self._carry(error.message), self._carry(error.hint) if error.hint else None
        if self.as_json:
            told = {
                "code": error.exit_code.label,
                "exit_code": int(error.exit_code),
                "message": message,
                "hint": hint,
                "details": error.details,
            }
            self._object({"error": told})
            return
        first, *others = message.split("\n")
        self._line(first, "error", _RED)
        for other in others:
            self._line(f"  {other}")
        if hint:
            self._line(hint, "hint", _CYAN)

    def traceback(self, error: BaseException) -> None:
        """Print an error's traceback."""
        import traceback

        lines = "".join(traceback.format_exception(error)).splitlines()
        if self.as_json:
            self._object({"traceback": lines})
            return
        for line in lines:
            self._line(line)

    def table(self, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        """Print a few rows as part of an error: as a table, or each as a record if a terminal is too narrow.

        In JSON they are in the error's details.
        """
        if self.as_json:
            return
        import shutil

        from custctl.terminal import layout

        cells = [tuple(map(visible, row)) for row in rows]
        room = shutil.get_terminal_size().columns if self._stream.isatty() else None
        widths = layout.fitting(header, cells, room) if room is not None else None
        if room is None or widths is not None:
            lines = layout.table(header, cells, widths=widths)
        else:
            lines = [line for row in cells for line in (*layout.record(header, row, room), "")]
        for line in lines:
            self._line(line)

    def _object(self, document: dict[str, Any]) -> None:
        from custctl.support import exact_json
        from custctl.support.text import escape_json

        self._write(escape_json(exact_json.dumps(document, default=str)) + "\n")

    def _line(self, text: str, label: str | None = None, color: str = "") -> None:
        prefix = ""
        if label:
            prefix = f"{color}{label}:{_RESET} " if self._color else f"{label}: "
        self._write(f"{prefix}{visible(text)}\n")

    def _write(self, text: str) -> None:
        text = without_hashes(text)
        if self._drawn:
            text, self._drawn = _ERASE_LINE + text, False
        if self._bar is not None:
            self._bar.stop()
        self._stream.write(text)
        self._stream.flush()
        if self._bar is not None:
            self._bar.start()

    @contextmanager
    def steps(self) -> Iterator[Callable[[str], None]]:
        """Yield a function that reports a run's steps: on a terminal in one temporary line, otherwise a line per step.

        If the run fails, the terminal shows all steps, because no table follows.
        """
        if not self._draws:
            yield self.note
            return
        told: list[str] = []

        def step(text: str) -> None:
            told.append(text)
            self._draw(text)

        try:
            yield step
        except BaseException:
            for text in told:
                self.note(text)
            raise
        if self._drawn:
            self._write("")

    def _draw(self, text: str) -> None:
        from custctl.terminal.layout import shortened

        width = os.get_terminal_size(self._stream.fileno()).columns
        self._write("")
        self._write(shortened(visible(text), max(width - 1, 1)))
        self._drawn = True

    @contextmanager
    def progress(
        self, what: str, total: int | Callable[[], int] | None, *, beside_data: bool = False
    ) -> Iterator[Progress]:
        """Show rows, rate and time left while the block runs, only on a terminal.

        Args:
            total: the expected number of rows, if known; a function is called only if progress is shown.
            beside_data: whether data may go to the same terminal meanwhile; progress is then not shown.
        """
        if not self._draws or beside_data:
            yield _Silent()
            return
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as ShownProgress

        terminal = RichConsole(file=self._stream, markup=False, highlight=False, emoji=False, no_color=not self._color)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(show_speed=True),
            TextColumn("{task.completed:,.0f} rows, {task.fields[rate]:,.0f}/s", markup=False),
            TimeRemainingColumn(),
        )
        with ShownProgress(*columns, console=terminal, transient=True) as bar:
            self._bar = bar
            try:
                yield _Bar(bar, bar.add_task(visible(what), total=total() if callable(total) else total, rate=0.0))
            finally:
                self._bar = None


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
