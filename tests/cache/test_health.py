"""A cache that refuses what commands do with it: `doctor`, `cache status`, `warm` and `clear` say so, in the server's words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cache.conftest import Shop
from tests.servers.ports import free_port
from tests.servers.valkey import ValkeyServer

PASSWORD = "hunter2"


def answers(shop: Shop) -> dict[str, Any]:
    """Return what `doctor` says of the cache."""
    done = shop.ada.run("doctor", "-o", "json")
    found: dict[str, Any] = {each["check"]: each for each in json.loads(done.out)["items"]}["cache"]
    return {**found, "code": done.code}


@contextmanager
def rights(shop: Shop, *rules: str) -> Iterator[None]:
    """Let the cache's login have these rights alone."""
    shop.server.call("ACL", "SETUSER", "shop", "reset", "on", f">{PASSWORD}", *rules)
    shop.profile(shop.server.url.replace("//", "//shop@"))
    for operator in (shop.ada, shop.bob):
        operator.environ["CUSTCTL_CACHE_PASSWORD"] = PASSWORD
    try:
        yield
    finally:
        shop.server.call("ACL", "SETUSER", "shop", "~custctl:*", "+@all")


@contextmanager
def setting(shop: Shop, name: str, value: str, back: str) -> Iterator[None]:
    shop.server.call("CONFIG", "SET", name, value)
    try:
        yield
    finally:
        shop.server.call("CONFIG", "SET", name, back)


@contextmanager
def unable_to_save(shop: Shop) -> Iterator[None]:
    """Let the server fail to write its snapshot, so that it refuses every write."""
    with setting(shop, "save", "3600 1", ""):
        blocked = shop.server.folder / "dump.rdb"
        blocked.mkdir()
        shop.server.call("BGSAVE")
        end = time.monotonic() + 60
        while b"rdb_last_bgsave_status:err" not in shop.server.call("INFO", "persistence"):
            assert time.monotonic() < end
            time.sleep(0.02)
        try:
            yield
        finally:
            blocked.rmdir()


@contextmanager
def replica(shop: Shop) -> Iterator[None]:
    shop.server.call("REPLICAOF", "127.0.0.1", free_port())
    try:
        yield
    finally:
        shop.server.call("REPLICAOF", "NO", "ONE")


@contextmanager
def number(shop: Shop) -> Iterator[None]:
    shop.profile(f"redis://{shop.server.host}:{shop.server.port}/99")
    yield


def full(shop: Shop) -> Any:
    return setting(shop, "maxmemory", "1", "0")


def without_scripts(shop: Shop) -> Any:
    return rights(shop, "~custctl:*", "+@all", "-@scripting", "-@admin")


FAULTS: dict[str, tuple[Callable[[Shop], Any], int, str, str]] = {
    "a login without scripts": (
        without_scripts,
        4,
        "the login lacks a privilege: NOPERM ",
        "`ACL SETUSER shop ~custctl:* +@all -@admin`",
    ),
    "a login without writes": (
        lambda shop: rights(shop, "~custctl:*", "+@read", "+@connection", "+@scripting"),
        4,
        "the login lacks a privilege: NOPERM ",
        "ACL SETUSER shop",
    ),
    "a login that may not remove a key": (
        lambda shop: rights(shop, "~custctl:*", "+@all", "-unlink", "-@admin"),
        4,
        "the login lacks a privilege: NOPERM ",
        "ACL SETUSER shop",
    ),
    "a login that may not set a field": (
        lambda shop: rights(shop, "~custctl:*", "+@all", "-hset", "-@admin"),
        4,
        "the login lacks a privilege: NOPERM ",
        "ACL SETUSER shop",
    ),
    "a login for other keys": (
        lambda shop: rights(shop, "~other:*", "+@all"),
        4,
        "the login lacks a privilege: NOPERM ",
        "~custctl:*",
    ),
    "a snapshot that failed": (unable_to_save, 3, "it cannot serve requests: MISCONF ", "its log"),
    "memory that is full": (full, 3, "it rejects a command: OOM ", "maxmemory"),
    "a replica": (replica, 3, "it cannot serve requests: READONLY ", "name the primary"),
    "too few replicas": (
        lambda shop: setting(shop, "min-replicas-to-write", "1", "0"),
        3,
        "it cannot serve requests: NOREPLICAS ",
        "min-replicas-to-write",
    ),
    "a number that is not there": (number, 3, "it has no database 99: ERR ", "the number at the end of `cache.url`"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_commands_are_refused_is_a_fault_in_the_servers_words(shop: Shop, fault: str) -> None:
    bring_about, code, words, hint = FAULTS[fault]
    with bring_about(shop):
        for _ in range(2):
            told = answers(shop)
            assert (told["state"], told["code"]) == ("fault", code), told
            assert words in told["value"]
            assert hint in told["hint"]
            assert "user_script" not in told["value"]
        for verb in ("status", "warm"):
            done = shop.ada.run("cache", verb, "-o", "json")
            assert (done.code, done.out) == (code, ""), done
            assert words in done.error["message"]
            assert hint in done.error["hint"]
        # A read does without it, and a write too.
        assert shop.get(by=shop.ada)["phone"] == "0"
        shop.update("1")
        assert shop.get(by=shop.ada)["phone"] == "1"
    shop.profile()
    assert answers(shop)["state"] == "ok"
    assert shop.get(by=shop.ada)["phone"] == "1"


def test_only_what_was_taken_away_is_said_to_be(shop: Shop) -> None:
    with unable_to_save(shop):
        assert "MISCONF" in shop.update("1").err
        for _ in range(2):
            assert "taken away" not in answers(shop)["value"]
        assert shop.ada.run("cache", "clear").code == 3
        assert json.loads(shop.memory(shop.ada).read_text())["doubt"].keys() == {"1"}
    assert "1 entry in doubt removed" in answers(shop)["value"]
    assert "doubt" not in answers(shop)["value"]
    found = shop.get()
    assert (found["phone"], found["stale"]) == ("1", False)


def test_a_server_without_the_commands_that_run_scripts(shop: Shop) -> None:
    made = ValkeyServer.create(shop.server.workplace, {"rename-command EVALSHA": "A", "rename-command EVAL": "B"})
    made.start()
    try:
        shop.profile(made.url)
        told = answers(shop)
        assert (told["state"], told["code"]) == ("fault", 3)
        assert told["value"].lower().endswith("it rejects a command: err unknown command 'evalsha'")
        assert shop.ada.run("cache", "warm").code == 3
        shop.update("1")
        assert shop.get(by=shop.ada)["phone"] == "1"
    finally:
        made.stop()


def test_the_probe_leaves_nothing_behind_and_counts_nothing(shop: Shop) -> None:
    before = {key: shop.server.call("DUMP", key) for key in shop.server.call("KEYS", "*")}
    told = shop.bob.ok("cache", "status", "-o", "json").json
    assert answers(shop)["state"] == "ok"
    assert {key: shop.server.call("DUMP", key) for key in shop.server.call("KEYS", "*")} == before
    assert (told["hits"], told["entries"]) == (1, 1)


def test_status_goes_on_without_what_the_server_says_of_itself(shop: Shop) -> None:
    with rights(shop, "~custctl:*", "+@all", "-@dangerous"):
        told = shop.ada.ok("cache", "status", "-o", "json").json
        assert (told["state"], told["server"], told["memory_bytes"], told["entries"]) == ("answers", None, None, 1)
        assert answers(shop)["state"] == "ok"


def test_warm_that_can_fill_nothing_says_why(shop: Shop) -> None:
    shop.server.call("FLUSHALL")
    [token] = ["0" * 18]
    # Another process is in the middle of a write of many.
    held = json.loads(shop.memory(shop.ada).read_text())
    state = f"custctl:{{{held['database_id']}}}:state"
    shop.server.call("HSET", state, f"m:{token}", "99999999999999 ")
    done = shop.ada.run("cache", "warm", "-o", "json")
    assert done.code == 3
    assert done.error["message"] == "the cache accepted no customers: 1 being written"
    shop.server.call("DEL", state)
    assert shop.ada.ok("cache", "warm", "-o", "json").json == {"looked_at": 1, "filled": 1, "held_already": 0}


def test_clear_counts_what_status_counts(shop: Shop) -> None:
    assert shop.ada.ok("cache", "status", "-o", "json").json["entries"] == 1
    assert shop.ada.ok("cache", "clear", "-o", "json").json["removed"] == 1
    assert shop.ada.ok("cache", "clear", "-o", "json").json["removed"] == 0
