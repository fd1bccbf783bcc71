"""The part of the interface to a database that writes customers: one by its version, or many at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from custctl.engines.constraints import withheld
from custctl.engines.model import Index, Merge, Remains

if TYPE_CHECKING:
    from custctl.engines.connection import Connection
    from custctl.engines.results import Row
    from custctl.schema.own import Field


BACKUPS = Remains("backups", "custctl does not manage them: they contain the values until they are deleted")
"""What every engine leaves behind."""


class Rows(ABC):
    """The rows of customers: version-checked writes of one, and bulk merges of many."""

    def encode_version(self, raw: Any) -> str:
        """Convert a row version, by default a counter, to the form that clients see, without the epoch."""
        return str(raw)

    def decode_version(self, text: str) -> Any:
        """Return the raw row version.

        Raises:
            ValueError: the text was not made by `encode_version`.
        """
        if not (text.isascii() and text.isdigit()) or int(text) >= 2**63:
            raise ValueError(text)
        return int(text)

    def write_row(self, connection: Connection, columns: Mapping[str, Any], **holds: Any) -> Row | None:
        """Update one customer and return its own columns as stored.

        Args:
            columns: the columns to set.
            holds: the parameters of `customer.update`: the row's id and version, and the epoch.

        Returns:
            None if no row had that version.
        """
        return connection.run("customer.update", columns, **holds).one_or_none()

    def insert_row(self, connection: Connection, columns: Mapping[str, Any]) -> Row:
        """Insert one customer and return its own columns as stored.

        Raises:
            InvalidError: the database did not write it.
        """
        made = connection.run("customer.add", columns).one_or_none()
        if made is None:
            raise withheld()
        return made

    def store_hash(self, connection: Connection, owner: int, stored: str) -> None:
        """Replace the stored hash of a customer's password, without the hash reaching a log of the server."""
        if connection.run("password.update", owner=owner, stored=stored).rowcount == 0:
            connection.run("password.insert", owner=owner, stored=stored)

    def erase_copies(self, connection: Connection) -> None:  # noqa: B027 - most engines have nothing to do
        """Erase copies of the rows that this transaction deletes from the engine's own indexes, logs and free pages.

        Does nothing if the engine keeps such copies until its own housekeeping removes them.
        """

    def require_all_rows(self, connection: Connection) -> None:  # noqa: B027 - most engines hide none
        """Check that this login sees all customers.

        Raises:
            CredentialError: the database may hide customers from this login.
        """

    def scrub(self) -> Sequence[Remains]:
        """Remove what deleted or changed rows left in free space, and return what could not be removed.

        Call it after the transaction that erases; repeating it is harmless. Does nothing if the engine keeps such
        copies until its own housekeeping removes them.
        """
        return ()

    def remains(self) -> Sequence[Remains]:
        """Return what the engine may still hold of erased rows, and how to remove it."""
        return [BACKUPS]

    @abstractmethod
    def own_fields(self, connection: Connection) -> list[Field]:
        """Return the columns of `customer` that are not the product's, from the engine's catalog, in order."""

    @abstractmethod
    def constrained(self, connection: Connection, constraint: str | None) -> list[str]:
        """Return the columns of `customer` that a constraint or unique index applies to.

        Args:
            constraint: its name; None for a foreign key whose name the engine does not report.
        """

    @abstractmethod
    def referring(self, connection: Connection) -> list[tuple[str, str, str]]:
        """Return the foreign keys that prevent deleting a customer they refer to.

        Returns:
            For each, the quoted table and column, and the column of `customer` that it refers to.
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
        """Insert a batch with set-based statements; rows whose key exists are updated or reported as taken.

        Args:
            columns: the columns of each row, including `key`; other columns keep their values.
            rows: non-empty texts and None; each key only once.
            key: a column with a unique index.
            insert: whether rows with a new key are inserted, or reported as absent.
            update: whether rows with a known key are updated, or reported as taken.
        """

    def drop_secondary_indexes(self, connection: Connection, table: str, at_most: int) -> Sequence[Index]:
        """Drop the indexes of a table that only speed up reads, in the caller's transaction.

        Args:
            at_most: drop nothing if the table has more rows.

        Returns:
            The dropped indexes, as the database defines them; empty if this engine or login cannot do that, or if
            another session uses the table.
        """
        return ()

    def has_index(self, connection: Connection, table: str, name: str) -> bool:
        """Tell whether a table has an index that `drop_secondary_indexes` dropped."""
        return False

    def make_index(self, connection: Connection, index: Index) -> None:
        """Create an index again, in the caller's transaction, without a timeout."""
        for statement in index.statements:
            connection.send(statement)
