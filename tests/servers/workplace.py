"""The folder in which the servers of one test run live, shared by its parallel workers."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_PREFIX = "custctl-servers-"
# A Unix socket's path has at most 107 bytes, and the folder's, the server's and the socket's names come after.
_LONGEST_ROOT = 40
_LONGEST_LASTING = 80
# A new database is 300 files: on some disks ten times the work that it is in memory.
_MEMORY = Path("/dev/shm")
_MEMORY_FREE = 2 << 30


class Workplace:
    """A folder outside pytest's own, which nobody but its user can enter.

    PostgreSQL refuses to run as root: its programs are run as `nobody` then. The folder is removed by the last of the
    workers that closes it; what a killed run left is removed by the next.
    """

    def __init__(self, run: str) -> None:
        """Open the folder of a test run.

        Args:
            run: the run's name, the same for all its workers.
        """
        self.user, self.group = _server_account()
        root = _root(self.user)
        _sweep(root)
        self.path = root / f"{_PREFIX}{run}"
        self._alive = self._join()

    def _join(self) -> int:
        """Hold a lock as long as the folder is used; the system releases it for a process that is killed."""
        while True:
            self.path.mkdir(mode=0o755, exist_ok=True)
            self.path.chmod(0o755)
            try:
                lock = os.open(self.path / "alive", os.O_RDWR | os.O_CREAT, 0o600)
            except FileNotFoundError:
                continue  # another worker has just closed it
            fcntl.flock(lock, fcntl.LOCK_SH)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(lock), os.stat(self.path / "alive")):
                    return lock
            os.close(lock)

    def close(self) -> None:
        """Leave the folder, and remove it if nobody else is in it."""
        _remove_unused(self.path, self._alive)

    @contextlib.contextmanager
    def made_once(self, name: str) -> Iterator[tuple[Path, bool]]:
        """Give a folder that is filled once a run: hands out its path, and whether this worker is to fill it.

        What the worker that fills it leaves half done, because of an error, the next one begins anew.
        """
        path = self.path / name
        lock = os.open(self.path / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = self.path / f"{name}.done"
            if done.exists():
                yield path, False
                return
            shutil.rmtree(path, ignore_errors=True)
            self.make_folder(path)
            yield path, True
            done.touch()
        finally:
            os.close(lock)

    def make_folder(self, path: Path) -> Path:
        """Make a folder that belongs to who runs the servers."""
        path.mkdir(mode=0o700)
        self.hand_over(path)
        return path

    def hand_over(self, *paths: Path) -> None:
        """Give files to who runs the servers."""
        if self.user is not None:
            for path in paths:
                os.chown(path, self.user, self.group if self.group is not None else -1)

    def run(self, command: Sequence[str | Path], *, environ: Mapping[str, str], stdin: str = "") -> str:
        """Run a program of the server's to its end, as who runs the servers, and return all that it wrote.

        Raises:
            RuntimeError: it failed.
            PermissionError: who runs the servers may not read the program.
        """
        done = subprocess.run(
            command,
            user=self.user,
            group=self.group,
            extra_groups=None if self.user is None else [],
            cwd="/",
            env=environ,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}")
        return done.stdout


class LastingWorkplace(Workplace):
    """A folder that stays until it is removed, for servers that outlive who started them."""

    def __init__(self, path: Path) -> None:
        """Open the folder, which is made where it is not there.

        Args:
            path: one that suits (see `suits_servers`).
        """
        self.user, self.group = _server_account()
        self.path = path
        path.mkdir(mode=0o755, exist_ok=True)
        path.chmod(0o755)

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)


def suits_servers(path: Path) -> bool:
    """Tell whether servers can live in a folder: their user can enter it, and a socket's path in it is short enough."""
    user, _ = _server_account()
    return _can_enter(user, path) and len(os.fsencode(path)) <= _LONGEST_LASTING


def _server_account() -> tuple[int | None, int | None]:
    """Return the user and group to run servers as; None for the current ones."""
    if os.geteuid() != 0:
        return None, None
    account = pwd.getpwnam("nobody")
    return account.pw_uid, account.pw_gid


def _root(user: int | None) -> Path:
    """Return a folder for temporary files that the servers' user can reach, and short enough for a socket's path."""
    memory = [_MEMORY] if _is_roomy(_MEMORY) else []
    for path in (*memory, Path(tempfile.gettempdir()).resolve(), Path("/tmp"), Path("/var/tmp")):
        if _can_enter(user, path) and len(os.fsencode(path)) <= _LONGEST_ROOT and os.access(path, os.W_OK):
            return path
    raise RuntimeError("no folder for temporary files that suits a database server: set TMPDIR to a short, public one")


def _can_enter(user: int | None, path: Path) -> bool:
    return user is None or all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def _is_roomy(memory: Path) -> bool:
    """Tell whether there is much room in memory, for data and for programs to run."""
    try:
        found = os.statvfs(memory)
    except FileNotFoundError:
        return False
    return found.f_bavail * found.f_frsize >= _MEMORY_FREE and not found.f_flag & os.ST_NOEXEC


def _sweep(root: Path) -> None:
    """Remove what killed runs have left."""
    for path in root.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if path.stat().st_uid == os.geteuid():
                _remove_unused(path, os.open(path / "alive", os.O_RDWR))


def _remove_unused(path: Path, lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    except BlockingIOError:
        pass  # somebody is in it
    finally:
        os.close(lock)
