"""Chooses the node to connect to: the primary for writes, a replica for reads that may go there.

There is at most one connection. If only a less suitable node answers, the user is told, and data missing on that node
is reported as unknown rather than missing.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from custctl.engines.base import Database, EngineSettings
from custctl.engines.model import Node
from custctl.engines.nodes import Dialler, Fit, Rank
from custctl.engines.reads import Source
from custctl.support.errors import CredentialError, CustctlError, NotFoundError, PendingError, UnavailableError

if TYPE_CHECKING:
    from custctl.engines.connection import Connection
    from custctl.engines.reads import Freshness, Replicas


@dataclass(slots=True)
class Link:
    """An open connection to a node, and what is known about that node.

    Attributes:
        node: the node.
        driver: the driver's connection.
        writable: whether the node accepts writes.
        fenced: whether it is a primary that refuses writes.
        freshness: how fresh it is, if that was asked for and is available.
        to_read: whether it was chosen for reads only.
        missing: for each node that was tried first and did not answer, why.
        in_place_of_primary: whether it serves because no better node answers, so that the primary may have what this
            node lacks.
        is_reported: whether the user has been told that.
        doubted: whether something was requested that it lacks.
    """

    node: Node
    driver: Any
    writable: bool
    fenced: bool
    freshness: Freshness | None = None
    to_read: bool = False
    missing: Sequence[str] = ()
    in_place_of_primary: bool = False
    is_reported: bool = False
    doubted: bool = False

    @property
    def is_standby(self) -> bool:
        """Whether it is a standby of another node."""
        return not self.writable and not self.fenced


class ReachedDatabase(Database):
    """A database with several nodes, connected to one of them at a time."""

    def __init__(self, settings: EngineSettings) -> None:
        self.location = settings.location
        self.settings = settings
        self._link: Link | None = None
        self._connection: Connection | None = None
        self._passed_over: set[str] = set()

    # -- what an engine implements -----------------------------------------------------------------

    @abstractmethod
    def _over(self, driver: Any) -> Connection:
        """Wrap the driver's connection in one for the program's own statements."""

    @abstractmethod
    def dial(self, node: Node) -> Any:
        """Return the driver's connection to a node, in autocommit.

        Raises:
            CustctlError: translated from the driver's error.
        """

    def _dial_to_read(self, node: Node) -> Any:
        """Return a connection like `dial` does, but one that a read-only node accepts."""
        return self.dial(node)

    @abstractmethod
    def _is_primary(self, driver: Any) -> bool:
        """Tell whether a connection can be written to."""

    def _is_fenced(self, driver: Any) -> bool:
        """Tell whether a connection leads to a primary that refuses writes."""
        return False

    @abstractmethod
    def _freshness(self, node: Node, driver: Any) -> Freshness | None:
        """Return how fresh a node is; None if it has no custctl schema or this login may not see it.

        Raises:
            CustctlError: translated from the driver's error; the connection is closed.
        """

    # -- the one connection ------------------------------------------------------------------------

    def connect(self, *, replica: bool = False) -> Connection:
        """Return the connection to the primary or, if no primary answers, to another node.

        Args:
            replica: whether any sufficiently fresh node will do.
        """
        held, link = self._connection, self._link
        if held is not None and (held.closed or (link and link.to_read and not replica)):
            self.close()
        if self._connection is None:
            self._link = None
            self._link = self._find_to_read() if replica and self._spread is not None else self._find()
            self._connection = self._over(self._link.driver)
            self._connection.own = self.own
        return self._connection

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()

    def _find(self) -> Link:
        """Connect to the primary, or to the next best node."""

        def link(node: Node) -> Link:
            driver = self.dial(node)
            made = Link(node, driver, self._is_primary(driver), self._is_fenced(driver))
            if not made.writable and self.settings.replicas is not None:
                made.freshness = self._freshness(node, driver)
            return made

        def rank(made: Link) -> Rank:
            return (Fit.BEST,) if made.writable else _spare(made)

        return self._search(link, rank, [self.settings.nodes])

    def _find_to_read(self) -> Link:
        """Connect to a sufficiently fresh replica, else to the primary, else to the freshest node."""
        replicas = self._spread
        assert replicas is not None

        def link(node: Node) -> Link:
            driver = self._dial_to_read(node)
            freshness = self._freshness(node, driver)
            return Link(node, driver, self._is_primary(driver), self._is_fenced(driver), freshness, to_read=True)

        def rank(made: Link) -> Rank:
            if made.is_standby:
                return _spare(made) if replicas.misfit(made.freshness) else (Fit.BEST,)
            return (Fit.GOOD,) if made.writable and not replicas.is_former(made.freshness) else _spare(made)

        nodes = [node for node in self.settings.nodes if node.name not in self._passed_over]
        found = self._search(link, rank, replicas.waves(nodes))
        if found.writable:
            replicas.read_primary(found.node, found.freshness)
        return found

    def _search(
        self, link: Callable[[Node], Link], rank: Callable[[Link], Rank], waves: Sequence[Sequence[Node]]
    ) -> Link:
        timeout = self.settings.connect_timeout
        # Before the timeout starts: a keyring or an identity provider may take longer than that.
        with suppress(CredentialError):
            self.settings.password()
        self.settings.renew()
        reached = Dialler(link, rank, lambda made: made.driver.close(), waves, timeout).connect()
        found = reached.connection
        found.missing = reached.missing
        found.in_place_of_primary = (
            self.settings.replicas is not None and not found.writable and rank(found)[0] is Fit.SPARE
        )
        return found

    @property
    def _spread(self) -> Replicas | None:
        """The interface that decides where reads go; None if all reads go to the primary."""
        replicas = self.settings.replicas
        return replicas if replicas is not None and replicas.spread else None

    @property
    def node(self) -> Node | None:
        return self._link.node if self._link else None

    # -- when the right node is missing ------------------------------------------------------------

    def _warn_of_outage(self) -> None:
        link, replicas = self._link, self.settings.replicas
        if link is not None and replicas is not None and link.in_place_of_primary and not link.is_reported:
            link.is_reported = True
            replicas.without_primary(link.node, link.freshness, fenced=link.fenced, missing=link.missing)

    @contextmanager
    def _doubts(self) -> Iterator[None]:
        """Report missing data as missing only if the node can know that; one that replaces the primary may lack it."""
        try:
            yield
        except (NotFoundError, PendingError) as error:
            link = self._link
            if link is None or not link.in_place_of_primary:
                raise
            # No other node knows more: this is the freshest of those that answer.
            link.doubted = True
            raise UnavailableError(
                f"{error.message}, as far as node {link.node} knows; no primary answers",
                hint="try again when the primary is back; `custctl replica status` shows who is who",
            ) from error

    def pass_over(self, error: CustctlError, *, midway: bool = False) -> bool:
        link, replicas = self._link, self._spread
        if replicas is None or link is None or not link.to_read or link.writable:
            return False
        if link.doubted or not _is_of_node(error):
            return False
        self.close()
        self._link = None
        self._passed_over.add(link.node.name)
        if all(node.name in self._passed_over for node in self.settings.nodes):
            return False
        replicas.passed_over(link.node, error, midway=midway)
        return True

    @property
    def source(self) -> Source | None:
        link = self._link
        if link is None:
            return None
        lag = link.freshness.lag if link.freshness else None
        return Source(link.node, is_primary=not link.is_standby, lag=lag if link.is_standby else 0.0)

    def _check_not_missing(self) -> None:
        """Refuse to write to a standby while the primary does not answer, as it may be back soon.

        Raises:
            UnavailableError: at least one node does not answer, and those that do are standbys.
        """
        link = self._link
        if link is not None and link.in_place_of_primary and link.is_standby and link.missing:
            raise UnavailableError(
                f"no primary answers: {'; '.join(link.missing)}; node {link.node} is a standby; nothing was written",
                hint="`custctl replica status` shows who is who",
            )


def _spare(link: Link) -> Rank:
    """Return the rank of a node that serves only if no better one answers; the freshest comes first.

    Within one history a primary comes first, even a fenced one, because its standbys have nothing that it lacks.
    """
    if link.freshness is None:
        return Fit.SPARE, 1
    reached = link.freshness.reached
    return Fit.SPARE, 0, -reached.epoch, link.is_standby, -reached.position


def _is_of_node(error: CustctlError) -> bool:
    """Tell whether another node may succeed; a statement timeout (57014) would happen there too."""
    if isinstance(error, PendingError):
        return True
    return isinstance(error, UnavailableError) and error.details.get("sqlstate") != "57014"
