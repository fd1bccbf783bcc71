"""Ports to listen on, and ports behind which no usable server is."""

from __future__ import annotations

import random
import socket

# Below the ports that systems hand to outgoing connections: a server that was stopped finds its port free again.
_FIRST, _END = 20_000, 32_000


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens at the moment; whoever listens next must expect a clash."""
    while True:
        port = random.randrange(_FIRST, _END)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
