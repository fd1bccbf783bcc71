"""Reaching the servers of a database: all nodes at once, within one time limit."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from custctl.engines.base import Node
from custctl.errors import CustctlError, UnavailableError

C = TypeVar("C")

_GRACE = 1.0  # seconds beyond the driver's own limit, which most often tells better what was wrong


class Dialler(Generic[C]):
    """Connects to nodes, each in a thread: a driver may hang in a look-up of names, or past its own time limit.

    Args:
        dial: connects to one node; raises a `CustctlError` where that fails.
        is_primary: tells whether a connection can be written to.
        hang_up: closes a connection that is not wanted.
    """

    def __init__(
        self, dial: Callable[[Node], C], is_primary: Callable[[C], bool], hang_up: Callable[[C], None]
    ) -> None:
        self._dial = dial
        self._is_primary = is_primary
        self._hang_up = hang_up

    def connect(self, nodes: Sequence[Node], timeout: float) -> tuple[Node, C]:
        """Return a connection to the primary; where there is none, to another node that answers.

        Args:
            timeout: seconds for all of them.

        Raises:
            CredentialError: a node answers, and refuses the login.
            UnavailableError: none answers; the message names each and what was wrong.
        """
        answers: queue.SimpleQueue[tuple[Node, C | CustctlError | Exception]] = queue.SimpleQueue()
        given_up = threading.Event()
        for node in nodes:
            threading.Thread(target=self._try, args=(node, answers, given_up), daemon=True).start()
        deadline = time.monotonic() + timeout + _GRACE
        faults: dict[str, Exception] = {}
        spare: tuple[Node, C] | None = None
        pending = len(nodes)
        try:
            while pending:
                try:
                    node, answer = answers.get(timeout=max(deadline - time.monotonic(), 0.001))
                except queue.Empty:
                    break
                pending -= 1
                if isinstance(answer, Exception):
                    faults[str(node)] = answer
                elif self._is_primary(answer):
                    if spare is not None:
                        self._hang_up(spare[1])
                    return node, answer
                elif spare is None:
                    spare = (node, answer)
                else:
                    self._hang_up(answer)
            if spare is not None:
                return spare
        finally:
            given_up.set()
        raise _unreachable(nodes, faults, timeout)

    def _try(
        self,
        node: Node,
        answers: queue.SimpleQueue[tuple[Node, C | CustctlError | Exception]],
        given_up: threading.Event,
    ) -> None:
        try:
            connection = self._dial(node)
        except Exception as error:  # noqa: BLE001 - told by the thread that waits
            answers.put((node, error))
            return
        if given_up.is_set():
            self._hang_up(connection)
        else:
            answers.put((node, connection))


def _unreachable(nodes: Sequence[Node], faults: dict[str, Exception], timeout: float) -> Exception:
    for fault in faults.values():
        if not isinstance(fault, UnavailableError):
            return fault
    reasons = []
    hints = []
    for node in nodes:
        found = faults.get(str(node))
        message = found.message if isinstance(found, CustctlError) else f"no answer within {timeout:g} s"
        reasons.append(message if str(node) in message else f"node {node}: {message}")
        if isinstance(found, CustctlError) and found.hint:
            hints.append(found.hint)
    return UnavailableError(
        "; ".join(reasons),
        hint=hints[0] if hints else "check that the server runs, and `database.nodes` in the profile",
        details={"nodes": [node.name for node in nodes]},
    )
