"""Ports to listen on, and ports of 127.0.0.1 behind which there is no usable server."""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import threading
from collections.abc import Callable, Iterator

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


@contextlib.contextmanager
def refused() -> Iterator[int]:
    """Give a port that refuses connections, and keep others from listening on it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """Give a port on which connections come about, and nothing is read or said."""
    # The kernel makes connections for a backlog that nobody looks at.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextlib.contextmanager
def garbage(words: bytes = b"\x00\xff\x15HTTP/1.1 400 Bad Request\r\n\r\n") -> Iterator[int]:
    """Give a port that says something of another protocol at once, and then nothing more."""
    held: list[socket.socket] = []

    def talk(client: socket.socket) -> None:
        held.append(client)
        client.sendall(words)

    with _answering(talk) as port:
        yield port
    for client in held:
        client.close()


@contextlib.contextmanager
def closing() -> Iterator[int]:
    """Give a port that accepts connections and closes them at once."""
    with _answering(socket.socket.close) as port:
        yield port


@contextlib.contextmanager
def _answering(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener, listening(listener, answer):
        yield listener.getsockname()[1]


@contextlib.contextmanager
def listening(listener: socket.socket, answer: Callable[[socket.socket], None]) -> Iterator[None]:
    """Accept connections in a thread until the end.

    Args:
        listener: a listening socket; it stays open.
        answer: called with each connection, which is its to close.
    """
    wake, waker = socket.socketpair()
    listener.setblocking(False)

    def serve() -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(wake, selectors.EVENT_READ)
            while not any(key.fileobj is wake for key, _ in selector.select()):
                # Who has given up before it was accepted.
                with contextlib.suppress(OSError):
                    client = listener.accept()[0]
                    client.setblocking(True)
                    answer(client)

    thread = threading.Thread(target=serve, name="listener")
    with wake, waker:
        thread.start()
        try:
            yield
        finally:
            waker.sendall(b"!")
            thread.join()
