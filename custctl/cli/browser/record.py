"""The screens of one customer: fields, history and account."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from textual.binding import Binding

from custctl.cli.browser import lines
from custctl.cli.browser.editing import delete, edit
from custctl.cli.browser.frame import Frame, LinesScreen
from custctl.support.errors import CustctlError

if TYPE_CHECKING:
    from custctl.api.accounts import Linked
    from custctl.cli.browser.desk import Desk
    from custctl.customers.history import History
    from custctl.customers.model import Customer

T = TypeVar("T")


class RecordScreen(LinesScreen[None]):
    """A customer, field by field.

    Args:
        row: the customer from the list; the screen rereads it.
        changed: called with the customer after a read or write; with None if it no longer exists.
    """

    KEYS: ClassVar[tuple[str, ...]] = (
        "e edit",
        "h history",
        "i account",
        "c copy field",
        "d delete",
        "esc back",
        "r refresh",
        "? help",
        "q quit",
    )
    BINDINGS: ClassVar = [
        Binding("h", "history"),
        Binding("i", "account"),
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

    def action_account(self) -> None:
        """Open the account at the identity provider."""
        open_account(self, self.row.id)


class _AnswerScreen(LinesScreen[None], Generic[T]):
    """What one question about a customer has for an answer."""

    KEYS: ClassVar[tuple[str, ...]] = ("r refresh", "esc back", "? help", "q quit")
    topic: ClassVar[str]

    def __init__(self, desk: Desk, customer_id: int) -> None:
        super().__init__(desk)
        self._customer = customer_id
        self._answer: T | None = None

    def fetch(self, customer_id: int) -> T:
        """Return the answer; it runs on the database's thread."""
        raise NotImplementedError

    def listed(self, answer: T) -> list[str]:
        """Return the answer's lines."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Read the answer. Textual also calls the handlers of the base classes."""
        self.action_again()

    def draw(self) -> None:
        """Show the answer."""
        rows = [] if self._answer is None else self.listed(self._answer)
        self.say(f"{self.topic} of customer {self._customer}", rows)

    def action_again(self) -> None:
        """Read the answer again."""
        self.run_worker(self._read(), exclusive=True, group="read")

    async def _read(self) -> None:
        try:
            self._answer = await self.desk.ask(lambda: self.fetch(self._customer), kind="get")
        except CustctlError as error:
            self.status.fail(error)
            return
        self.status.well("")
        self.draw()


class HistoryScreen(_AnswerScreen["History"]):
    """What happened to a customer, newest first."""

    topic = "history"

    def fetch(self, customer_id: int) -> History:
        """Return the history."""
        return self.desk.customers.history(customer_id)

    def listed(self, answer: History) -> list[str]:
        """Return the lines of the events."""
        return lines.history(answer, self.room)


class AccountScreen(_AnswerScreen["Linked"]):
    """A customer's account, as the identity provider returns it now."""

    topic = "account"

    def fetch(self, customer_id: int) -> Linked:
        """Return the account."""
        from custctl.api.accounts import Accounts

        return Accounts(self.desk.opened).get(customer_id)

    def listed(self, answer: Linked) -> list[str]:
        """Return the account, field by field."""
        return lines.account(answer, self.room, self.desk.carry)


def open_account(screen: Frame[Any], customer_id: int) -> None:
    """Open a customer's account, if the profile has an identity provider."""
    if screen.desk.opened.profile.identity.is_local:
        screen.status.tell("this profile has no identity provider: passwords are kept in its database")
    else:
        screen.app.push_screen(AccountScreen(screen.desk, customer_id))
