"""The nodes of a profile: how they stand, and what it would take to make another one the primary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from custctl.api.opened import Opened
    from custctl.replication.driver import Driver
    from custctl.replication.history import Change
    from custctl.replication.journal import Journal
    from custctl.replication.plan import Accepted, Plan
    from custctl.replication.topology import Topology
    from custctl.support.errors import CustctlError


@dataclass(frozen=True, slots=True)
class Changes:
    """The switchovers and failovers there have been, oldest first.

    Attributes:
        fault: why those are missing that the database has recorded; None if they are not.
    """

    items: tuple[Change, ...]
    fault: CustctlError | None


class Replicas:
    """The replicas of one profile.

    Each call but `history` raises `RefusedError` where the profile names nothing that keeps replicas.

    Args:
        opened: the profile's.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def status(self) -> Topology:
        """Ask all nodes at once, and return who is who and how far each is behind; `health` sums it up.

        A node that does not answer is a part of it, not an error.
        """
        with self.driver() as driver:
            return driver.refreshed(driver.observe())

    def plan_switchover(self, to: str) -> Plan:
        """Return what a switchover would do now. Nothing is changed.

        Args:
            to: the node that becomes the primary.

        Raises:
            RefusedError: it cannot be done safely as things are.
            NotFoundError: the profile has no such node.
            UnavailableError: the node does not answer, or another run on this machine changes the primary.
            SplitBrainError: two nodes accept writes.
        """
        with self.driver() as driver, self.journal.held():
            return driver.plan_switchover(driver.observe(), to, self.journal.unfinished())

    def plan_failover(self, to: str | None = None, accepted: Accepted | None = None) -> Plan:
        """Return what a failover would do now, and what could be lost. Nothing is changed.

        Args:
            to: the node that becomes the primary; None for the standby that has the most.
            accepted: what the operator knows and accepts; by default nothing.

        Raises:
            As `plan_switchover`.
        """
        from custctl.replication.plan import Accepted

        with self.driver() as driver, self.journal.held():
            return driver.plan_failover(driver.observe(), to, accepted or Accepted(), self.journal.unfinished())

    def history(self) -> Changes:
        """Return the switchovers and failovers that the database has recorded, and those that this machine began."""
        from custctl.replication.history import changes

        found, fault = changes(self._opened.database, self.journal)
        return Changes(tuple(found), fault)

    # -- for what changes the nodes, which the commands do step by step ----------------------------

    @property
    def journal(self) -> Journal:
        """What this machine has begun."""
        from custctl.replication.journal import Journal

        return Journal.of(self._opened.profile, self._opened.environ)

    @contextmanager
    def driver(self, *, changes: bool = False) -> Iterator[Driver]:
        """Open what keeps the replicas, for the block.

        Args:
            changes: whether the command changes anything.

        Raises:
            RefusedError: the profile names none, or does not allow it to change anything.
        """
        from custctl.replication.nodes import Means
        from custctl.replication.opening import opened as opened_driver

        opened = self._opened
        means = Means(opened.profile, opened.database, opened.environ, opened.actor, opened.tell.note)
        with opened_driver(means, changes=changes) as driver:
            yield driver
