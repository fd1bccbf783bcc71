"""Connecting to a database's servers, several at once, within one timeout."""

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

_GRACE = 1.0  # seconds beyond the driver's own timeout, whose error is usually more precise
_PATIENCE = 0.25  # seconds before the next wave starts; a connection within one network takes a tenth of that
_CHECK_NODES = "check that the server is running, and check `database.nodes` in the profile"


class Fit(IntEnum):
    """How suitable a node that answers is."""

    BEST = 0  # nothing can be better: use it at once
    GOOD = 1  # use it if nothing better answers during its wave
    SPARE = 2  # use it if nothing better answers at all


Rank = tuple[int, ...]
"""A `Fit`, then tie-breakers between nodes of the same fit; the lowest wins."""


@dataclass(frozen=True, slots=True)
class Reached(Generic[C]):
    """The chosen node, its connection, and why each of the nodes that do not answer does not."""

    node: Node
    connection: C
    missing: Sequence[str]


class Dialler(Generic[C]):
    """One search among nodes.

    Each node is dialled in its own thread, because a driver may hang in a DNS lookup or past its own timeout.

    Args:
        dial: connects to one node; raises a `CustctlError` on failure.
        rank: ranks a node that answers.
        hang_up: closes an unused connection.
        waves: groups of nodes that are dialled together; the next wave starts when all of a wave have answered and none
            is the best, or its time is over.
        timeout: seconds for the whole search.
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
        self._lock = threading.Lock()  # each connection is either taken or hung up, exactly once
        self._pending: set[str] = set()
        self._answered: set[str] = set()
        self._faults: dict[str, Exception] = {}
        self._held: tuple[Rank, Node, C] | None = None

    def connect(self) -> Reached[C]:
        """Return a connection to the most suitable node.

        Raises:
            CredentialError: a node answers but refuses the login.
            UnavailableError: none answers; the message names each node and its error.
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
        except Exception as error:  # noqa: BLE001 - the waiting thread reports it
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
        """Wait for an answer, and keep the best one."""
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
