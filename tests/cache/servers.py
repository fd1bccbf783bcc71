"""Caches on a real server, as one process has them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from custctl.cache.entries import Sealer
from custctl.cache.memory import Memory
from custctl.cache.store import Cache
from custctl.cache.wire import Refusal, Wire
from tests.servers.valkey import ValkeyServer

PATIENCE = 5.0
"""Seconds for a call: a busy machine is no fault of the protocol's."""


def caller(server: ValkeyServer) -> Callable[..., Any]:
    """Return what runs a command on one connection, and raises what the server refuses."""
    wire = Wire(server.host, server.port, patience=PATIENCE)

    def call(*words: Any) -> Any:
        [reply] = wire.call([words])
        if isinstance(reply, Refusal):
            raise reply
        return reply

    return call


class OldMemory(Memory):
    """A memory that reaches back further than any entry: whether an entry is current is then for the cache alone to tell."""

    @property
    def reach(self) -> float:
        return math.inf


def open_cache(
    server: ValkeyServer,
    memory: Path,
    database_id: str,
    *,
    engine: str = "postgresql",
    port: int | None = None,
    ttl: float = 60.0,
    mark: float = 80.0,
    sealer: Sealer | None = None,
) -> Cache:
    """Return a cache with a connection and a memory of its own."""
    return Cache(
        lambda: Wire(server.host, port or server.port, patience=PATIENCE),
        database_id,
        engine,
        OldMemory(memory),
        ttl=ttl,
        mark=mark,
        sealer=(lambda: sealer) if sealer is not None else None,
    )
