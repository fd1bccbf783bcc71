"""Reaching the servers of a database, several at once, within one time limit."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

from custctl.engines.model import Node
from custctl.support.errors import CustctlError, UnavailableError

C = TypeVar("C")

_GRACE = 1.0  # seconds beyond the driver's own limit, which most often tells better what was wrong
_PATIENCE = 0.25  # seconds that a wave has for itself; a connection within one network takes a tenth of that
_CHECK_NODES = "check that the server is running, and check `database.nodes` in the profile"


class Fit(IntEnum):
    """How well a node that answers suits."""

    BEST = 0  # nothing better can come: it is taken at once
    GOOD = 1  # it is taken where nothing better answers in the time of its wave
    SPARE = 2  # it is taken where nothing better answers at all


Rank = tuple[int, ...]
"""A `Fit`, then what decides between nodes of the same one; the least is taken."""


@dataclass(frozen=True, slots=True)
class Reached(Generic[C]):
    """A node that was chosen, and why each of those does not answer that do not."""

    node: Node
    connection: C
    missing: Sequence[str]


class Dialler(Generic[C]):
    """One search among nodes, each dialled in a thread: a driver may hang in a look-up of names, or past its own limit.

    Args:
        dial: connects to one node; raises a `CustctlError` where that fails.
        rank: tells how well a node suits that answers.
        hang_up: closes a connection that is not wanted.
        waves: nodes that are dialled together; the next ones when all of a wave have answered without being the best,
            or its time is over.
        timeout: seconds for all of them.
    """

    def __init__(
        self,
        dial: Callable[[Node], C],
        rank: Callable[[C], Rank],
        hang_up: Callable[[C], None],
        waves: Sequence[Sequence[Node]],
        timeout: float,
    ) -> None:
        self._dial = dial
        self._rank = rank
        self._hang_up = hang_up
        self._waves = list(waves)
        self._nodes = [node for wave in waves for node in wave]
        self._timeout = timeout
        self._answers: queue.SimpleQueue[tuple[Node, C | Exception]] = queue.SimpleQueue()
        self._is_over = False
        self._lock = threading.Lock()  # so that each connection is taken or hung up, and by one alone
        self._pending: set[str] = set()
        self._answered: set[str] = set()
        self._faults: dict[str, Exception] = {}
        self._held: tuple[Rank, Node, C] | None = None

    def connect(self) -> Reached[C]:
        """Return a connection to the node that suits best.

        Raises:
            CredentialError: a node answers, and refuses the login.
            UnavailableError: none answers; the message names each and what was wrong.
        """
        deadline = time.monotonic() + self._timeout + _GRACE
        patience = 0.0
        latest: set[str] = set()
        try:
            while not self._has(Fit.BEST):
                now = time.monotonic()
                over = now >= patience or not latest & self._pending
                if over and self._waves:
                    latest, patience = self._start(self._waves.pop(0)), now + _PATIENCE
                    continue
                if now >= deadline or (over and (self._has(Fit.GOOD) or not self._pending)):
                    break
                self._take((deadline if over else min(patience, deadline)) - now)
        finally:
            self._end()
        if self._held is None:
            raise _unreachable(self._nodes, self._faults, self._timeout)
        _, node, connection = self._held
        missing = [node for node in self._nodes if node.name not in self._answered]
        return Reached(node, connection, [_reason(each, self._faults, self._timeout) for each in missing])

    def _has(self, fit: Fit) -> bool:
        return self._held is not None and self._held[0][0] <= fit

    def _start(self, wave: Sequence[Node]) -> set[str]:
        names = {node.name for node in wave}
        self._pending |= names
        for node in wave:
            threading.Thread(target=self._try, args=(node,), daemon=True).start()
        return names

    def _try(self, node: Node) -> None:
        try:
            connection = self._dial(node)
        except Exception as error:  # noqa: BLE001 - told by the thread that waits
            self._answers.put((node, error))
            return
        with self._lock:
            if not self._is_over:
                self._answers.put((node, connection))
                return
        self._hang_up(connection)

    def _end(self) -> None:
        with self._lock:
            self._is_over = True
        while not self._answers.empty():
            _, answer = self._answers.get()
            if not isinstance(answer, Exception):
                self._hang_up(answer)

    def _take(self, seconds: float) -> None:
        """Wait for an answer, and keep the one that suits best."""
        try:
            node, answer = self._answers.get(timeout=max(seconds, 0.001))
        except queue.Empty:
            return
        self._pending.discard(node.name)
        if isinstance(answer, Exception):
            self._faults[node.name] = answer
            return
        self._answered.add(node.name)
        rank = self._rank(answer)
        if self._held is not None and self._held[0] <= rank:
            self._hang_up(answer)
            return
        if self._held is not None:
            self._hang_up(self._held[2])
        self._held = rank, node, answer


def _reason(node: Node, faults: dict[str, Exception], timeout: float) -> str:
    found = faults.get(node.name)
    message = found.message if isinstance(found, CustctlError) else f"no answer within {timeout:g} s"
    return message if str(node) in message else f"node {node}: {message}"


def _unreachable(nodes: Sequence[Node], faults: dict[str, Exception], timeout: float) -> Exception:
    for fault in faults.values():
        if not isinstance(fault, UnavailableError):
            return fault
    hints = [fault.hint for fault in faults.values() if isinstance(fault, CustctlError) and fault.hint]
    return UnavailableError(
        "; ".join(_reason(node, faults, timeout) for node in nodes),
        hint=hints[0] if hints else _CHECK_NODES,
        details={"nodes": [node.name for node in nodes]},
    )
