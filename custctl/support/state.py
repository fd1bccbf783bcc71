"""Files in the user's state folder, which keep facts about a profile's database between commands."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from custctl.support.filelocks import try_lock
from custctl.support.paths import user_state_dir

_POLL = 0.005  # seconds between attempts
_SEAL = 64  # bytes; more than two numbers of a file system take


def state_file(profile: str, location: str, environ: Mapping[str, str], name: str) -> Path:
    """Return the path of a state file for a profile's database; it may not exist.

    A profile of the same name for another database has other files; their content also names the database.

    Args:
        profile: the profile's name.
        location: the profile's database in words.
        name: the file's name.
    """
    # Not a digest from OpenSSL: loading it takes longer than everything done with the file.
    return user_state_dir(environ) / f"{profile}-{zlib.crc32(location.encode()):08x}" / name


@contextmanager
def locked(path: Path, timeout: float = 0.0) -> Iterator[bool]:
    """Hold the lock of a file, a `.lock` file next to it; a missing folder is created.

    Args:
        timeout: seconds to wait for another holder.

    Yields:
        Whether the lock was obtained.

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
    """Write a file atomically, readable only by its owner; readers see the old text or the new one.

    Raises:
        OSError: it cannot be written.
    """
    # Not with `tempfile`, whose import takes longer than the writing.
    name = path.with_name(f".custctl-{os.urandom(8).hex()}")
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(text)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def runtime_dir(environ: Mapping[str, str]) -> Path:
    """Return the folder for files that need not survive a restart of the machine."""
    for variable in ("XDG_RUNTIME_DIR", "TMPDIR"):
        if os.path.isabs(environ.get(variable, "")):
            return Path(environ[variable])
    if os.name == "nt":
        import tempfile

        return Path(tempfile.gettempdir())
    return Path("/tmp")  # noqa: S108 - the file's owner is checked


class SealError(OSError):
    """A seal cannot be written; `filename` is the seal."""


class SealedFile:
    """A file in the state folder whose loss must be noticed.

    A seal in the folder for temporary files identifies the copy that was written last, by its inode number and change
    time, which no restore sets back. If the seal is missing or differs, the file may lack something written from this
    machine: it was deleted, restored, or could not be written for a while.

    Args:
        path: the file; it and its folder need not exist.
        environ: variables that name the seal's folder.
    """

    def __init__(self, path: Path, environ: Mapping[str, str] = os.environ) -> None:
        self.path = path
        user = f"{os.getuid()}-" if hasattr(os, "getuid") else ""
        self._seal = runtime_dir(environ) / f"custctl-{user}{zlib.crc32(bytes(path)):08x}"

    def read(self, timeout: float) -> tuple[str | None, bool]:
        """Return the text, or None, and whether it includes everything written from this machine.

        Args:
            timeout: seconds to wait while another process writes the file.

        Raises:
            OSError: the file exists, but cannot be read.
        """
        text, number = self._text()
        try:
            if text is None or number == self._sealed():
                return text, text is not None
            # Another process may have written the file and not yet its seal.
            with locked(self.path, timeout) as mine:
                text, number = self._text()
                return text, mine and text is not None and number == self._sealed()
        except OSError:
            return text, False

    def change(self, edit: Callable[[str | None, bool], str | None], timeout: float) -> None:
        """Write the file.

        Args:
            edit: gets what `read` returns, and returns the new text; None leaves the file unchanged.
            timeout: seconds to wait while another process writes the file.

        Raises:
            SealError: its seal cannot be written.
            OSError: it cannot be written.
        """
        with locked(self.path, timeout) as mine:
            if not mine:
                raise TimeoutError(None, "timed out waiting for a lock held by another process")
            # Opened before the file is written: if another process breaks the seal meanwhile, it stays broken.
            try:
                seal = self._open_seal(os.O_RDWR | os.O_CREAT)
            except OSError as error:
                raise self._unsealed(error) from error
            try:
                held, number = self._text()
                made = edit(held, held is not None and number == os.read(seal, _SEAL))
                if made is not None:
                    write_whole(self.path, made)
                    os.lseek(seal, 0, os.SEEK_SET)
                    try:
                        os.write(seal, self._text()[1])
                    except OSError as error:
                        raise self._unsealed(error) from error
            finally:
                os.close(seal)

    def _unsealed(self, error: OSError) -> SealError:
        return SealError(error.errno, error.strerror, str(self._seal))

    def break_seal(self) -> None:
        """Record that the file lacks something written from this machine."""
        with suppress(OSError):
            os.unlink(self._seal)

    def _text(self) -> tuple[str | None, bytes]:
        try:
            with self.path.open(encoding="utf-8", errors="replace") as stream:
                found = os.fstat(stream.fileno())
                return stream.read(), f"{found.st_ino} {found.st_ctime_ns}".encode().ljust(_SEAL)
        except (FileNotFoundError, NotADirectoryError):
            return None, b""

    def _sealed(self) -> bytes:
        # A seal that cannot be broken proves nothing.
        if not os.access(self._seal.parent, os.W_OK):
            return b""
        seal = self._open_seal(os.O_RDONLY)
        try:
            return os.read(seal, _SEAL)
        finally:
            os.close(seal)

    def _open_seal(self, flags: int) -> int:
        """Open the seal, whose folder others can write to.

        Raises:
            OSError: it cannot be opened, or belongs to another user.
        """
        # Another user may have put a pipe there, which would block.
        more = ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")
        seal = os.open(self._seal, flags | sum(getattr(os, name, 0) for name in more), 0o600)
        if hasattr(os, "geteuid") and os.fstat(seal).st_uid != os.geteuid():
            os.close(seal)
            raise PermissionError(None, f"`{self._seal}` belongs to another user")
        return seal
