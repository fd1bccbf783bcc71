"""Where a database is read from: how far each of its nodes has come, and who decides whether that will do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from custctl.engines.model import Node
    from custctl.support.errors import CustctlError


@dataclass(frozen=True, slots=True)
class LogPosition:
    """A place in a database's log; two compare only within one epoch.

    Attributes:
        database_id: whose log it is.
        epoch: counts the forks of the database's history.
        position: the place, as the engine counts.
    """

    database_id: str
    epoch: int
    position: int


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far a node has come by its own word.

    Attributes:
        reached: what its readers see; of a primary, the end of its log.
        lag: seconds that its readers are behind, or None where that is not known; 0 for a primary.
        following: whether a standby is connected to what it receives from.
    """

    reached: LogPosition
    lag: float | None
    following: bool


@dataclass(frozen=True, slots=True)
class Source:
    """Where a read was served from.

    Attributes:
        node: the node.
        is_primary: whether that is the primary, be it fenced.
        lag: seconds that its readers are behind, or None where that is not known.
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
    """What decides where reads go, keeps what was written from here, and tells people of it."""

    @property
    def spread(self) -> bool:
        """Whether replicas serve reads."""

    def waves(self, nodes: Sequence[Node]) -> list[list[Node]]:
        """Return the nodes in the order in which a read tries them, those of a wave all at once."""

    def misfit(self, freshness: Freshness | None) -> str | None:
        """Return why a standby is not to serve, or None where it may.

        Args:
            freshness: None where the node has no custctl schema, or this login may not read it.
        """

    def is_former(self, freshness: Freshness | None) -> bool:
        """Tell whether a primary's history was overtaken: a later epoch of its database was met before."""

    def check_history(self, database_id: str | None, epoch: int, where: str) -> None:
        """Refuse to write to a former primary.

        Raises:
            SplitBrainError: a later epoch of this database was met before.
        """

    def read_primary(self, node: Node, freshness: Freshness | None) -> None:
        """Take note of which node is the primary, and where it stands."""

    def committed(self, node: Node, reached: LogPosition) -> None:
        """Keep the position that a replica must have reached to serve what was written from here."""

    def not_learnt(self, error: CustctlError) -> None:
        """Tell that the position of what was written could not be learnt."""

    def unconfirmed(self, where: str) -> None:
        """Tell that a write is committed, and no standby has confirmed it that it should have waited for."""

    def without_primary(self, node: Node, freshness: Freshness | None, *, fenced: bool, missing: Sequence[str]) -> None:
        """Tell that a node serves for want of a primary.

        Args:
            fenced: whether it is a primary that takes no writes.
            missing: why each of the nodes does not answer that do not.
        """

    def passed_over(self, node: Node, error: CustctlError, *, midway: bool) -> None:
        """Tell that a read goes on at another node.

        Args:
            midway: whether what was read before stays, so that the rest is of a later state.
        """
