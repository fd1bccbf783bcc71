"""The list screen, and the application around it."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.widgets import Input

from custctl.cli.browser import columns
from custctl.cli.browser.asking import ChoiceScreen, FilterScreen, HelpScreen
from custctl.cli.browser.editing import delete, edit
from custctl.cli.browser.frame import Frame
from custctl.cli.browser.pages import SIZE, Answer, Pages, Request, read
from custctl.cli.browser.record import HistoryScreen, RecordScreen, open_account
from custctl.cli.browser.view import View
from custctl.cli.browser.widgets import Line, Rows
from custctl.customers.model import FIELDS
from custctl.support.errors import CustctlError
from custctl.support.fieldnames import in_option, sorted_by

if TYPE_CHECKING:
    from textual.timer import Timer

    from custctl.cli.browser.desk import Desk
    from custctl.customers.model import Customer

_PAUSE = 0.15  # seconds without a key before the search starts
_SIGNALS = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 143}

CSS = """
Screen, ModalScreen { background: ansi_default; color: ansi_default; layout: vertical; }
.title { text-style: bold; }
.production { background: ansi_red; color: ansi_bright_white; text-style: bold; }
.columns { text-style: underline; }
.keys { text-style: dim; }
.field { height: 1; }
Line.label { width: 16; }
Rows { height: 1fr; width: 100%; }
Input { height: 1; border: none; padding: 0 1; background: ansi_default; color: ansi_default; }
Input:focus { border: none; text-style: bold; background: ansi_default; }
Input > .input--cursor { text-style: reverse; }
Input > .input--placeholder { text-style: dim; color: ansi_default; }
"""


class ListScreen(Frame[None]):
    """A scrolling list of customers below a search field.

    It holds its widgets for the reason that `LinesScreen` does.
    """

    KEYS: ClassVar[tuple[str, ...]] = (
        "/ search",
        "enter open",
        "s sort",
        "f filter",
        "e edit",
        "a add",
        "d delete",
        "h history",
        "r refresh",
        "? help",
        "q quit",
    )
    BINDINGS: ClassVar = [
        Binding("slash", "search"),
        Binding("escape", "leave"),
        Binding("down", "to_rows(1)"),
        Binding("up", "to_rows(-1)"),
        Binding("r", "again"),
        Binding("c", "copy"),
        Binding("h", "history"),
        Binding("i", "account"),
        Binding("s", "sort"),
        Binding("S", "turn"),
        Binding("f", "filter"),
        Binding("a", "add"),
        Binding("e", "edit"),
        Binding("d", "delete"),
    ]

    def __init__(self, desk: Desk, view: View, first: Answer) -> None:
        super().__init__(desk)
        self.view = view
        self.pages = Pages()
        self._coming: Pages | None = None
        self._reading: Pages | None = None
        self._pause: Timer | None = None
        self._behind: tuple[View, Pages] = view, self.pages
        self._near: list[str] = []
        request = self.pages.wanted()
        assert request is not None
        self.pages.take(request, first)
        self._shown: list[tuple[str, int]] = []
        placeholder = "/ to search by name, email, company or phone"
        self._search = Input(placeholder=placeholder, id="search", select_on_focus=False)
        self._columns = Line(classes="columns")
        self._rows = Rows(self.pages, self._text, moved=self._moved, chosen=self.action_open, to_start=self._to_start)

    def compose(self) -> ComposeResult:
        """Yield the widgets from top to bottom."""
        yield self.title_line()
        yield self._search
        yield self._columns
        yield self._rows
        yield self.status
        yield self.keys_line()

    def on_mount(self) -> None:
        """Focus the list."""
        self._rows.focus()

    # -- what is shown -----------------------------------------------------------------------------

    def _text(self, index: int, width: int) -> str:
        row = self.pages.row(index)
        return columns.line(row, self._shown) if row is not None else ""

    def _draw(self) -> None:
        width = self._rows.size.width - 2
        last = self.pages.row(self.pages.end - 1)
        sort = self.view.sort if not self.view.text else ""
        self._shown = columns.columns(width, sorted_by(sort)[0] or "email", last.id if last else 0)
        self._columns.say(" " + columns.header(self._shown, sort))
        self._rows.show(self.pages)
        if self.status.fault is None:
            self.status.say(self._place())

    def _place(self) -> str:
        pages = self.pages
        if self._coming is not None:
            return f"{self.view.in_words()}   …"
        if pages.end == 0:
            meant = f", did you mean {' or '.join(f'`{text}`' for text in self._near)}?" if self._near else ""
            return f"{self.view.in_words()}   no customer found{meant}"
        count = f"{pages.end:,}" if pages.is_whole else "…"
        loose = "   no exact match" if pages.is_loose else ""
        notes = f"   {self.desk.notes.last}" if self.desk.notes.last else ""
        return f"{pages.at + 1:,} of {count}   {self.view.in_words()}{loose}{notes}"

    # -- reading -----------------------------------------------------------------------------------

    def _moved(self) -> None:
        self._draw()
        self._feed()

    def _to_start(self) -> None:
        self.pages.home()
        self._moved()

    def look(self, view: View) -> None:
        """Show another view; the old rows stay until the new ones are there."""
        if view == self.view:
            return
        if not self.view.text and self._coming is None:
            self._behind = self.view, self.pages
        self.view, self._coming, self._near = view, Pages(), []
        if self._behind[0] == view:
            # Leaving a search returns to the same place in the list.
            self.pages, self._coming = self._behind[1], None
            self.status.well("")
        self._draw()
        self._feed()

    def again(self) -> None:
        """Reload the shown rows."""
        if self._coming is None:
            self.pages.again()
        self._feed()

    def _feed(self) -> None:
        """Read the next page that is needed, unless a read is running or has failed."""
        pages = self._coming or self.pages
        request = pages.wanted()
        if request is not None and self._reading is not pages:
            self._reading = pages
            self.run_worker(self._read(pages, request, self.view), exit_on_error=True)

    async def _read(self, pages: Pages, request: Request, view: View) -> None:
        customers = self.desk.customers
        try:
            answer = await self.desk.ask(
                lambda: read(request, lambda after: view.fetch(customers, after, SIZE)), kind="list"
            )
        except asyncio.CancelledError:
            self._ended(pages)
        except CustctlError as error:
            # The page stays marked as being read: only `r` or another view retries.
            self.status.fail(error)
        else:
            pages.take(request, answer)
            if pages is self._coming:
                self.pages, self._coming = pages, None
            self.status.well("")
            self._ended(pages)
            if pages is self.pages:
                self._moved()
            if view is self.view and view.text and pages.end == 0:
                await self._suggest(view)

    async def _suggest(self, view: View) -> None:
        """Show what may have been meant by a search without results."""
        with suppress(CustctlError, asyncio.CancelledError):
            found = await self.desk.ask(lambda: view.near(self.desk.opened.database), kind="list")
            if view is self.view:
                self._near = found
                self._draw()

    def _ended(self, pages: Pages) -> None:
        if self._reading is pages:
            self._reading = None

    # -- keys --------------------------------------------------------------------------------------

    def action_search(self) -> None:
        """Focus the search field."""
        self._search.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search after a short pause in typing."""
        if self._pause is not None:
            self._pause.stop()
        text = event.value.strip()
        view = View(text=text) if text else self._behind[0]
        self._pause = self.set_timer(_PAUSE, lambda: self.look(view))

    def on_input_submitted(self) -> None:
        """Move the focus to the results."""
        self._rows.focus()

    def action_to_rows(self, by: int) -> None:
        """Move in the list while the search field has the focus."""
        self._rows.action_move(by)

    def action_leave(self) -> None:
        """Leave the search field, then the results."""
        if self._search.has_focus:
            self._rows.focus()
        else:
            self._search.value = ""

    def action_again(self) -> None:
        """Reload."""
        self._reading = None
        self.again()

    def action_open(self) -> None:
        """Open the selected customer."""
        found = self.pages.selected
        if found is not None:
            self.app.push_screen(RecordScreen(self.desk, found, self.again))

    def action_history(self) -> None:
        """Open the history of the selected customer."""
        found = self.pages.selected
        if found is not None:
            self.app.push_screen(HistoryScreen(self.desk, found.id))

    def action_account(self) -> None:
        """Open the account of the selected customer."""
        found = self.pages.selected
        if found is not None:
            open_account(self, found.id)

    def action_add(self) -> None:
        """Add a customer, and open it."""
        edit(self, None, self._added)

    def _added(self, row: Customer) -> None:
        self.again()
        self.app.push_screen(RecordScreen(self.desk, row, self.again))

    def action_edit(self) -> None:
        """Edit the selected customer."""
        found = self.pages.selected
        if found is not None:
            edit(self, found, lambda _: self.again())

    def action_delete(self) -> None:
        """Delete the selected customer."""
        found = self.pages.selected
        if found is not None:
            delete(self, found, lambda _: self.again())

    @property
    def _list_view(self) -> View:
        return self._behind[0] if self.view.text else self.view

    def action_sort(self) -> None:
        """Choose the sort of the list."""
        view = self._list_view
        fields = [*FIELDS, *self.desk.own().names]

        def sort(field: str | None) -> None:
            if field is not None:
                self._list(replace(view, sort=in_option(field)))

        self.app.push_screen(ChoiceScreen(self.desk, "sort by", fields, sorted_by(view.sort)[0]), sort)

    def action_turn(self) -> None:
        """Reverse the sort."""
        view = self._list_view
        sort = view.sort.removeprefix("-") if view.sort.startswith("-") else f"-{view.sort}"
        self._list(replace(view, sort=sort))

    def action_filter(self) -> None:
        """Choose the filters of the list."""
        self.app.push_screen(FilterScreen(self.desk, self._list_view), self._list)

    def _list(self, view: View | None) -> None:
        """Switch to a list."""
        if view is not None:
            with self.prevent(Input.Changed):
                self._search.value = ""
            self.look(view)

    def action_copy(self) -> None:
        """Copy the email."""
        found = self.pages.selected
        if found is not None:
            self.copy("email", found)


class Browser(App[int]):
    """The browser.

    Args:
        desk: the database and what may be done there.
        view: the first view.
        first: its first page.

    Attributes:
        error: the bug that ended it, if any.
    """

    CSS = CSS
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar = [
        Binding("q", "end"),
        Binding("question_mark", "help"),
        Binding("ctrl+c,ctrl+q", "end", priority=True),
        Binding("ctrl+z", "suspend_process", priority=True),
    ]

    def __init__(self, desk: Desk, view: View, first: Answer) -> None:
        super().__init__(ansi_color=True)
        self.desk = desk
        self._first = ListScreen(desk, view, first)
        self.error: Exception | None = None

    def on_mount(self) -> None:
        """Open the list; on a signal, end the browser and restore the terminal."""
        self.push_screen(self._first)
        loop = asyncio.get_running_loop()
        for name, code in _SIGNALS.items():
            # Not on Windows, which has no SIGHUP, and not in a thread.
            with suppress(AttributeError, NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(getattr(signal, name), partial(self.exit, code))

    def action_end(self) -> None:
        """Quit."""
        self.exit(0)

    def action_help(self) -> None:
        """Show the keys."""
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.desk))

    def _handle_exception(self, error: Exception) -> None:
        # Textual would print local variables, which contain customers.
        self.error = error
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._close_messages_no_wait()
