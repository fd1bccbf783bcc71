"""What is remembered of a profile's database between two commands: files of the user's state folder."""

from __future__ import annotations

import os
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from custctl.filelocks import try_lock
from custctl.paths import user_state_dir

_POLL = 0.005  # seconds between attempts


def state_file(profile: str, location: str, environ: Mapping[str, str], name: str) -> Path:
    """Return the path of a file that is about a profile's database; it may not exist.

    A profile of the same name for another database has files of its own; what is kept in them says besides which
    database it is about.

    Args:
        profile: its name.
        location: its database in words.
        name: what the file is called.
    """
    # Not a digest of OpenSSL's, whose loading takes longer than all that is done with the file.
    return user_state_dir(environ) / f"{profile}-{zlib.crc32(location.encode()):08x}" / name


@contextmanager
def locked(path: Path, timeout: float = 0.0) -> Iterator[bool]:
    """Hold the lock of a file, which lies beside it; their folder is made where it is missing.

    Args:
        timeout: seconds to wait for another holder.

    Yields:
        Whether the lock was to be had.

    Raises:
        OSError: the folder cannot be written, or its file system has no locks.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + timeout
        while not (held := try_lock(descriptor)) and time.monotonic() < deadline:
            time.sleep(_POLL)
        yield held
    finally:
        os.close(descriptor)


def write_whole(path: Path, text: str) -> None:
    """Write a file that is its owner's alone, so that others read the old text or the new one.

    Raises:
        OSError: it cannot be written.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.stem}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
