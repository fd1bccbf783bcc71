"""What is kept between two commands: how far a replica must have come to show what was written from here.

A file for each profile, in the user's state folder. It is written whole and under a lock, so that of several processes
none turns it back.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from custctl.engines.reads import LogPosition
from custctl.state import locked, write_whole

_PATIENCE = 1.0  # seconds in which another process's writing of the file is waited for; it takes a thousandth of that
_UNKNOWN = LogPosition("", 0, 0)


@dataclass(frozen=True, slots=True)
class Memory:
    """What is kept of one database.

    Attributes:
        reached: the furthest position that was written from here, or met; None where nothing was.
        primary: the name of the node that was the primary last. Never more than a guess.
    """

    reached: LogPosition | None = None
    primary: str | None = None


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
        """Return what is kept; a position that no database has where the file is damaged.

        Raises:
            OSError: the file cannot be read.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return Memory()
        except UnicodeDecodeError:
            return Memory(_UNKNOWN)
        try:
            held = json.loads(text)
            reached = LogPosition(str(held["database_id"]), int(held["epoch"]), int(held["position"]))
            return Memory(reached, held["primary"] if isinstance(held["primary"], str) else None)
        except (ValueError, TypeError, KeyError):
            return Memory(_UNKNOWN)

    def remember(self, reached: LogPosition, primary: str) -> Memory:
        """Keep a position, unless a later one is kept, and which node is the primary.

        Returns:
            What is kept now.

        Raises:
            OSError: the file cannot be written.
        """
        with locked(self.path, _PATIENCE) as mine:
            if not mine:
                raise TimeoutError(None, "another process has held its lock for too long")
            held = self.read()
            kept = replace(held, reached=later(held.reached, reached), primary=primary)
            if kept != held:
                self._write(kept)
        return kept

    def _write(self, memory: Memory) -> None:
        assert memory.reached is not None
        held = {
            "database_id": memory.reached.database_id,
            "epoch": memory.reached.epoch,
            "position": memory.reached.position,
            "primary": memory.primary,
        }
        write_whole(self.path, json.dumps(held))
