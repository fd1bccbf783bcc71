"""The part of the interface to a database that knows its nodes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Self

from custctl.engines.model import Node
from custctl.support.errors import CustctlError

if TYPE_CHECKING:
    from custctl.engines.connection import Connection
    from custctl.engines.members import Member


class Cluster:
    """The nodes of a replicated database; a file has none."""

    @property
    def nodes(self) -> Sequence[Node]:
        """The servers that it may be on, in the profile's order; none where it is a file."""
        return ()

    def members(self, names: Collection[str]) -> Mapping[str, Member | CustctlError]:
        """Return a connection to each of these nodes, or why there is none, by name; all are made at once.

        They are the caller's to close.
        """
        return {}

    def branch(self, connection: Connection) -> str | None:
        """Return the branch of the history that a primary is on; None where the engine does not number them."""
        return None

    def at(self, node: str) -> Self:
        """Return the same database on one of its nodes, whatever its role; it has a connection of its own.

        Raises:
            KeyError: there is no such node.
        """
        raise KeyError(node)

    def remember_position(self) -> None:
        """Keep how far the log has come, so that no replica serves this operator which is not so far yet.

        `transact` does that by itself.
        """

    def check_history(self, database_id: str | None, epoch: int) -> None:
        """Refuse to write to a former primary.

        Args:
            database_id: what the database says of itself; so the epoch.

        Raises:
            SplitBrainError: a later epoch of this database was met before.
        """
