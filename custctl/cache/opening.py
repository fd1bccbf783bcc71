"""Opens a profile's cache: address, login, encryption key, memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from custctl.cache.channel import Keys
from custctl.cache.links import Link, open_link
from custctl.cache.memory import Memory
from custctl.cache.store import Cache
from custctl.cache.wire import LoginError
from custctl.profiles.cache_url import parse_url
from custctl.support.errors import CredentialError, UsageError
from custctl.support.state import state_file

if TYPE_CHECKING:
    from custctl.cache.entries import Sealer
    from custctl.cache.mirroring import CacheMirror
    from custctl.profiles import Profile

PATIENCE = 0.12
"""Timeout in seconds for connecting and for each call; after it, a command continues without the cache."""

LONGER_PATIENCE = 5.0
"""The same for commands about the cache itself: a busy cache must not count as down."""

_NO_LIMIT = 60.0  # assumed maximum seconds of a write if the profile sets no `statement_timeout`
_AFTERWARDS = 20.0  # seconds for a writer to learn the outcome of its commit


def open_memory(profile: Profile, environ: Mapping[str, str]) -> Memory:
    """Return what this machine remembers about a profile's cache."""
    try:
        path: Path | None = state_file(profile.name, profile.location, environ, "cache.json")
    except UsageError:
        path = None  # a user without a home folder, as in a container
    return Memory(path)


def mark_seconds(profile: Profile) -> float:
    """Return after how many seconds a silent writer counts as dead: longer than any write takes."""
    return 2 * (profile.database.statement_timeout or _NO_LIMIT) + _AFTERWARDS


def open_cache(
    profile: Profile, environ: Mapping[str, str], memory: Memory, database_id: str, *, patience: float = PATIENCE
) -> Cache:
    """Return the cache of a database; it connects, and looks up a password or key, at the first use.

    Args:
        patience: seconds for connecting and for each call.
    """
    assert profile.cache is not None
    address = parse_url(profile.cache.url)
    authorities = profile.cache.tls_ca

    def secret(purpose: str) -> str:
        from custctl.profiles.credentials import Purpose, find_credential

        found = find_credential(profile, environ, Purpose(purpose)).secret
        assert found is not None
        return found.reveal()

    def password() -> str:
        with _as_login():
            return secret("cache")

    def sealer() -> Sealer:
        from custctl.cache.sealing import AesSealer

        with _as_login():
            return AesSealer(secret("cache-key"))

    def connect() -> Link:
        near = Keys(database_id).state
        return open_link(address, near, password=password, authorities=authorities, patience=patience)

    return Cache(
        connect,
        database_id,
        profile.database.engine,
        memory,
        ttl=profile.cache.ttl,
        mark=mark_seconds(profile),
        sealer=sealer if profile.cache.encrypt else None,
    )


@contextmanager
def _as_login() -> Iterator[None]:
    """Treat a missing prerequisite of the cache as a fault of the cache: no other command fails because of it."""
    try:
        yield
    except CredentialError as error:
        raise LoginError(error.message) from None


def open_mirror(
    profile: Profile, environ: Mapping[str, str], memory: Memory, warned: Callable[[str], None]
) -> CacheMirror:
    """Return what keeps a profile's cache up to date with its writes."""
    from custctl.cache.mirroring import CacheMirror

    def opened(database_id: str) -> Cache:
        return open_cache(profile, environ, memory, database_id)

    return CacheMirror(opened, memory, profile.database.engine, warned, mark=mark_seconds(profile))
