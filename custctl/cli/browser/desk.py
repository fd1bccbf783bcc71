"""What the screens share: one database, what may be done there, and the thread that does it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from custctl.api.customers import Customers
from custctl.cli.browser.pages import SIZE, Pages, read
from custctl.cli.browser.unsaved import KeptEdits
from custctl.cli.browser.view import View
from custctl.cli.browser.worker import Worker
from custctl.support.errors import CustctlError

if TYPE_CHECKING:
    from custctl.api.opened import Opened
    from custctl.cli.browser.pages import Answer
    from custctl.schema.own import OwnFields

T = TypeVar("T")


class Notes:
    """Receives messages that would otherwise go to stderr, over the screen; see `custctl.api.reporting.Reporter`.

    Args:
        carry: completes the commands in a hint, so that they can be pasted.

    Attributes:
        last: the last message.
    """

    def __init__(self, carry: Callable[[str], str] = str) -> None:
        self.last = ""
        self._carry = carry

    def note(self, text: str) -> None:
        """Show a note."""
        self.last = text

    def detail(self, text: str) -> None:
        """Ignore a detail."""

    def warn(self, text: str, hint: str | None = None) -> None:
        """Show a warning and the next step."""
        self.last = f"{text} ({self._carry(hint)})" if hint else text


@dataclass
class Desk:
    """The database of a browser, and what the screens need to use it.

    Attributes:
        opened: the profile, and the login.
        profile: the profile's name; `environment` and `location` are as in the profile.
        read_only: why nothing can be changed; None if changes are allowed.
        own: returns the database's own fields, as far as known.
        kept: the unsaved edits.
        carry: completes the commands in a hint, so that they can be pasted.
        notes: receives notes and warnings.
    """

    opened: Opened
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
        """Whether a destructive action must be confirmed by the profile's name."""
        return self.environment == "production"

    async def ask(self, work: Callable[[], T], *, kind: str | None = None) -> T:
        """Run a call on the database's thread; arguments as for `Worker.submit`.

        Raises:
            CustctlError: the call failed, perhaps because of a bug, or the login has expired.
            asyncio.CancelledError: a later call of the same kind replaced it.
        """
        if self.opened.is_login_over:
            # As a write, so that no newer read interrupts it: a refresh token can be used only once.
            await self._asked(self.opened.renew_login, None)
        return await self._asked(work, kind)

    async def _asked(self, work: Callable[[], T], kind: str | None) -> T:
        waiting = asyncio.wrap_future(self.worker.submit(work, kind=kind))
        try:
            # A write continues even if its screen is closed.
            return await (waiting if kind is not None else asyncio.shield(waiting))
        except CustctlError:
            raise
        except Exception as error:
            # The error's text may contain anything, even a value from a statement.
            raise CustctlError(f"unexpected {type(error).__name__}", hint="this is a bug: please report it") from error

    def first_page(self) -> tuple[View, Answer]:
        """Read the first list, and wait for it.

        Raises:
            CustctlError: the database cannot be read.
        """
        view, request = View(), Pages().wanted()
        assert request is not None
        work = self.worker.submit(lambda: read(request, lambda after: view.fetch(self.customers, after, SIZE)))
        return view, work.result()


def open_desk(opened: Opened, *, read_only: str | None, carry: Callable[[str], str] = str) -> Desk:
    """Return the desk for a profile; from now on only the desk's thread uses the database."""
    notes = Notes(carry)
    opened.tell = notes
    profile = opened.profile
    _ = opened.session  # asking the identity provider later would stop the screen
    return Desk(
        opened=opened,
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
