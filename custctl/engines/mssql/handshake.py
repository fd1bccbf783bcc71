"""A TLS handshake inside TDS, to see the server's certificate, protocol and cipher.

Source: https://learn.microsoft.com/openspecs/windows_protocols/ms-tds ([MS-TDS], 2.2.6.5 PRELOGIN)
"""

from __future__ import annotations

import socket
import ssl
import struct
from typing import TYPE_CHECKING

from custctl.engines.certificates import Shown, close

if TYPE_CHECKING:
    from ssl import SSLContext

    from custctl.engines.model import Node

_PRELOGIN, _ANSWER = 0x12, 0x04
_END_OF_MESSAGE = 0x01
_HEADER = struct.Struct("!BBHHBB")  # type, status, length with the header, session, number, window
_OPTION = struct.Struct("!BHH")  # token, offset, length
_VERSION, _ENCRYPTION, _INSTANCE, _THREAD, _TERMINATOR = 0x00, 0x01, 0x02, 0x03, 0xFF
_FOREIGN = "the server's answer does not follow this protocol"
_ENCRYPT_ON, _ENCRYPT_NOT_SUPPORTED = 1, 2


def shake_hands(node: Node, timeout: float, context: SSLContext, *, strict: bool) -> Shown:
    """Connect to a server only for the handshake.

    Args:
        timeout: seconds for each step.
        strict: whether TLS comes before TDS, as in TDS 8.

    Raises:
        OSError: the server cannot be reached, or offers no TLS.
    """
    with socket.create_connection((node.host, node.port), timeout=timeout) as plain:
        if strict:
            context.set_alpn_protocols(["tds/8.0"])
            connection = context.wrap_socket(plain, server_hostname=node.host)
            try:
                return Shown.by(connection)
            finally:
                close(connection)
        if _ask_for_encryption(plain) == _ENCRYPT_NOT_SUPPORTED:
            raise ssl.SSLError("the server does not offer TLS")
        return _inside(plain, context, node.host)


def prelogin() -> bytes:
    """Return the PRELOGIN options of a client that requires encryption."""
    options = ((_VERSION, bytes(6)), (_ENCRYPTION, bytes([_ENCRYPT_ON])), (_INSTANCE, b"\0"), (_THREAD, bytes(4)))
    offset = len(options) * _OPTION.size + 1
    head = b""
    for token, value in options:
        head += _OPTION.pack(token, offset, len(value))
        offset += len(value)
    return head + bytes([_TERMINATOR]) + b"".join(value for _, value in options)


def _ask_for_encryption(plain: socket.socket) -> int:
    _send(plain, prelogin())
    answer = _receive(plain)
    at = 0
    while at + _OPTION.size <= len(answer) and answer[at] != _TERMINATOR:
        token, offset, length = _OPTION.unpack_from(answer, at)
        if token == _ENCRYPTION and length and offset < len(answer):
            return int(answer[offset])
        at += _OPTION.size
    raise ssl.SSLError(_FOREIGN)


def _inside(plain: socket.socket, context: SSLContext, host: str) -> Shown:
    """Do the handshake inside TDS packets."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_hostname=host)
    while True:
        try:
            connection.do_handshake()
        except ssl.SSLWantReadError:
            if outgoing.pending:
                _send(plain, outgoing.read())
            incoming.write(_receive(plain))
        else:
            if outgoing.pending:
                _send(plain, outgoing.read())
            return Shown.by(connection)


def _send(plain: socket.socket, payload: bytes) -> None:
    plain.sendall(_HEADER.pack(_PRELOGIN, _END_OF_MESSAGE, _HEADER.size + len(payload), 0, 0, 0) + payload)


def _receive(plain: socket.socket) -> bytes:
    """Return the payload of one packet."""
    kind, _, length, *_ = _HEADER.unpack(_exactly(plain, _HEADER.size))
    if kind not in (_ANSWER, _PRELOGIN):
        raise ssl.SSLError(_FOREIGN)
    return _exactly(plain, max(length - _HEADER.size, 0))


def _exactly(plain: socket.socket, size: int) -> bytes:
    held = b""
    while len(held) < size:
        more = plain.recv(size - len(held))
        if not more:
            raise ConnectionError("the server closed the connection")
        held += more
    return held
