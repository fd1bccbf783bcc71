"""State kept between commands: the log position a replica must have reached to show this machine's own writes.

Each profile has one file in the user's state folder. It is rewritten as a whole under a lock, so that no process
replaces a later position. If it is lost or could not be written, the next read from the primary restores it.
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

_PATIENCE = 1.0  # seconds to wait while another process writes the file; a write takes about a millisecond


@dataclass(frozen=True, slots=True)
class Memory:
    """What is kept about one database.

    Attributes:
        reached: the furthest position written or seen from this machine; None if there is none.
        primary: the name of the node that was the primary last. Only a guess.
        is_whole: whether, as far as is known, this machine has written nothing after that position.
    """

    reached: LogPosition | None = None
    primary: str | None = None
    is_whole: bool = True


def later(held: LogPosition | None, new: LogPosition) -> LogPosition:
    """Return the position to keep: the higher epoch, and within an epoch the higher position.

    A position of another database replaces the held one: the profile now points to that database.
    """
    if held is None or held.database_id != new.database_id:
        return new
    return max(held, new, key=lambda each: (each.epoch, each.position))


class Positions:
    """The stored positions of one profile.

    Args:
        path: the file; it and its folder need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = SealedFile(path)
        self._was_whole = False

    @classmethod
    def of(cls, folder: Path, profile: str, database: Sequence[str | None]) -> Positions:
        """Return the positions of a profile.

        Args:
            folder: the user's state folder.
            profile: its name.
            database: what identifies the database. Not its nodes: adding or removing one keeps the same database.
        """
        digest = hashlib.sha256(json.dumps(list(database)).encode()).hexdigest()[:12]
        name = re.sub(r"[^\w.-]", "_", profile)
        return cls(folder / "replicas" / f"{name}-{digest}.json")

    def read(self) -> Memory:
        """Return the stored state.

        Raises:
            OSError: the file cannot be read.
        """
        held = _parsed(*self._file.read(_PATIENCE))
        self._was_whole = held.is_whole
        return held

    def remember(self, reached: LogPosition, primary: str) -> Memory:
        """Keep a position, unless a later one is stored, and the name of the primary.

        Returns:
            What is stored now.

        Raises:
            OSError: the file cannot be written; the next reader finds `is_whole` false.
        """
        kept = Memory(is_whole=False)

        def edit(text: str | None, whole: bool) -> str | None:
            nonlocal kept
            held = _parsed(text, whole)
            kept = replace(held, reached=later(held.reached, reached), primary=primary, is_whole=True)
            if self._was_whole and not held.is_whole:
                # Lost since this process read it: another process may have written after this position.
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
