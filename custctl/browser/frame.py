"""What all screens have around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from textual.screen import Screen

from custctl.browser.widgets import Line, Status
from custctl.schema.own import to_text
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.browser.desk import Desk
    from custctl.customers.model import Customer


T = TypeVar("T")


class Frame(Screen[T | None], Generic[T]):
    """A screen under the line that names the database, and above the lines of status and keys.

    Args:
        desk: what it works with.
    """

    KEYS: ClassVar[tuple[str, ...]] = ("? help", "q quit")

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.status = Status(lambda: desk.worker.busy_for)

    def action_back(self) -> None:
        """Close the screen without an answer."""
        self.dismiss(None)

    def title_line(self) -> Line:
        """Return the line that names the profile and its database."""
        desk = self.desk
        mark = "PRODUCTION" if desk.is_production else desk.environment
        text = f" {desk.profile} ({mark}): {desk.location}" + ("  [read-only]" if desk.read_only else "")
        return Line(text, classes="production" if desk.is_production else "title")

    def copy(self, field: str, row: Customer) -> None:
        """Put a field on the terminal's clipboard (OSC 52), as it is stored."""
        text = to_text(row[field])
        if text is None:
            self.status.say(f"`{field}` is empty")
        else:
            self.app.copy_to_clipboard(text)
            self.status.say(f"copied `{field}`: {plural(len(text), 'character', 'characters')}")
