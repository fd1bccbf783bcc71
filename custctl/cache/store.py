"""The cache of one database: looking, filling, and what a writer says before and after its commit."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from custctl.cache import scripts
from custctl.cache.entries import epoch_key, pack, unpack, version_key
from custctl.cache.wire import Command, Refusal, WireError

if TYPE_CHECKING:
    from custctl.cache.entries import Sealer
    from custctl.cache.links import Link
    from custctl.cache.memory import Memory
    from custctl.customers.model import Customer

_KEEP = 24 * 3600.0  # seconds that an entry is there for the time when the database is down
_LEASE = 10.0  # seconds in which who has found no entry may fill it
_TOMBSTONE = 3600.0  # seconds; fillers in flight are long gone by then
_TRIES = 100  # keys that one SCAN looks at


class CacheError(Exception):
    """The cache cannot be asked."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look into the cache has found.

    Attributes:
        answer: hit, miss, or busy, where a write is in flight.
        lease: lets its holder fill the entry; empty where somebody else does, or nobody may.
        row: what is kept, whether it is to be trusted or not.
        age: seconds since it was kept.
    """

    answer: str
    lease: str = ""
    row: Customer | None = None
    age: float = 0.0


NOTHING = Look("miss")


class Cache:
    """The entries of one database, in one hash slot, so that a script sees all that it has to.

    A call that fails is the last of this process; what must not be trusted any more is kept in the memory.

    Args:
        connect: opens the link.
        database_id: whose entries they are.
        engine: what kind of versions its rows have.
        ttl: seconds that an entry is taken for current.
        mark: seconds after which a writer that has not come back is taken for dead.
        sealer: encrypts the entries; None where they are kept as they are.
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
        sealer: Sealer | None = None,
    ) -> None:
        self._connect = connect
        self._engine = engine
        self._memory = memory
        self._ttl = ttl
        self._mark = mark
        self._sealer = sealer
        self._link: Link | None = None
        self._failure: str | None = None
        self._prefix = f"custctl:{{{database_id}}}:"
        self._state, self._counts = f"{self._prefix}state", f"{self._prefix}counts"

    def close(self) -> None:
        """Hang up."""
        if self._link is not None:
            self._link.close()
            self._link = None

    # -- calling -----------------------------------------------------------------------------------

    def _call(self, commands: Sequence[Command], *, insist: bool = False) -> list[Any]:
        """Run commands.

        Args:
            insist: whether the cache is asked even where it has failed just now.

        Raises:
            CacheError: it does not answer, or has failed just now.
        """
        if self._failure is not None:
            raise CacheError(self._failure)
        if self._link is None and not insist and not self._memory.may_try():
            self._failure = f"{self._memory.failure}, a moment ago"
            raise CacheError(self._failure)
        try:
            if self._link is None:
                self._link = self._connect()
                self._settle_doubts()
            return self._link.call(commands)
        except WireError as error:
            self._failure = str(error)
            self._memory.failed(str(error))
            self.close()
            raise CacheError(str(error)) from None

    def _settle_doubts(self) -> None:
        """Take away what could not be, when the cache did not answer."""
        assert self._link is not None
        self._memory.answered()
        doubtful = self._memory.in_doubt
        if not doubtful:
            return
        command = (
            scripts.whole("turn", [self._state], [_token(), ""])
            if -1 in doubtful
            else scripts.whole("drop", [self._row(each) for each in doubtful], [])
        )
        if not isinstance(self._link.call([command])[0], Refusal):
            self._memory.settle(doubtful)

    def _run(self, name: str, keys: Sequence[str], arguments: Sequence[Any], *, insist: bool = False) -> Any:
        """Run one script; what the server refuses is None, as where a key is not ours."""
        return self._run_all([(name, keys, arguments)], insist=insist)[0]

    def _run_all(self, calls: Sequence[tuple[str, Sequence[str], Sequence[Any]]], *, insist: bool = False) -> list[Any]:
        replies = self._call([scripts.short(*call) for call in calls], insist=insist)
        unknown = [
            index for index, reply in enumerate(replies) if isinstance(reply, Refusal) and reply.kind == "NOSCRIPT"
        ]
        for index, reply in (
            zip(unknown, self._call([scripts.whole(*calls[i]) for i in unknown]), strict=True) if unknown else ()
        ):
            replies[index] = reply
        return [None if isinstance(reply, Refusal) else reply for reply in replies]

    def _row(self, customer_id: int) -> str:
        return f"{self._prefix}row:{customer_id}"

    def _email(self, email: str) -> str:
        # Not the address itself: keys are seen by whoever may list them.
        return f"{self._prefix}email:{hashlib.sha256(email.encode()).hexdigest()[:32]}"

    # -- reading -----------------------------------------------------------------------------------

    def find(self, email: str) -> int | None:
        """Return the id that an address belonged to when it was last kept: a hint, to be compared with the row."""
        found = self._call([("GET", self._email(email))])[0]
        return int(found) if isinstance(found, bytes) and found.isdigit() else None

    def look(self, customer_id: int) -> Look:
        """Return what is kept of a customer.

        Raises:
            CacheError: the cache cannot be asked.
        """
        return self.look_all([customer_id])[0]

    def look_all(self, customer_ids: Sequence[int], *, counted: bool = True) -> list[Look]:
        """Return what is kept of several customers; see `look`.

        Args:
            counted: whether it counts as hits and misses.
        """
        arguments = (_ms(_LEASE), _ms(self._ttl), int(counted))
        calls = [
            ("look", [self._state, self._row(each), self._counts], [_token(), *arguments]) for each in customer_ids
        ]
        replies = self._run_all(calls)
        return [self._looked(each, reply) for each, reply in zip(customer_ids, replies, strict=True)]

    def _looked(self, customer_id: int, reply: Any) -> Look:
        if not (isinstance(reply, list) and len(reply) == 5):
            return NOTHING
        answer, lease, payload, version, age = reply
        place = self._row(customer_id).encode()
        row = unpack(payload, place, self._sealer) if payload else None
        if row is not None and (
            row.id != customer_id or version_key(self._engine, row.version) != version.decode(errors="replace")
        ):
            row = None
        if row is not None and version.decode(errors="replace") < self._memory.written(customer_id):
            row = None  # older than what was written from here
        found = answer.decode()
        if row is None and found == "hit":
            found = "miss"
        return Look(found, lease.decode(), row, int(age) / 1000)

    def fill(self, row: Customer, lease: str) -> None:
        """Keep a row that was read from the primary under a lease."""
        self.fill_all([(row, lease)])

    def fill_all(self, rows: Sequence[tuple[Customer, str]]) -> int:
        """Keep rows that were read from the primary under their leases, and return how many were kept."""
        calls = []
        for row, lease in rows:
            key = self._row(row.id)
            arguments = [
                lease,
                version_key(self._engine, row.version),
                pack(row, key.encode(), self._sealer),
                row.id,
                _token(),
                _ms(_KEEP),
            ]
            calls.append(("fill", [self._state, key, self._email(row.email)], arguments))
        return sum(reply == b"kept" for reply in self._run_all(calls))

    # -- writing -----------------------------------------------------------------------------------

    def begin(self, customer_id: int, token: str) -> None:
        """Say, before a commit, that a customer is being written."""
        self._run("mark", [self._row(customer_id)], [token, _ms(self._mark), _ms(_KEEP)], insist=True)

    def put(self, row: Customer, token: str) -> None:
        """Keep a row that was committed, and take the mark away."""
        key = self._row(row.id)
        arguments = [
            token,
            version_key(self._engine, row.version),
            pack(row, key.encode(), self._sealer),
            row.id,
            _ms(_KEEP),
        ]
        self._run("put", [self._state, key, self._email(row.email)], arguments, insist=True)

    def bury(self, customer_id: int, version: str, token: str) -> None:
        """Leave a tombstone for a customer that was deleted at a version."""
        # Behind the version itself, so that a row of that version does not come back.
        stone = f"{version_key(self._engine, version)}~"
        self._run("bury", [self._row(customer_id)], [token, stone, _ms(_TOMBSTONE)], insist=True)

    def unmark(self, customer_id: int, token: str) -> None:
        """Take the mark of a write away that has not happened, and never will."""
        self._call([("HDEL", self._row(customer_id), f"m:{token}")], insist=True)

    def begin_many(self, token: str, seconds: float) -> None:
        """Say that many customers are being written; to be said again before the seconds are over."""
        self._run("mark", [self._state], [token, _ms(seconds), ""], insist=True)

    def turn(self, token: str, epoch: int | None = None) -> None:
        """Trust nothing that was kept up to now, and take the mark away.

        Args:
            epoch: of a history that has forked.
        """
        self._run("turn", [self._state], [token, epoch_key(epoch) if epoch is not None else ""], insist=True)

    # -- looking after it --------------------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        """Return how often an entry was found, was not, and was served while the database was down."""
        flat = self._call([("HGETALL", self._counts)], insist=True)[0]
        words = flat if isinstance(flat, list) else []
        return {
            name.decode(): int(value)
            for name, value in zip(words[::2], words[1::2], strict=True)
            if value.lstrip(b"-").isdigit()
        }

    def count(self, name: str) -> None:
        """Count one more of what `counts` returns."""
        self._call([("HINCRBY", self._counts, name, 1)])

    def info(self) -> dict[str, str]:
        """Return what the server says of itself."""
        found = self._call([("INFO",)], insist=True)[0]
        lines = found.decode(errors="replace").splitlines() if isinstance(found, bytes) else []
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def key_lists(self) -> Iterator[list[bytes]]:
        """Yield all keys of this database, in lists."""
        cursor: bytes | int = 0
        while True:
            reply = self._call([("SCAN", cursor, "MATCH", f"{_escaped(self._prefix)}*", "COUNT", _TRIES)], insist=True)[
                0
            ]
            if not (isinstance(reply, list) and len(reply) == 2):
                return
            cursor, found = reply
            if found:
                yield list(found)
            if int(cursor) == 0:
                return

    def drop(self, keys: Iterable[bytes]) -> None:
        """Take entries away; marks of writers stay."""
        self._call([scripts.whole("drop", list(keys), [])], insist=True)


def _token() -> str:
    return os.urandom(9).hex()


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _escaped(text: str) -> str:
    """Return a text that stands for itself in a pattern of SCAN."""
    return "".join(f"\\{char}" if char in "*?[]^\\" else char for char in text)
