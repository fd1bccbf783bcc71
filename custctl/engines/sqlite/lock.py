"""SQLite's migration lock: an operating-system lock on a file beside the database.

The system releases it when its holder dies, for whatever reason; the file itself
stays, and only says who held the lock last.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from custctl.engines.locks import wait_for_lock
from custctl.engines.model import LockHolder
from custctl.support.errors import CredentialError, UnavailableError
from custctl.support.filelocks import try_lock
from custctl.support.identity import actor

_POLL = 0.05  # seconds between attempts


@contextmanager
def file_lock(database: Path, timeout: float, on_wait: Callable[[LockHolder | None], None]) -> Iterator[None]:
    """Hold the lock of a database during the block.

    Args:
        database: the database's file, which need not exist. The lock file is beside the resolved path, so that everyone
            who uses a symbolic link gets the same lock.
        timeout: seconds to wait for another holder.
        on_wait: called once with the holder, before waiting.

    Raises:
        UnavailableError: timed out, or the file system has no locks.
        CredentialError: the lock file cannot be created or opened.
    """
    found = database.resolve()
    path = found.with_name(f"{found.name}.lock")
    try:
        # The lock is taken before anything else, even before the database and its folder exist.
        path.parent.mkdir(parents=True, exist_ok=True)
        # Do not follow a symbolic link, which may point to any other file of the user.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise CredentialError(
            f"the lock file {path} cannot be opened: {error.strerror}",
            hint="check the path of the database in the profile, and the owner and the permissions of its folder",
        ) from error
    try:
        _share(descriptor, found)
        wait_for_lock(lambda: _taken(descriptor, path), lambda: _holder(path), timeout, _POLL, on_wait)
        _write_holder(descriptor)
        yield
    finally:
        os.close(descriptor)


def _share(descriptor: int, database: Path) -> None:
    """Give the lock file the database's group and mode, so that everyone who may write to the database can lock it.

    Only the file's owner can do that. Root also gives the file to the database's owner.
    """
    if os.name != "posix":
        return
    with suppress(OSError):
        held, own = database.stat(), os.fstat(descriptor)
        if own.st_uid != os.geteuid() or own.st_nlink != 1:
            return  # another user's file, or one with other hard links
        mode = 0o600 | held.st_mode & 0o066
        owner = held.st_uid if own.st_uid == 0 else -1
        if own.st_gid != held.st_gid or owner not in (-1, own.st_uid):
            # Change the group before the mode, so that the old group never gets access.
            os.fchown(descriptor, owner, held.st_gid)
        if own.st_mode & 0o777 != mode:
            os.fchmod(descriptor, mode)


def _taken(descriptor: int, path: Path) -> bool:
    try:
        return try_lock(descriptor)
    except OSError as error:
        raise UnavailableError(
            f"{path} cannot be locked: {error.strerror}", hint="keep the database on a file system that supports locks"
        ) from error


def _write_holder(descriptor: int) -> None:
    """Write who holds the lock; if that fails, for example on a full disk, the lock still holds."""
    record = {"pid": os.getpid(), "actor": actor(), "since": int(time.time())}
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, json.dumps(record).encode())


def _holder(path: Path) -> LockHolder | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record["since"]))
        return LockHolder(f"process {record['pid']} of {record['actor']}, since {since}")
    except (OSError, ValueError, KeyError, TypeError):
        return None
