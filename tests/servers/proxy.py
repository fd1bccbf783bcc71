"""A proxy for faults between a client and a database server: connections cut and frozen at a chosen message.

It knows no protocol, it looks for bytes in what the client sends. Over TLS there are none to be found, unless the proxy
itself is the end of the client's TLS; for PostgreSQL it can be that (`certificate`).
"""

from __future__ import annotations

import contextlib
import enum
import selectors
import socket
import ssl
import struct
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.ports import listening

_CHUNK = 65536
_LONGEST_PATTERN = 1024
# What PostgreSQL's clients ask before their first message: for TLS, for GSSAPI encryption.
_WANT_TLS = struct.pack("!II", 8, 80877103)
_WANT_GSS = struct.pack("!II", 8, 80877104)
_SECONDS = 10.0


class Fault(enum.Enum):
    """What happens to a connection."""

    CUT_BEFORE = enum.auto()
    CUT_ANSWER = enum.auto()
    FREEZE_BEFORE = enum.auto()
    FREEZE_ANSWER = enum.auto()


@dataclass(slots=True)
class Stats:
    """What the proxy has seen.

    Attributes:
        accepted: connections of clients.
        open: those that are open now, frozen ones included.
        cut: those that were cut by a fault.
        frozen: those that were frozen by a fault.
    """

    accepted: int = 0
    open: int = 0
    cut: int = 0
    frozen: int = 0


@dataclass(slots=True)
class _Rule:
    pattern: bytes
    fault: Fault
    left: int


class Proxy:
    """Listens on a port of 127.0.0.1 and forwards everything until it is told otherwise.

    with Proxy(server.host, server.port) as proxy:
        proxy.cut_answer(b"COMMIT")
        ...

    A fault strikes once, at the nth time that its pattern is sent, counted over all connections from the moment it is
    set. Faults can be set at any time, from any thread. With the proxy all its connections end.
    """

    def __init__(self, host: str, port: int, *, certificate: Path | None = None, at_once: bool = False) -> None:
        """Prepare a proxy; it listens from `__enter__` or `open` on.

        Args:
            host: the server's.
            port: the server's.
            certificate: PEM, with its key: TLS is offered to PostgreSQL's clients, and the server gets plain text.
            at_once: TLS from the first byte, as clients of Valkey speak it.
        """
        self.host = "127.0.0.1"
        self.port = 0
        self.stats = Stats()
        self._upstream = (host, port)
        self._at_once = at_once
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._connections: dict[_Connection, threading.Thread] = {}
        self._listener: socket.socket | None = None
        self._listening: contextlib.ExitStack | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Begin to listen."""
        self.port = self._bind().getsockname()[1]
        self.accept()

    def close(self) -> None:
        """Refuse new connections, end all that there are, and return when no thread is left."""
        self.refuse()
        self.drop()
        if self._listener is not None:
            self._listener.close()

    def refuse(self) -> None:
        """Refuse new connections from now on; those that there are go on."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None
            # Bound and not listening: refusing, and nobody else's.
            self._bind()

    def accept(self) -> None:
        """Take new connections, again."""
        if self._listening is None:
            assert self._listener is not None
            self._listener.listen()
            self._listening = contextlib.ExitStack()
            self._listening.enter_context(listening(self._listener, self._begin))

    def drop(self) -> None:
        """End all connections, frozen ones too."""
        with self._lock:
            ending = dict(self._connections)
        for connection in ending:
            connection.end()
        for thread in ending.values():
            thread.join()

    def cut_before(self, pattern: bytes, nth: int = 1) -> None:
        """Drop the connection when the client sends the pattern; the server never gets that message."""
        self._set(pattern, Fault.CUT_BEFORE, nth)

    def cut_answer(self, pattern: bytes, nth: int = 1) -> None:
        """Drop the connection when the server answers what held the pattern; the client never gets the answer."""
        self._set(pattern, Fault.CUT_ANSWER, nth)

    def freeze_on(self, pattern: bytes, nth: int = 1) -> None:
        """Keep the connection open, but forward nothing any more, from the message with the pattern on.

        As in a network that is cut in two, the server does not even learn that the client has given up.
        """
        self._set(pattern, Fault.FREEZE_BEFORE, nth)

    def freeze_answer(self, pattern: bytes, nth: int = 1) -> None:
        """Forward the message with the pattern, and nothing any more from the server's answer on."""
        self._set(pattern, Fault.FREEZE_ANSWER, nth)

    @property
    def pending(self) -> int:
        """How many faults have not struck yet."""
        with self._lock:
            return len(self._rules)

    def _set(self, pattern: bytes, fault: Fault, nth: int) -> None:
        assert 0 < len(pattern) <= _LONGEST_PATTERN
        assert nth >= 1
        with self._lock:
            self._rules.append(_Rule(pattern, fault, nth))

    def _bind(self) -> socket.socket:
        if self._listener is not None:
            self._listener.close()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((self.host, self.port))
        return self._listener

    def _begin(self, client: socket.socket) -> None:
        connection = _Connection(self, client)
        thread = threading.Thread(target=self._serve, args=(connection,), name="proxied connection")
        with self._lock:
            self._connections[connection] = thread
            self.stats.accepted += 1
            self.stats.open += 1
            thread.start()

    def _serve(self, connection: _Connection) -> None:
        try:
            connection.run(self._upstream, self._tls, at_once=self._at_once)
        finally:
            with self._lock:
                del self._connections[connection]
                self.stats.open -= 1

    def fault(self, tail: bytes, chunk: bytes) -> Fault | None:
        """Return the fault that strikes at a piece of what a client sends.

        Args:
            tail: what came before on this connection.
            chunk: the piece.
        """
        with self._lock:
            for rule in self._rules:
                # A pattern may have begun before this piece, but ends in it.
                begin = tail[max(0, len(tail) - len(rule.pattern) + 1) :]
                rule.left -= (begin + chunk).count(rule.pattern)
            struck = next((rule for rule in self._rules if rule.left <= 0), None)
            if struck is None:
                return None
            self._rules.remove(struck)
            return struck.fault

    def count(self, fault: Fault) -> None:
        """Count a connection that a fault has struck."""
        with self._lock:
            if fault in (Fault.CUT_BEFORE, Fault.CUT_ANSWER):
                self.stats.cut += 1
            else:
                self.stats.frozen += 1


class _Connection:
    """One client and its connection to the server, forwarded by one thread."""

    def __init__(self, proxy: Proxy, client: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server: socket.socket | None = None
        self._ended = threading.Event()
        self._wake, self._waker = socket.socketpair()

    def end(self) -> None:
        """Make the thread end; from any other thread."""
        self._ended.set()
        # Each is closed already where the thread has ended by itself.
        with contextlib.suppress(OSError):
            self._waker.sendall(b"!")
        for side in (self._client, self._server):
            with contextlib.suppress(OSError):
                if side is not None:
                    # Wakes a blocked send. TLS's own shutdown would change the object under the thread's hands.
                    socket.socket.shutdown(side, socket.SHUT_RDWR)

    def run(self, address: tuple[str, int], tls: ssl.SSLContext | None, *, at_once: bool) -> None:
        """Forward until either side closes or a fault strikes."""
        try:
            # A server that is not there, a client that wants no TLS of ours, either one gone: the connection ends.
            with contextlib.suppress(OSError):
                begin = self._negotiate(tls, at_once=at_once) if tls is not None else b""
                self._server = socket.create_connection(address, timeout=_SECONDS)
                self._server.settimeout(None)
                self._client.settimeout(None)
                fault = self._forward(self._server, begin)
                if fault is not None:
                    self._proxy.count(fault)
                if fault in (Fault.FREEZE_BEFORE, Fault.FREEZE_ANSWER):
                    self._ended.wait()
        finally:
            for side in (self._client, self._server, self._wake, self._waker):
                if side is not None:
                    side.close()

    def _negotiate(self, tls: ssl.SSLContext, *, at_once: bool) -> bytes:
        """Become the end of the client's TLS, if it asks for any; returns what it has sent already if not."""
        self._client.settimeout(_SECONDS)
        if at_once:
            self._client = tls.wrap_socket(self._client, server_side=True)
            return b""
        while True:
            asked = b""
            while len(asked) < len(_WANT_TLS) and (more := self._client.recv(len(_WANT_TLS) - len(asked))):
                asked += more
            if asked == _WANT_GSS:
                self._client.sendall(b"N")
                continue
            if asked != _WANT_TLS:
                return asked
            self._client.sendall(b"S")
            self._client = tls.wrap_socket(self._client, server_side=True)
            return b""

    def _forward(self, server: socket.socket, chunk: bytes) -> Fault | None:
        """Forward in both directions; returns the fault that ended it, if one did.

        Args:
            server: the server's side.
            chunk: what has been read of the client.
        """
        server.sendall(chunk)
        tail = chunk
        awaited: Fault | None = None
        other = {self._client: server, server: self._client}
        with selectors.DefaultSelector() as selector:
            for side in (self._client, server, self._wake):
                selector.register(side, selectors.EVENT_READ)
            reading = 2
            while reading:
                ready = [key.fileobj for key, _ in selector.select()]
                if self._wake in ready:
                    return None
                for side in (side for side in other if side in ready):
                    chunk = _read(side)
                    if not chunk:
                        if isinstance(self._client, ssl.SSLSocket):
                            return None
                        # Half closed: what comes the other way is still wanted.
                        selector.unregister(side)
                        reading -= 1
                        other[side].shutdown(socket.SHUT_WR)
                        continue
                    if side is server and awaited is not None:
                        return awaited
                    if side is self._client:
                        fault = self._proxy.fault(tail, chunk)
                        if fault in (Fault.CUT_BEFORE, Fault.FREEZE_BEFORE):
                            # Of a pattern that began in an earlier piece the server has half a message, which is nothing.
                            return fault
                        awaited = fault or awaited
                        tail = (tail + chunk)[-_LONGEST_PATTERN:]
                    other[side].sendall(chunk)
        return None


def _read(side: socket.socket) -> bytes:
    """Read what there is, at least something; nothing at the end."""
    chunk = side.recv(_CHUNK)
    # What TLS has decrypted already no selector sees.
    while chunk and isinstance(side, ssl.SSLSocket) and side.pending():
        chunk += side.recv(_CHUNK)
    return chunk
