"""The protocol of Redis and Valkey to one server, reduced to what the cache needs.

A client library takes longer to import than everything else in a cached `customer get`, waits a minute for a hanging
server unless each of its timeouts is set, and converts replies in its own way.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/ (RESP2).
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

Word = str | bytes | int
Command = Sequence[Word]

# A server that announces more than this is taken to speak another protocol.
_LARGEST = 64 * 1024 * 1024  # bytes of one value
_LONGEST = 1024 * 1024  # values in an array
_DEEPEST = 8
_LINE = 64 * 1024  # bytes of a line
_NUMBER = re.compile(rb"-?[0-9]{1,19}")


# The place in a script, which does not help an operator; and the quoted command, which may hold a password.
_IN_SCRIPT = re.compile(r"\s*script: (?:[0-9a-f]{40}, )?on @user_script:\d+\.?$")
_REPEATED = re.compile(r"""[^'`"]*(['`"])[^'`"]*\1""")
_WORDS = 400  # maximum characters of a server's message to pass on


class WireError(Exception):
    """The connection cannot be used: refused, closed, timed out, or not Redis's protocol.

    Attributes:
        kind: the server's error code, such as `MISCONF`; empty if the error is not the server's.
    """

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind


class LoginError(WireError):
    """The server is reachable, but requires another login, or one with more privileges."""


class Refusal(Exception):  # noqa: N818 - what the server says, not a fault of ours
    """An error reply of the server: `NOSCRIPT …`, `WRONGTYPE …`, `NOAUTH …`."""

    @property
    def kind(self) -> str:
        """The error code: the first word, the same in every version and language."""
        return str(self).partition(" ")[0]

    @property
    def words(self) -> str:
        """The message without the parts of a command that it repeats: these may be a password or customer data."""
        text = _IN_SCRIPT.sub("", str(self))
        repeated = _REPEATED.match(text) if self.kind == "ERR" else None
        text = repeated[0] if repeated else text
        return text.rstrip(".") if len(text) <= _WORDS else f"{text[:_WORDS]}…"


class Wire:
    """A connection to one server.

    Args:
        host: a name or address; a socket's path if `port` is None.
        tls: an `ssl.SSLContext`, or None for a plain connection.
        patience: seconds for connecting and for each call.

    Attributes:
        host: as given.
        patience: seconds for each call.

    Raises:
        WireError: it cannot connect in time.
    """

    def __init__(self, host: str, port: int | None, *, tls: Any = None, patience: float) -> None:
        self.host = host
        self.patience = patience
        self._held = bytearray()
        self._read = 0  # bytes of `_held` already consumed
        deadline = time.monotonic() + patience
        try:
            self._socket = _connect(host, port, deadline)
            if tls is not None:
                self._socket.settimeout(_left(deadline))
                self._socket = _secured(self._socket, tls, host)
        except OSError as error:
            raise WireError(_reason(error, patience)) from None

    def call(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands as one pipeline, and return their replies; a rejected command has a `Refusal` as its reply.

        Raises:
            WireError: not all replies arrive in time.
        """
        deadline = time.monotonic() + self.patience
        replies: list[Any] = []
        try:
            with suppress(ConnectionError):  # a server that has hung up may have said why
                self._socket.settimeout(_left(deadline))
                self._socket.sendall(b"".join(map(_packed, commands)))
            while len(replies) < len(commands):
                replies.append(self._reply(deadline))
            return replies
        except ConnectionError as error:
            self.close()
            last = replies[-1] if replies else None
            if isinstance(last, Refusal):
                raise WireError(f"it cannot serve requests: {last.words}", last.kind) from None
            raise WireError(_reason(error, self.patience)) from None
        except OSError as error:
            self.close()
            raise WireError(_reason(error, self.patience)) from None
        except WireError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    # -- reading -----------------------------------------------------------------------------------

    def _reply(self, deadline: float, depth: int = 0) -> Any:
        line = self._line(deadline)
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            return Refusal(rest.decode(errors="replace"))
        if kind not in (b":", b"$", b"*") or not _NUMBER.fullmatch(rest):
            raise _foreign()
        number = int(rest)
        if kind == b":":
            return number
        if number < 0:
            return None
        if number > (_LARGEST if kind == b"$" else _LONGEST) or depth > _DEEPEST:
            raise _foreign()
        if kind == b"*":
            return [self._reply(deadline, depth + 1) for _ in range(number)]
        return self._value(number, deadline)

    def _line(self, deadline: float) -> bytes:
        while (end := self._held.find(b"\r\n", self._read)) < 0:
            if len(self._held) - self._read > _LINE:
                raise _foreign()
            self._receive(deadline)
        line = bytes(self._held[self._read : end])
        self._read = end + 2
        return line

    def _value(self, size: int, deadline: float) -> bytes:
        while len(self._held) - self._read < size + 2:
            self._receive(deadline)
        end = self._read + size
        value, tail = bytes(self._held[self._read : end]), self._held[end : end + 2]
        if tail != b"\r\n":
            raise _foreign()
        self._read = end + 2
        return value

    def _receive(self, deadline: float) -> None:
        self._socket.settimeout(_left(deadline))
        data = self._socket.recv(64 * 1024)
        if not data:
            raise ConnectionResetError(0, "it closed the connection")
        # Discard consumed bytes only when more arrive, not after every reply.
        del self._held[: self._read]
        self._read = 0
        self._held += data


def _foreign() -> WireError:
    return WireError("it does not speak Redis's protocol")


def _packed(command: Command) -> bytes:
    """Return a command as an array of bulk strings."""
    words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _reason(error: OSError, patience: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no response within {patience:.2g} s"
    unverified = getattr(error, "verify_message", None)
    if unverified is not None:
        return f"its certificate is not trusted: {str(unverified).rstrip('.').lower()}"
    return (error.strerror or str(error) or type(error).__name__).lower()


def _secured(plain: socket.socket, tls: Any, host: str) -> socket.socket:
    try:
        secured: socket.socket = tls.wrap_socket(plain, server_hostname=host)
    except BaseException as error:
        plain.close()
        # A certificate error is both a ValueError and an OSError.
        if isinstance(error, ValueError) and not isinstance(error, OSError):
            raise OSError(0, "its host name cannot be in a certificate") from None
        raise
    return secured


def _connect(host: str, port: int | None, deadline: float) -> socket.socket:
    if port is None:
        return _connected(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), host, deadline)
    last: OSError = TimeoutError()
    for family, kind, protocol, _, address in _addresses(host, port, deadline):
        try:
            made = _connected(socket.socket(family, kind, protocol), address, deadline)
        except OSError as error:
            last = error
        else:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return made
    raise last


def _connected(made: socket.socket, address: Any, deadline: float) -> socket.socket:
    try:
        made.settimeout(_left(deadline))
        made.connect(address)
    except OSError:
        made.close()
        raise
    return made


def numeric_addresses(host: str, port: int) -> Sequence[Any]:
    """Return what `getaddrinfo` makes of an address.

    Raises:
        OSError: it is a name.
    """
    # As bytes: for a string, the codec for international names is loaded.
    name = host.encode(errors="replace")
    return socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)


def _addresses(host: str, port: int, deadline: float) -> Sequence[Any]:
    """Resolve a host name with a timeout, which `getaddrinfo` lacks; an address needs no lookup."""
    try:
        return numeric_addresses(host, port)
    except OSError:
        pass
    from custctl.engines.at_once import at_once
    from custctl.support.errors import CustctlError

    def look() -> Sequence[Any]:
        try:
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise CustctlError(str(error.strerror).lower()) from None
        except UnicodeError:
            raise CustctlError("its host name could not be resolved") from None

    found = at_once({host: look}, _left(deadline))[host]
    if isinstance(found, CustctlError):
        raise OSError(0, found.message)
    return found
