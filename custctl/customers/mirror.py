"""What a writer of customers tells besides: to a cache that has to keep up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from custctl.customers.model import Customer


class Mirror(Protocol):
    """Is told of every write, before and after its commit; it never makes one fail.

    A process that is killed in between has said only that it writes: what was there before is not to be trusted then.
    """

    def writing(self, database_id: str | None, customer_id: int) -> None:
        """Take note, before the commit, that a customer is being written."""

    def wrote(self, database_id: str | None, row: Customer) -> None:
        """Take note of what was committed."""

    def deleted(self, database_id: str | None, customer_id: int, version: str) -> None:
        """Take note that a customer was deleted at a version."""

    def erasing(self, database_id: str | None, customer_id: int) -> None:
        """Take note, before the commit, that a customer is being erased: what is held of it goes now."""

    def erased(self, database_id: str | None, customer_id: int, version: str | None) -> None:
        """Take note that a customer was erased: nothing of it stays, nor of what it was named before.

        Args:
            version: the last one that it had, where that is known.
        """

    def unchanged(self) -> None:
        """Take note that what was begun was not written, and never will be."""


class NoMirror:
    """Tells nobody."""

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
