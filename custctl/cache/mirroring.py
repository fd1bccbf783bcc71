"""What a writer tells the cache: before its commit, that it is writing; after the commit, the new state.

A write never fails because of the cache. If the cache does not respond, a warning says so, and the entry is in doubt until the
cache has been updated.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from custctl.cache.channel import CacheError
from custctl.cache.entries import version_key
from custctl.cache.memory import ALL
from custctl.support.errors import CustctlError, OutcomeUnknownError

if TYPE_CHECKING:
    from custctl.cache.memory import Memory
    from custctl.cache.store import Cache
    from custctl.customers.model import Customer


class CacheMirror:
    """Keeps a cache up to date with the writes of one process; see `custctl.customers.mirror.Mirror`.

    Args:
        open_cache: opens the cache of a database, by its id.
        warned: called with warnings for a person.
        mark: seconds after which the mark of a bulk write expires unless it is renewed.
    """

    def __init__(
        self,
        open_cache: Callable[[str], Cache],
        memory: Memory,
        engine: str,
        warned: Callable[[str], None],
        *,
        mark: float,
    ) -> None:
        self._open = open_cache
        self._memory = memory
        self._engine = engine
        self._warned = warned
        self._mark = mark
        self._cache: Cache | None = None
        self._token = os.urandom(9).hex()
        self._marked: set[int] = set()
        self.problem: str | None = None
        """Why the cache missed something; None if it missed nothing."""
        self.forgotten = 0
        """How many entries and addresses of erased customers were removed."""

    def _opened(self, database_id: str | None) -> Cache | None:
        if self._cache is None and database_id is not None:
            self._memory.learn(database_id)
            self._cache = self._open(database_id)
        return self._cache

    def close(self) -> None:
        """Close the connection."""
        if self._cache is not None:
            self._cache.close()

    # -- one customer ------------------------------------------------------------------------------

    def writing(self, database_id: str | None, customer_id: int) -> None:
        """Announce the write of a customer, before the commit; a repetition does no harm."""
        with self._doubting(customer_id, self._mark):
            cache = self._opened(database_id)
            if cache is None or customer_id in self._marked:
                return
            self._marked.add(customer_id)
            cache.begin(customer_id, self._token)

    def wrote(self, database_id: str | None, row: Customer) -> None:
        """Announce what was committed."""
        with self._doubting(row.id):
            cache = self._opened(database_id)
            if cache is None:
                return
            self._memory.wrote(row.id, version_key(self._engine, row.version))
            self._marked.discard(row.id)
            cache.put(row, self._token)

    def deleted(self, database_id: str | None, customer_id: int, version: str) -> None:
        """Announce that a customer was deleted at a version."""
        with self._doubting(customer_id):
            cache = self._opened(database_id)
            if cache is None:
                return
            self._memory.wrote(customer_id, f"{version_key(self._engine, version)}~")
            self._marked.discard(customer_id)
            cache.bury(customer_id, version, self._token)

    def erasing(self, database_id: str | None, customer_id: int) -> None:
        """Announce the erasure of a customer, before the commit, and remove its cached data."""
        self.writing(database_id, customer_id)
        with self._doubting(customer_id, self._mark):
            cache = self._opened(database_id)
            if cache is not None:
                self.forgotten += cache.forget(customer_id)

    def erased(self, database_id: str | None, customer_id: int, version: str | None) -> None:
        """Announce that a customer was erased, and remove the addresses that led to it."""
        if version is not None:
            self.deleted(database_id, customer_id, version)
        with self._doubting(customer_id):
            cache = self._opened(database_id)
            if cache is not None:
                self.forgotten += cache.forget(customer_id) + cache.forget_addresses(customer_id)
        self.unchanged()

    def unchanged(self) -> None:
        """Announce that an announced write did not happen, and never will."""
        marked, self._marked = self._marked, set()
        for customer_id in marked if self._cache is not None else ():
            try:
                self._cache.unmark(customer_id, self._token)  # type: ignore[union-attr]
            except Exception:  # noqa: BLE001 - the write has an outcome of its own
                return  # the marks expire

    # -- many --------------------------------------------------------------------------------------

    @contextmanager
    def many(self, database_id: str | None) -> Iterator[None]:
        """Announce that many customers are written during the block, and afterwards trust no earlier entry.

        If the outcome of the last write is unknown, the mark stays until it expires.
        """
        cache = self._opened(database_id)
        if cache is None or database_id is None:
            yield
            return
        with self._doubting(ALL, self._mark):
            cache.begin_many(self._token, self._mark)
        try:
            with self._renewing(database_id):
                yield
        except (OutcomeUnknownError, KeyboardInterrupt):
            raise
        except BaseException:
            self._turn(cache)
            raise
        else:
            self._turn(cache)

    def _turn(self, cache: Cache) -> None:
        with self._doubting(ALL):
            cache.turn(self._token)

    @contextmanager
    def _renewing(self, database_id: str) -> Iterator[None]:
        """Keep the mark alive during the block, which may be one statement of an hour."""
        over = threading.Event()

        def renew() -> None:
            while not over.wait(self._mark / 3):
                cache = self._open(database_id)
                with self._doubting(ALL, self._mark):
                    cache.begin_many(self._token, self._mark)
                cache.close()

        # A daemon: a process that is interrupted does not wait for the cache.
        thread = threading.Thread(target=renew, name="mark of a write of many", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            # A mark renewed after the final turn would stay until it expires.
            thread.join()

    def forked(self, database_id: str | None, epoch: int) -> None:
        """Announce that the history has forked: entries of the abandoned history are no longer served."""
        with self._doubting(ALL):
            cache = self._opened(database_id)
            if cache is not None:
                cache.turn(self._token, epoch)

    @contextmanager
    def _doubting(self, customer_id: int, seconds: float = 0.0) -> Iterator[None]:
        """If the cache misses what the block announces, record that its entry is in doubt, and warn."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not look as if the write had failed
            self._memory.doubt([customer_id], seconds)
            if self.problem is None:
                words = error if isinstance(error, CacheError | CustctlError) else f"unexpected {type(error).__name__}"
                self.problem = str(words)
                self._warned(
                    f"the cache was not updated: {words}; others may read the old row from it{self._forgotten}"
                )

    @property
    def _forgotten(self) -> str:
        """The addition to a warning if this machine cannot remember what the cache missed."""
        problem = self._memory.problem
        if problem is None:
            return ""
        return f"; {problem}: until this is fixed, your own reads do not use the cache"
