"""How a cache stands: what answers, how fast, and what `doctor` tells of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from custctl.cache.opening import open_cache, open_memory
from custctl.cache.store import CacheError, CacheLoginError
from custctl.engines.base import Check
from custctl.errors import ExitCode
from custctl.profiles.cache_url import parse_url
from custctl.text import plural

if TYPE_CHECKING:
    from custctl.cache.store import Cache
    from custctl.profiles import Profile

LOGIN_HINT = (
    "`custctl credential check --for cache` looks where the password comes from, `--for cache-key` where the key"
)
SERVER_HINT = "commands work without it; check `cache` in the profile, and the server"


def check_cache(profile: Profile, environ: Mapping[str, str]) -> Iterator[Check]:
    """Yield how a profile's cache stands."""
    if profile.cache is None:
        yield Check("cache", True, "none")
        return
    memory = open_memory(profile, environ)
    # Before it is asked now, which begins anew.
    failure, in_doubt = memory.failure, len(memory.in_doubt)
    url = profile.cache.url
    cache = open_cache(profile, environ, memory, memory.database_id or "")
    try:
        info = cache.info()
        milliseconds = latency(cache) * 1000
    except CacheLoginError as error:
        yield Check("cache", False, f"{url}: {error}", LOGIN_HINT, ExitCode.CREDENTIAL)
        return
    except CacheError as error:
        yield Check("cache", False, f"{url}: {error}", SERVER_HINT)
        return
    finally:
        cache.close()
    address = parse_url(url)
    told = [server_version(info) or "an unknown server", f"{milliseconds:.1f} ms"]
    told.append("TLS" if address.tls else "not encrypted" if not address.is_protected else "by socket")
    told.append(f"as `{address.user}`" if address.user is not None else "without a login")
    if info.get("maxmemory", "0").strip() != "0":
        told.append(f"evicts by `{info.get('maxmemory_policy', '').strip()}`")
    if profile.cache.encrypt:
        told.append("entries encrypted")
    if failure is not None:
        told.append(f"answers again after a failure a moment ago: {failure}")
    if in_doubt:
        told.append(f"{plural(in_doubt, 'entry', 'entries')} in doubt taken away")
    yield Check("cache", True, f"{url}: {', '.join(told)}")


def latency(cache: Cache) -> float:
    """Return the seconds of a small question, the better of two.

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
    """Return name and version, from what a server says of itself."""
    for name in ("valkey", "redis"):
        if f"{name}_version" in info:
            return f"{name} {info[f'{name}_version'].strip()}"
    return None
