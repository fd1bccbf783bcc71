"""What is kept between two commands: how far a replica must have come to show what was written from here.

A file for each profile, in the user's state folder. It is written whole and under a lock, so that of several processes
none turns it back. Where it was lost, or could not be written, the next read from the primary tells enough again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from custctl.engines.reads import LogPosition
from custctl.support.state import SealedFile

_PATIENCE = 1.0  # seconds in which another process's writing of the file is waited for; it takes a thousandth of that


@dataclass(frozen=True, slots=True)
class Memory:
    """What is kept of one database.

    Attributes:
        reached: the furthest position that was written from here, or met; None where nothing was.
        primary: the name of the node that was the primary last. Never more than a guess.
        is_whole: whether nothing was written from here behind that position, for all that can be told.
    """

    reached: LogPosition | None = None
    primary: str | None = None
    is_whole: bool = True


def later(held: LogPosition | None, new: LogPosition) -> LogPosition:
    """Return what is to be kept: of one database, the higher epoch, and in one epoch the higher position.

    Another database's position takes the place of the one that was held: the profile leads to that database now.
    """
    if held is None or held.database_id != new.database_id:
        return new
    return max(held, new, key=lambda each: (each.epoch, each.position))


class Positions:
    """The memory of one profile.

    Args:
        path: the file; it and its folder need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = SealedFile(path)
        self._was_whole = False

    @classmethod
    def of(cls, folder: Path, profile: str, database: Sequence[str | None]) -> Positions:
        """Return the memory of a profile.

        Args:
            folder: the user's state folder.
            profile: its name.
            database: what names the database in it. Not its nodes: one more or less of them is no other database.
        """
        digest = hashlib.sha256(json.dumps(list(database)).encode()).hexdigest()[:12]
        name = re.sub(r"[^\w.-]", "_", profile)
        return cls(folder / "replicas" / f"{name}-{digest}.json")

    def read(self) -> Memory:
        """Return what is kept.

        Raises:
            OSError: the file cannot be read.
        """
        held = _parsed(*self._file.read(_PATIENCE))
        self._was_whole = held.is_whole
        return held

    def remember(self, reached: LogPosition, primary: str) -> Memory:
        """Keep a position, unless a later one is kept, and which node is the primary.

        Returns:
            What is kept now.

        Raises:
            OSError: the file cannot be written, and whoever reads it next is told that it is not whole.
        """
        kept = Memory(is_whole=False)

        def edit(text: str | None, whole: bool) -> str | None:
            nonlocal kept
            held = _parsed(text, whole)
            kept = replace(held, reached=later(held.reached, reached), primary=primary, is_whole=True)
            if self._was_whole and not held.is_whole:
                # Lost since this process began: another one may have written behind this position.
                kept = held
            return _text(kept) if kept != held else None

        try:
            self._file.change(edit, _PATIENCE)
        except OSError:
            self._file.break_seal()
            raise
        return kept


def _parsed(text: str | None, whole: bool) -> Memory:
    if text is None:
        return Memory(is_whole=False)
    try:
        held = json.loads(text)
        reached = LogPosition(str(held["database_id"]), int(held["epoch"]), int(held["position"]))
        return Memory(reached, held["primary"] if isinstance(held["primary"], str) else None, whole)
    except (ValueError, TypeError, KeyError, RecursionError):
        return Memory(is_whole=False)


def _text(memory: Memory) -> str:
    assert memory.reached is not None
    held = {
        "database_id": memory.reached.database_id,
        "epoch": memory.reached.epoch,
        "position": memory.reached.position,
        "primary": memory.primary,
    }
    return json.dumps(held)
