"""A trial of a cache: everything that reads and writes do, with keys that belong to no customer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from custctl.cache import scripts
from custctl.cache.channel import CacheError, granted, ms, new_token
from custctl.cache.entries import epoch_key

if TYPE_CHECKING:
    from custctl.cache.channel import Channel
    from custctl.cache.wire import Command

_KEPT = 10.0  # seconds, in case this process is killed
_NEVER = -1  # milliseconds that an entry is current: the trial reads none
_PROBED = ("state", "row", "email", "counts")


def probe(channel: Channel) -> None:
    """Do everything that reads and writes do, with keys that belong to no customer.

    Raises:
        CacheError: the cache cannot be used, or rejects a part of it.
    """
    token = new_token()
    keys = state, row, email, counts = [f"{channel.keys.prefix}probe:{token}:{each}" for each in _PROBED]
    version, keep = f"{epoch_key(1)}.{1:016x}", ms(_KEPT)
    steps: list[tuple[str, Sequence[str], Sequence[Any], bytes]] = [
        ("look", [state, row, counts], [token, keep, _NEVER, 1], b"miss"),
        ("fill", [state, row, email], [token, version, b"", 0, keep], b"kept"),
        ("mark", [row, state], [token, keep, keep, token], b"marked"),
        ("put", [state, row, email], [token, version, b"", 0, keep], b"kept"),
        ("bury", [row], [token, f"{version}~", keep], b"buried"),
    ]
    away = [scripts.whole("turn", [state], ["", token, ""]), scripts.whole("drop", keys, [])]
    try:
        for name, touched, arguments, expected in steps:
            reply = channel.run(name, touched, arguments)
            if (reply[0] if isinstance(reply, list) else reply) != expected:
                raise CacheError(f"it does not run the script `{name}` correctly", "ERR")
            # In case this process is killed.
            channel.call([("PEXPIRE", each, keep) for each in (state, counts)], insist=True)
        for reply in channel.call(away, insist=True):
            granted(reply)
    except CacheError as error:
        if error.kind == "ERR":
            # Inside a script a missing privilege has no error code of its own; outside it is NOPERM.
            channel.call(_taken_by_scripts(keys, keep), insist=True)
        with suppress(CacheError):
            channel.call(away, insist=True)
        raise


def _taken_by_scripts(keys: Sequence[str], keep: int) -> list[Command]:
    """Return the commands that the scripts use, on keys that belong to no customer."""
    state, row, email, counts = keys
    return [
        ("TIME",),
        *((name, row) for name in ("TYPE", "EXISTS", "HGETALL", "HKEYS", "PTTL", "DEL", "UNLINK")),
        *((name, row, "version") for name in ("HGET", "HDEL")),
        ("HSET", row, "version", ""),
        ("HSETNX", state, "generation", ""),
        ("HINCRBY", counts, "misses", 1),
        ("SET", email, 0, "PX", keep),
        *(("PEXPIRE", each, keep) for each in (state, row, counts)),
    ]
