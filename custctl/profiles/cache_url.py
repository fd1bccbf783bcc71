"""Parses the URL of a cache."""

from __future__ import annotations

import re
from typing import NamedTuple

_PORT, _SENTINEL_PORT = 6379, 26379
_TLS = {"redis": False, "valkey": False, "rediss": True, "valkeys": True}

_URL = (
    r"(?P<scheme>[a-z]+)(?:\+(?P<kind>[a-z]+))?://"
    r"(?:(?P<user>[^@:/?#,\s]+)@)?(?P<places>[^@/?#]*)(?:/(?P<path>[^?#]*))?(?:\?(?P<query>[^#]*))?"
)
_PLACE = r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[\w.-]{1,253}))(?::(?P<port>[0-9]{1,5}))?"
_NUMBER = re.compile(r"[0-9]{1,5}")


class Address(NamedTuple):
    """A parsed cache URL.

    Attributes:
        kind: `single`, `sentinel` or `cluster`.
        hosts: hosts and ports to connect to; for a Unix socket, the path is the host and the port is None.
        tls: whether connections are encrypted, with certificate and host name verified.
        user: the login's user; None without a login.
        number: number of the database on the server.
        service: the name of the master that sentinels watch.
    """

    kind: str
    hosts: tuple[tuple[str, int | None], ...]
    tls: bool
    user: str | None
    number: int
    service: str = ""

    @property
    def is_protected(self) -> bool:
        """Whether the connection is safe from eavesdroppers on the network."""
        return self.tls or all(port is None for _, port in self.hosts)


def parse_url(url: str) -> Address:
    """Parse a cache's URL.

    Forms: `redis://[user@]host[:port][/number]`, `unix://[user@]/path[?db=number]`,
    `redis+sentinel://[user@]host[:port],…/service[/number]`, `redis+cluster://[user@]host[:port],…`; `valkey` works
    like `redis`, and `rediss` or `valkeys` use TLS.

    Raises:
        ValueError: the URL has none of these forms; the message says why, and quotes none of the URL.
    """
    parts = re.fullmatch(_URL, url)
    if parts is None:
        raise ValueError("it does not have the form `scheme://host:port/number`")
    scheme, kind, path, query = parts["scheme"], parts["kind"], parts["path"], parts["query"]
    user = _unquoted(parts["user"]) if parts["user"] else None
    if scheme == "unix":
        if kind or parts["places"] or not path:
            raise ValueError("write a socket as `unix:///path`")
        number = re.fullmatch(r"db=([0-9]{1,5})", query) if query is not None else None
        if query is not None and number is None:
            raise ValueError("a socket's URL must end with the path, or with `?db=` and a number")
        return Address("single", ((f"/{_unquoted(path)}", None),), False, user, int(number[1]) if number else 0)
    if scheme not in _TLS:
        raise ValueError("it must start with `redis`, `rediss`, `valkey`, `valkeys` or `unix`")
    if kind not in (None, "sentinel", "cluster"):
        raise ValueError("`+` must be followed by `sentinel` or `cluster`")
    if query is not None:
        raise ValueError("a `?` is not allowed")
    hosts = tuple(_host(place, kind) for place in parts["places"].split(","))
    if kind is None and len(hosts) > 1:
        raise ValueError("several hosts need `+sentinel` or `+cluster`")
    words = path.split("/") if path else []
    service = ""
    if kind == "sentinel":
        service = _unquoted(words.pop(0)) if words else ""
        if not service:
            raise ValueError("the sentinels must be followed by `/` and the name of the master")
    if kind == "cluster" and words:
        raise ValueError("a Cluster has only one database, without a number")
    if len(words) > 1 or not all(map(_NUMBER.fullmatch, words)):
        raise ValueError("after `/` it must have the number of a database, or nothing")
    return Address(kind or "single", hosts, _TLS[scheme], user, int(words[0]) if words else 0, service)


def _host(place: str, kind: str | None) -> tuple[str, int]:
    parts = re.fullmatch(_PLACE, place)
    if parts is None:
        raise ValueError("a host must be a name or an address, with IPv6 in brackets")
    port = int(parts["port"]) if parts["port"] else _SENTINEL_PORT if kind == "sentinel" else _PORT
    if not 0 < port < 65536:
        raise ValueError("a port must be between 1 and 65535")
    return parts["ipv6"] or parts["name"], port


def _unquoted(text: str) -> str:
    if "%" not in text:
        return text
    from urllib.parse import unquote  # slow to import, and rarely needed

    return unquote(text)


def has_password(url: str) -> bool:
    """Return whether a URL contains a password, even if it is otherwise invalid."""
    login, at, _ = url.partition("://")[2].partition("/")[0].rpartition("@")
    return bool(at) and ":" in login
