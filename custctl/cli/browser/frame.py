"""The parts that all screens share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen

from custctl.cli.browser.pages import Lines
from custctl.cli.browser.widgets import Keys, Line, Message, Rows, Status
from custctl.schema.own import to_text
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.cli.browser.desk import Desk
    from custctl.customers.model import Customer


T = TypeVar("T")

CHANGES: Final = ("a add", "e edit", "d delete")


class Frame(Screen[T | None], Generic[T]):
    """A screen with a title line that names the database above it, and the status and key lines below it.

    Args:
        desk: the database and what may be done there.
    """

    KEYS: ClassVar[tuple[str, ...]] = ("? help", "q quit")
    AGAIN: ClassVar[str] = "r"
    """The key that retries what failed."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.status = Status(lambda: desk.worker.busy_for, self.AGAIN, desk.carry)

    def action_back(self) -> None:
        """Close the screen without a result."""
        self.dismiss(None)

    def keys_line(self) -> Keys:
        """Return the line of keys, without those for changes if changes are not allowed."""
        return Keys([key for key in self.KEYS if not (self.desk.read_only and key in CHANGES)])

    def may_change(self) -> bool:
        """Return whether changes are allowed; if not, say why."""
        if self.desk.read_only is not None:
            self.status.tell(f"read-only: {self.desk.read_only}")
        return self.desk.read_only is None

    def title_line(self) -> Line:
        """Return the line that names the profile and its database."""
        desk = self.desk
        mark = "PRODUCTION" if desk.is_production else desk.environment
        text = f" {desk.profile} ({mark}{', read-only' if desk.read_only else ''}): {desk.location}"
        return Line(text, classes="production" if desk.is_production else "title")

    def copy(self, field: str, row: Customer) -> None:
        """Copy a field's stored value to the terminal's clipboard (OSC 52)."""
        text = to_text(row[field])
        if text is None:
            self.status.tell(f"`{field}` is empty")
        else:
            self.app.copy_to_clipboard(text)
            self.status.tell(f"copied `{field}`: {plural(len(text), 'character', 'characters')}")


class LinesScreen(Frame[T]):
    """A screen of lines from the database.

    It holds its widgets: when it closes, Textual removes them before it cancels a read, which may still draw.
    """

    BINDINGS: ClassVar = [Binding("escape,left,backspace", "back"), Binding("r", "again")]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.lines = Lines()
        self._heading = Message(classes="title")
        self._rows = Rows(self.lines, lambda index, _: self.lines.rows[index], moved=self.draw, chosen=self.choose)

    def compose(self) -> ComposeResult:
        """Yield the widgets from top to bottom."""
        yield self.title_line()
        yield self._heading
        yield self._rows
        yield self.status
        yield self.keys_line()

    def on_mount(self) -> None:
        """Focus the lines."""
        self._rows.focus()
        self.draw()

    @property
    def room(self) -> int:
        """The width of a line in columns."""
        return max(self._rows.size.width - 2, 20)

    def say(self, heading: str, rows: list[str]) -> None:
        """Show these lines."""
        self._heading.say(heading)
        self.lines.replace(rows)
        self._rows.show()

    def draw(self) -> None:
        """Show the current data."""

    def choose(self) -> None:
        """Act on the selected line."""
