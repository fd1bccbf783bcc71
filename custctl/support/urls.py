"""Checks of URLs that secrets are sent to, without slow imports."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_URL = r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?:/[^\s?#]*)?"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def is_private(url: str) -> bool:
    """Return whether a request to a URL is encrypted, or does not leave this machine."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def is_safe_url(url: str) -> bool:
    """Return whether a URL uses HTTPS or points to this machine, and has no login, query or fragment."""
    found = re.fullmatch(_URL, url)
    if found is None or (found["port"] is not None and not 0 < int(found["port"]) < 65536):
        return False
    return found["scheme"] == "https" or found["host"].strip("[]") in _LOOPBACK


def url_host(url: str) -> str:
    """Return a URL's host and port, or the whole text if it has none."""
    found = re.fullmatch(_URL, url)
    if found is None:
        return url
    return found["host"] + (f":{found['port']}" if found["port"] else "")
