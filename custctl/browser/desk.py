"""What the screens work with: one database, what may be done there, and the thread that does it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from custctl.api.customers import Customers
from custctl.browser.kept import KeptEdits
from custctl.browser.pages import SIZE, Pages, read
from custctl.browser.view import View
from custctl.browser.worker import Worker
from custctl.support.errors import CustctlError

if TYPE_CHECKING:
    from custctl.api.opened import Opened
    from custctl.browser.pages import Answer
    from custctl.schema.own import OwnFields

T = TypeVar("T")


class Notes:
    """Takes what would go to stderr, where the screen is; see `custctl.api.telling.Teller`.

    Attributes:
        last: what was told last.
    """

    last: str = ""

    def note(self, text: str) -> None:
        """Show what is good to know."""
        self.last = text

    def detail(self, text: str) -> None:
        """Pass over what only somebody wants who looks for the cause of something."""

    def warn(self, text: str, hint: str | None = None) -> None:
        """Show what may be wrong, and what to do about it."""
        self.last = f"{text} ({hint})" if hint else text


@dataclass
class Desk:
    """What a browser is opened with.

    Attributes:
        profile: its name; `environment` and `location` are its own words.
        read_only: why nothing can be changed, in words; None if it can.
        own: returns the own fields that the database has, as far as known.
        kept: the texts of edits that are not written yet.
        carry: completes the commands in a hint, so that they can be pasted.
        notes: takes what is told besides answers.
    """

    customers: Customers
    worker: Worker
    profile: str
    environment: str
    location: str
    read_only: str | None
    own: Callable[[], OwnFields]
    kept: KeptEdits
    carry: Callable[[str], str] = str
    notes: Notes = field(default_factory=Notes)

    @property
    def is_production(self) -> bool:
        """Whether a destructive action is confirmed by the profile's name."""
        return self.environment == "production"

    async def ask(self, work: Callable[[], T], *, kind: str | None = None) -> T:
        """Run a call on the database's thread; arguments as for `Worker.submit`.

        Raises:
            CustctlError: what went wrong, a bug too.
            asyncio.CancelledError: another call of its kind came after it.
        """
        waiting = asyncio.wrap_future(self.worker.submit(work, kind=kind))
        try:
            # A write goes on whatever becomes of the screen that asked for it.
            return await (waiting if kind is not None else asyncio.shield(waiting))
        except CustctlError:
            raise
        except Exception as error:
            # Its text may contain anything, even a value from a statement.
            raise CustctlError(f"unexpected {type(error).__name__}", hint="this is a bug: please report it") from error

    def first_page(self) -> tuple[View, Answer]:
        """Read the list that is shown first, and wait for it.

        Raises:
            CustctlError: the database cannot be read.
        """
        view, request = View(), Pages().wanted()
        assert request is not None
        work = self.worker.submit(lambda: read(request, lambda after: view.fetch(self.customers, after, SIZE)))
        return view, work.result()


def open_desk(opened: Opened, *, read_only: str | None, carry: Callable[[str], str] = str) -> Desk:
    """Return the desk for a profile, whose database is from now on used by its own thread alone."""
    notes = Notes()
    opened.tell = notes
    profile = opened.profile
    return Desk(
        customers=Customers(opened),
        worker=Worker(opened.let_go),
        profile=profile.name,
        environment=str(profile.environment),
        location=profile.location,
        read_only=read_only,
        own=lambda: opened.database.own,
        kept=KeptEdits(opened.environ, profile.location, profile.name),
        carry=carry,
        notes=notes,
    )
