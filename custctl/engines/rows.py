"""The part of the interface to a database that writes customers: one by its version, or many at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from custctl.engines.model import Index, Merge, Remains

if TYPE_CHECKING:
    from custctl.engines.connection import Connection, Row
    from custctl.schema.own import Field


BACKUPS = Remains("backups", "custctl does not know them: they hold the values until they are deleted")
"""What every engine leaves."""


class Rows(ABC):
    """The rows of customers: version-checked writes of one, and bulk merges of many."""

    @abstractmethod
    def encode_version(self, raw: Any) -> str:
        """Return a row version as clients see it, without the epoch."""

    @abstractmethod
    def decode_version(self, text: str) -> Any:
        """Return the raw row version.

        Raises:
            ValueError: the text was not made by `encode_version`.
        """

    def write_row(self, connection: Connection, columns: Mapping[str, Any], **holds: Any) -> Row | None:
        """Update one customer and return its own columns as the database left them.

        Args:
            columns: what is set.
            holds: the parameters of `customer.update`: the row's id and version, and the epoch.

        Returns:
            None where no row had that version.
        """
        return connection.run("customer.update", columns, **holds).one_or_none()

    def insert_row(self, connection: Connection, columns: Mapping[str, Any]) -> Row:
        """Insert one customer and return its own columns as the database made them."""
        return connection.run("customer.add", columns).one()

    def store_hash(self, connection: Connection, owner: int, stored: str) -> None:
        """Store the hash of a customer's password in place of the one that is there, so that no log of the server has it."""
        if connection.run("password.update", owner=owner, stored=stored).rowcount == 0:
            connection.run("password.insert", owner=owner, stored=stored)

    def erase_copies(self, connection: Connection) -> None:  # noqa: B027 - most engines have nothing to do
        """Leave nothing of the rows that this transaction deletes in indexes, logs and free pages of the engine's own.

        Where the engine keeps such copies until its own housekeeping removes them, nothing is done.
        """

    def scrub(self) -> Sequence[Remains]:
        """Remove what deleted or changed rows left in free space, and return what should have gone and could not.

        Called after the transaction that erases; the same call again does no harm. Where the engine keeps such copies
        until its own housekeeping removes them, nothing is done.
        """
        return ()

    def remains(self) -> Sequence[Remains]:
        """Return what the engine may still hold of erased rows, and what removes it."""
        return [BACKUPS]

    @abstractmethod
    def own_fields(self, connection: Connection) -> list[Field]:
        """Return the columns of `customer` that are not the product's, as the engine's catalog has them, in their order."""

    @abstractmethod
    def constrained(self, connection: Connection, constraint: str | None) -> list[str]:
        """Return the columns of `customer` that a constraint, or a unique index, is about.

        Args:
            constraint: its name; None for a foreign key of which the engine tells no name.
        """

    @abstractmethod
    def referring(self, connection: Connection) -> list[tuple[str, str, str]]:
        """Return what forbids to delete a customer that it refers to: table and column, as a statement has them, and the
        column of `customer` that it refers to.
        """

    @abstractmethod
    def merge(
        self,
        connection: Connection,
        table: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        *,
        key: str,
        insert: bool,
        update: bool,
    ) -> Merge:
        """Insert a batch set by set; rows whose key exists are updated or reported as taken.

        Args:
            columns: the columns of each row, `key` among them; other columns keep what they hold.
            rows: texts, none of them empty, and None; no key twice.
            key: a column with a unique index.
            insert: whether rows with a new key are inserted, or reported as absent.
            update: whether rows with a known key are updated, or reported as taken.
        """

    def drop_secondary_indexes(self, connection: Connection, table: str, at_most: int) -> Sequence[Index]:
        """Drop the indexes of a table that only make reading faster, in the caller's transaction.

        Args:
            at_most: nothing is dropped where the table has more rows.

        Returns:
            What was dropped, as the database defines it. Nothing where this engine or login cannot do that, or where
            somebody else uses the table.
        """
        return ()

    def has_index(self, connection: Connection, table: str, name: str) -> bool:
        """Tell whether a table has an index of that name; asked of those that `drop_secondary_indexes` dropped."""
        return False

    def make_index(self, connection: Connection, index: Index) -> None:
        """Make an index again, in the caller's transaction, however long it takes."""
        for statement in index.statements:
            connection.send(statement)
