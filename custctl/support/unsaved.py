"""Unsaved edits of customers: kept as files for a day, and erased with their customer."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from custctl.support.filelocks import try_lock
from custctl.support.paths import user_state_dir

KEPT_FOR = 24 * 3600  # seconds


def edits_of(environ: Mapping[str, str], location: str, customer_id: int) -> tuple[Path, str]:
    """Return the folder of unsaved edits, and the part of the file names that identifies a customer of a database.

    Args:
        location: the database in words.

    Raises:
        UsageError: the user has no home folder.
    """
    return user_state_dir(environ) / "edits", f"{zlib.crc32(location.encode()):08x}-{customer_id}"


def kept_edits(folder: Path, name: str) -> list[Path]:
    """Return a customer's unsaved edits, newest first."""
    found = [path for path in folder.glob(f"edit-{name}-*.yaml") if path.is_file()]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def is_in_use(path: Path) -> bool:
    """Return whether an editor has the file open."""
    try:
        descriptor = os.open(lock_of(path), os.O_RDWR)
    except OSError:
        return False
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)


def lock_of(path: Path) -> Path:
    """Return the file to lock while an edit is open: the editor may replace the edited file itself."""
    return path.with_name(f"{path.name}.lock")


def forget_edits(folder: Path, name: str = "", *, older_than: float = 0.0) -> int:
    """Remove unsaved edits and an editor's backup files, and return the number of files removed.

    Args:
        name: the customer's part of the file names, as `edits_of` returns it; empty for all customers.
        older_than: minimum age in seconds since the last write.
    """
    return remove_edits(folder, f"-{name}-" if name else "edit-", older_than)


def remove_edits(folder: Path, part: str, older_than: float = 0.0, *, but: str = "") -> int:
    """Remove files whose names contain `part`: editors create `.NAME.swp`, `NAME~` and `#NAME#`.

    Args:
        but: the name of a file to keep.
    """
    removed = 0
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            with suppress(OSError):
                if part in entry.name and entry.name != but and entry.stat().st_mtime <= time.time() - older_than:
                    os.unlink(entry.path)
                    removed += 1
    return removed
