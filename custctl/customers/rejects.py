"""The file of rows that an import rejects."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from custctl.customers.records import Record, Source
from custctl.support.errors import UnavailableError, UsageError


class Rejects:
    """Rejected rows as they were, each with its line and the reason.

    The file is on disk before the batch commits, and truncated to what did commit. It is written only inside the
    transaction that writes the import's position, so that of two imports of one file neither truncates the other's
    rows.

    Args:
        size: bytes of the file that belong to committed batches; 0 starts a new file.
        rejected: how many rows those batches rejected.

    Attributes:
        lost: number of rows that earlier runs rejected and the file lacks.

    Raises:
        UsageError: it cannot be written, or is not a regular file.
    """

    def __init__(self, path: Path, source: Source, size: int, rejected: int) -> None:
        self._path = path
        self._source = source
        self._size = size
        self.lost = rejected
        _check(path)
        try:
            held = path.stat().st_size
        except OSError:
            held = 0
        if 0 < size <= held:
            self.lost = 0
        else:
            self._size = 0
        self._begun = self._size > 0

    def write(self, rejected: Sequence[tuple[Record, str]]) -> int:
        """Write the rows that a batch rejects, in the order of the file.

        Returns:
            The size of the file in bytes, all of it on disk.

        Raises:
            UnavailableError: it cannot be written.
        """
        if not rejected and (self._begun or not self._path.exists()):
            return self._size
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            encoding = self._source.encoding.name
            with os.fdopen(descriptor, "r+", encoding=encoding, errors="surrogateescape", newline="") as file:
                file.truncate(self._size)
                file.seek(0, os.SEEK_END)
                for number, (record, reason) in enumerate(rejected):
                    self._source.reject(file, record, reason, first=self._size == 0 and number == 0)
                file.flush()
                os.fsync(file.fileno())
                self._size, self._begun = os.fstat(file.fileno()).st_size, True
        except OSError as error:
            raise UnavailableError(
                f"`{self._path}` cannot be written: {error.strerror}",
                hint="check the file and the free space on its disk, then run the command again: the import resumes where"
                " it stopped",
            ) from error
        return self._size

    def cut_back(self, size: int) -> None:
        """Remove what was written for a batch that did not commit."""
        if self._begun and self._size != size:
            os.truncate(self._path, size)
            self._size = size

    def remove(self) -> None:
        """Remove the file: nothing was rejected."""
        self._path.unlink(missing_ok=True)


def _check(path: Path) -> None:
    """Check in advance that the file can be written, without creating it."""
    if path.exists():
        fault = (
            "it is not a regular file"
            if not path.is_file()
            else None
            if os.access(path, os.W_OK)
            else "it is read-only"
        )
    else:
        folder = path.parent
        fault = None if os.access(folder, os.W_OK | os.X_OK) else f"`{folder}` does not exist or is read-only"
    if fault is not None:
        raise UsageError(f"`--rejects {path}` cannot be written: {fault}")
