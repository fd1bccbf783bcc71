"""What a machine remembers about a profile's cache between commands.

A short-lived process cannot know by itself which database the entries belong to, what this machine last wrote, which
entries are in doubt, or whether the cache failed recently.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from custctl.support.state import SealedFile

_KEPT = 2000  # customers that are remembered individually
_SPARED = 30.0  # seconds after a failure during which the cache is not used
_ID = re.compile(r"-1|[0-9]{1,19}", re.ASCII)
_LONGEST = 24 * 3600.0  # maximum seconds of a write; keeps a doubt from lasting forever after the clock is set back
_PATIENCE = 1.0  # seconds to wait for another process's writing of the file

ALL = -1
"""Among the doubts: every customer."""


class Memory:
    """The memory of one profile.

    If it cannot be written, or was lost, it starts empty, and does not know about earlier writes.

    Args:
        path: its file; None if this user has no folder for it.
        clock: seconds since the epoch.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.time) -> None:
        self._file = SealedFile(path) if path is not None else None
        self._clock = clock
        self._held: dict[str, Any] | None = None
        self._begun = ""  # distinguishes this memory from one that began later
        self._is_new = False
        self._problem: str | None = None if path is not None else "this user has no home folder"

    @property
    def problem(self) -> str | None:
        """Why the last change could not be remembered; None if everything is."""
        return self._problem

    def _read(self) -> dict[str, Any]:
        if self._held is None:
            text, whole = None, False
            if self._file is not None:
                try:
                    text, whole = self._file.read(_PATIENCE)
                except OSError as error:
                    self._problem = self._unwritable(error)
            self._held = self._sound(text, whole=whole)
            self._begun = self._held["begun"]
        return self._held

    def _sound(self, text: str | None, *, whole: bool) -> dict[str, Any]:
        """Return what was read, without anything that this program did not write; start empty if it is incomplete."""
        try:
            held = json.loads(text or "{}")
        except (ValueError, RecursionError):
            held = {}
        held = held if isinstance(held, dict) else {}
        for name in ("written", "doubt"):
            table = held.get(name)
            if not isinstance(table, dict):
                table = {}
            held[name] = {key: value for key, value in table.items() if _ID.fullmatch(key) and isinstance(value, str)}
        for name in ("failed", "seen"):
            found = held.get(name)
            if not (isinstance(found, list) and len(found) == 2 and isinstance(found[0], int | float)):
                held.pop(name, None)
        since = held["since"] = _number(held.get("since"))
        self._is_new = not (whole and isinstance(held.get("begun"), str) and 0 < since <= self._clock())
        if self._is_new:
            self._begin(held)
        return held

    def _begin(self, held: dict[str, Any]) -> None:
        """Start to record writes: the record so far may lack newer ones."""
        written = {each: f"{found.partition(' ')[0]} 0" for each, found in held["written"].items()}
        held.update(since=self._clock(), begun=os.urandom(6).hex(), written=written)

    def _change(self, change: Callable[[dict[str, Any]], None]) -> bool:
        """Change the record, and tell whether the change was stored."""
        if self._file is None:
            return False

        def edit(text: str | None, whole: bool) -> str:
            self._held = held = self._sound(text, whole=whole)
            change(held)
            return json.dumps(held, separators=(",", ":"))

        try:
            self._file.change(edit, _PATIENCE)
        except OSError as error:
            self._problem = self._unwritable(error)
            self._held = None
            return False
        self._begun, self._is_new, self._problem = self._read()["begun"], False, None
        return True

    def _keep(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change a part of the record whose loss must be noticed."""
        if not self._change(change) and self._file is not None:
            self._file.break_seal()

    def _unwritable(self, error: OSError) -> str:
        assert self._file is not None
        return f"cannot write `{self._file.path}` ({(error.strerror or str(error)).lower()})"

    # -- which database ----------------------------------------------------------------------------

    @property
    def database_id(self) -> str | None:
        """The id of the database that the profile last led to."""
        found = self._read().get("database_id")
        return found if isinstance(found, str) else None

    def learn(self, database_id: str) -> None:
        """Record which database the profile leads to; the record of another database is dropped."""
        if self.database_id != database_id:

            def change(held: dict[str, Any]) -> None:
                held.clear()
                held.update(database_id=database_id, doubt={}, written={})
                self._begin(held)

            self._keep(change)

    # -- this machine's writes ---------------------------------------------------------------------

    @property
    def reach(self) -> float:
        """Seconds for which every write from here is recorded; 0 if that is unknown."""
        since: float = self._read()["since"]
        return max(self._clock() - since, 0.0)

    def known(self, customer_id: int) -> str:
        """Return the oldest version that this operator may be shown; empty if unknown."""
        found: str = self._read()["written"].get(str(customer_id), "")
        return found.partition(" ")[0]

    def is_sure(self, customer_id: int) -> bool:
        """Tell whether the recorded version is at least as new as the last write from here."""
        held = self._read()
        since: float = held["since"]
        return _number(held["written"].get(str(customer_id), "").partition(" ")[2]) >= since

    def wrote(self, customer_id: int, version_key: str) -> None:
        """Record the version that was written, unless a later one is recorded."""
        self._read()

        def change(held: dict[str, Any]) -> None:
            if held["begun"] != self._begun:
                # The file was lost since this process read it: others may have written something newer.
                self._begin(held)
            else:
                self._note(held, {customer_id: version_key})

        self._keep(change)

    def met(self, versions: Mapping[int, str]) -> None:
        """Record versions read from the primary, while the memory is too young to know them from writes."""

        def change(held: dict[str, Any]) -> None:
            if held["begun"] == self._begun:
                self._note(held, versions)

        self._change(change)

    def _note(self, held: dict[str, Any], versions: Mapping[int, str]) -> None:
        written: dict[str, str] = held["written"]
        for each, version in versions.items():
            before = written.pop(str(each), "").partition(" ")[0]
            # Re-inserted at the end: the order is oldest to newest.
            written[str(each)] = f"{max(before, version)} {self._clock()}"
        for oldest in list(written)[:-_KEPT]:
            held["since"] = max(held["since"], _number(written.pop(oldest).partition(" ")[2]))

    # -- entries in doubt --------------------------------------------------------------------------

    @property
    def in_doubt(self) -> dict[int, str]:
        """The customers whose entries may be outdated because the cache missed a write; `ALL` means every one.

        Each has a text that is different each time the entry becomes doubtful.
        """
        return {int(key): value for key, value in self._read()["doubt"].items()}

    def doubt(self, customer_ids: Iterable[int], seconds: float = 0.0) -> None:
        """Record that entries may be outdated.

        Args:
            seconds: during which the write may still happen, so that it is too early to settle them.
        """
        until = self._clock() + seconds if seconds else 0
        new = {str(each): f"{os.urandom(6).hex()} {until:.3f}" for each in customer_ids}

        def change(held: dict[str, Any]) -> None:
            table: dict[str, str] = held["doubt"]
            table.update(new)
            if len(table) > _KEPT:
                last = max(map(_until, table.values()))
                held["doubt"] = {str(ALL): f"{os.urandom(6).hex()} {last:.3f}"}

        self._keep(change)

    def settle(self, doubts: Mapping[int, str]) -> None:
        """Record that these are no longer in doubt, except writes in flight and doubts newer than `doubts`."""
        now = self._clock()

        def change(held: dict[str, Any]) -> None:
            table = held["doubt"]
            for each, doubt in doubts.items():
                if table.get(str(each)) == doubt and not now < _until(doubt) < now + _LONGEST:
                    del table[str(each)]

        self._change(change)

    # -- the cache itself --------------------------------------------------------------------------

    @property
    def failure(self) -> str | None:
        """Why the cache failed within the last half minute; None if it did not."""
        found = self._read().get("failed")
        return str(found[1]) if found is not None and 0 <= self._clock() - found[0] < _SPARED else None

    def failed(self, why: str) -> None:
        """Record that the cache has failed now."""
        self._change(lambda held: held.update(failed=[self._clock(), why]))

    def answered(self) -> None:
        """Record that the cache responds, and since when the memory knows the writes from here."""
        if "failed" in self._read() or self._is_new:
            self._change(lambda held: held.pop("failed", None))

    def may_try(self) -> bool:
        """Tell whether this process may use the cache: after a failure, only one process tries again."""
        found = self._read().get("failed")
        if found is None:
            return True
        if self.failure is not None:
            return False
        taken = True  # also if the file cannot be written

        def take(held: dict[str, Any]) -> None:
            nonlocal taken
            again = held.get("failed")
            # The first process to get here starts another half minute.
            taken = again is None or again == found
            if again is not None:
                held["failed"] = [self._clock(), again[1]]

        self._change(take)
        return taken

    # -- the database itself -----------------------------------------------------------------------

    @property
    def seen(self) -> tuple[float, bool]:
        """Seconds since the last check whether the database is reachable, and its result."""
        found = self._read().get("seen")
        return (abs(self._clock() - found[0]), bool(found[1])) if found is not None else (math.inf, True)

    def saw(self, there: bool) -> None:
        """Record whether the database is reachable now."""
        self._change(lambda held: held.update(seen=[self._clock(), there]))


def _until(doubt: str) -> float:
    return _number(doubt.partition(" ")[2])


def _number(value: Any) -> float:
    """Return what was read as a number; 0 if it is not a number."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return 0.0
    return found if math.isfinite(found) else 0.0
