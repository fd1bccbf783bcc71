"""URLs of services that secrets are sent to, checked without what takes long to import."""

from __future__ import annotations

import re

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?:/[^\s?#]*)?"
)
_LOOPBACK = ("127.0.0.1", "[::1]", "localhost")


def is_safe_url(url: str) -> bool:
    """Tell whether a URL is an HTTPS one, or one of this machine, and has neither login, query nor fragment."""
    found = _URL.fullmatch(url)
    if found is None or (found["port"] is not None and not 0 < int(found["port"]) < 65536):
        return False
    return found["scheme"] == "https" or found["host"] in _LOOPBACK


def url_host(url: str) -> str:
    """Return the host and port that a URL names; the whole text where it names none."""
    found = _URL.fullmatch(url)
    if found is None:
        return url
    return found["host"] + (f":{found['port']}" if found["port"] else "")
