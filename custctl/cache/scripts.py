"""The atomic scripts that the cache server runs; `docs/decisions/cache-protocol.md` explains how they fit together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from custctl.cache.wire import Command, Word

_FOLDER = Path(__file__).parent / "lua"
# The SHA-1 of each text, by which a loaded script is called: OpenSSL takes longer to load than a cached read.
_DIGESTS = {
    "look": "40a8b5263dbcdea7d77df9ea38d32277fff7a734",
    "fill": "ada0f7be1650e206f76fd13d41c8fd603110dc6d",
    "mark": "700e171ff7e232fa746270b645bce58898321fd2",
    "put": "48ca349552da09da6a43d161fcb43bc64c415f0f",
    "bury": "37920ecc9f739acc110b664c50071a897e1e1b2b",
}


@cache
def _text(name: str) -> bytes:
    return b"".join((_FOLDER / f"{part}.lua").read_bytes() for part in ("common", name))


def short(name: str, keys: Sequence[Word], arguments: Sequence[Word]) -> Command:
    """Return the command that runs a script already loaded on the server."""
    return ("EVALSHA", _DIGESTS[name], len(keys), *keys, *arguments)


def loading() -> list[Command]:
    """Return the commands that load all scripts run by `short`."""
    return [("SCRIPT", "LOAD", _text(name)) for name in _DIGESTS]


def whole(name: str, keys: Sequence[Word], arguments: Sequence[Word]) -> Command:
    """Return the command that loads a script and runs it."""
    return ("EVAL", _text(name), len(keys), *keys, *arguments)
