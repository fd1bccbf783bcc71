"""What a machine remembers about a profile's cache between two commands.

Which database the entries are of, what was last written from here, which entries are in doubt, and that the cache has
failed just now: a short-lived process knows none of that by itself.
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

_KEPT = 2000  # customers that are remembered one by one
_SPARED = 30.0  # seconds after a failure in which the cache is left alone
_ID = re.compile(r"-1|[0-9]{1,19}", re.ASCII)
_LONGEST = 24 * 3600.0  # seconds that a write may last; a clock that was put back makes no doubt last for ever
_PATIENCE = 1.0  # seconds to wait for another process's writing of the file

ALL = -1
"""Among the doubts: every customer."""


class Memory:
    """The memory of one profile.

    Where it cannot be written, or was lost, it begins again, and knows nothing of what was written before that.

    Args:
        path: its file; None where this user has no folder for it.
        clock: seconds since the epoch.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.time) -> None:
        self._file = SealedFile(path) if path is not None else None
        self._clock = clock
        self._held: dict[str, Any] | None = None
        self._begun = ""  # tells this memory from one that began later
        self._is_new = False
        self._problem: str | None = None if path is not None else "this user has no home folder"

    @property
    def problem(self) -> str | None:
        """Why what was to be remembered last is not; None where all of it is."""
        return self._problem

    def _read(self) -> dict[str, Any]:
        if self._held is None:
            text, whole = None, False
            if self._file is not None:
                try:
                    text, whole = self._file.read(_PATIENCE)
                except OSError as error:
                    self._problem = self._told(error)
            self._held = self._sound(text, whole=whole)
            self._begun = self._held["begun"]
        return self._held

    def _sound(self, text: str | None, *, whole: bool) -> dict[str, Any]:
        """Return what was read, without what this program has not written there; begin again where it is not whole."""
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
        since = held["since"] = _number(held.get("since"))
        self._is_new = not (whole and isinstance(held.get("begun"), str) and 0 < since <= self._clock())
        if self._is_new:
            self._begin(held)
        return held

    def _begin(self, held: dict[str, Any]) -> None:
        """Begin to know what is written: of what is known already, something may be missing that is newer."""
        written = {each: f"{found.partition(' ')[0]} 0" for each, found in held["written"].items()}
        held.update(since=self._clock(), begun=os.urandom(6).hex(), written=written)

    def _change(self, change: Callable[[dict[str, Any]], None]) -> bool:
        """Change what is kept, and tell whether that is kept."""
        if self._file is None:
            return False

        def edit(text: str | None, whole: bool) -> str:
            self._held = held = self._sound(text, whole=whole)
            change(held)
            return json.dumps(held, separators=(",", ":"))

        try:
            self._file.change(edit, _PATIENCE)
        except OSError as error:
            self._problem = self._told(error)
            self._held = None
            return False
        self._begun, self._is_new, self._problem = self._read()["begun"], False, None
        return True

    def _keep(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change what must not be forgotten unnoticed."""
        if not self._change(change) and self._file is not None:
            self._file.break_seal()

    def _told(self, error: OSError) -> str:
        assert self._file is not None
        return f"`{self._file.path}` cannot be written ({(error.strerror or str(error)).lower()})"

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
                held.update(database_id=database_id, doubt={}, written={})
                self._begin(held)

            self._keep(change)

    # -- what was written from here ----------------------------------------------------------------

    @property
    def reach(self) -> float:
        """Seconds for which nothing was written from here that is not known; 0 where that cannot be told."""
        since: float = self._read()["since"]
        return max(self._clock() - since, 0.0)

    def known(self, customer_id: int) -> str:
        """Return the version that this operator must not be shown an older one than; empty where none is known."""
        found: str = self._read()["written"].get(str(customer_id), "")
        return found.partition(" ")[0]

    def is_sure(self, customer_id: int) -> bool:
        """Tell whether the version that is known is no older than what was last written from here."""
        held = self._read()
        since: float = held["since"]
        return _number(held["written"].get(str(customer_id), "").partition(" ")[2]) >= since

    def wrote(self, customer_id: int, version_key: str) -> None:
        """Keep the version that was written, unless a later one is kept."""
        self._read()

        def change(held: dict[str, Any]) -> None:
            if held["begun"] != self._begun:
                # Lost since this process began: others may have written meanwhile what is newer than this.
                self._begin(held)
            else:
                self._note(held, {customer_id: version_key})

        self._keep(change)

    def met(self, versions: Mapping[int, str]) -> None:
        """Keep the versions that the primary had, while the memory is too young to know them by itself."""

        def change(held: dict[str, Any]) -> None:
            if held["begun"] == self._begun:
                self._note(held, versions)

        self._change(change)

    def _note(self, held: dict[str, Any], versions: Mapping[int, str]) -> None:
        written: dict[str, str] = held["written"]
        for each, version in versions.items():
            before = written.pop(str(each), "").partition(" ")[0]
            # The last ones are the newest.
            written[str(each)] = f"{max(before, version)} {self._clock()}"
        for oldest in list(written)[:-_KEPT]:
            held["since"] = max(held["since"], _number(written.pop(oldest).partition(" ")[2]))

    # -- what is in doubt --------------------------------------------------------------------------

    @property
    def in_doubt(self) -> dict[int, str]:
        """The customers whose entries may be old, as the cache did not take what was written; `ALL` is every one.

        Each with a text of its own for each time that it came into doubt.
        """
        return {int(key): value for key, value in self._read()["doubt"].items()}

    def doubt(self, customer_ids: Iterable[int], seconds: float = 0.0) -> None:
        """Keep that entries may be old.

        Args:
            seconds: in which what they are to be older than may yet be written, so that it is no use to settle them.
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
        """Keep that these are in doubt no more, but for what is written yet, or came into doubt since `in_doubt` was asked."""
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
        """Why the cache failed within the last half minute; None where it did not."""
        found = self._read().get("failed")
        if not (isinstance(found, list) and len(found) == 2 and isinstance(found[0], int | float)):
            return None
        return str(found[1]) if 0 <= self._clock() - found[0] < _SPARED else None

    def failed(self, why: str) -> None:
        """Keep that the cache has failed now."""
        self._change(lambda held: held.update(failed=[self._clock(), why]))

    def answered(self) -> None:
        """Keep that the cache answers, and since when the memory knows what is written from here."""
        if "failed" in self._read() or self._is_new:
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
            return math.inf, True
        return abs(self._clock() - found[0]), bool(found[1])

    def saw(self, there: bool) -> None:
        """Keep whether the database was there now."""
        self._change(lambda held: held.update(seen=[self._clock(), there]))


def _until(doubt: str) -> float:
    return _number(doubt.partition(" ")[2])


def _number(value: Any) -> float:
    """Return what was read as a number; 0 where it is none."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return 0.0
    return found if math.isfinite(found) else 0.0
