"""Plain values that the parts of the interface hand to each other and to their callers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from custctl.support.errors import ExitCode


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who holds the migration lock, as far as could be learnt."""

    description: str


@dataclass(frozen=True, slots=True)
class Merge:
    """What a bulk merge did with a batch.

    Attributes:
        inserted: ids of new rows, ascending.
        updated: ids of rows that were changed, ascending.
        unchanged: how many rows were there already with these very values.
        taken: positions in the batch whose key another row holds; filled only when not updating.
        absent: positions in the batch whose key no row holds; filled only when not inserting.
    """

    inserted: Sequence[int] = ()
    updated: Sequence[int] = ()
    unchanged: int = 0
    taken: Sequence[int] = ()
    absent: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Remains:
    """Something that an erasure leaves, or cannot reach.

    Attributes:
        what: its name, as a report has it.
        why: why it stays, and until when.
        remove: what removes it: a statement or a command; None where that depends on the company.
        failed: whether it should have been erased, and could not.
    """

    what: str
    why: str
    remove: str | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """An index that makes reading faster and enforces nothing.

    Attributes:
        statements: what makes it as it was, in their order.
    """

    name: str
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `doctor`: what was looked at, how it stands, and the way out of a fault.

    Attributes:
        exit_code: what a fault of this kind ends a command with.
    """

    name: str
    ok: bool
    value: str
    hint: str | None = None
    exit_code: ExitCode = ExitCode.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Node:
    """One server, and how messages name it."""

    name: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"`{self.name}` ({self.host}:{self.port})"
