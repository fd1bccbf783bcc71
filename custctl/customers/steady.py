"""A file that is read more than once and must be the same each time."""

from __future__ import annotations

import hashlib
import io
from typing import IO, Any

from custctl.support.errors import InvalidError, UnavailableError

_BLOCK = 1 << 20  # bytes
_DIGEST = 16  # bytes; a file of 64 GiB is known by 1 MiB of digests


class Steady(io.RawIOBase):
    """Hands on the bytes of a file, and never two versions of one block.

    A block's digest is learnt when it is first read, and compared whenever it is read again. Neither a time stamp nor
    a size is asked: a change that keeps both is noticed, and a file that was merely touched is no other.

    Args:
        file: it can seek; the first reading goes from the beginning to the end.

    Raises:
        InvalidError: on reading a block that is not what it was.
        UnavailableError: on reading what the device does not give.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._at = 0
        self._known: list[bytes] = []
        self._number = -1  # of the block that is held
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
        """Go to a position, counted from the beginning alone."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only from the beginning")
        self._at = offset
        # What is read from here on is looked at again.
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
