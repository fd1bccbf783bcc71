"""Which answer a read gives, by what the cache and the database answer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from custctl.cache.answers import Demands, Found
from custctl.cache.channel import CacheError
from custctl.cache.reading import Reader
from custctl.cache.store import Cache, Look
from custctl.customers.model import Customer
from custctl.schema.standing import Standing
from custctl.support.errors import UnavailableError
from tests.cache.machine import customer

OLD, NEW = customer(1, 1, 5), customer(1, 1, 6)
STANDING = Standing("development", 1, "one", 1)
HIT = Look("hit", row=OLD, age=30.0, customer_id=1)
EXPIRED = Look("miss", lease="mine", row=OLD, age=900.0, customer_id=1)
LEASED = replace(EXPIRED, row=None)
BUSY = Look("busy", row=OLD, age=1.0, customer_id=1)
FOREIGN = Look("miss", row=replace(OLD, id=2, email="other@example.com"), lease="mine", customer_id=2)


@dataclass
class StandIn:
    """A cache and a database with one customer, which note what they are asked."""

    looks: list[Look | None] = field(default_factory=list)
    """What the cache answers to look-ups, one after another; None is an error."""
    addresses: dict[str, int] = field(default_factory=lambda: {OLD.email: 1})
    is_down: bool = False
    has_read_primary: bool = True
    other: StandIn | None = None
    """The cache of another database, to which the profile now leads."""
    is_full: bool = False
    asked: list[str] = field(default_factory=list)

    def find(self, email: str) -> int | None:
        return self.addresses.get(email)

    def look(self, customer_id: int) -> Look:
        self.asked.append(f"look {customer_id}")
        found = self.looks.pop(0)
        if found is None:
            raise CacheError("no answer")
        return found

    def fill(self, row: Customer, lease: str) -> None:
        self.asked.append(f"fill {row.version} {lease}")
        if self.is_full:
            raise CacheError("full")

    def met(self, rows: list[Customer]) -> None:
        self.asked.append(f"met {rows[0].version}")

    def count(self, name: str) -> None:
        self.asked.append(f"count {name}")
        if self.is_full:
            raise CacheError("full")

    def identified(self, who: str, *, replica: bool = False) -> tuple[Customer, Standing]:
        self.asked.append(f"read {who}{' from a replica' if replica else ''}")
        if self.is_down:
            raise UnavailableError("the database is down", hint="start it")
        return NEW, STANDING

    def reader(self, **changes: Any) -> Reader:
        cache = cast("Cache", self)
        other = cast("Cache | None", self.other)
        parts = {"cache": cache, "learn": lambda _: other, "is_down": lambda: self.is_down, **changes}
        return Reader(rows=lambda: self, note=self.asked.append, **parts)

    def get(self, who: str = "1", **demands: Any) -> Found:
        return self.reader().get(who, Demands(**demands))


@pytest.mark.parametrize("who", ["1", OLD.email])
def test_a_hit_is_the_answer(who: str) -> None:
    shop = StandIn([HIT])
    assert shop.get(who, not_stale=True, max_stale=0.0) == Found(OLD, cached=True, age=30.0)
    assert shop.asked == ["look 1"]


@pytest.mark.parametrize(
    ("looks", "asked"),
    [
        ([EXPIRED], ["look 1", "read 1", "fill e1-6 mine"]),
        ([LEASED], ["look 1", "read 1", "fill e1-6 mine"]),
        ([BUSY], ["look 1", "read 1 from a replica", "met e1-6"]),
        # An older row than the operator's own write may not be shown: a replica may have that one.
        ([replace(BUSY, is_sure=False)], ["look 1", "read 1", "met e1-6"]),
        ([None, None], ["look 1", "the cache is not used: no answer", "read 1 from a replica", "look 1"]),
    ],
)
def test_what_is_no_hit_is_read_and_cached_under_its_lease(looks: list[Look | None], asked: list[str]) -> None:
    shop = StandIn(looks)
    assert shop.get() == Found(NEW, cached=False, stale=False, age=0.0, is_sure=True)
    assert shop.asked == asked


def test_a_fresh_read_asks_no_cache_first() -> None:
    shop = StandIn([EXPIRED])
    assert shop.get(fresh=True) == Found(NEW)
    # The row is cached only if it was read under a lease.
    assert shop.asked == ["read 1 from a replica", "look 1", "read 1", "fill e1-6 mine"]


@pytest.mark.parametrize(
    ("addresses", "looks", "asked"),
    [
        ({}, [HIT], []),
        ({}, [EXPIRED], ["read 1", "fill e1-6 mine"]),
        ({OLD.email: 2}, [FOREIGN, EXPIRED], ["read 1", "fill e1-6 mine"]),
        ({OLD.email: 2}, [replace(FOREIGN, answer="hit", lease=""), HIT], []),
    ],
)
def test_an_address_that_led_to_nobody_or_to_another_customer(
    addresses: dict[str, int], looks: list[Look | None], asked: list[str]
) -> None:
    shop = StandIn(looks, addresses)
    where = " from a replica" if not any(look and look.lease for look in looks[:-1]) else ""
    seen = [f"look {number}" for number in addresses.values()]
    assert shop.get(OLD.email) == Found(NEW)
    assert shop.asked == [*seen, f"read {OLD.email}{where}", "look 1", *asked]


def test_a_replica_in_place_of_the_primary_fills_nothing() -> None:
    shop = StandIn([EXPIRED], has_read_primary=False)
    assert shop.get() == Found(NEW)
    assert shop.asked == ["look 1", "read 1"]


def test_another_database_has_another_cache() -> None:
    shop = StandIn([EXPIRED], other=StandIn([EXPIRED]))
    assert shop.get() == Found(NEW)
    assert shop.asked == ["look 1", "read 1", "read 1"]
    assert shop.other is not None
    assert shop.other.asked == ["look 1", "fill e1-6 mine"]


def test_without_a_cache_the_database_answers() -> None:
    shop = StandIn()
    reader = shop.reader(cache=None)
    assert reader.get("1", Demands()) == Found(NEW)
    assert shop.asked == ["read 1 from a replica"]
    shop.is_down = True
    with pytest.raises(UnavailableError, match=r"^the database is down$"):
        reader.get("1", Demands())


def test_a_cache_that_takes_nothing_is_told_once() -> None:
    shop = StandIn([EXPIRED, EXPIRED], is_full=True)
    reader = shop.reader()
    for _ in range(2):
        assert reader.get("1", Demands()) == Found(NEW)
    assert [line for line in shop.asked if " " in line and line.endswith("full")] == ["the cache is not used: full"]


@pytest.mark.parametrize(("look", "age"), [(HIT, 30.0), (EXPIRED, 900.0), (replace(BUSY, is_sure=False), 1.0)])
@pytest.mark.parametrize("who", ["1", OLD.email])
def test_while_the_database_is_down_its_entry_is_served_and_counted(look: Look, age: float, who: str) -> None:
    for is_full in (False, True):
        shop = StandIn([look], is_down=True, is_full=is_full)
        assert shop.get(who, max_stale=None if is_full else age) == Found(
            OLD, cached=True, stale=True, age=age, is_sure=look.is_sure
        )
        assert shop.asked[-1] == "count stale"
        assert (look is HIT) == (len(shop.asked) == 2)  # the database is known to be down


@pytest.mark.parametrize("look", [HIT, EXPIRED])
def test_what_may_not_be_served_while_the_database_is_down(look: Look) -> None:
    for demands, why in (
        ({"not_stale": True}, r"which `--require-fresh` does not allow$"),
        ({"max_stale": look.age - 1}, rf"{look.age:.1f} s old, more than {look.age - 1:g} s$"),
        ({"fresh": True}, "^the database is down$"),
    ):
        shop = StandIn([look], is_down=True)
        with pytest.raises(UnavailableError, match=why) as caught:
            shop.get(**demands)
        assert caught.value.hint == (None if look is HIT and "fresh" not in demands else "start it")
        assert "count stale" not in shop.asked


@pytest.mark.parametrize("look", [LEASED, replace(FOREIGN, answer="hit"), FOREIGN])
def test_nobody_elses_entry_is_served_while_the_database_is_down(look: Look) -> None:
    shop = StandIn([look], {OLD.email: 2}, is_down=True)
    with pytest.raises(UnavailableError, match=r"^the database is down$"):
        shop.get(OLD.email)
