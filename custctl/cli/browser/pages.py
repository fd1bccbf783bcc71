"""A window on a list of any length: it holds a few pages and rereads the others by key when they come into view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from custctl.customers.model import Customer
    from custctl.customers.pages import Page

SIZE: Final = 100  # customers per page
HELD: Final = 7  # pages; enough for screens of up to 250 lines
_STARTS: Final = 1000  # cursors of pages, about 150 bytes each


@dataclass(frozen=True, slots=True)
class Request:
    """A page to read.

    Attributes:
        number: the page's number, from 0.
        start: the cursor to start reading at; None for the beginning of the list.
        skip: how many pages to skip from there.
        whole: whether the answer replaces all pages held.
    """

    number: int
    start: str | None = None
    skip: int = 0
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A page that was read.

    Attributes:
        number: the page's number; lower than requested if the list has become shorter.
        starts: the cursors found on the way, by the number of the page that starts there.
    """

    number: int
    page: Page
    starts: dict[int, str | None]


def read(request: Request, fetch: Callable[[str | None], Page]) -> Answer:
    """Read the requested page.

    Args:
        fetch: reads the page that starts at a cursor.
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
    """A selection and a visible part of rows, counted from 0.

    Attributes:
        at: the selected row.
        top: the first visible row.
        height: the number of visible rows.
    """

    first: int
    end: int

    def __init__(self) -> None:
        self.at = 0
        self.top = 0
        self.height = 1

    def move(self, by: int) -> None:
        """Move the selection, at most to the first or last row."""
        self.select(self.at + by)

    def select(self, index: int) -> None:
        """Select a row, or the nearest one that exists."""
        self.at = max(self.first, min(index, self.end - 1))
        self._scroll()

    def resize(self, height: int) -> None:
        """Change the number of visible rows; the selected row stays visible."""
        self.height = max(height, 1)
        self._scroll()

    def _scroll(self) -> None:
        last = max(self.end - self.height, self.first)
        self.top = max(self.first, min(max(self.top, self.at - self.height + 1), self.at, last))


class Lines(Scroll):
    """Rows that are all in memory."""

    def __init__(self, rows: Sequence[str] = ()) -> None:
        super().__init__()
        self.rows = rows

    @property
    def first(self) -> int:  # type: ignore[override]
        """The first row."""
        return 0

    @property
    def end(self) -> int:  # type: ignore[override]
        """The index after the last row."""
        return len(self.rows)

    def replace(self, rows: Sequence[str]) -> None:
        """Replace the rows; the selected index stays."""
        self.rows = rows
        self.select(self.at)


class Pages(Scroll):
    """The window: the pages held of a list, the selected row and the first visible one.

    Rows are counted from the beginning of the list. All pages except the last have the same size.

    Attributes:
        next: the cursor after the last page held; None at the end of the list.
        is_loose: whether no customer had all words of a search; see `custctl.customers.pages.Page`.
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
        self.is_loose = False

    # -- what is held ------------------------------------------------------------------------------

    @property
    def first(self) -> int:  # type: ignore[override]
        """The first row held."""
        return self._number * self._size

    @property
    def end(self) -> int:  # type: ignore[override]
        """The index after the last row held."""
        return self.first + sum(map(len, self._blocks))

    @property
    def is_read(self) -> bool:
        """Whether a page was read yet, even an empty one."""
        return bool(self._blocks)

    @property
    def is_whole(self) -> bool:
        """Whether the end of the list is known, and so its number of rows."""
        return self.is_read and self.next is None

    def row(self, index: int) -> Customer | None:
        """Return a row, if it is held."""
        block, place = divmod(index - self.first, self._size)
        if index < self.first or block >= len(self._blocks) or place >= len(self._blocks[block]):
            return None
        return self._blocks[block][place]

    @property
    def selected(self) -> Customer | None:
        """The selected customer, or None."""
        return self.row(self.at)

    # -- reading -----------------------------------------------------------------------------------

    def again(self) -> None:
        """Ask for the page of the selected row again, in exchange for all pages held."""
        self._again = self._request(self.at // self._size, whole=True)

    def home(self) -> None:
        """Select the first row of the list, now or once it is read."""
        if self.first == 0:
            self.select(0)
        else:
            self._again = Request(0, whole=True)
            self._goes_home = True

    def wanted(self) -> Request | None:
        """Return the next page to read, so that it is there before the selection reaches it; None if none is needed."""
        if self._again is not None:
            return self._again
        # At most as many rows as the window can hold on both sides of any row.
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
        """Add the page read for a request; ignore it if the request is obsolete."""
        if request != self.wanted():
            return
        self._again = None
        kept = None if self._goes_home else self.selected
        self._remember(answer.starts)
        items, after = answer.page.items, answer.page.next
        self.is_loose = answer.page.loose
        if request.whole or answer.number != request.number:
            self._replace(answer)
        elif request.number >= self._number + len(self._blocks):
            self._blocks.append(items)
            self.next = after
        elif after == self._starts.get(self._number):
            self._blocks.insert(0, items)
            self._number -= 1
        else:
            # Rows were added or deleted there: read the following pages again from the end of this one.
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
            # Drop every second cursor of the farther half: its page is reached from the previous cursor.
            far = sorted(self._starts, key=lambda number: -abs(number - self._number))[: _STARTS // 2]
            for number in sorted(far)[1::2]:
                del self._starts[number]

    def _shed(self) -> None:
        """Drop the pages farthest from the selected row."""
        while len(self._blocks) > self._held:
            if self.at - self.first > self.end - self.at:
                self._blocks.pop(0)
                self._number += 1
            else:
                self._blocks.pop()
                self.next = self._starts[self._number + len(self._blocks)]

    def _select_again(self, kept: Customer | None) -> None:
        """Select the same customer, wherever it is now; if it is gone, keep the place."""
        if kept is not None:
            held = self.row(self.at)
            if held is None or held.id != kept.id:
                ids = [row.id for block in self._blocks for row in block]
                if kept.id in ids:
                    shift = self.first + ids.index(kept.id) - self.at
                    self.at, self.top = self.at + shift, self.top + shift
        self.select(self.at)
