"""What a machine remembers about a profile's cache between two commands.

Which database the entries are of, what was last written from here, which entries are in doubt, and that the cache has
failed just now: a short-lived process knows none of that by itself.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from custctl.state import locked, write_whole

_KEPT = 2000  # writes that are remembered; each is also in the cache, where that answered
_SPARED = 30.0  # seconds after a failure in which the cache is left alone
_ID = re.compile(r"-1|[0-9]{1,19}", re.ASCII)
_LONGEST = 24 * 3600.0  # seconds that a write may last; a clock that was put back makes no doubt last for ever
_PATIENCE = 1.0  # seconds to wait for another process's writing of the file


class Memory:
    """The memory of one profile; a folder that cannot be written is one that remembers nothing.

    Args:
        path: its file.
        clock: seconds since the epoch.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._held: dict[str, Any] | None = None

    def _read(self) -> dict[str, Any]:
        if self._held is None:
            try:
                held = json.loads(self._path.read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError):
                held = None
            self._held = _sound(held)
        return self._held

    def _change(self, change: Callable[[dict[str, Any]], None]) -> None:
        with suppress(OSError), locked(self._path, _PATIENCE):
            self._held = None
            held = self._read()
            change(held)
            write_whole(self._path, json.dumps(held, separators=(",", ":")))

    # -- which database ----------------------------------------------------------------------------

    @property
    def database_id(self) -> str | None:
        """The id of the database that the profile led to last."""
        found = self._read().get("database_id")
        return found if isinstance(found, str) else None

    def learn(self, database_id: str) -> None:
        """Keep which database the profile leads to; what was known of another one is forgotten."""
        if self.database_id != database_id:

            def change(held: dict[str, Any]) -> None:
                held.clear()
                held["database_id"] = database_id

            self._change(change)

    # -- what was written from here ----------------------------------------------------------------

    def written(self, customer_id: int) -> str:
        """Return the key of the version that was last written from here; empty where none was."""
        found = self._table("written").get(str(customer_id))
        return found if isinstance(found, str) else ""

    def wrote(self, customer_id: int, version_key: str) -> None:
        """Keep the version that was written, unless a later one is kept."""

        def change(held: dict[str, Any]) -> None:
            written = held.setdefault("written", {})
            key = str(customer_id)
            # The last ones are the newest.
            written[key] = max(written.pop(key, ""), version_key)
            for oldest in list(written)[:-_KEPT]:
                del written[oldest]

        self._change(change)

    def _table(self, name: str) -> Mapping[str, Any]:
        found = self._read().get(name)
        return found if isinstance(found, dict) else {}

    # -- what is in doubt --------------------------------------------------------------------------

    @property
    def in_doubt(self) -> dict[int, str]:
        """The customers whose entries may be old, as the cache did not take what was written; -1 is all of them.

        Each with a text of its own for each time that it came into doubt.
        """
        return {int(key): value for key, value in self._table("doubt").items()}

    def doubt(self, customer_ids: Iterable[int], seconds: float = 0.0) -> None:
        """Keep that entries may be old.

        Args:
            seconds: in which what they are to be older than may yet be written, so that it is no use to settle them.
        """
        until = self._clock() + seconds if seconds else 0
        new = {str(each): f"{os.urandom(6).hex()} {until:.3f}" for each in customer_ids}
        self._change(lambda held: held.setdefault("doubt", {}).update(new))

    def settle(self, doubts: Mapping[int, str]) -> None:
        """Keep that these are in doubt no more, but for what is written yet, or came into doubt since `in_doubt` was asked."""
        now = self._clock()

        def change(held: dict[str, Any]) -> None:
            table = held.get("doubt", {})
            for each, doubt in doubts.items():
                if table.get(str(each)) == doubt and not now < _until(doubt) < now + _LONGEST:
                    del table[str(each)]

        self._change(change)

    # -- the cache itself --------------------------------------------------------------------------

    @property
    def failure(self) -> str | None:
        """Why the cache failed within the last half minute; None where it did not."""
        found = self._read().get("failed")
        if not (isinstance(found, list) and len(found) == 2 and isinstance(found[0], int | float)):
            return None
        return str(found[1]) if 0 <= self._clock() - found[0] < _SPARED else None

    def failed(self, why: str) -> None:
        """Keep that the cache has failed now."""
        self._change(lambda held: held.update(failed=[self._clock(), why]))

    def answered(self) -> None:
        """Keep that the cache answers."""
        if "failed" in self._read():
            self._change(lambda held: held.pop("failed", None))

    def may_try(self) -> bool:
        """Tell whether this process may ask the cache: of many, one alone tries again after a failure."""
        found = self._read().get("failed")
        if not isinstance(found, list):
            return True
        if self.failure is not None:
            return False
        taken = True  # also where nobody can write that down

        def take(held: dict[str, Any]) -> None:
            nonlocal taken
            again = held.get("failed")
            # Whoever came first has begun another half minute by it.
            taken = again is None or again == found
            if again is not None:
                held["failed"] = [self._clock(), again[1]]

        self._change(take)
        return taken

    # -- the database itself -----------------------------------------------------------------------

    @property
    def seen(self) -> tuple[float, bool]:
        """Seconds since it was last looked whether the database is there, and whether it was."""
        found = self._read().get("seen")
        if not (isinstance(found, list) and len(found) == 2 and isinstance(found[0], int | float)):
            return float("inf"), True
        return abs(self._clock() - found[0]), bool(found[1])

    def saw(self, there: bool) -> None:
        """Keep whether the database was there now."""
        self._change(lambda held: held.update(seen=[self._clock(), there]))


def _until(doubt: str) -> float:
    try:
        return float(doubt.partition(" ")[2])
    except ValueError:
        return 0.0


def _sound(held: Any) -> dict[str, Any]:
    """Return what was read, without what this program has not written there."""
    if not isinstance(held, dict):
        return {}
    for name in ("written", "doubt"):
        table = held.get(name)
        if not isinstance(table, dict):
            held.pop(name, None)
            continue
        for key, value in list(table.items()):
            if not _ID.fullmatch(key) or not isinstance(value, str):
                del table[key]
    return held
