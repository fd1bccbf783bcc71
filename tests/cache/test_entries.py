"""What a server hands out is believed only if it is the row that was asked for, in its version, no older than one's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from custctl.cache.entries import version_key
from custctl.cache.store import Cache, key_prefix
from tests.cache.machine import ENGINE, customer
from tests.cache.servers import OldMemory, open_cache
from tests.servers.valkey import ValkeyServer


class Cached:
    """A cache with the rows 1 and 2 in it."""

    def __init__(self, server: ValkeyServer, folder: Path) -> None:
        self.database, self.memory = str(uuid4()), folder / "cache.json"
        self.server, self.call = server, server.call
        self.cache = self.reopened()
        for number in (1, 2):
            self.cache.fill(customer(number, 1, 5), self.cache.look(number).lease)

    def reopened(self) -> Cache:
        return open_cache(self.server, self.memory, self.database)

    def key(self, number: int) -> str:
        return f"{key_prefix(self.database)}row:{number}"

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


def test_a_row_of_another_version_than_its_entry_is_no_answer(cached: Cached) -> None:
    cached.call("HSET", cached.key(1), "version", version_key(ENGINE, "e1-6"))
    assert cached.shown() == ("miss", False)


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
