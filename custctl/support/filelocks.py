"""Locks on open files: the system frees them when their holder dies, however that happens."""

from __future__ import annotations

import os

if os.name == "nt":
    import msvcrt

    def try_lock(descriptor: int) -> bool:
        """Take the lock of an open file, and tell whether it was to be had."""
        # Far behind the text, so that others can still read it.
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Take the lock of an open file, and tell whether it was to be had.

        Raises:
            OSError: the file system has no locks.
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
