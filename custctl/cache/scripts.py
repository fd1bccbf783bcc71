"""The scripts that the cache runs, each atomic; `PROTOCOL.md` tells how they fit together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from custctl.cache.wire import Command, Word

_FOLDER = Path(__file__).parent / "lua"


@cache
def _text(name: str) -> bytes:
    return (_FOLDER / f"{name}.lua").read_bytes()


@cache
def _digest(name: str) -> str:
    return hashlib.sha1(_text(name), usedforsecurity=False).hexdigest()


def short(name: str, keys: Sequence[Word], arguments: Sequence[Word]) -> Command:
    """Return the command that runs a script which the server knows."""
    return ("EVALSHA", _digest(name), len(keys), *keys, *arguments)


def whole(name: str, keys: Sequence[Word], arguments: Sequence[Word]) -> Command:
    """Return the command that hands a script over and runs it."""
    return ("EVAL", _text(name), len(keys), *keys, *arguments)
