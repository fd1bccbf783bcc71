"""A window on a list of any length: a few pages held, the others read again by key when the window moves over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from custctl.customers.model import Customer
    from custctl.customers.pages import Page

SIZE: Final = 100  # customers a page
HELD: Final = 7  # pages, for screens of up to 250 lines
_STARTS: Final = 1000  # cursors of pages that are not held, about 150 bytes each


@dataclass(frozen=True, slots=True)
class Request:
    """A page to read.

    Attributes:
        number: which page, from 0.
        start: the cursor where reading begins; None for the beginning of the list.
        skip: how many pages lie between that place and the page.
        whole: whether the answer replaces all that is held.
    """

    number: int
    start: str | None = None
    skip: int = 0
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A page as it was read.

    Attributes:
        number: which page; a lower one than was asked for where the list has become shorter.
        starts: the cursors that were met, by the number of the page that begins there.
    """

    number: int
    page: Page
    starts: dict[int, str | None]


def read(request: Request, fetch: Callable[[str | None], Page]) -> Answer:
    """Carry a request out.

    Args:
        fetch: reads the page that begins at a cursor.
    """
    number = request.number - request.skip
    starts = {number: request.start}
    page = fetch(request.start)
    while number < request.number and page.next is not None:
        number += 1
        starts[number] = page.next
        page = fetch(page.next)
    return Answer(number, page, starts)


class Scroll:
    """Rows of which one is selected and some are shown, counted from 0.

    Attributes:
        at: the selected row.
        top: the first row that is shown.
        height: how many rows are shown.
    """

    first: int
    end: int

    def __init__(self) -> None:
        self.at = 0
        self.top = 0
        self.height = 1

    def move(self, by: int) -> None:
        """Select another row, as far as there are rows."""
        self.select(self.at + by)

    def select(self, index: int) -> None:
        """Select a row, or the nearest one that there is."""
        self.at = max(self.first, min(index, self.end - 1))
        self._scroll()

    def resize(self, height: int) -> None:
        """Show another number of rows; the selected one stays in sight."""
        self.height = max(height, 1)
        self._scroll()

    def _scroll(self) -> None:
        last = max(self.end - self.height, self.first)
        self.top = max(self.first, min(max(self.top, self.at - self.height + 1), self.at, last))


class Lines(Scroll):
    """Rows that are all held."""

    def __init__(self, rows: Sequence[str] = ()) -> None:
        super().__init__()
        self.rows = rows

    @property
    def first(self) -> int:  # type: ignore[override]
        """The first row."""
        return 0

    @property
    def end(self) -> int:  # type: ignore[override]
        """The row behind the last one."""
        return len(self.rows)

    def replace(self, rows: Sequence[str]) -> None:
        """Show other rows; the place stays."""
        self.rows = rows
        self.select(self.at)


class Pages(Scroll):
    """The window: what is held of a list, which row is selected, and which is shown first.

    Rows are counted from the beginning of the list; all pages but the last have the same size.

    Attributes:
        next: the cursor behind the last page that is held; None at the end of the list.
    """

    def __init__(self, size: int = SIZE, held: int = HELD) -> None:
        super().__init__()
        self._size = size
        self._held = held
        self._blocks: list[tuple[Customer, ...]] = []
        self._number = 0
        self._starts: dict[int, str | None] = {0: None}
        self._again: Request | None = Request(0, whole=True)
        self._goes_home = False
        self.next: str | None = None

    # -- what is held ------------------------------------------------------------------------------

    @property
    def first(self) -> int:  # type: ignore[override]
        """The first row that is held."""
        return self._number * self._size

    @property
    def end(self) -> int:  # type: ignore[override]
        """The row behind the last one that is held."""
        return self.first + sum(map(len, self._blocks))

    @property
    def is_read(self) -> bool:
        """Whether anything was read yet, an empty list too."""
        return bool(self._blocks)

    @property
    def is_whole(self) -> bool:
        """Whether the end of the list is known, and so how many rows it has."""
        return self.is_read and self.next is None

    def row(self, index: int) -> Customer | None:
        """Return a row, if it is held."""
        block, place = divmod(index - self.first, self._size)
        if index < self.first or block >= len(self._blocks) or place >= len(self._blocks[block]):
            return None
        return self._blocks[block][place]

    @property
    def selected(self) -> Customer | None:
        """The selected customer, if there is one."""
        return self.row(self.at)

    # -- reading -----------------------------------------------------------------------------------

    def again(self) -> None:
        """Want what is held to be read again."""
        self._again = self._request(self.at // self._size, whole=True)

    def home(self) -> None:
        """Select the first row of the list, at once or when it is read."""
        if self.first == 0:
            self.select(0)
        else:
            self._again = Request(0, whole=True)
            self._goes_home = True

    def wanted(self) -> Request | None:
        """Return the page that is to be read next, so that moving on finds it there; None if there is none."""
        if self._again is not None:
            return self._again
        # Not more than what is held has on both sides of any row.
        margin = min(max(self._size // 2, self.height), (self._held - 2) * self._size // 2)
        if self.next is not None and self.at + margin >= self.end:
            return Request(self._number + len(self._blocks), self.next)
        if self._number > 0 and self.at - margin < self.first:
            return self._request(self._number - 1)
        return None

    def _request(self, number: int, *, whole: bool = False) -> Request:
        anchor = max(known for known in self._starts if known <= number)
        return Request(number, self._starts[anchor], number - anchor, whole)

    def take(self, request: Request, answer: Answer) -> None:
        """Take what was read for a request; for one that is not wanted any more, nothing happens."""
        if request != self.wanted():
            return
        self._again = None
        kept = None if self._goes_home else self.selected
        self._remember(answer.starts)
        items, after = answer.page.items, answer.page.next
        if request.whole or answer.number != request.number:
            self._replace(answer)
        elif request.number >= self._number + len(self._blocks):
            self._blocks.append(items)
            self.next = after
        elif after == self._starts.get(self._number):
            self._blocks.insert(0, items)
            self._number -= 1
        else:
            # Rows came or went there: what follows is read anew from where this page ends now.
            self._replace(answer)
        self._shed()
        if self._goes_home:
            self.at, self._goes_home = 0, False
        self._select_again(kept)

    def _replace(self, answer: Answer) -> None:
        self._number, self._blocks, self.next = answer.number, [answer.page.items], answer.page.next
        for number in [number for number in self._starts if number > answer.number]:
            del self._starts[number]

    def _remember(self, starts: dict[int, str | None]) -> None:
        self._starts.update(starts)
        if len(self._starts) > _STARTS:
            # Every second of the farther ones: pages between are reached from the one before.
            far = sorted(self._starts, key=lambda number: -abs(number - self._number))[: _STARTS // 2]
            for number in sorted(far)[1::2]:
                del self._starts[number]

    def _shed(self) -> None:
        """Let go of the pages that are farthest from the selected row."""
        while len(self._blocks) > self._held:
            if self.at - self.first > self.end - self.at:
                self._blocks.pop(0)
                self._number += 1
            else:
                self._blocks.pop()
                self.next = self._starts[self._number + len(self._blocks)]

    def _select_again(self, kept: Customer | None) -> None:
        """Select the customer that was selected, wherever it is now; else what is in its place."""
        if kept is not None:
            held = self.row(self.at)
            if held is None or held.id != kept.id:
                ids = [row.id for block in self._blocks for row in block]
                if kept.id in ids:
                    shift = self.first + ids.index(kept.id) - self.at
                    self.at, self.top = self.at + shift, self.top + shift
        self.select(self.at)
