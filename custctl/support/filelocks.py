"""Locks on open files; the system releases them when the process ends, however it ends."""

from __future__ import annotations

import os

if os.name == "nt":
    import msvcrt

    def try_lock(descriptor: int) -> bool:
        """Try to lock an open file, and return whether it succeeded."""
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
        """Try to lock an open file, and return whether it succeeded.

        Raises:
            OSError: the file system has no locks.
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
