"""A peer over HTTP that fails as it is told: what a test scripts, in place of an answer."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came: `target` has path and query, header names are lower-case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[socket.socket, "Asked"], None]
"""Writes whatever it wants to the connection, which is closed afterwards."""


def whole(status: str, body: bytes = b"", *headers: str) -> Answer:
    """Return an answer that is as it should be."""

    def write(connection: socket.socket, _: Asked) -> None:
        told = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
        connection.sendall("\r\n".join(told).encode() + body)

    return write


def garbage(connection: socket.socket, _: Asked) -> None:
    """Answer what is no HTTP."""
    connection.sendall(b"\x00\xff\x16\x03 nobody speaks so\r\n\r\n" * 20)


def cut(connection: socket.socket, _: Asked) -> None:
    """Answer a part, and close the connection."""
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"totalResults":')


def frozen(connection: socket.socket, _: Asked) -> None:
    """Keep silent for as long as the other side stays."""
    with suppress(OSError):
        connection.recv(1)


def trickling(connection: socket.socket, _: Asked) -> None:
    """Answer a byte at a time without an end."""
    with suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"1\r\n \r\n")
            time.sleep(0.05)


def trickling_headers(connection: socket.socket, _: Asked) -> None:
    """Answer headers a line at a time without an end."""
    with suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-More: x\r\n")
            time.sleep(0.05)


def endless(connection: socket.socket, _: Asked) -> None:
    """Answer as fast as the other side reads, without an end."""
    block = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(block)


@dataclass(slots=True)
class Peer:
    """A server whose answers are the test's.

    Attributes:
        answer: what it does with a request.
        asked: the requests so far.
    """

    answer: Callable[[Asked], Answer]
    context: ssl.SSLContext | None = None
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    _socket: socket.socket | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'https' if self.context else 'http'}://{'localhost' if self.context else '127.0.0.1'}:{self.port}"

    def start(self) -> None:
        """Listen."""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, args=(self._socket,), daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        if self._socket is not None:
            # To close it would leave the thread waiting, and the system listening for it.
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()

    def _serve(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._deal_with, args=(connection,), daemon=True).start()

    def _deal_with(self, connection: socket.socket) -> None:
        with suppress(OSError, ssl.SSLError), ExitStack() as stack:
            stack.enter_context(connection)
            if self.context is not None:
                connection = stack.enter_context(self.context.wrap_socket(connection, server_side=True))
            request = _read(connection)
            if request is not None:
                self.asked.append(request)
                self.answer(request)(connection, request)
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)


def _read(connection: socket.socket) -> Asked | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return Asked(method, target, headers, body)


@contextmanager
def peer(answer: Callable[[Asked], Answer] | Answer, context: ssl.SSLContext | None = None) -> Iterator[Peer]:
    """Serve during the block.

    Args:
        answer: the one answer to everything, or what chooses one for a request.
    """
    made = Peer(_chosen(answer), context)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def _chosen(answer: Callable[..., object]) -> Callable[[Asked], Answer]:
    import inspect

    if len(inspect.signature(answer).parameters) == 1:
        return answer  # type: ignore[return-value]
    return lambda _: answer  # type: ignore[return-value]
