"""The cache of customers in front of a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from custctl.cache.channel import CacheError
from custctl.support.errors import CredentialError, ExitCode, RefusedError, UnavailableError

if TYPE_CHECKING:
    from custctl.api.opened import Opened
    from custctl.cache.maintenance import Warmed
    from custctl.cache.store import Cache as Store


@dataclass(frozen=True, slots=True)
class CacheStatus:
    """The state of a cache.

    Attributes:
        url: its address, without a password.
        failure: why it failed recently, although it answers again; None if it did not fail.
        hits: reads that it served; `misses`: reads that it did not; `stale`: reads served while the database was down.
        entries: customers in the cache.
        memory_bytes: the server's total memory use; None if it does not say.
        latency_ms: milliseconds for a small request.
        server: name and version; None if it does not say.
        in_doubt: entries that this machine does not trust until a write has reached the cache.
    """

    url: str
    failure: str | None
    hits: int
    misses: int
    stale: int
    entries: int
    memory_bytes: int | None
    latency_ms: float
    server: str | None
    in_doubt: int

    @property
    def hit_ratio(self) -> float | None:
        """The share of reads that it served, 0 to 1; None if there were no reads."""
        served = self.hits + self.misses
        return round(self.hits / served, 4) if served else None


class Cache:
    """One profile's cache.

    Each call raises `RefusedError` if the profile has no cache or the database has no stamp yet, `UnavailableError` if
    the cache does not answer, and `CredentialError` if it rejects the login.

    Args:
        opened: the profile.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    @property
    def url(self) -> str:
        """Its address, without a password."""
        cache = self._opened.profile.cache
        if cache is None:
            raise RefusedError(
                f"profile `{self._opened.profile.name}` has no cache",
                hint="`cache: {url: rediss://…}` in the profile names one",
            )
        return cache.url

    def status(self) -> CacheStatus:
        """Test the cache as reads and writes use it, and return its content and hit counts."""
        from custctl.cache.checking import latency, server_version
        from custctl.cache.maintenance import count_entries
        from custctl.cache.probing import probe

        memory, url = self._opened.memory, self.url
        # Read before the test below, which resets it.
        failure = memory.failure
        cache = self.require()
        with self._answering():
            probe(cache.channel)
            counts = cache.counts()
            info = cache.info()
            used = info.get("used_memory", "")
            return CacheStatus(
                url=url,
                failure=failure,
                hits=counts.get("hits", 0),
                misses=counts.get("misses", 0),
                stale=counts.get("stale", 0),
                entries=sum(count_entries(keys) for keys in cache.key_lists()),
                memory_bytes=int(used) if used.isdigit() else None,
                latency_ms=round(latency(cache) * 1000, 3),
                server=server_version(info),
                in_doubt=len(memory.in_doubt),
            )

    def warm(self, limit: int = 10_000, on_progress: Callable[[int], None] = lambda _: None) -> Warmed:
        """Fill the cache with the most recently updated customers, from the primary.

        Args:
            limit: maximum number of customers.
            on_progress: called after each batch with the number of customers handled.
        """
        from custctl.cache.maintenance import warm

        cache = self.require()
        with self._answering():
            return warm(cache, self._opened.database, limit, on_progress)

    def clear(self) -> int:
        """Remove only this database's entries, and return their number."""
        from custctl.cache.maintenance import clear

        cache = self.require()
        with self._answering():
            return clear(cache)

    def require(self) -> Store:
        """Open the cache; if the database's id is not known yet, ask the database for it.

        Raises:
            RefusedError: the profile has no cache, or the database has no stamp yet.
            UnavailableError: the database's id is needed, and the database does not respond.
        """
        opened = self._opened
        _ = self.url
        cache = opened.inspect_cache()
        if cache is None:
            raise RefusedError(
                f"{opened.profile.location} has no stamp of its own yet, so none of it is cached",
                hint="run `custctl migrate`; after a restore from another environment, `custctl doctor` names the command",
            )
        return cache

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Raise errors of the cache as failures: the caller asked for the cache itself."""
        from custctl.cache.checking import way_out

        try:
            yield
        except CacheError as error:
            hint, code = way_out(self.url, error)
            made = CredentialError if code is ExitCode.CREDENTIAL else UnavailableError
            raise made(f"the cache at {self.url} cannot be used: {error}", hint=hint) from None
