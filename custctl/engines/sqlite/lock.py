"""The migration lock of SQLite: an operating-system lock on a file beside the database.

The system frees it when its holder dies, however that happens; the file itself
stays, and only says who held the lock last.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from custctl.engines.model import LockHolder
from custctl.support.errors import CredentialError, UnavailableError
from custctl.support.filelocks import try_lock
from custctl.support.identity import actor

_POLL = 0.05  # seconds between attempts


@contextmanager
def file_lock(database: Path, timeout: float, on_wait: Callable[[LockHolder | None], None]) -> Iterator[None]:
    """Hold the lock of a database during the block.

    Args:
        database: the database's file, which need not exist. The lock lies beside the file that it leads to, so that
            all who come by way of symbolic links hold the same one.
        timeout: seconds to wait for another holder.
        on_wait: called once with the holder, before waiting.

    Raises:
        UnavailableError: the time ran out, or the file system has no locks.
        CredentialError: the file cannot be made or opened.
    """
    found = database.resolve()
    path = found.with_name(f"{found.name}.lock")
    try:
        # The lock comes before everything else, the database and its folder included.
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not through a symbolic link, which may lead to any other file of the user's.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise CredentialError(
            f"the lock file {path} cannot be opened: {error.strerror}",
            hint="check the path of the database in the profile, and the owner and the permissions of its folder",
        ) from error
    try:
        _share(descriptor, found)
        deadline = time.monotonic() + timeout
        waited = False
        while not _taken(descriptor, path):
            if time.monotonic() >= deadline:
                holder = _holder(path)
                raise UnavailableError(
                    f"another migration holds the lock{f': {holder.description}' if holder else ''}",
                    hint="wait until it ends, or wait longer with `--lock-timeout`",
                )
            if not waited:
                waited = True
                on_wait(_holder(path))
            time.sleep(_POLL)
        _write_holder(descriptor)
        yield
    finally:
        os.close(descriptor)


def _share(descriptor: int, database: Path) -> None:
    """Let all who may write to the database have its lock: give the file its group and mode.

    Only its owner can, and root also hands it to the database's own owner.
    """
    if os.name != "posix":
        return
    with suppress(OSError):
        held, own = database.stat(), os.fstat(descriptor)
        if own.st_uid != os.geteuid() or own.st_nlink != 1:
            return  # another user's, or another file under this name too
        mode = 0o600 | held.st_mode & 0o066
        owner = held.st_uid if own.st_uid == 0 else -1
        if own.st_gid != held.st_gid or owner not in (-1, own.st_uid):
            # Before the mode: no other group gets that, not for a moment.
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
    """Say who holds the lock; where that cannot be written, on a full disk say, the lock holds all the same."""
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
