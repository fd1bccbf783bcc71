"""The cache's protocol as a machine for hypothesis: writers and readers, one call a step, beside a model of the database.

The calls go to a real server. What takes time there (a mark, a lease or an entry that runs out) is brought about by
writing an earlier time into it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from custctl.cache.entries import version_key
from custctl.cache.store import Cache, Look
from custctl.customers.model import Customer
from tests.servers.valkey import ValkeyServer

ENGINE = "postgresql"
DATABASE = "0b9e5c1e-5d5a-4a4e-8a53-0d0d7a7c0f11"
TTL = 60.0
ROWS = (1, 2)
_LEASE = ("lease", "leased", "under")
_MOST = 2  # writers, and readers, at a time
_SLOTS = st.integers(0, _MOST - 1)
_SELDOM = st.sampled_from((False, False, True))
_ROWS = st.sampled_from((*ROWS[:1] * 4, *ROWS))


def customer(customer_id: int, epoch: int, counter: int) -> Customer:
    """Return a customer whose fields tell its version."""
    text = f"{epoch}-{counter}"
    nothing = dict.fromkeys(("company", "address_line", "city", "region", "postal_code", "country"))
    moment = "2026-11-23T08:00:00Z"
    return Customer(
        id=customer_id,
        email=f"c{customer_id}@example.com",
        first_name="Ada",
        last_name="Byron",
        phone=text,
        status="active",
        version=f"e{text}",
        created_at=moment,
        updated_at=moment,
        **nothing,  # type: ignore[arg-type]
    )


@dataclass(eq=False)
class Writer:
    """A write in flight: of one customer, or of all of them.

    Attributes:
        row: whose; None for all of them.
        step: marked, committed, or forked, where its transaction cannot commit any more.
        lost: whether the cache lost its mark.
        ended: whether it told the cache what was committed.
    """

    token: str
    row: int | None = None
    step: str = "marked"
    version: Customer | None = None
    lost: bool = False
    ended: bool = False
    forks: bool = False


@dataclass
class Reader:
    """A reader between two calls."""

    row: int
    lease: str
    found: Customer | None = None
    has_read: bool = False


@dataclass
class Commit:
    """A state of a row: None where it was deleted; and who made it."""

    row: Customer | None
    by: Writer | None = None


@dataclass
class Database:
    """What is true."""

    epoch: int = 1
    history: dict[int, list[Commit]] = field(default_factory=dict)
    replica: dict[int, Customer | None] = field(default_factory=dict)

    def current(self, row: int) -> Customer | None:
        """Return the row as a reader finds it."""
        return self.history[row][-1].row

    def counter(self, row: int) -> int:
        """Return the counter of a row's version: one that was lost in a failover is reached again."""
        found = self.current(row)
        assert found is not None
        return counter(found)


def counter(row: Customer) -> int:
    """Return the counter of a version."""
    return int(row.version.partition("-")[2])


def _epoch_of(version: str) -> bytes:
    """Return a version's epoch as the cache writes it."""
    return version_key(ENGINE, version)[:16].encode()


class Protocol(RuleBasedStateMachine):
    """What may happen, in any order.

    A step is refused where the protocol rules it out: a mark runs out only of a writer that was killed.
    """

    server: ValkeyServer
    cache: Cache
    call: Any

    @initialize()
    def begin(self) -> None:
        self.call("FLUSHALL")
        self.database = Database()
        for row in ROWS:
            self.database.history[row] = [Commit(customer(row, 1, 1))]
        self.replicate()
        self.writers: dict[int, Writer] = {}
        self.readers: dict[int, Reader] = {}
        self.many: Writer | None = None
        self.dead: list[Writer] = []
        self.ran_out: list[Writer] = []
        self.number = 0
        self.known = b""  # the highest epoch that the cache was told since it lost its state
        self.kept: dict[bytes, bytes] = {}

    def _token(self) -> str:
        self.number += 1
        return f"t{self.number}"

    def _state(self) -> str:
        return f"custctl:{{{DATABASE}}}:state"

    def _row(self, row: int) -> str:
        return f"custctl:{{{DATABASE}}}:row:{row}"

    # -- writers of one customer -------------------------------------------------------------------

    @precondition(lambda self: len(self.writers) < _MOST)
    @rule(slot=_SLOTS, row=_ROWS)
    def mark(self, slot: int, row: int) -> None:
        if slot not in self.writers and self.database.current(row) is not None:
            writer = self.writers[slot] = Writer(self._token(), row)
            self.cache.begin(row, writer.token)

    @precondition(lambda self: any(writer.step == "marked" for writer in self.writers.values()))
    @rule(slot=_SLOTS, delete=_SELDOM)
    def commit(self, slot: int, delete: bool) -> None:
        writer = self.writers.get(slot)
        if writer is None or writer.step != "marked":
            return
        assert writer.row is not None
        found = self.database.current(writer.row)
        if found is None:
            return
        if delete:
            writer.version = None
        else:
            writer.version = customer(writer.row, self.database.epoch, self.database.counter(writer.row) + 1)
        writer.step = "deleted" if delete else "committed"
        self.database.history[writer.row].append(Commit(writer.version, writer))
        if delete:
            writer.version = found

    @precondition(lambda self: self.writers)
    @rule(slot=_SLOTS)
    def end(self, slot: int) -> None:
        writer = self.writers.pop(slot, None)
        if writer is None:
            return
        assert writer.row is not None
        writer.ended = True
        if writer.step == "committed":
            assert writer.version is not None
            self.cache.put(writer.version, writer.token)
        elif writer.step == "deleted":
            assert writer.version is not None
            self.cache.bury(writer.row, writer.version.version, writer.token)
        else:
            self.cache.unmark(writer.row, writer.token)

    @rule(row=_ROWS)
    def write(self, row: int) -> None:
        """A whole write, which is not interrupted."""
        slot = _MOST
        self.mark(slot, row)
        self.commit(slot, delete=False)
        self.end(slot)

    @precondition(lambda self: self.writers)
    @rule(slot=_SLOTS)
    def kill_writer(self, slot: int) -> None:
        if slot in self.writers:
            self.dead.append(self.writers.pop(slot))

    @precondition(lambda self: self.dead)
    @rule()
    def marks_run_out(self) -> None:
        for writer in self.dead:
            key = self._state() if writer.row is None else self._row(writer.row)
            mark = self.call("HGET", key, f"m:{writer.token}")
            if mark is not None:
                self.call("HSET", key, f"m:{writer.token}", b"1 " + mark.partition(b" ")[2])
        self.ran_out += self.dead
        self.dead = []

    # -- writers of many, and a failover -------------------------------------------------------------

    @precondition(lambda self: self.many is None)
    @rule(forks=_SELDOM)
    def mark_all(self, forks: bool) -> None:
        self.many = Writer(self._token(), forks=forks)
        self.cache.begin_many(self.many.token, 1000)

    @precondition(lambda self: self.many is not None)
    @rule(row=_ROWS)
    def commit_many(self, row: int) -> None:
        assert self.many is not None
        if self.many.forks:
            if self.many.step == "marked":
                self._fail_over(self.many)
        elif self.database.current(row) is not None:
            made = customer(row, self.database.epoch, self.database.counter(row) + 1)
            self.database.history[row].append(Commit(made, self.many))
        self.many.step = "committed"

    def _fail_over(self, by: Writer) -> None:
        self.database.epoch += 1
        for row, held in self.database.replica.items():
            made = customer(row, self.database.epoch, counter(held)) if held is not None else None
            self.database.history[row].append(Commit(made, by))
        for writer in self.writers.values():
            writer.step = "forked" if writer.step == "marked" else writer.step

    @precondition(lambda self: self.many is not None)
    @rule(killed=st.booleans())
    def end_many(self, killed: bool) -> None:
        assert self.many is not None
        writer, self.many = self.many, None
        if killed:
            self.dead.append(writer)
        else:
            writer.ended = True
            self.cache.turn(writer.token, self.database.epoch if writer.forks else None)
            if writer.forks:
                self.known = max(self.known, _epoch_of(f"e{self.database.epoch}-0"))

    def replicate(self) -> None:
        self.database.replica = {row: self.database.current(row) for row in ROWS}

    # -- readers -----------------------------------------------------------------------------------

    @precondition(lambda self: len(self.readers) < _MOST)
    @rule(slot=_SLOTS, row=_ROWS)
    def look(self, slot: int, row: int) -> None:
        found = self.cache.look(row)
        self._check(row, found)
        if found.lease:
            self.readers[slot] = Reader(row, found.lease)

    @precondition(lambda self: not all(reader.has_read for reader in self.readers.values()))
    @rule(slot=_SLOTS)
    def read(self, slot: int) -> None:
        reader = self.readers.get(slot)
        if reader is not None and not reader.has_read:
            reader.found, reader.has_read = self.database.current(reader.row), True

    @precondition(lambda self: any(reader.has_read for reader in self.readers.values()))
    @rule(slot=_SLOTS)
    def fill(self, slot: int) -> None:
        reader = self.readers.get(slot)
        if reader is not None and reader.has_read:
            del self.readers[slot]
            if reader.found is not None:
                self.cache.fill(reader.found, reader.lease)

    @rule(row=_ROWS)
    def get(self, row: int) -> None:
        """A whole read, which is not interrupted."""
        slot = _MOST
        self.look(slot, row)
        self.read(slot)
        self.fill(slot)

    def take(self, step: str, slot: int) -> None:
        """Take a step by its name, with the first row; for who knows the order."""
        row = ROWS[0]
        others: dict[str, Callable[[], object]] = {
            "delete": lambda: self.commit(slot, delete=True),
            "commit": lambda: self.commit(slot, delete=False),
            "fork": lambda: self.mark_all(forks=True),
            "mark_all": lambda: self.mark_all(forks=False),
            "end_many": lambda: self.end_many(killed=False),
            "kill_many": lambda: self.end_many(killed=True),
            **{name: partial(self.time_passes, name, row) for name in ("lease", "entry")},
            **{name: partial(self.befall, name) for name in ("save", "untold", "state", "drop", "empty", "before")},
            "write other": lambda: self.write(ROWS[1]),
            **{name: partial(getattr(self, name), row) for name in ("write", "get", "evict", "commit_many")},
            **{name: partial(getattr(self, name), slot, row) for name in ("mark", "look")},
            **{name: partial(getattr(self, name), slot) for name in ("end", "kill_writer", "read", "fill")},
            "marks_run_out": self.marks_run_out,
        }
        others[step]()

    def _check(self, row: int, found: Look) -> None:
        if found.row is not None:
            assert found.row == customer(row, *map(int, found.row.version[1:].split("-"))), "another row's payload"
            assert _epoch_of(found.row.version) >= self.known, "a history that was left"
        if found.answer == "hit":
            assert found.row is not None
            commits = self.database.history[row]
            index = max(i for i, each in enumerate(commits) if each.row == found.row)
            for later in commits[index + 1 :]:
                by = later.by
                assert by is not None
                assert by.lost, f"{found.row.version} was shown, and {later.row and later.row.version} was there"
                assert not by.ended, f"{found.row.version} was shown, and {by} had ended"

    # -- what befalls the cache --------------------------------------------------------------------

    @rule(what=st.sampled_from(("lease", "entry")), row=_ROWS)
    def time_passes(self, what: str, row: int) -> None:
        held, name = ("lease", "leased") if what == "lease" else ("at", "at")
        if self.call("HGET", self._row(row), held) is not None:
            self.call("HSET", self._row(row), name, "1")

    @rule(row=_ROWS)
    def evict(self, row: int) -> None:
        self.call("DEL", self._row(row))
        self._lose(row)

    @rule(what=st.sampled_from(("save", "replicate", "untold", "state", "drop", "empty", "before")))
    def befall(self, what: str) -> None:
        """What happens seldom."""
        if what == "save":
            self.kept = {key: self.call("DUMP", key) for key in self.call("KEYS", "*")}
        elif what == "replicate":
            self.replicate()
        elif what == "untold":
            # What a cluster manager does by itself: the cache learns of it by the first row of the new epoch.
            if self.many is None:
                self._fail_over(Writer("", lost=True))
        elif what == "state":
            self.call("DEL", self._state())
            self._lose(None)
        elif what == "drop":
            self.cache.drop([self._row(row).encode() for row in ROWS])
        else:
            self._restart({} if what == "empty" else self.kept)

    def _restart(self, kept: dict[bytes, bytes]) -> None:
        """Let the server come up anew, with what it had kept."""
        self.call("FLUSHALL")
        self.call("SCRIPT", "FLUSH")
        for key, value in kept.items():
            self.call("RESTORE", key, 0, value)
        for row in (*ROWS, None):
            self._lose(row)

    def _lose(self, row: int | None) -> None:
        if row is None:
            self.known = b""
        for writer in (*self.writers.values(), *self.dead, *self.ran_out, *([self.many] if self.many else [])):
            writer.lost = writer.lost or writer.row == row

    @invariant()
    def shown_is_current(self) -> None:
        if hasattr(self, "number"):
            self.known = max(self.known, self.call("HGET", self._state(), "epoch") or b"")
        for row in ROWS if hasattr(self, "number") else ():
            key = self._row(row)
            before = self.call("HMGET", key, *_LEASE)
            found = self.cache.look_all([row], counted=False)[0]
            self._check(row, found)
            if found.lease:  # looking at each step is to change nothing
                self.call("HDEL", key, *_LEASE)
                for name, value in zip(_LEASE, before, strict=True):
                    if value is not None:
                        self.call("HSET", key, name, value)
