"""The widgets of the screens: scrolling rows, and the lines at the top and the bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.content import Content
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from custctl.cli.browser.columns import cut
from custctl.cli.browser.lines import wrapped
from custctl.support.errors import ConflictError, InvalidError, NotFoundError, UsageError
from custctl.support.text import visible

if TYPE_CHECKING:
    from textual.events import Click, MouseScrollDown, MouseScrollUp, Resize
    from textual.geometry import Size

    from custctl.cli.browser.pages import Scroll
    from custctl.support.errors import CustctlError

_PLAIN = Style()
_SELECTED = Style(reverse=True)
_WHEEL = 3  # rows per step of the mouse wheel
_NEWS = 5.0  # seconds for which a message is shown


def _hidden(key: str, action: str) -> Binding:
    return Binding(key, action, show=False)


class Rows(Widget, can_focus=True):
    """Rows of text, one of which is selected.

    Args:
        scroll: the rows and the selection.
        text: returns a row's text for a width.
        moved: called after the selection moved.
        chosen: called on Enter and double click.
    """

    BINDINGS: ClassVar = [
        _hidden("down,j", "move(1)"),
        _hidden("up,k", "move(-1)"),
        _hidden("pagedown,ctrl+f,space", "page(1)"),
        _hidden("pageup,ctrl+b", "page(-1)"),
        _hidden("home,g", "edge(False)"),
        _hidden("end,G", "edge(True)"),
        _hidden("enter", "choose"),
    ]

    def __init__(
        self,
        scroll: Scroll,
        text: Callable[[int, int], str],
        *,
        moved: Callable[[], None] = lambda: None,
        chosen: Callable[[], None] = lambda: None,
        to_start: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self.rows = scroll
        self._text = text
        self._moved = moved
        self._chosen = chosen
        self._to_start = to_start

    def render_line(self, y: int) -> Strip:
        """Return a line of the screen."""
        index = self.rows.top + y
        width = self.size.width
        if not self.rows.first <= index < self.rows.end:
            return Strip([Segment(" " * width, _PLAIN)])
        style = _SELECTED if index == self.rows.at else _PLAIN
        return Strip([Segment(cut(f" {self._text(index, width - 2)}", width), style)])

    def show(self, scroll: Scroll | None = None) -> None:
        """Redraw, optionally with other rows."""
        if scroll is not None:
            self.rows = scroll
        self.rows.resize(self.size.height)
        self.refresh()

    def on_resize(self, event: Resize) -> None:
        """Keep the selected row visible."""
        self.rows.resize(event.size.height)
        self._moved()

    def action_move(self, by: int) -> None:
        """Select another row."""
        self.rows.move(by)
        self.refresh()
        self._moved()

    def action_page(self, by: int) -> None:
        """Move by the height of the widget."""
        self.action_move(by * max(self.rows.height - 1, 1))

    def action_edge(self, last: bool) -> None:
        """Select the first row, or the last one held."""
        if not last and self._to_start is not None:
            self._to_start()
            return
        self.action_move((self.rows.end - 1 if last else self.rows.first) - self.rows.at)

    def action_choose(self) -> None:
        """Open the selected row."""
        self._chosen()

    def on_click(self, event: Click) -> None:
        """Select a row; open it on a double click."""
        index = self.rows.top + event.y
        if self.rows.first <= index < self.rows.end:
            self.action_move(index - self.rows.at)
            if getattr(event, "chain", 1) == 2:
                self._chosen()

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Move down."""
        event.stop()
        self.action_move(_WHEEL)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Move up."""
        event.stop()
        self.action_move(-_WHEEL)


class Line(Static):
    """A line of text, cut to the width."""

    DEFAULT_CSS = "Line { height: 1; width: 100%; }"

    def __init__(self, text: str = "", *, id: str | None = None, classes: str = "") -> None:
        super().__init__("", markup=False, id=id, classes=classes)
        self.text = text

    def say(self, text: str) -> None:
        """Set the text."""
        self.text = text
        self.refresh()

    def render(self) -> Content:
        """Return the text that fits, safe for the terminal and without markup."""
        return Content(cut(visible(self.text), self.size.width).rstrip())


class Message(Line):
    """A text on as many lines as it needs, below a sixth of the screen."""

    DEFAULT_CSS = "Message { height: auto; max-height: 4; width: 100%; }"

    def say(self, text: str) -> None:
        """Set the text."""
        self.text = text
        self.refresh(layout=True)

    @property
    def current(self) -> str:
        """The text to show now."""
        return self.text

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of lines for a width."""
        return len(self._lines(width))

    def render(self) -> Content:
        """Return the lines; the last one is cut if there are too many."""
        lines = self._lines(self.size.width)
        shown = lines[: self.size.height]
        if len(lines) > len(shown) and shown:
            shown[-1] = cut(f"{shown[-1]} {lines[len(shown)].lstrip()}", self.size.width)
        return Content("\n".join(shown))

    def _lines(self, width: int) -> list[str]:
        return [f" {line}" for line in wrapped(visible(self.current), max(width - 2, 10))]


class Keys(Line):
    """The bottom line: the keys and what they do.

    Args:
        keys: in order of importance; the last two are never omitted.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__(classes="keys")
        self._keys = keys

    def render(self) -> Content:
        """Return as many keys as fit."""
        *kept, more, leave = self._keys
        while kept and len("  ".join((*kept, more, leave))) > self.size.width - 2:
            kept.pop()
        return Content(" " + "  ".join((*kept, more, leave)))


class Status(Message):
    """The lines above the keys: progress, an error or a note.

    Args:
        busy_for: returns for how many seconds the current call has been running.
        again: the key that retries what failed.
        carry: completes the commands in a hint.
    """

    def __init__(self, busy_for: Callable[[], float], again: str, carry: Callable[[str], str]) -> None:
        super().__init__(classes="status")
        self._again = again
        self._carry = carry
        self._busy_for = busy_for
        self._fault: CustctlError | None = None
        self._since = ""
        self._news = ""
        self._news_end = 0.0
        self._drawn = ""

    def on_mount(self) -> None:
        """Look regularly how long a call takes, and whether a message has been shown long enough."""
        self.set_interval(0.25, self._draw)

    def _draw(self) -> None:
        if self.current != self._drawn:
            self._drawn = self.current
            self.refresh(layout=True)

    @property
    def fault(self) -> CustctlError | None:
        """The last error, until a call succeeds."""
        return self._fault

    def fail(self, error: CustctlError) -> None:
        """Show an error, and since when."""
        if self._fault is None or self._fault.message != error.message:
            self._since = time.strftime("%H:%M:%S")
        self._fault = error
        self._draw()

    def tell(self, text: str) -> None:
        """Show briefly what a key did."""
        self._news, self._news_end = text, time.monotonic() + _NEWS
        self._draw()

    def well(self, text: str) -> None:
        """Show the current state, and clear the error."""
        self._fault = None
        self.text = text
        self._draw()

    @property
    def current(self) -> str:
        """The most urgent message."""
        seconds = int(self._busy_for())
        waiting = f"waiting for the database, {seconds} s" if seconds else ""
        if self._fault is not None:
            hint = f" ({self._carry(self._fault.hint)})" if self._fault.hint else ""
            # The next step comes first: a narrow screen cuts the end.
            told = waiting or f"since {self._since}, {self._again} tries again"
            is_typed = isinstance(self._fault, UsageError | InvalidError | ConflictError | NotFoundError)
            return f"! {'' if is_typed else f'{told}: '}{self._fault.message}{hint}"
        news = self._news if time.monotonic() < self._news_end else ""
        return waiting or news or self.text
