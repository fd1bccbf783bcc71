"""Where reads go: how fresh each node is, and the interface that decides whether that is fresh enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from custctl.engines.model import Node
    from custctl.support.errors import CustctlError


@dataclass(frozen=True, slots=True)
class LogPosition:
    """A position in a database's log. Positions are comparable only within one epoch.

    Attributes:
        database_id: the database whose log it is.
        epoch: counts the forks of the database's history.
        position: the position in the engine's own units.
    """

    database_id: str
    epoch: int
    position: int


@dataclass(frozen=True, slots=True)
class Freshness:
    """How fresh a node says it is.

    Attributes:
        reached: the position its readers see; on a primary, the end of its log.
        lag: seconds that its readers are behind; None if unknown, 0 for a primary.
        following: whether a standby is connected to its source.
    """

    reached: LogPosition
    lag: float | None
    following: bool


@dataclass(frozen=True, slots=True)
class Source:
    """Where a read was served from.

    Attributes:
        node: the node.
        is_primary: whether that is the primary, fenced or not.
        lag: seconds that its readers are behind; None if unknown.
    """

    node: Node
    is_primary: bool
    lag: float | None

    @property
    def role(self) -> str:
        """`primary` or `replica`."""
        return "primary" if self.is_primary else "replica"

    def __str__(self) -> str:
        return f"{self.role} {self.node}" if self.is_primary else f"{self.role} {self.node}, {behind(self.lag)}"


def behind(lag: float | None) -> str:
    """Return a lag in words."""
    return "behind by an unknown time" if lag is None else f"{lag:.1f} s behind"


class Replicas(Protocol):
    """Decides where reads go, remembers the position of this operator's writes, and informs the user."""

    @property
    def spread(self) -> bool:
        """Whether replicas serve reads."""

    def waves(self, nodes: Sequence[Node]) -> list[list[Node]]:
        """Return the nodes in waves: a read tries the waves in order, and the nodes of a wave all at once."""

    def misfit(self, freshness: Freshness | None) -> str | None:
        """Return why a standby must not serve a read, or None if it may.

        Args:
            freshness: None if the node has no custctl schema or this login may not read it.
        """

    def is_former(self, freshness: Freshness | None) -> bool:
        """Tell whether a primary is outdated: a later epoch of its database was seen before."""

    def check_history(self, database_id: str | None, epoch: int, where: str) -> None:
        """Refuse to write to a former primary.

        Raises:
            SplitBrainError: a later epoch of this database was seen before.
        """

    def read_primary(self, node: Node, freshness: Freshness | None) -> None:
        """Record which node is the primary and its log position."""

    def committed(self, node: Node, reached: LogPosition) -> None:
        """Remember the position that a replica must have reached to serve this operator's writes."""

    def not_learnt(self, error: CustctlError) -> None:
        """Warn that the position of a write could not be determined."""

    def unconfirmed(self, where: str) -> None:
        """Warn that a write is committed, but no standby that it should have waited for has confirmed it."""

    def without_primary(self, node: Node, freshness: Freshness | None, *, fenced: bool, missing: Sequence[str]) -> None:
        """Warn that a node serves because no primary answers.

        Args:
            fenced: whether it is a primary that refuses writes.
            missing: for each node that does not answer, why.
        """

    def passed_over(self, node: Node, error: CustctlError, *, midway: bool) -> None:
        """Warn that a read moves to another node.

        Args:
            midway: whether the rows already read are kept, so that the rest may come from another state.
        """
