"""Texts that were typed in an editor and not written yet: kept for a day, and erased with their customer."""

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
    """Return the folder of kept texts, and the part of their names that identifies a customer of a database.

    Args:
        location: the database in words.

    Raises:
        UsageError: this user has no home folder.
    """
    return user_state_dir(environ) / "edits", f"{zlib.crc32(location.encode()):08x}-{customer_id}"


def kept_edits(folder: Path, name: str) -> list[Path]:
    """Return the kept texts of a customer, the newest first."""
    found = [path for path in folder.glob(f"edit-{name}-*.yaml") if path.is_file()]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def is_in_use(path: Path) -> bool:
    """Tell whether an editor has a text open now."""
    try:
        descriptor = os.open(lock_of(path), os.O_RDWR)
    except OSError:
        return False
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)


def lock_of(path: Path) -> Path:
    """Return the file whose lock is held while a text is open in an editor: the editor may replace the text's own file."""
    return path.with_name(f"{path.name}.lock")


def forget_edits(folder: Path, name: str = "", *, older_than: float = 0.0) -> int:
    """Remove kept texts, and backup files of an editor, and return how many files were removed.

    Args:
        name: whose texts; empty for all.
        older_than: minimum age in seconds since the last write.
    """
    return remove_edits(folder, f"-{name}-" if name else "edit-", older_than)


def remove_edits(folder: Path, part: str, older_than: float = 0.0, *, but: str = "") -> int:
    """Remove the files whose names contain this part: editors create `.NAME.swp`, `NAME~` and `#NAME#`.

    Args:
        but: the name of a file that stays.
    """
    removed = 0
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            with suppress(OSError):
                if part in entry.name and entry.name != but and entry.stat().st_mtime <= time.time() - older_than:
                    os.unlink(entry.path)
                    removed += 1
    return removed
