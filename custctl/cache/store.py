"""The cache of one database: lookups, filling, and what a writer announces before and after its commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from custctl.cache import scripts
from custctl.cache.channel import CacheError, Channel, Keys, granted, ms, new_token
from custctl.cache.entries import pack, unpack, version_key
from custctl.cache.wire import Refusal

if TYPE_CHECKING:
    from custctl.cache.entries import Sealer
    from custctl.cache.links import Link
    from custctl.cache.memory import Memory
    from custctl.customers.model import Customer

_KEEP = 24 * 3600.0  # seconds to keep an entry for use while the database is down
_LEASE = 10.0  # seconds that a reader has to fill an entry after a miss
_TOMBSTONE = 3600.0  # seconds; by then no fill is in flight any more
_USELESS = "useless"  # a hit that cannot be decoded, or is older than this machine's own write
_NEVER = -1  # milliseconds that an entry is current: makes every hit a miss, so that it can be filled again
_TRIES = 100  # keys that one SCAN examines


@dataclass(frozen=True, slots=True)
class Look:
    """The result of a lookup in the cache.

    Attributes:
        answer: hit, miss, or busy if a write is in flight.
        lease: lets its holder fill the entry; empty if another reader fills it, or nobody may.
        row: the cached row, trusted or not.
        age: seconds since it was cached.
        customer_id: whose entry it is; None if none was found.
        is_sure: whether it is at least as new as the last write from here; unknown after a loss of the memory.
    """

    answer: str
    lease: str = ""
    row: Customer | None = None
    age: float = 0.0
    customer_id: int | None = None
    is_sure: bool = True


NOTHING = Look("miss")


class Cache:
    """The entries of one database, in one hash slot, so that a script sees all it needs.

    Attributes:
        channel: the way to the server.

    Args:
        connect: opens the link.
        database_id: whose entries they are.
        engine: decides the kind of versions that its rows have.
        ttl: seconds for which an entry counts as current.
        mark: seconds after which a silent writer counts as dead.
        sealer: returns what encrypts the entries, at the first call; None for unencrypted entries.
    """

    def __init__(
        self,
        connect: Callable[[], Link],
        database_id: str,
        engine: str,
        memory: Memory,
        *,
        ttl: float,
        mark: float,
        sealer: Callable[[], Sealer] | None = None,
    ) -> None:
        self.channel = Channel(self._connected, Keys(database_id), memory)
        self._keys = self.channel.keys
        self._connect = connect
        self._engine = engine
        self._memory = memory
        self._ttl = ttl
        self._mark = mark
        self._find_sealer = sealer
        self._sealer: Sealer | None = None

    def _connected(self) -> Link:
        """Connect, after preparing what packs the entries."""
        self._sealer = self._find_sealer() if self._find_sealer is not None else None
        return self._connect()

    def close(self) -> None:
        """Close the connection."""
        self.channel.close()

    # -- reading -----------------------------------------------------------------------------------

    def find(self, email: str) -> int | None:
        """Return the id that an address belonged to when it was last cached: a hint, to be compared with the row."""
        found = self.channel.call([("GET", self._keys.email(email))])[0]
        return int(found) if isinstance(found, bytes) and found.isdigit() and len(found) < 20 else None

    def look(self, customer_id: int) -> Look:
        """Return the entry of a customer.

        Raises:
            CacheError: the cache cannot be used.
        """
        return self.look_all([customer_id])[0]

    def look_all(self, customer_ids: Sequence[int], *, counted: bool = True) -> list[Look]:
        """Return the entries of several customers; see `look`.

        Args:
            counted: whether it counts as hits and misses.
        """
        looks = self._look_all(customer_ids, counted=counted)
        # Do not remove them: a client with another encryption key may need them while the database is down.
        useless = [each for each, look in zip(customer_ids, looks, strict=True) if look.answer == _USELESS]
        renewed = (
            {look.customer_id: look for look in self._look_all(useless, counted=False, fresh=_NEVER)} if useless else {}
        )
        return [renewed.get(look.customer_id, look) for look in looks]

    def _look_all(self, customer_ids: Sequence[int], *, counted: bool, fresh: int | None = None) -> list[Look]:
        """Look up once.

        Args:
            fresh: milliseconds for which an entry counts as current; None to derive it from the memory.
        """
        calls = [
            (
                "look",
                [self._keys.state, self._keys.row(each), self._keys.counts],
                [new_token(), ms(_LEASE), self._fresh(each) if fresh is None else fresh, int(counted)],
            )
            for each in customer_ids
        ]
        replies = self.channel.run_all(calls)
        return [self._looked(each, reply) for each, reply in zip(customer_ids, replies, strict=True)]

    def _fresh(self, customer_id: int) -> int:
        """Return for how many milliseconds an entry counts as current.

        An entry that is older than the memory may be older than a write that the memory lost, unless the memory
        knows the minimum version.
        """
        seconds = self._ttl if self._memory.is_sure(customer_id) else min(self._ttl, self._reach)
        return ms(seconds) if seconds >= 0 else _NEVER

    @property
    def _reach(self) -> float:
        """Seconds for which no entry was cached by a process that had read or written before the memory began."""
        return self._memory.reach - _LEASE - self._mark

    def _looked(self, customer_id: int, reply: Any) -> Look:
        if not (isinstance(reply, list) and len(reply) == 5):
            return Look("miss", customer_id=customer_id)
        answer, lease, payload, version, age = reply
        place = self._keys.row(customer_id).encode()
        row = unpack(payload, place, self._sealer) if payload else None
        if row is not None and (row.id != customer_id or not self._is_version(row, version)):
            row = None
        if row is not None and version.decode() < self._memory.known(customer_id):
            row = None  # older than this machine's own write
        found = answer.decode()
        if row is None and found == "hit":
            found = _USELESS
        seconds = int(age) / 1000
        is_sure = self._memory.is_sure(customer_id) or seconds <= self._reach
        return Look(found, lease.decode(), row, seconds, customer_id, is_sure)

    def _is_version(self, row: Customer, version: bytes) -> bool:
        try:
            return version_key(self._engine, row.version).encode() == version
        except ValueError:
            return False  # of another engine

    def fill(self, row: Customer, lease: str) -> None:
        """Cache a row that was read from the primary under a lease."""
        self.fill_all([(row, lease)])

    def fill_all(self, rows: Sequence[tuple[Customer, str]]) -> Counter[str]:
        """Cache rows that were read from the primary under their leases.

        Returns:
            How many were cached, and how many were not, by the words of the script.

        Raises:
            CacheError: the cache cannot be used, or accepts none.
        """
        self.channel.open(insist=False)
        self.met([row for row, _ in rows])
        replies = self.channel.run_all([("fill", *self._entry(row, lease, _KEEP)) for row, lease in rows])
        for reply in replies:
            # A key that is not ours blocks one row only.
            if isinstance(reply, Refusal) and reply.kind not in ("WRONGTYPE", "ERR"):
                granted(reply)
        return Counter(reply.decode() if isinstance(reply, bytes) else "refused" for reply in replies)

    def _entry(self, row: Customer, token: str, keep: float) -> tuple[list[str], list[Any]]:
        """Return the keys and arguments of a script that caches a row for some seconds."""
        key = self._keys.row(row.id)
        version, payload = version_key(self._engine, row.version), pack(row, key.encode(), self._sealer)
        return [self._keys.state, key, self._keys.email(row.email)], [token, version, payload, row.id, ms(keep)]

    def met(self, rows: Iterable[Customer]) -> None:
        """Record rows that were read from the primary after a lookup: no older version may be shown."""
        if self._reach < self._ttl:
            self._memory.met({row.id: version_key(self._engine, row.version) for row in rows})

    # -- writing -----------------------------------------------------------------------------------

    def begin(self, customer_id: int, token: str) -> None:
        """Announce, before a commit, the write of a customer."""
        keep = ms(max(_KEEP, self._mark))
        self.channel.run(
            "mark", [self._keys.row(customer_id), self._keys.state], [token, ms(self._mark), keep, new_token()]
        )

    def put(self, row: Customer, token: str) -> None:
        """Cache a row that was committed, and remove the mark."""
        self.channel.open(insist=True)
        self._end("put", row.id, *self._entry(row, token, max(_KEEP, self._mark)))

    def bury(self, customer_id: int, version: str, token: str) -> None:
        """Leave a tombstone for a customer that was deleted at a version."""
        # Sorts after the version itself, so that a row of that version does not come back.
        stone = f"{version_key(self._engine, version)}~"
        self._end("bury", customer_id, [self._keys.row(customer_id)], [token, stone, ms(max(_TOMBSTONE, self._mark))])

    def _end(self, name: str, customer_id: int, keys: Sequence[str], arguments: Sequence[Any]) -> None:
        """Announce what was committed; if that is rejected, drop the old entry so that nobody reads it."""
        try:
            self.channel.run(name, keys, arguments)
        except CacheError:
            if self.channel.failure is not None or isinstance(self._dropped([customer_id]), Refusal):
                raise

    def unmark(self, customer_id: int, token: str) -> None:
        """Remove the mark of a write that did not happen, and never will."""
        self.channel.call([("HDEL", self._keys.row(customer_id), f"m:{token}")], insist=True)

    def begin_many(self, token: str, seconds: float) -> None:
        """Announce that many customers are being written; renew it before the seconds are over."""
        self.channel.run("mark", [self._keys.state], [token, ms(seconds), "", ""])

    def turn(self, token: str, epoch: int | None = None) -> None:
        """Stop trusting all entries up to now, and remove the mark.

        Args:
            epoch: of a history that has forked.
        """
        granted(self.channel.call([self.channel.turned(token, epoch)], insist=True)[0])

    def has(self, customer_id: int) -> bool:
        """Tell whether there is an entry of a customer, current or not."""
        return (
            granted(self.channel.call([("HGET", self._keys.row(customer_id), "version")], insist=True)[0]) is not None
        )

    def forget(self, customer_id: int) -> int:
        """Remove a customer's data from its entry, and return how many entries had any: 0 or 1.

        Marks and a tombstone stay: they stop other processes that still hold the row from caching it.
        """
        [reply] = self.channel.call([("HDEL", self._keys.row(customer_id), "payload", "generation", "at")], insist=True)
        removed = granted(reply)
        return int(isinstance(removed, int) and removed > 0)

    def forget_addresses(self, customer_id: int) -> int:
        """Remove the keys of all addresses of a customer, and return their number. Scans all keys."""
        removed = 0
        for keys in self.key_lists():
            addresses = [key for key in keys if key.startswith(self._keys.emails.encode())]
            owners = self.channel.call([("GET", key) for key in addresses], insist=True) if addresses else []
            found = [key for key, owner in zip(addresses, owners, strict=True) if owner == b"%d" % customer_id]
            if found:
                self.drop(found)
                removed += len(found)
        return removed

    # -- maintenance -------------------------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        """Return the number of hits, misses, and entries served while the database was down."""
        flat = self.channel.call([("HGETALL", self._keys.counts)], insist=True)[0]
        words = flat if isinstance(flat, list) else []
        return {
            name.decode(): int(value)
            for name, value in zip(words[::2], words[1::2], strict=True)
            if value.isdigit() and len(value) < 20
        }

    def count(self, name: str) -> None:
        """Increment a counter that `counts` returns."""
        self.channel.call([("HINCRBY", self._keys.counts, name, 1)])

    def info(self) -> dict[str, str]:
        """Return the server's information; empty if this login may not read it."""
        found = self.channel.call([("INFO",)], insist=True, optional=True)[0]
        lines = found.decode(errors="replace").splitlines() if isinstance(found, bytes) else []
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def key_lists(self) -> Iterator[list[bytes]]:
        """Yield all keys of this database, in lists."""
        cursor: bytes | int = 0
        while True:
            scan = ("SCAN", cursor, "MATCH", f"{_escaped(self._keys.prefix)}*", "COUNT", _TRIES)
            [reply] = self.channel.call([scan], insist=True)
            if not (isinstance(granted(reply), list) and len(reply) == 2):
                return
            cursor, found = reply
            if found:
                yield list(found)
            if int(cursor) == 0:
                return

    def drop(self, keys: Iterable[bytes]) -> None:
        """Remove entries; marks of writers stay."""
        granted(self.channel.call([scripts.whole("drop", list(keys), [])], insist=True)[0])

    def _dropped(self, customer_ids: Iterable[int]) -> Any:
        return self.channel.call(
            [scripts.whole("drop", [self._keys.row(each) for each in customer_ids], [])], insist=True
        )[0]


def _escaped(text: str) -> str:
    """Return a text escaped for a pattern of SCAN."""
    return "".join(f"\\{char}" if char in "*?[]^\\" else char for char in text)
