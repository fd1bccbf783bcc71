"""The screens of one customer: fields and history."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from custctl.browser import lines
from custctl.browser.editing import delete, edit
from custctl.browser.frame import LinesScreen
from custctl.support.errors import CustctlError

if TYPE_CHECKING:
    from custctl.browser.desk import Desk
    from custctl.customers.history import History
    from custctl.customers.model import Customer


class RecordScreen(LinesScreen[None]):
    """A customer, field by field.

    Args:
        row: the customer from the list; the screen rereads it.
        changed: called with the customer after a read or write; with None if it no longer exists.
    """

    KEYS: ClassVar[tuple[str, ...]] = (
        "e edit",
        "h history",
        "c copy field",
        "d delete",
        "r refresh",
        "esc back",
        "? help",
        "q quit",
    )
    BINDINGS: ClassVar = [
        Binding("h", "history"),
        Binding("c", "copy"),
        Binding("e", "edit"),
        Binding("d", "delete"),
    ]

    def __init__(self, desk: Desk, row: Customer, changed: Callable[[], None]) -> None:
        super().__init__(desk)
        self.row = row
        self._changed = changed
        self._owners: list[str] = []

    def on_mount(self) -> None:
        """Read the current customer. Textual also calls the handlers of the base classes."""
        self.action_again()

    def draw(self) -> None:
        """Show the fields."""
        self._owners, rows = lines.record(self.row, self.room)
        self.say(f"customer {self.row.id}", rows)

    def action_again(self) -> None:
        """Read the customer again."""
        self.run_worker(self._read(), exclusive=True, group="read")

    async def _read(self) -> None:
        try:
            found = await self.desk.ask(lambda: self.desk.customers.get(self.row.id), kind="get")
        except CustctlError as error:
            self.status.fail(error)
            return
        if found != self.row:
            self.row = found
            self._changed()
            self.draw()
        self.status.well("")

    def choose(self) -> None:
        """Copy the field: there is nothing to open here."""
        self.action_copy()

    def action_copy(self) -> None:
        """Copy the selected field."""
        if self._owners:
            self.copy(self._owners[self.lines.at], self.row)

    def action_edit(self) -> None:
        """Edit the customer."""
        edit(self, self.row, self._written)

    def action_delete(self) -> None:
        """Delete the customer."""
        delete(self, self.row, self._written)

    def _written(self, row: Customer | None) -> None:
        self._changed()
        if row is None:
            self.dismiss(None)
        else:
            self.row = row
            self.draw()

    def action_history(self) -> None:
        """Open the history."""
        self.app.push_screen(HistoryScreen(self.desk, self.row.id))


class HistoryScreen(LinesScreen[None]):
    """What happened to a customer, newest first."""

    KEYS: ClassVar[tuple[str, ...]] = ("r refresh", "esc back", "? help", "q quit")

    def __init__(self, desk: Desk, customer_id: int) -> None:
        super().__init__(desk)
        self._customer = customer_id
        self._history: History | None = None

    def on_mount(self) -> None:
        """Read the history. Textual also calls the handlers of the base classes."""
        self.action_again()

    def draw(self) -> None:
        """Show the events."""
        rows = [] if self._history is None else lines.history(self._history, self.room)
        self.say(f"history of customer {self._customer}", rows)

    def action_again(self) -> None:
        """Read the history again."""
        self.run_worker(self._read(), exclusive=True, group="read")

    async def _read(self) -> None:
        try:
            self._history = await self.desk.ask(lambda: self.desk.customers.history(self._customer), kind="get")
        except CustctlError as error:
            self.status.fail(error)
            return
        self.status.well("")
        self.draw()
