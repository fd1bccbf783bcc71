"""Checks whether the database's ports accept connections, which decides whether a cached row is marked as stale.

A cached row needs no connection to the database, so it does not show whether the database is up. The check runs at most
once a second for all processes of a user on a machine, and does not log in.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from custctl.cache.wire import numeric_addresses

if TYPE_CHECKING:
    from custctl.cache.memory import Memory

_AGAIN = 1.0  # seconds between two checks
_PATIENCE = 0.05  # seconds; a server that takes longer may be far away, and counts as reachable


def is_down(servers: Sequence[tuple[str, int]], memory: Memory) -> bool:
    """Tell whether every server refuses connections.

    Args:
        servers: host and port of each; a server whose name needs a lookup counts as reachable.
    """
    if not servers:
        return False
    age, there = memory.seen
    if age <= _AGAIN:
        return not there
    there = any(_answers(servers))
    memory.saw(there)
    return not there


def _answers(servers: Sequence[tuple[str, int]]) -> list[bool]:
    found: list[bool] = []
    with selectors.DefaultSelector() as waiting:
        for host, port in servers:
            try:
                family, kind, protocol, _, address = numeric_addresses(host, port)[0]
            except OSError:
                return [True]
            made = socket.socket(family, kind, protocol)
            made.setblocking(False)
            state = made.connect_ex(address)
            if state == errno.EINPROGRESS:
                waiting.register(made, selectors.EVENT_WRITE)
            else:
                found.append(state == 0)
                made.close()
        deadline = time.monotonic() + _PATIENCE
        while waiting.get_map():
            ready = waiting.select(max(deadline - time.monotonic(), 0))
            if not ready:
                break
            for key, _ in ready:
                made = key.fileobj  # type: ignore[assignment]
                found.append(made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0)
                waiting.unregister(made)
                made.close()
        for key in list(waiting.get_map().values()):
            found.append(True)
            with suppress(OSError):
                key.fileobj.close()  # type: ignore[union-attr]
    return found
