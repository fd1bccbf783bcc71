"""A cache that is down, slow, frozen, full, locked or full of rubbish: commands work from the database, and lose little time."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.cache.conftest import Shop
from tests.conftest import Result
from tests.inside import Inside
from tests.servers import processes
from tests.servers.ports import free_port, listening
from tests.servers.proxy import Proxy

ADDED = 0.3
"""Seconds that a cache may add; asserted with room for a busy machine."""
ROOM = 1.0


def timed(operator: Inside, *arguments: str) -> tuple[float, Result]:
    """Run a command, and return how long it took."""
    began = time.monotonic()
    done = operator.run(*arguments)
    took = time.monotonic() - began
    assert "Traceback" not in done.err
    assert done.code != 1, done.err
    return took, done


def check_works(shop: Shop, *, warned: bool = True) -> None:
    """Read, write once with one warning, and read what was written; print what the cache has added."""
    shop.memory(shop.bob).unlink(missing_ok=True)
    usual, _ = timed(shop.bob, "customer", "get", "1", "--fresh")
    first, found = timed(shop.bob, "customer", "get", "1", "-o", "json")
    assert (found.code, found.json["phone"]) == (0, shop.phone), found.err
    later, found = timed(shop.bob, "customer", "get", "ada@example.com", "-o", "json")
    assert (found.code, found.json["phone"]) == (0, shop.phone), found.err
    phone = str(int(shop.phone or 0) + 1)
    writing, done = timed(shop.ada, "customer", "update", "1", "--phone", phone, "-o", "json")
    assert (done.code, shop.phone) == (0, phone)
    assert done.err.count("the cache was not updated") == int(warned), done.err
    for operator in (shop.ada, shop.bob):
        assert operator.ok("customer", "get", "1", "-o", "json").json["phone"] == phone
    print(f"\nthe database alone {usual:.3f} s, first get {first:.3f} s, later {later:.3f} s, update {writing:.3f} s")  # noqa: T201 - for who measures
    assert first < usual + ADDED + ROOM
    assert later < usual + ADDED + ROOM
    assert writing < usual + ADDED + ROOM


def check_healed(shop: Shop) -> None:
    """See that the cache is used again, by an operator whose machine has not just met it down, and shows what is current."""
    for operator in (shop.ada, shop.bob):
        memory = json.loads(shop.memory(operator).read_text())
        memory.pop("failed", None)
        shop.memory(operator).write_text(json.dumps(memory))
    # Whoever wrote meanwhile takes the entry away, before anybody else is shown it.
    shop.get(by=shop.ada)
    for operator in (shop.bob, shop.ada):
        found = shop.get(by=operator)
        assert (found["phone"], found["stale"]) == (shop.phone, False)


def test_down(shop: Shop) -> None:
    url = shop.server.url
    shop.profile(f"redis://127.0.0.1:{free_port()}/0")
    check_works(shop)
    shop.profile(url)
    check_healed(shop)


def test_frozen(shop: Shop) -> None:
    assert shop.server.process.pid is not None
    processes.freeze(shop.server.process.pid)
    try:
        check_works(shop)
    finally:
        processes.thaw(shop.server.process.pid)
    check_healed(shop)


def test_slow(shop: Shop) -> None:
    url = shop.server.url
    with _slow(shop.server.host, shop.server.port, 0.5) as port:
        shop.profile(f"redis://127.0.0.1:{port}/0")
        check_works(shop)
    shop.profile(url)
    time.sleep(0.6)  # what was under way comes late, and changes nothing for the worse
    check_healed(shop)


@contextmanager
def _slow(host: str, port: int, seconds: float) -> Iterator[int]:
    """Forward what clients send, each piece some time later."""

    def forward(begin: socket.socket, end: socket.socket) -> None:
        with begin, end:
            try:
                while data := begin.recv(65536):
                    time.sleep(seconds)
                    end.sendall(data)
            except OSError:
                pass  # the other side has hung up

    def serve(client: socket.socket) -> None:
        server = socket.create_connection((host, port))
        threading.Thread(target=forward, args=(client, server), daemon=True).start()
        threading.Thread(target=forward, args=(server.dup(), client.dup()), daemon=True).start()

    with _served(serve) as bound:
        yield bound


@contextmanager
def _served(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with listening(listener, serve):
            yield listener.getsockname()[1]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b":--5\r\n",
        b"$99999999999\r\n",
        b"*3\r\n$1\r\n",
        b"\x00\xff\r\n",
        b"*5\r\n$3\r\nhit\r\n$0\r\n\r\n$2\r\n[]\r\n$1\r\n0\r\n$1\r\n0\r\n",
    ],
)
def test_something_else_answers(shop: Shop, answer: bytes) -> None:
    def serve(client: socket.socket) -> None:
        with client:
            client.settimeout(5)
            try:
                while client.recv(65536):
                    client.sendall(answer)
            except OSError:
                pass  # it has heard enough

    url = shop.server.url
    with _served(serve) as port:
        shop.profile(f"redis://127.0.0.1:{port}/0")
        # What sounds like a reply to each call is taken for one.
        check_works(shop, warned=not answer.startswith(b"*5"))
    shop.profile(url)
    # Whoever took it for a cache has told it alone what was written.
    shop.server.call("FLUSHALL")
    check_healed(shop)


@pytest.mark.parametrize("kind", ["list", "text", "hash of others"])
@pytest.mark.parametrize("key", ["row:1", "state", "counts", "email"])
def test_foreign_values_under_our_keys(shop: Shop, key: str, kind: str) -> None:
    [name] = [each for each in shop.server.call("KEYS", "*") if key in each.decode()] or [None]
    assert name is not None
    shop.server.call("DEL", name)
    if kind == "list":
        shop.server.call("RPUSH", name, "a", "b")
    elif kind == "text":
        shop.server.call("SET", name, "9" * 5000)
    else:
        shop.server.call(
            "HSET", name, "payload", "x", "version", "9", "m:x", "y", "at", "z", "hits", "--5", "leased", "q"
        )
    for who in ("1", "ada@example.com"):
        assert shop.get(who)["phone"] == shop.phone
    shop.update("1")
    for operator in (shop.bob, shop.ada):
        assert shop.get(by=operator)["phone"] == "1"
    assert shop.bob.run("cache", "status", "-o", "json").code in (0, 3)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\x00",
        b"null",
        b"{}",
        b"[3]",
        b"[" * 3000,
        b"[3,1,null,2,3]",
        b"[3," + b"9" * 5000 + b"]",
    ],
)
def test_corrupt_payloads_are_misses(shop: Shop, payload: bytes) -> None:
    [name] = [each for each in shop.server.call("KEYS", "*") if b"row:1" in each]
    shop.server.call("HSET", name, "payload", payload)
    found = shop.get()
    assert (found["phone"], found["source"]) == (shop.phone, "primary")
    shop.update("1")
    assert shop.get()["phone"] == "1"


def test_full(shop: Shop) -> None:
    shop.server.call("CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction")
    try:
        # What is there is served, and what replaces it is taken.
        assert shop.get()["source"] == "cache"
        check_works(shop, warned=False)
        shop.ada.ok("customer", "add", "--email", "new@example.com", "--first-name", "N", "--last-name", "N")
        assert shop.get("new@example.com")["email"] == "new@example.com"
    finally:
        shop.server.call("CONFIG", "SET", "maxmemory", "0")
    check_healed(shop)


def test_a_login_is_required(shop: Shop) -> None:
    shop.server.call("CONFIG", "SET", "requirepass", "secret")
    try:
        check_works(shop)
        status = shop.ada.run("cache", "status", "-o", "json")
        assert status.code == 4
        # Without a user, there is no login to check.
        assert "name a user in `cache.url`" in status.error["hint"]
    finally:
        from custctl.cache.wire import Wire

        wire = Wire(shop.server.host, shop.server.port, patience=5.0)
        wire.call([("AUTH", "secret"), ("CONFIG", "SET", "requirepass", "")])
        wire.close()
    check_healed(shop)


def test_read_only(shop: Shop) -> None:
    shop.server.call("REPLICAOF", "127.0.0.1", free_port())
    try:
        check_works(shop)
    finally:
        shop.server.call("REPLICAOF", "NO", "ONE")
    check_healed(shop)


def test_restarted_empty(shop: Shop) -> None:
    shop.server.stop()
    shop.server.start()
    assert shop.get()["source"] == "primary"
    assert shop.get()["source"] == "cache"
    shop.server.stop()
    shop.server.start()
    shop.update("1")
    assert (shop.get()["source"], shop.get()["phone"]) == ("cache", "1")


def test_restarted_with_what_it_had_kept_before(shop: Shop) -> None:
    shop.server.call("SAVE")
    shop.update("1")
    assert shop.get()["phone"] == "1"
    shop.server.stop()
    shop.server.start()
    assert shop.server.call("KEYS", "*"), "it comes up with what it had"
    try:
        found = shop.get()
        assert (found["phone"], found["source"]) == ("1", "primary")
        assert shop.get()["phone"] == "1"
    finally:
        (shop.server.folder / "dump.rdb").unlink()


def test_what_was_not_told_is_taken_away_at_the_next_contact(shop: Shop) -> None:
    """Another machine may be shown the old row until then, as is said; the writer's own never is."""
    with Proxy(shop.server.host, shop.server.port) as proxy:
        url = f"redis://{proxy.host}:{proxy.port}/0"
        shop.profile(url)
        proxy.refuse()
        done = shop.update("1")
        assert done.err.count("others may read the old row from it") == 1
        assert shop.get(by=shop.ada)["phone"] == "1"
        assert json.loads(shop.memory(shop.ada).read_text())["doubt"].keys() == {"1"}
        proxy.accept()
        # In the half minute's sparing a read does not ask; a write does.
        before = proxy.stats.accepted
        assert shop.get(by=shop.ada)["source"] == "primary"
        assert proxy.stats.accepted == before
        shop.ada.ok("customer", "add", "--email", "b@example.com", "--first-name", "B", "--last-name", "B")
        assert not json.loads(shop.memory(shop.ada).read_text()).get("doubt")
        found = shop.get()
        assert (found["phone"], found["stale"]) == ("1", False)


def test_after_half_a_minute_one_command_tries_again(shop: Shop) -> None:
    port = free_port()
    shop.profile(f"redis://127.0.0.1:{port}/0")
    shop.get()
    memory = json.loads(shop.memory(shop.bob).read_text())
    memory["failed"][0] -= 31
    asked: list[float] = []

    def serve(client: socket.socket) -> None:
        asked.append(time.monotonic())
        with client:
            time.sleep(0.3)  # longer than anybody waits for it

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        with listening(listener, serve):
            shop.get()
            assert asked == []
            shop.memory(shop.bob).write_text(json.dumps(memory))
            running = [shop.bob.start("customer", "get", "1") for _ in range(4)]
            for process in running:
                process.communicate(timeout=60)
                assert process.returncode == 0
    assert len(asked) == 1


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"written": [], "doubt": 5, "failed": "x", "seen": [null, 1], "database_id": 7}',
     '{"written": {"1": 5}, "doubt": {"--5": 1, "\\u00b2": 1}, "failed": [NaN, 1], "database_id": "x"}', "\x00" * 100],
)  # fmt: skip
def test_a_damaged_memory_is_no_memory(shop: Shop, text: str) -> None:
    for operator in (shop.ada, shop.bob):
        shop.memory(operator).write_text(text)
    assert shop.get()["phone"] == "0"
    shop.update("1")
    for operator in (shop.ada, shop.bob):
        assert [shop.get(by=operator)["phone"] for _ in range(2)] == ["1", "1"]
    assert shop.get()["source"] == "cache"


def test_a_memory_that_cannot_be_written_is_none(shop: Shop) -> None:
    folder = shop.memory(shop.bob).parent
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.write_text("")  # root may write to any folder, and to no file's inside
    assert shop.get()["phone"] == "0"
    shop.bob.ok("customer", "update", "1", "--phone", "1")
    for operator in (shop.ada, shop.bob):
        assert shop.get(by=operator)["phone"] == "1"


def test_of_two_databases_with_one_cache_each_has_its_own(shop: Shop) -> None:
    """A copy has an id of its own from its restamp on, and so has what stands in its place."""
    for name in ("dev.db-wal", "dev.db-shm", "dev.db"):
        (shop.ada.path / name).unlink(missing_ok=True)
    shop.ada.ok("migrate")
    shop.ada.ok(
        "customer", "add", "--email", "eve@example.com", "--first-name", "E", "--last-name", "E", "--phone", "9"
    )
    assert [shop.get(by=shop.ada)["email"] for _ in range(2)] == ["eve@example.com"] * 2
    # Whoever has not asked the database since is shown the old one's, for `ttl` at the most.
    shop.get("1", "--fresh")
    assert shop.get()["email"] == "eve@example.com"
