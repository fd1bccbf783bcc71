"""The checks of `doctor` on SQLite."""

from __future__ import annotations

import os
import shlex
import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING

from custctl.engines.model import Check
from custctl.engines.sqlite.running import value_of
from custctl.support.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from custctl.engines.base import Database


def checks(database: Database, path: Path) -> Iterator[Check]:
    """Yield the checks of the library and of the file."""
    yield Check("driver", True, f"sqlite3 of Python, SQLite {sqlite3.sqlite_version}")
    fts5 = "fts5" in database.features()
    yield Check("substring search", True, "FTS5 trigram index" if fts5 else "full scan: this SQLite has no FTS5")
    if not database.exists():
        yield Check("database", False, f"{path} does not exist", "run `custctl migrate`", ExitCode.PENDING)
        return
    with database.reading() as connection:
        asked = ("journal_mode", "page_count", "page_size")
        mode, pages, size = (value_of(connection.driver, f"PRAGMA {name}") for name in asked)
    yield Check("database", True, f"{path}, {int(pages or 0) * int(size or 0):,} bytes, journal mode {mode}")
    if mode != "wal" and pages:  # `migrate` sets it in an empty file
        yield Check(
            "journal mode", False, str(mode), "readers wait for writers: run `PRAGMA journal_mode = WAL` on it once"
        )
    writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    yield Check(
        "permission",
        writable,
        "readable and writable" if writable else "read-only",
        None if writable else "check the owner and the permissions of the file and of its folder",
        ExitCode.CREDENTIAL,
    )
    if os.name == "posix" and path.stat().st_mode & 0o007:
        # This is advice, not a failure: the owner decides what to share.
        yield Check(
            "privacy", True, "every user on this machine can open it", f"run `chmod o= {shlex.quote(str(path))}`"
        )
