"""The health of a cache: what answers, how fast, and what `doctor` reports about it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from custctl.cache.channel import CacheError, CacheLoginError
from custctl.cache.links import NO_DATABASE
from custctl.cache.opening import LONGER_PATIENCE, PATIENCE, open_cache, open_memory
from custctl.cache.probing import probe
from custctl.engines.model import Check
from custctl.profiles.cache_url import parse_url
from custctl.support.errors import ExitCode
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.cache.store import Cache
    from custctl.profiles import Profile

_SERVER = "commands work without it; check `cache` in the profile, and the server"
_LOGIN = (
    "`custctl credential check --for cache` shows where the password comes from, `--for cache-key` where the key does"
)
_CLUSTER = "it is a node of a Cluster: start `cache.url` with `redis+cluster`"
_HINTS = {
    # Only for a URL without a user: with one, a login is sent.
    "NOAUTH": "name a user in `cache.url`, for example `default`, as in `rediss://default@cache.internal`; then store the"
    " password with `custctl credential set --for cache`",
    "NOPERM": "grant the user its rights: `ACL SETUSER {user} ~custctl:* +@all -@admin`",
    NO_DATABASE: "correct the number at the end of `cache.url`, or raise `databases` on the server",
    "MISCONF": "the server could not save its data: check its log, its disk and its folder",
    "OOM": "the server's memory is full: raise `maxmemory`, or set `maxmemory-policy` to one of `volatile-*`",
    "READONLY": "it is a replica: name the primary in `cache.url`, or its Sentinels",
    "MASTERDOWN": "it is a replica without its primary: name the primary in `cache.url`, or its Sentinels",
    "NOREPLICAS": "too few replicas follow it: start them, or lower `min-replicas-to-write`",
    "LOADING": "it is starting: run this again in a moment",
    "BUSY": "another client's script is running on it: wait, or end it with `SCRIPT KILL`",
    "DENIED": "the server accepts local connections only: give it a password, or set `protected-mode no`",
    "CLUSTERDOWN": "a part of the Cluster is down: `CLUSTER INFO` on a node shows which",
    "TRYAGAIN": "the Cluster is moving entries: run this again in a moment",
    **dict.fromkeys(("MOVED", "ASK", "CROSSSLOT"), _CLUSTER),
}


def way_out(url: str, error: CacheError) -> tuple[str, ExitCode]:
    """Return how to fix an error of a cache, and the exit code of a command that fails with it."""
    is_login = isinstance(error, CacheLoginError)
    hint = _HINTS.get(error.kind, _LOGIN if is_login else _SERVER)
    user = parse_url(url).user or "default"
    return hint.replace("{user}", user), ExitCode.CREDENTIAL if is_login else ExitCode.UNAVAILABLE


def check_cache(profile: Profile, environ: Mapping[str, str]) -> Iterator[Check]:
    """Yield the health of a profile's cache, by doing what commands do with it."""
    if profile.cache is None:
        yield Check("cache", True, "none")
        return
    memory = open_memory(profile, environ)
    # Read these before the probe, which resets them.
    failure, in_doubt = memory.failure, len(memory.in_doubt)
    url = profile.cache.url
    # The probe's keys work with any name. The longer timeout keeps a slow machine from being reported as a fault.
    database_id = memory.database_id or "unknown"
    cache = open_cache(profile, environ, memory, database_id, patience=LONGER_PATIENCE)
    began = time.monotonic()
    try:
        probe(cache.channel)
        opening = time.monotonic() - began
        info = cache.info()
        milliseconds = latency(cache) * 1000
    except CacheError as error:
        hint, code = way_out(url, error)
        yield Check("cache", False, f"{url}: {error}", hint, code)
        return
    finally:
        cache.close()
    address = parse_url(url)
    told = [server_version(info) or "an unknown server", f"{milliseconds:.1f} ms"]
    if opening > PATIENCE:
        told.append(f"slow: {opening * 1000:.0f} ms to connect, while a read waits {PATIENCE * 1000:.0f} ms")
    told.append("TLS" if address.tls else "not encrypted" if not address.is_protected else "by socket")
    told.append(f"as `{address.user}`" if address.user is not None else "without a login")
    if info.get("maxmemory", "0").strip() != "0":
        told.append(f"evicts by `{info.get('maxmemory_policy', '').strip()}`")
    if profile.cache.encrypt:
        told.append("entries encrypted")
    if failure is not None:
        told.append(f"available again after a recent failure: {failure}")
    still = len(memory.in_doubt)
    if in_doubt > still:
        told.append(f"{plural(in_doubt - still, 'entry', 'entries')} in doubt removed")
    if still:
        told.append(f"{plural(still, 'entry', 'entries')} still in doubt")
    yield Check("cache", True, f"{url}: {', '.join(told)}")


def latency(cache: Cache) -> float:
    """Return the round-trip time of a small command in seconds, the better of two.

    Raises:
        CacheError: it is not answered.
    """
    taken = []
    for _ in range(2):
        began = time.monotonic()
        cache.counts()
        taken.append(time.monotonic() - began)
    return min(taken)


def server_version(info: Mapping[str, str]) -> str | None:
    """Return name and version, from a server's own information."""
    for name in ("valkey", "redis"):
        if f"{name}_version" in info:
            return f"{name} {info[f'{name}_version'].strip()}"
    return None
