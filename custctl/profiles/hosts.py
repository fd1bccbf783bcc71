"""Validates and compares the hosts of nodes."""

from __future__ import annotations

import posixpath
import re

# A host becomes part of connection strings, so no character that ends a value there.
_HOST = r"[^\s;,=@{}()\[\]<>'\"`?#$%&*|^~!]{1,255}"

_LOOPBACK = (b"\x7f\0\0\1", "")
_LOOPBACK_IPV6 = bytes(15) + b"\1"
_IPV4_WITHIN_IPV6 = bytes(10) + b"\xff\xff"


def host_fault(host: str, *, sockets: bool) -> str | None:
    """Return why a text is not a host, as the end of a sentence; None if it can be one.

    Args:
        sockets: whether an absolute path, the folder of a server's socket, is valid.
    """
    if host.startswith("/"):
        return None if sockets and re.fullmatch(_HOST, host) else ""
    if ":" in host or host.startswith("["):
        address, _, zone = host.partition("%")
        if _packed(address) is not None and (not zone or zone.isalnum()):
            return None
        if host.startswith("["):
            return ": an IPv6 address is written without brackets"
        return ": the port is a key of its own" if re.fullmatch(r"[^:]+:[0-9]+", host) else ""
    if not re.fullmatch(_HOST, host) or "/" in host or host.isdigit():
        return ""
    labels = host.removesuffix(".").split(".")
    return None if all(0 < len(label) < 64 and label[0] != "-" for label in labels) else ""


def same_host(one: str, other: str) -> bool:
    """Return whether two texts are the same host, without a name lookup."""
    return _canonical(one) == _canonical(other)


def _canonical(host: str) -> object:
    if host.startswith("/"):
        return posixpath.normpath(host)
    name = host.lower().removesuffix(".")
    if name == "localhost":
        return _LOOPBACK
    address, _, zone = name.partition("%")
    packed = _packed(address) if ":" in address else _packed_short(address)
    if packed is None:
        return name
    return _LOOPBACK if packed == _LOOPBACK_IPV6 else (packed.removeprefix(_IPV4_WITHIN_IPV6), zone)


def _packed(address: str) -> bytes | None:
    import socket

    try:
        return socket.inet_pton(socket.AF_INET6, address)
    except (OSError, ValueError):
        return None


def _packed_short(address: str) -> bytes | None:
    """Return an IPv4 address as resolvers read it: `127.1` and `0x7f.0.0.1` are 127.0.0.1."""
    import socket

    try:
        return socket.inet_aton(address)
    except (OSError, ValueError):
        return None
