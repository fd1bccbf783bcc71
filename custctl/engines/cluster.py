"""The part of the interface to a database for its nodes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Self

from custctl.engines.model import Node
from custctl.support.errors import CustctlError

if TYPE_CHECKING:
    from custctl.engines.connection import Connection
    from custctl.engines.members import Member


class Cluster:
    """The nodes of a replicated database; a database file has none."""

    @property
    def nodes(self) -> Sequence[Node]:
        """The servers that it may be on, in the profile's order; empty for a file."""
        return ()

    def members(self, names: Collection[str]) -> Mapping[str, Member | CustctlError]:
        """Connect to these nodes at once; return the connection or the error of each, by name.

        The caller closes the connections.
        """
        return {}

    def branch(self, connection: Connection) -> str | None:
        """Return the branch of the history that a primary is on; None if the engine does not number branches."""
        return None

    def at(self, node: str) -> Self:
        """Return the same database on one of its nodes, whatever its role, with its own connection.

        Raises:
            KeyError: there is no such node.
        """
        raise KeyError(node)

    def remember_position(self) -> None:
        """Remember the current log position, so that no replica behind it serves this operator.

        `transact` does that by itself.
        """

    def check_history(self, database_id: str | None, epoch: int) -> None:
        """Refuse to write to a former primary.

        Args:
            database_id: the id that the database reports.
            epoch: the epoch that it reports.

        Raises:
            SplitBrainError: a later epoch of this database was seen before.
        """
