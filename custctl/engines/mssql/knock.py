"""Finds out at once that a port refuses connections; the driver notices only after its whole timeout."""

from __future__ import annotations

import queue
import socket
import threading
from itertools import islice
from typing import TYPE_CHECKING

from custctl.support.errors import UnavailableError

if TYPE_CHECKING:
    from custctl.engines.model import Node

_CHECK = "check that the server is running, and check `database.nodes` in the profile"


def knock(node: Node, timeout: float) -> None:
    """Return as soon as one address of the node's host accepts a connection.

    All addresses are tried at once, as the driver does: some of a listener's may be in a subnet that does not answer.

    Raises:
        UnavailableError: none of them does.
    """
    try:
        found = socket.getaddrinfo(node.host, node.port, type=socket.SOCK_STREAM)
        addresses = [(str(address[0]), node.port) for *_, address in found]
        answers: queue.SimpleQueue[OSError | None] = queue.SimpleQueue()
        for address in addresses:
            threading.Thread(target=_call, args=(address, timeout, answers), daemon=True).start()
        # The iterator ends where an address has accepted.
        errors = list(islice(iter(answers.get, None), len(addresses)))
        if len(errors) == len(addresses):
            raise errors[-1]
    except TimeoutError:
        raise UnavailableError(f"node {node} cannot be reached: no answer within {timeout:g} s", hint=_CHECK) from None
    except OSError as error:
        raise UnavailableError(
            f"node {node} cannot be reached: {(error.strerror or str(error)).lower()}", hint=_CHECK
        ) from None


def _call(address: tuple[str, int], timeout: float, answers: queue.SimpleQueue[OSError | None]) -> None:
    try:
        socket.create_connection(address, timeout).close()
    except OSError as error:
        answers.put(error)
    else:
        answers.put(None)
