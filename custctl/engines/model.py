"""Plain values that the parts of the interface exchange with each other and with their callers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from custctl.support.errors import ExitCode


class LockHolder(NamedTuple):
    """Who holds the migration lock, as far as known."""

    description: str


class Merge(NamedTuple):
    """What a bulk merge did with a batch.

    Attributes:
        inserted: ids of new rows, ascending.
        updated: ids of changed rows, ascending.
        unchanged: how many rows already had these values.
        taken: positions in the batch whose key another row has; filled only when not updating.
        absent: positions in the batch whose key no row has; filled only when not inserting.
    """

    inserted: Sequence[int] = ()
    updated: Sequence[int] = ()
    unchanged: int = 0
    taken: Sequence[int] = ()
    absent: Sequence[int] = ()

    @classmethod
    def of(
        cls,
        size: int,
        *,
        known: Collection[int],
        inserted: Sequence[int],
        updated: Sequence[int],
        insert: bool,
        update: bool,
    ) -> Merge:
        """Return the result of a merge.

        Args:
            size: number of rows in the batch.
            known: positions whose key a row already had.
            inserted: ids of new rows, in any order.
            updated: ids of changed rows, in any order.
            insert: whether rows with a new key were inserted.
            update: whether rows with a known key were updated.
        """
        return cls(
            inserted=sorted(inserted),
            updated=sorted(updated),
            unchanged=len(known) - len(updated) if update else 0,
            taken=() if update else sorted(known),
            absent=() if insert else sorted(set(range(size)).difference(known)),
        )


class Remains(NamedTuple):
    """Something that an erasure leaves behind or cannot reach.

    Attributes:
        what: its name in a report.
        why: why it stays, and until when.
        remove: the statement or command that removes it; None if that depends on the company.
        failed: whether it should have been erased but could not be.
    """

    what: str
    why: str
    remove: str | None = None
    failed: bool = False


class Index(NamedTuple):
    """An index that speeds up reads and enforces nothing.

    Attributes:
        statements: the statements that recreate it, in order.
    """

    name: str
    statements: tuple[str, ...]


class SearchIndex(NamedTuple):
    """What lets `customer search` look in own fields.

    Attributes:
        statements: the statements that build it, in order.
        undo: the statements that restore what was there before, in order. Repeating them is harmless.
    """

    name: str
    statements: tuple[str, ...]
    undo: tuple[str, ...]


class Check(NamedTuple):
    """One line of `doctor`: what was checked, the result, and how to fix a failure.

    Attributes:
        exit_code: the exit code of a command that fails for this reason.
    """

    name: str
    ok: bool
    value: str
    hint: str | None = None
    exit_code: ExitCode = ExitCode.UNAVAILABLE


class Node(NamedTuple):
    """One server, and how messages name it."""

    name: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"`{self.name}` ({self.host}:{self.port})"
