"""The file of an SQLite database, as the file system shows it."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from custctl.support.errors import CredentialError, CustctlError, RefusedError, UnavailableError


def exists(path: Path, location: str) -> bool:
    """Tell whether the file exists.

    Raises:
        CredentialError: the folders above it cannot be read.
        UnavailableError: its path cannot be followed, or it is something else than a file.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError as error:
        raise CredentialError(
            f"{location} cannot be checked: {error.strerror}",
            hint="check the permissions of the folders above it",
        ) from error
    except OSError as error:
        told = f"{location} cannot be opened: {error.strerror}"
        raise UnavailableError(told, hint="check `database.path` in the profile") from error
    if not stat.S_ISREG(mode):
        from custctl.support.files import unfit

        # SQLite would wait for the other end of a pipe.
        told = f"{location} cannot be opened: it is {unfit(mode)}, not a file"
        raise UnavailableError(told, hint="check `database.path` in the profile")
    return True


def create(path: Path, location: str) -> None:
    """Create an empty file and the folders above it.

    Raises:
        RefusedError: they cannot be created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The file holds personal data: only its owner has access until the owner changes that.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise RefusedError(
            f"{location} cannot be created: {error.strerror}", hint="check `database.path` in the profile"
        ) from error


def is_immutable(path: Path) -> bool:
    """Tell whether the file is on a read-only file system and complete without a log or journal.

    There SQLite cannot create the shared files of WAL mode, and does not need them, because nobody writes.
    """
    if os.name != "posix":
        return False
    with suppress(OSError):
        beside = (Path(f"{path}-{kind}") for kind in ("wal", "journal"))
        if os.statvfs(path).f_flag & os.ST_RDONLY:
            return not any(other.exists() and other.stat().st_size for other in beside)
    return False


def denied(name: str, path: Path, location: str) -> CustctlError | None:
    """Return the error if the file system does not let SQLite use the file, else None.

    Args:
        name: SQLite's name of its own error.
    """
    if name.startswith("SQLITE_CANTOPEN") and not os.access(path, os.R_OK):
        return CredentialError(
            f"{location} cannot be opened: permission denied",
            hint="check the owner and the permissions of the file",
        )
    if name.startswith("SQLITE_READONLY") and is_immutable(path):
        return CredentialError(
            f"{location} cannot be written: its file system is read-only",
            hint="reading works; to write, copy the file to a writable file system",
        )
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")) and not os.access(path.parent, os.W_OK):
        return CredentialError(
            f"{location} cannot be used: SQLite must create `-wal` and `-shm` files beside it, and has no permission",
            hint="get write permission for its folder, or copy the file, with its `-wal`, to a folder of your own",
        )
    return None
