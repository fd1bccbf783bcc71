"""Notifications of writes to customers, for a cache that must keep up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from custctl.customers.model import Customer


class Mirror(Protocol):
    """Notified of every write, before and after its commit; it never makes a write fail.

    If a process is killed in between, it has announced the write but not its result: the earlier copy must not be
    trusted then.
    """

    def writing(self, database_id: str | None, customer_id: int) -> None:
        """Announce, before the commit, that a customer is being written."""

    def wrote(self, database_id: str | None, row: Customer) -> None:
        """Report what was committed."""

    def deleted(self, database_id: str | None, customer_id: int, version: str) -> None:
        """Report that a customer was deleted at a version."""

    def erasing(self, database_id: str | None, customer_id: int) -> None:
        """Announce, before the commit, that a customer is being erased: its copy is deleted now."""

    def erased(self, database_id: str | None, customer_id: int, version: str | None) -> None:
        """Report that a customer was erased: delete everything about it, including its former names.

        Args:
            version: its last version, if known.
        """

    def unchanged(self) -> None:
        """Report that the announced write did not happen, and never will."""


class NoMirror:
    """Notifies nobody."""

    def writing(self, database_id: str | None, customer_id: int) -> None:
        """See `Mirror`."""

    def wrote(self, database_id: str | None, row: Customer) -> None:
        """See `Mirror`."""

    def deleted(self, database_id: str | None, customer_id: int, version: str) -> None:
        """See `Mirror`."""

    def erasing(self, database_id: str | None, customer_id: int) -> None:
        """See `Mirror`."""

    def erased(self, database_id: str | None, customer_id: int, version: str | None) -> None:
        """See `Mirror`."""

    def unchanged(self) -> None:
        """See `Mirror`."""


NO_MIRROR = NoMirror()
