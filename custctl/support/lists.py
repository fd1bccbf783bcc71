"""The last list and the last search shown on a terminal, so that the next page needs no cursor. Kept for half a day."""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from custctl.support.errors import UsageError
from custctl.support.paths import user_state_dir
from custctl.support.state import write_whole

_KEPT_FOR = 12 * 3600  # seconds

Kind = Literal["list", "search"]


class LastList(NamedTuple):
    """A list or a search, after a page of it was shown.

    Attributes:
        profile: the profile's name.
        location: the profile's database in words.
        cursor: the cursor of the next page; None at the end. It contains values of the last customer.
        limit: rows per page.
    """

    profile: str
    location: str
    cursor: str | None
    limit: int


def remember(environ: Mapping[str, str], kind: Kind, shown: LastList) -> bool:
    """Remember a page for this terminal, and return whether that was possible."""
    path = _file(environ, kind)
    if path is None:
        return False
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, json.dumps(shown._asdict()))
    except OSError:
        return False
    for old in _files(path.parent):
        if not _is_fresh(old):
            old.unlink(missing_ok=True)
    return True


def recall(environ: Mapping[str, str], kind: Kind) -> LastList | None:
    """Return the last list or search of this terminal, or None if there was none in the last 12 hours."""
    path = _file(environ, kind)
    return _read(path) if path is not None and _is_fresh(path) else None


def forget_lists(environ: Mapping[str, str], location: str) -> int:
    """Forget a database's lists and searches on all terminals, since they may contain a customer's values; return their number."""
    removed = 0
    with suppress(UsageError, OSError):  # no home folder, nothing kept
        for path in _files(user_state_dir(environ) / "lists"):
            held = _read(path)
            if held is None or held.location == location:
                path.unlink(missing_ok=True)
                removed += 1
    return removed


def _files(folder: Path) -> list[Path]:
    return list(folder.glob("*.json"))


def _file(environ: Mapping[str, str], kind: Kind) -> Path | None:
    """Return the file of this terminal and session: tomorrow the same device may be another user's login."""
    for descriptor in (0, 2, 1):
        with suppress(OSError, AttributeError, UsageError):
            terminal = f"{os.ttyname(descriptor)} {os.getsid(0)}"
            return user_state_dir(environ) / "lists" / f"{kind}-{zlib.crc32(terminal.encode()):08x}.json"
    return None


def _is_fresh(path: Path) -> bool:
    try:
        return 0 <= time.time() - path.stat().st_mtime < _KEPT_FOR
    except OSError:
        return False


def _read(path: Path) -> LastList | None:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        cursor = held["cursor"]
        cursor = str(cursor) if cursor is not None else None
        return LastList(str(held["profile"]), str(held["location"]), cursor, int(held["limit"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
