"""The URL of a cache: where it is, and how it is reached."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_PORT, _SENTINEL_PORT = 6379, 26379


@dataclass(frozen=True, slots=True)
class Address:
    """A cache's URL, taken apart.

    Attributes:
        kind: single, sentinel or cluster.
        hosts: where to connect, with the port; None as port for a Unix socket.
        service: the name of the master that sentinels watch.
        number: of the database within the server.
    """

    kind: str
    hosts: tuple[tuple[str, int | None], ...]
    tls: bool
    user: str | None
    number: int
    service: str = ""


def parse_url(url: str) -> Address:
    """Take a cache's URL apart.

    Forms: `redis://[user@]host[:port][/number]`, `rediss://` with TLS, `valkey://` and `valkeys://` alike,
    `unix:///path[?db=number]`, `redis+sentinel://host[:port],…/service[/number]`, `redis+cluster://host[:port],…`.

    Raises:
        ValueError: it is none of them.
    """
    parts = urlsplit(url)
    scheme, _, kind = parts.scheme.partition("+")
    if scheme not in ("redis", "rediss", "valkey", "valkeys", "unix") or kind not in ("", "sentinel", "cluster"):
        raise ValueError(url)
    if scheme == "unix":
        if kind or not parts.path or parts.netloc:
            raise ValueError(url)
        return Address("single", ((parts.path, None),), False, None, int(parts.query.removeprefix("db=") or 0))
    tls = scheme.endswith("s") and scheme != "redis"
    login, _, places = parts.netloc.rpartition("@")
    if ":" in login:
        raise ValueError("a password")
    default = _SENTINEL_PORT if kind == "sentinel" else _PORT
    hosts = tuple(_host(place, default) for place in places.split(","))
    if len(hosts) > 1 and not kind:
        raise ValueError(url)
    words = [word for word in parts.path.split("/") if word]
    service = words.pop(0) if kind == "sentinel" else ""
    number = int(words.pop(0)) if words and kind != "cluster" else 0
    if words:
        raise ValueError(url)
    return Address(kind or "single", hosts, tls, unquote(login) or None, number, service)


def _host(place: str, default: int) -> tuple[str, int]:
    parts = urlsplit(f"//{place}")
    if not parts.hostname or parts.port == 0:
        raise ValueError(place)
    return parts.hostname, parts.port or default


def has_password(url: str) -> bool:
    """Tell whether a URL has a password in it, whatever else is wrong with it."""
    login, at, _ = url.partition("://")[2].partition("/")[0].rpartition("@")
    return bool(at) and ":" in login
