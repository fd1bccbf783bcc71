"""A workload that never pauses by itself: it keeps what was acknowledged, and when, to be looked for after a failover."""

from __future__ import annotations

import contextlib
import itertools
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import psycopg

from tests.servers.postgresql import PASSWORD, USER

_INSERT = "INSERT INTO customer (email, first_name, last_name) VALUES (%s, 'W', 'R')"
_COMMITTED_LOCALLY = "01000"
_RETRY = 0.005  # seconds before a node that takes no writes is tried again
_LEAVE = 0.3  # seconds to wait for a client, which may hang on a frozen server


class Address(Protocol):
    """Where a node is reached: a server, or a proxy before it."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Write:
    """A write that was acknowledged.

    Attributes:
        moment: when, as `time.monotonic` has it.
        node: by which node.
        key: the new customer's email.
    """

    moment: float
    node: str
    key: str


class Writer:
    """Adds customers, one a transaction, on whatever node takes them.

    with Writer(cluster.nodes) as writer:
        ...
    assert writer.lost(cluster.nodes["b"]) == []
    assert writer.longest_gap() < 1

    Each node has a client of its own, which tries again at once: one that hangs holds none of the others up, and where two
    nodes take writes at a time, both are written to.
    """

    def __init__(
        self,
        nodes: Mapping[str, Address],
        *,
        dbname: str = "customers",
        user: str = USER,
        password: str = PASSWORD,
        pause: float = 0.002,
    ) -> None:
        """Prepare a workload; it runs from `__enter__`, which waits for its first write, to `__exit__`.

        Args:
            nodes: the nodes by name.
            dbname: a database that is migrated.
            user: who writes.
            password: that user's.
            pause: seconds between two writes on one node.
        """
        self.acknowledged: list[Write] = []
        self.local: list[Write] = []
        """What the server called committed on itself and on no standby: no such promise as the others."""
        self.began = self.ended = 0.0
        self._nodes = nodes
        self._options: dict[str, Any] = {"dbname": dbname, "user": user, "password": password, "connect_timeout": 2}
        self._pause = pause
        self._keys = (f"w-{secrets.token_hex(4)}-{number}@example.com" for number in itertools.count())
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            # Daemons: a client of a frozen server is not waited for.
            threading.Thread(target=self._client, args=(name,), name=f"writer to {name}", daemon=True)
            for name in nodes
        ]

    def __enter__(self) -> Self:
        self.began = time.monotonic()
        for thread in self._threads:
            thread.start()
        try:
            self.wait_for_write()
        except TimeoutError:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self.ended = time.monotonic()
        self._stop.set()
        for thread in self._threads:
            thread.join(_LEAVE)

    def wait_for_write(self, seconds: float = 60.0) -> float:
        """Wait for the next write that is acknowledged, and return how many seconds that took.

        Raises:
            TimeoutError: none was.
        """
        now = time.monotonic()
        while not (found := self.first_after(now)):
            if time.monotonic() > now + seconds:
                raise TimeoutError(f"no node took a write within {seconds:g} s")
            time.sleep(0.001)
        return found.moment - now

    def first_after(self, moment: float) -> Write | None:
        """Return the first write that was acknowledged after a moment, or None."""
        with self._lock:
            later = itertools.takewhile(lambda write: write.moment > moment, reversed(self.acknowledged))
            return next(reversed([*later]), None)

    def longest_gap(self, since: float = 0.0, until: float | None = None) -> float:
        """Return the longest time, in seconds, in which no write was acknowledged.

        Args:
            since: from this moment on, by default from the first write.
            until: up to this moment, by default to the end, or until now.
        """
        end = until or self.ended or time.monotonic()
        with self._lock:
            moments = [write.moment for write in self.acknowledged if since <= write.moment <= end]
        begin = since or (moments[0] if moments else self.began)
        return max(later - earlier for earlier, later in itertools.pairwise([begin, *moments, end]))

    def writers(self, since: float = 0.0) -> set[str]:
        """Return the nodes that took writes after a moment."""
        with self._lock:
            return {write.node for write in (*self.acknowledged, *self.local) if write.moment >= since}

    def lost(self, node: Address) -> list[Write]:
        """Return the acknowledged writes that a node does not have, in their order."""
        with self._lock:
            acknowledged = [*self.acknowledged]
        options: dict[str, Any] = {**self._options, "host": node.host, "port": node.port}
        with psycopg.connect(**options) as connection:
            there = {key for (key,) in connection.execute("SELECT email FROM customer")}
        return [write for write in acknowledged if write.key not in there]

    # -- one client --------------------------------------------------------------------------------

    def _client(self, name: str) -> None:
        while not self._stop.is_set():
            # Refused, cut, shut down, a standby's: the next attempt tells.
            with contextlib.suppress(psycopg.Error), self._connection(name) as connection:
                self._write(name, connection)
            self._stop.wait(_RETRY)

    @contextlib.contextmanager
    def _connection(self, name: str) -> Iterator[psycopg.Connection[Any]]:
        node = self._nodes[name]
        connection = psycopg.connect(autocommit=True, host=node.host, port=node.port, **self._options)
        try:
            yield connection
        finally:
            connection.close()

    def _write(self, name: str, connection: psycopg.Connection[Any]) -> None:
        warnings: list[str | None] = []
        connection.add_notice_handler(lambda notice: warnings.append(notice.sqlstate))
        while not self._stop.is_set():
            with self._lock:
                key = next(self._keys)
            try:
                connection.execute(_INSERT, (key,))
            except psycopg.errors.ReadOnlySqlTransaction:
                self._stop.wait(_RETRY)
                continue
            kept = self.local if _COMMITTED_LOCALLY in warnings else self.acknowledged
            warnings.clear()
            with self._lock:
                kept.append(Write(time.monotonic(), name, key))
            self._stop.wait(self._pause)
