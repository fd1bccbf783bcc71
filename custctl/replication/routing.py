"""Routes reads: spreads them over the replicas that are fresh enough and have this operator's own writes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from custctl.engines.reads import behind
from custctl.replication.positions import Memory
from custctl.support.errors import SplitBrainError

if TYPE_CHECKING:
    from custctl.engines.model import Node
    from custctl.engines.reads import Freshness, LogPosition
    from custctl.replication.positions import Positions
    from custctl.support.errors import CustctlError

_LOOK = "`custctl replica status` shows who is who"


class Reporter(Protocol):
    """Reports to the user."""

    def note(self, text: str) -> None:
        """Report something good to know."""

    def warn(self, text: str, hint: str | None = None) -> None:
        """Report something that may be wrong."""


class Routing:
    """Decides where reads go, and keeps the position of this machine's writes; see `custctl.engines.reads.Replicas`.

    Args:
        positions: the state kept between commands.
        spread: whether replicas serve reads.
        max_lag: seconds that a replica may be behind and still serve.
        tell: reports to the user.
    """

    def __init__(self, positions: Positions, *, spread: bool, max_lag: float, tell: Reporter) -> None:
        self._positions = positions
        self._spread = spread
        self._max_lag = max_lag
        self._tell = tell
        self._is_warned = False

    @property
    def spread(self) -> bool:
        """Whether replicas serve reads."""
        return self._spread

    @cached_property
    def _memory(self) -> Memory:
        try:
            return self._positions.read()
        except OSError as error:
            self._cannot_keep(error)
            return Memory(is_whole=False)

    # -- which node ----------------------------------------------------------------------------------

    def waves(self, nodes: Sequence[Node]) -> list[list[Node]]:
        """Return one random node first, then the others, and last the node last known as the primary.

        Separate commands do not know of each other; a random choice spreads many of them evenly.
        """
        primary = [node for node in nodes if node.name == self._memory.primary]
        others = [node for node in nodes if node not in primary]
        random.shuffle(others)
        return [wave for wave in (others[:1], others[1:], primary) if wave]

    def misfit(self, freshness: Freshness | None) -> str | None:
        """Return why a standby must not serve, or None if it may."""
        if freshness is None:
            return "it does not report its position"
        if not freshness.following:
            return "it is not connected to a primary"
        if freshness.lag is None or freshness.lag > self._max_lag:
            return f"it is {behind(freshness.lag)}"
        if not self._memory.is_whole:
            return "the last write from this machine is unknown"
        return None if self._has_own_writes(freshness.reached) else "it does not have the last write from this machine"

    def _has_own_writes(self, reached: LogPosition) -> bool:
        written = self._memory.reached
        if written is None or not self._memory.is_whole:
            return False
        if reached.database_id != written.database_id:
            return False
        return (reached.epoch, reached.position) >= (written.epoch, written.position)

    def is_former(self, freshness: Freshness | None) -> bool:
        """Tell whether a primary's history is outdated: a later epoch of its database was seen before."""
        met = self._memory.reached
        return (
            freshness is not None
            and met is not None
            and met.database_id == freshness.reached.database_id
            and met.epoch > freshness.reached.epoch
        )

    def check_history(self, database_id: str | None, epoch: int, where: str) -> None:
        """Refuse to write to a former primary.

        Raises:
            SplitBrainError: a later epoch of this database was seen before.
        """
        met = self._memory.reached
        if met is not None and met.database_id == database_id and met.epoch > epoch:
            raise SplitBrainError(
                f"{where} is a former primary that came back: its history is at epoch {epoch}, and epoch {met.epoch}"
                " was met since; nothing was written",
                hint=f"stop it from accepting writes; {_LOOK}. If it was restored from a backup, remove"
                f" `{self._positions.path}`",
                details={"epoch": epoch, "met": met.epoch},
            )

    # -- stored positions ----------------------------------------------------------------------------

    def committed(self, node: Node, reached: LogPosition) -> None:
        """Keep the position that a replica must have reached to show this machine's writes."""
        self._keep(node, reached)

    def read_primary(self, node: Node, freshness: Freshness | None) -> None:
        """Remember which node is the primary, and the history it is on."""
        met = self._memory.reached
        if freshness is None:
            return
        if self.is_former(freshness):
            self._tell.warn(
                f"read from {node}, a former primary that came back: later writes are elsewhere", hint=_LOOK
            )
            return
        reached = freshness.reached
        known = (
            self._memory.is_whole
            and met is not None
            and (met.database_id, met.epoch) == (reached.database_id, reached.epoch)
        )
        if known and met is not None:
            reached = met
        if not known or self._memory.primary != node.name:
            # The stored position is unknown, or of another database with this name; take the primary's instead.
            self._keep(node, reached)

    def _keep(self, node: Node, reached: LogPosition) -> None:
        try:
            self._memory = self._positions.remember(reached, node.name)
        except OSError as error:
            self._memory = Memory(reached, node.name)  # for the rest of this command
            self._cannot_keep(error)

    def _cannot_keep(self, error: OSError) -> None:
        if not self._is_warned and self._spread:
            self._is_warned = True
            from custctl.support.state import SealError

            path, hint = self._positions.path, "name another folder with `XDG_STATE_HOME`"
            if isinstance(error, SealError):
                path, hint = error.filename, "check the file and the free space on its disk"
            self._tell.warn(
                f"`{path}` cannot be written ({(error.strerror or str(error)).lower()}):"
                " reads go to the primary, as replicas may lack what you wrote",
                hint=hint,
            )

    def not_learnt(self, error: CustctlError) -> None:
        """Warn that the position of a write could not be read."""
        if self._spread:
            self._tell.warn(
                f"the write is committed, but the position that a replica must reach to show it is unknown: {error.message}",
                hint="the next reads may not show it",
            )

    def unconfirmed(self, where: str) -> None:
        """Warn that a write is committed, but no synchronous standby confirmed it."""
        self._tell.warn(
            f"the write is committed at {where}, but no synchronous standby confirmed it in time: it is lost if"
            " that node is lost",
            hint=f"standbys that `synchronous_standby_names` there lists are missing, hang or do not replay; {_LOOK}",
        )

    # -- messages ------------------------------------------------------------------------------------

    def without_primary(self, node: Node, freshness: Freshness | None, *, fenced: bool, missing: Sequence[str]) -> None:
        """Report that a node serves the read because there is no primary."""
        if fenced:
            self._tell.note(f"no node accepts writes: read from {node}, a primary that is fenced")
            return
        why = "the primary does not answer" if missing else "no node is the primary"
        lag = behind(freshness.lag) if freshness else behind(None)
        has_all = freshness is not None and self._has_own_writes(freshness.reached)
        lacks = "does not have" if self._memory.is_whole else "may lack"
        own = "" if has_all else f"; it {lacks} the last write from this machine"
        self._tell.note(f"{why}: read from replica {node}, {lag}{own}")

    def passed_over(self, node: Node, error: CustctlError, *, midway: bool) -> None:
        """Report that a read continues at another node."""
        if midway:
            self._tell.note(
                f"replica {node} failed midway ({error.message}): the rest is read from another node, in a later state"
            )
