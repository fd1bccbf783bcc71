"""A file that is read more than once and must not change in between."""

from __future__ import annotations

import hashlib
import io
from typing import IO, Any

from custctl.support.errors import InvalidError, UnavailableError

_BLOCK = 1 << 20  # bytes
_DIGEST = 16  # bytes; the digests of a 64 GiB file take 1 MiB


class Steady(io.RawIOBase):
    """Returns the bytes of a file, and never two versions of one block.

    It stores a block's digest on the first read, and compares it on every later one. It ignores time stamps and sizes:
    a change that keeps both is noticed, and a file that was only touched counts as unchanged.

    Args:
        file: seekable; the first pass reads it from beginning to end.

    Raises:
        InvalidError: when it reads a block that has changed.
        UnavailableError: when the device fails to read.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._at = 0
        self._known: list[bytes] = []
        self._number = -1  # number of the block held
        self._block = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position, in bytes."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Seek to an absolute position; only `SEEK_SET` is supported."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only from the beginning")
        self._at = offset
        # Check again what is read from here on.
        self._number = -1
        return offset

    def readinto(self, buffer: Any, /) -> int:
        """Read into a buffer, within one block."""
        number, start = divmod(self._at, _BLOCK)
        if number != self._number:
            self._load(number)
        part = self._block[start : start + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def _load(self, number: int) -> None:
        try:
            self._file.seek(number * _BLOCK)
            block = self._file.read(_BLOCK)
        except OSError as error:
            raise UnavailableError(
                f"the file cannot be read: {error.strerror}",
                hint="run the same command again: it resumes where it stopped",
            ) from error
        digest = hashlib.blake2b(block, digest_size=_DIGEST).digest()
        if number == len(self._known):
            self._known.append(digest)
        elif self._known[number] != digest:
            raise InvalidError(
                "the file changed while it was being read",
                hint="run the import again when nothing writes to the file; `--on-conflict skip` skips the rows that"
                " are already imported",
            )
        self._number, self._block = number, block
