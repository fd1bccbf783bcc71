"""An erased customer leaves nothing in the cache, and what could not be reached is told."""

from __future__ import annotations

import json

from tests.cache.conftest import Shop
from tests.servers.valkey import ValkeyServer


def _everything(valkey: ValkeyServer) -> bytes:
    """Return all keys and values of the cache."""
    parts = []
    for key in valkey.call("KEYS", "*"):
        read = ("HGETALL",) if valkey.call("TYPE", key) in (b"hash", "hash") else ("GET",)
        parts.append(repr((key, valkey.call(*read, key))))
    return "\n".join(parts).encode()


def _addresses(valkey: ValkeyServer) -> int:
    return len(valkey.call("KEYS", "*:email:*"))


def test_the_entry_and_all_addresses_go(shop: Shop) -> None:
    """Also an address that the customer had before, under which the cache still leads to it."""
    shop.ada.ok("customer", "update", "1", "--email", "lovelace@example.com")
    shop.get("lovelace@example.com")
    assert _addresses(shop.server) == 2
    assert b"Lovelace" in _everything(shop.server)
    held = shop.ada.ok("customer", "export", "--who", "1").json
    assert held["cache"] == {"entry": True}
    report = shop.ada.ok("customer", "erase", "1", "--request", "DSR-1", "--yes", "-o", "json").json
    assert report["erased"]["cache"] == 3
    assert _addresses(shop.server) == 0
    assert b"ovelace" not in _everything(shop.server)
    assert shop.bob.run("customer", "get", "lovelace@example.com").code == 6


def test_what_is_left_of_a_deleted_customer_goes(shop: Shop) -> None:
    shop.ada.ok("customer", "delete", "1", "--yes")
    assert _addresses(shop.server) == 1
    shop.ada.ok("customer", "erase", "1", "--request", "DSR-1", "--yes")
    assert _addresses(shop.server) == 0


def test_a_cache_that_does_not_respond_makes_the_erasure_incomplete(shop: Shop) -> None:
    command = ("customer", "erase", "1", "--request", "DSR-1", "--yes", "-o", "json")
    shop.server.stop()
    try:
        result = shop.ada.run(*command)
    finally:
        shop.server.start()
    assert result.code == 12
    report = json.loads(result.out)
    assert report["complete"] is False
    assert [each["what"] for each in report["kept"] if each["failed"]] == ["cache"]
    again = shop.ada.ok(*command).json
    assert (again["complete"], again["replayed"]) == (True, True)
    assert b"ovelace" not in _everything(shop.server)
    assert _addresses(shop.server) == 0
