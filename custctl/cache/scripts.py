"""The atomic scripts that the cache server runs; `docs/decisions/cache-protocol.md` explains how they fit together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from custctl.cache.wire import Command, Word

_FOLDER = Path(__file__).parent / "lua"
_LASTING = ("look", "fill", "mark", "put", "bury")


@cache
def _text(name: str) -> bytes:
    return b"".join((_FOLDER / f"{part}.lua").read_bytes() for part in ("common", name))


@cache
def _digest(name: str) -> str:
    return hashlib.sha1(_text(name), usedforsecurity=False).hexdigest()


def short(name: str, keys: Sequence[Word], arguments: Sequence[Word]) -> Command:
    """Return the command that runs a script already loaded on the server."""
    return ("EVALSHA", _digest(name), len(keys), *keys, *arguments)


def loading() -> list[Command]:
    """Return the commands that load all scripts run by `short`."""
    return [("SCRIPT", "LOAD", _text(name)) for name in _LASTING]


def whole(name: str, keys: Sequence[Word], arguments: Sequence[Word]) -> Command:
    """Return the command that loads a script and runs it."""
    return ("EVAL", _text(name), len(keys), *keys, *arguments)
