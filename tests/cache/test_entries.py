"""What a server hands out is believed only if it is the row that was asked for, in its version, no older than one's own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from custctl.cache.channel import CacheError, Keys
from custctl.cache.entries import Sealer, pack, version_key
from custctl.cache.memory import ALL
from custctl.cache.probing import probe
from custctl.cache.sealing import AesSealer, new_key
from custctl.cache.store import Cache, Look
from tests.cache.machine import ENGINE, customer
from tests.cache.servers import OldMemory, open_cache
from tests.servers import ports
from tests.servers.valkey import ValkeyServer


class Cached:
    """A cache with the rows 1 and 2 in it."""

    def __init__(self, server: ValkeyServer, folder: Path) -> None:
        self.database, self.memory = str(uuid4()), folder / "cache.json"
        self.server, self.call = server, server.call
        self.cache = self.reopened()
        for number in (1, 2):
            self.cache.fill(customer(number, 1, 5), self.cache.look(number).lease)

    def reopened(self, port: int | None = None, sealer: Sealer | None = None) -> Cache:
        return open_cache(self.server, self.memory, self.database, port=port, sealer=sealer)

    def key(self, number: int) -> str:
        return Keys(self.database).row(number)

    def grow_old(self, number: int, seconds: int) -> None:
        """Let an entry be older by some seconds."""
        at = int(self.call("HGET", self.key(number), "at"))
        self.call("HSET", self.key(number), "at", at - 1000 * seconds)

    def seconds_left(self, key: str) -> float:
        """Return how long the server keeps a key."""
        left: int = self.call("PTTL", key)
        return left / 1000

    def shown(self) -> tuple[str, bool]:
        look = self.cache.look(1)
        return look.answer, look.row is not None


@pytest.fixture
def cached(valkey: ValkeyServer, tmp_path: Path) -> Iterator[Cached]:
    found = Cached(valkey, tmp_path)
    with closing(found.cache):
        assert found.shown() == ("hit", True)
        yield found


def test_the_row_of_another_customer_is_no_answer(cached: Cached) -> None:
    cached.call("HSET", cached.key(1), "payload", cached.call("HGET", cached.key(2), "payload"))
    assert cached.shown() == ("miss", False)


def test_a_value_of_somebody_elses_is_no_answer(cached: Cached) -> None:
    cached.call("DEL", cached.key(1))
    cached.call("SET", cached.key(1), "of somebody else")
    assert cached.cache.look(1) == Look("miss", customer_id=1)


def test_a_row_of_another_version_than_its_entry_is_no_answer(cached: Cached) -> None:
    cached.call("HSET", cached.key(1), "version", version_key(ENGINE, "e1-6"))
    assert cached.shown() == ("miss", False)


def test_a_row_in_a_version_of_another_engine_is_no_answer(cached: Cached) -> None:
    row = replace(customer(1, 1, 5), version="e1-00000000000007d1")
    cached.call("HSET", cached.key(1), "payload", pack(row, cached.key(1).encode(), None))
    assert cached.shown() == ("miss", False)


def test_a_look_tells_the_age_of_its_entry(cached: Cached) -> None:
    cached.grow_old(1, 30)
    look = cached.cache.look(1)
    assert look.answer == "hit"
    assert 30 <= look.age < 60
    cached.grow_old(1, 30)
    assert cached.shown() == ("miss", True)


@pytest.mark.parametrize(("reach", "answer", "is_sure"), [(0, "miss", False), (115, "miss", False), (140, "hit", True)])
def test_an_entry_counts_as_current_if_it_is_younger_than_any_write_that_the_memory_may_lack(
    cached: Cached, monkeypatch: pytest.MonkeyPatch, reach: float, answer: str, is_sure: bool
) -> None:
    """A writer or reader that began before the memory did may have ended its work 90 seconds later."""
    cached.grow_old(1, 30)
    monkeypatch.setattr(OldMemory, "reach", reach)
    look = cached.cache.look(1)
    assert (look.answer, look.is_sure) == (answer, is_sure)


def test_what_was_read_from_the_primary_is_current_for_a_memory_that_has_just_begun(
    cached: Cached, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OldMemory, "reach", 0)
    for number in (1, 2):
        look = cached.cache.look(number)
        assert look.answer == "miss"
        assert look.row is not None
    cached.cache.fill(customer(2, 1, 5), look.lease)
    looks = cached.cache.look_all([1, 2])
    assert [(look.answer, look.is_sure) for look in looks] == [("miss", False), ("hit", True)]


@pytest.mark.parametrize(("written", "shown"), [("e1-4", True), ("e1-5", True), ("e1-6", False), ("e2-1", False)])
def test_a_row_that_is_older_than_ones_own_write_is_no_answer(cached: Cached, written: str, shown: bool) -> None:
    OldMemory(cached.memory).wrote(1, version_key(ENGINE, written))
    with closing(cached.reopened()) as later:
        look = later.look(1)
    assert (look.answer, look.row is not None) == (("hit", True) if shown else ("miss", False))


def test_an_entry_that_cannot_be_written_keeps_no_other_from_being_cached(cached: Cached) -> None:
    leases = {number: cached.cache.look(number).lease for number in (3, 4)}
    cached.call("SET", cached.key(3), "of somebody else")
    rows = [(customer(number, 1, 1), lease) for number, lease in leases.items()]
    assert dict(cached.cache.fill_all(rows)) == {"refused": 1, "kept": 1}


def test_an_address_leads_to_its_customer_and_rubbish_to_nobody(cached: Cached) -> None:
    email = customer(1, 1, 5).email
    assert cached.cache.find(email) == 1
    assert cached.cache.find("nobody@example.com") is None
    key = f"{Keys(cached.database).prefix}email:{hashlib.sha256(email.encode()).hexdigest()[:32]}"
    for text, found in (("9" * 19, int("9" * 19)), ("9" * 20, None), ("x", None), ("-1", None), ("", None)):
        cached.call("SET", key, text)
        assert cached.cache.find(email) == found


def test_what_is_forgotten_is_of_one_customer_alone(cached: Cached) -> None:
    assert (cached.cache.has(1), cached.cache.has(2), cached.cache.has(3)) == (True, True, False)
    assert [cached.cache.forget_addresses(1) for _ in range(2)] == [1, 0]
    assert [cached.cache.forget(number) for number in (1, 1, 3)] == [1, 0, 0]
    assert [cached.cache.find(customer(number, 1, 5).email) for number in (1, 2)] == [None, 2]
    assert [look.answer for look in cached.cache.look_all([2, 1])] == ["hit", "miss"]


def test_counters_that_are_no_numbers_are_left_out(cached: Cached) -> None:
    before = cached.cache.counts()
    cached.cache.count("stale")
    cached.cache.look(1)
    cached.cache.look_all([1], counted=False)
    assert cached.cache.counts() == {**before, "hits": before["hits"] + 1, "stale": 1}
    key = Keys(cached.database).counts
    cached.call("HSET", key, "hits", "9" * 20, "misses", "x", "stale", "9" * 19)
    assert cached.cache.counts() == {"stale": int("9" * 19)}


def test_an_entry_of_no_use_is_one_hit_and_no_miss(cached: Cached) -> None:
    before = cached.cache.counts()
    cached.call("HSET", cached.key(1), "payload", "rubbish")
    assert cached.shown() == ("miss", False)
    assert cached.cache.counts() == {**before, "hits": before["hits"] + 1}


def test_a_server_that_has_come_up_full_shows_nothing_as_current(cached: Cached) -> None:
    cached.call("SCRIPT", "FLUSH")
    cached.call("CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction")
    try:
        assert cached.cache.look(1).answer == "miss"
    finally:
        cached.call("CONFIG", "SET", "maxmemory", "0")


def test_a_full_server_that_takes_no_row_says_so(cached: Cached) -> None:
    lease = cached.cache.look(3).lease
    cached.call("CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction")
    try:
        with pytest.raises(CacheError, match="OOM"):
            cached.cache.fill(customer(3, 1, 1), lease)
    finally:
        cached.call("CONFIG", "SET", "maxmemory", "0")


def test_all_keys_expire(cached: Cached) -> None:
    day, hour, row = 24 * 3600, 3600, customer(1, 1, 5)
    email = f"{Keys(cached.database).prefix}email:{hashlib.sha256(row.email.encode()).hexdigest()[:32]}"
    assert day - 60 < cached.seconds_left(cached.key(1)) <= day
    assert day - 60 < cached.seconds_left(email) <= day
    cached.call("PERSIST", cached.key(1))
    cached.cache.begin(1, "t")
    assert day - 60 < cached.seconds_left(cached.key(1)) <= day
    cached.call("PERSIST", cached.key(1))
    cached.cache.put(row, "t")
    assert day - 60 < cached.seconds_left(cached.key(1)) <= day
    cached.cache.bury(1, row.version, "t")
    assert hour - 60 < cached.seconds_left(cached.key(1)) <= hour
    assert cached.cache.look(3).lease
    assert 5 < cached.seconds_left(cached.key(3)) <= 10


def test_an_entry_is_kept_at_least_as_long_as_a_writer_may_take(cached: Cached) -> None:
    days = 2 * 24 * 3600
    with closing(open_cache(cached.server, cached.memory, cached.database, mark=days)) as slow:
        for call in (
            partial(slow.begin, 1),
            partial(slow.put, customer(1, 1, 6)),
            partial(slow.bury, 1, "e1-6"),
        ):
            call("t")
            assert days - 60 < cached.seconds_left(cached.key(1)) <= days


def test_the_servers_information_is_read_by_name(cached: Cached) -> None:
    assert cached.cache.info()["tcp_port"] == str(cached.server.port)


def test_a_write_in_flight_keeps_readers_away_until_it_ends(cached: Cached) -> None:
    cache = cached.cache
    cache.begin(1, "t")
    assert (cache.look(1).answer, cache.look(1).lease, cache.look(2).answer) == ("busy", "", "hit")
    cache.unmark(1, "t")
    assert cached.shown() == ("hit", True)
    cache.begin(1, "t")
    cache.put(customer(1, 1, 6), "t")
    assert cache.look(1).row == customer(1, 1, 6)
    cache.begin_many("t", 60)
    assert [look.answer for look in cache.look_all([1, 2, 3])] == ["busy"] * 3
    cache.turn("t")
    assert [look.answer for look in cache.look_all([1, 2, 3])] == ["miss"] * 3


def test_an_end_that_is_refused_takes_the_entry_away(cached: Cached) -> None:
    cached.cache.begin(1, "t")
    cached.call("SET", Keys(cached.database).state, "of somebody else")
    cached.cache.put(customer(1, 1, 6), "t")
    assert cached.call("HGET", cached.key(1), "payload") is None


def test_a_fork_hides_the_rows_of_the_history_that_was_left(cached: Cached) -> None:
    for epoch, shown in ((1, ("miss", True)), (2, ("miss", False))):
        cached.cache.turn("t", epoch)
        assert cached.shown() == shown
    cached.call("SET", Keys(cached.database).state, "of somebody else")
    with pytest.raises(CacheError):
        cached.cache.turn("t", 3)


def test_a_deleted_customer_does_not_come_back(cached: Cached) -> None:
    cache = cached.cache
    cache.begin(2, "t")
    cache.bury(2, "e1-5", "t")
    lease = cache.look(2).lease
    assert lease
    assert dict(cache.fill_all([(customer(2, 1, 5), lease)])) == {"older": 1}
    assert cache.look(2).answer == "miss"
    assert cached.shown() == ("hit", True)


def test_all_keys_of_one_database_are_listed(cached: Cached) -> None:
    more = [f"{Keys(cached.database).prefix}row:{number}" for number in range(1000)]
    cached.call("MSET", *(word for key in (*more, f"custctl:{{{uuid4()}}}:row:1") for word in (key, "")))
    listed = [key.decode() for keys in cached.cache.key_lists() for key in keys]
    assert set(more) < set(listed)
    assert all(key.startswith(Keys(cached.database).prefix) for key in listed)


def test_the_id_of_a_database_is_no_pattern(cached: Cached) -> None:
    with closing(open_cache(cached.server, cached.memory, "*")) as other:
        assert list(other.key_lists()) == []


def test_entries_in_doubt_are_removed_before_any_is_trusted(cached: Cached) -> None:
    for doubtful, left in (([1], ["miss", "hit"]), ([ALL], ["miss", "miss"])):
        OldMemory(cached.memory).doubt(doubtful)
        with closing(cached.reopened()) as later:
            assert [look.answer for look in later.look_all([1, 2])] == left
        assert not OldMemory(cached.memory).in_doubt


def test_after_a_failure_only_writes_ask_the_cache(cached: Cached) -> None:
    with ports.refused() as port, closing(cached.reopened(port)) as broken:
        for _ in range(2):
            with pytest.raises(CacheError) as failed:
                broken.begin(1, "t")
            assert str(failed.value) == OldMemory(cached.memory).failure
    with closing(cached.reopened()) as later:
        for _ in range(2):
            with pytest.raises(CacheError, match=f"^{failed.value}, a moment ago$"):
                later.look(1)
    with closing(cached.reopened()) as later:
        later.begin(1, "t")
        assert later.look(2).answer == "hit"
    assert OldMemory(cached.memory).failure is None


def test_only_reads_leave_a_cache_alone_that_has_just_failed(cached: Cached) -> None:
    email, row, lease = customer(1, 1, 5).email, customer(1, 1, 6), cached.cache.look(3).lease
    reads: list[Callable[[Cache], object]] = [
        lambda cache: cache.find(email),
        lambda cache: cache.look(1),
        lambda cache: cache.fill(customer(3, 1, 1), lease),
        lambda cache: cache.count("stale"),
    ]
    others: list[Callable[[Cache], object]] = [
        lambda cache: cache.begin(1, "t"),
        lambda cache: cache.unmark(1, "t"),
        lambda cache: cache.put(row, "t"),
        lambda cache: cache.bury(2, "e1-5", "t"),
        lambda cache: cache.begin_many("t", 60),
        lambda cache: cache.turn("t"),
        lambda cache: cache.has(1),
        lambda cache: cache.forget(1),
        lambda cache: cache.forget_addresses(1),
        lambda cache: cache.drop([cached.key(1).encode()]),
        lambda cache: list(cache.key_lists()),
        Cache.counts,
        Cache.info,
    ]
    for call in (*reads, *others):
        OldMemory(cached.memory).failed("no answer")
        with closing(cached.reopened()) as later:
            if call in reads:
                with pytest.raises(CacheError, match=r"^no answer, a moment ago$"):
                    call(later)
            else:
                call(later)
        assert (OldMemory(cached.memory).failure is None) == (call in others)


def test_a_row_is_sealed_by_the_first_call_of_a_process(cached: Cached) -> None:
    sealer = AesSealer(new_key())
    rows, lease = [customer(number, 1, 6) for number in (1, 3)], cached.cache.look(3).lease
    cached.cache.begin(1, "t")
    for row, call in zip(rows, (partial(Cache.put, token="t"), partial(Cache.fill, lease=lease)), strict=True):
        with closing(cached.reopened(sealer=sealer)) as later:
            call(later, row)
            assert b"Byron" not in cached.call("HGET", cached.key(row.id), "payload")
            assert later.look(row.id).row == row


def test_a_probe_leaves_nothing_behind(cached: Cached) -> None:
    before = sorted(cached.call("KEYS", "*"))
    probe(cached.cache.channel)
    assert sorted(cached.call("KEYS", "*")) == before
    assert cached.shown() == ("hit", True)
