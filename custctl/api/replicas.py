"""A profile's nodes: their status, and plans for another primary."""

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
    """Past switchovers and failovers, oldest first.

    Attributes:
        fault: why the changes recorded in the database are missing; None if they are included.
    """

    items: tuple[Change, ...]
    fault: CustctlError | None


class Replicas:
    """One profile's replicas.

    Each call except `history` raises `RefusedError` if the profile has no replication driver.

    Args:
        opened: the profile.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def status(self) -> Topology:
        """Query all nodes at once, and return each one's role and lag; `health` sums it up.

        A node that does not answer is part of the status, not an error.
        """
        with self.driver() as driver:
            return driver.refreshed(driver.observe())

    def plan_switchover(self, to: str) -> Plan:
        """Return what a switchover would do now, without changing anything.

        Args:
            to: the new primary.

        Raises:
            RefusedError: a safe switchover is not possible now.
            NotFoundError: the profile has no such node.
            UnavailableError: the node does not answer, or another run on this machine is changing the primary.
            SplitBrainError: two nodes accept writes.
        """
        with self.driver() as driver, self.journal.held():
            return driver.plan_switchover(driver.observe(), to, self.journal.unfinished())

    def plan_failover(self, to: str | None = None, accepted: Accepted | None = None) -> Plan:
        """Return what a failover would do now and what could be lost, without changing anything.

        Args:
            to: the new primary; None for the most advanced standby.
            accepted: the risks that the operator knows and accepts; by default none.

        Raises:
            As `plan_switchover`.
        """
        from custctl.replication.plan import Accepted

        with self.driver() as driver, self.journal.held():
            return driver.plan_failover(driver.observe(), to, accepted or Accepted(), self.journal.unfinished())

    def history(self) -> Changes:
        """Return the switchovers and failovers recorded in the database, and those that this machine began."""
        from custctl.replication.history import changes

        found, fault = changes(self._opened.database, self.journal)
        return Changes(tuple(found), fault)

    # -- for changes of the nodes, which the commands make step by step ----------------------------

    @property
    def journal(self) -> Journal:
        """The changes that this machine has begun."""
        from custctl.replication.journal import Journal

        return Journal.of(self._opened.profile, self._opened.environ)

    @contextmanager
    def driver(self, *, changes: bool = False) -> Iterator[Driver]:
        """Open the replication driver for the block.

        Args:
            changes: whether the command changes anything.

        Raises:
            RefusedError: the profile has no driver, or does not allow it to change anything.
        """
        from custctl.replication.nodes import Means
        from custctl.replication.opening import opened as opened_driver

        opened = self._opened
        means = Means(opened.profile, opened.database, opened.environ, opened.actor, opened.tell.note)
        with opened_driver(means, changes=changes) as driver:
            yield driver
