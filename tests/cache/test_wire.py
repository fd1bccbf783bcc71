"""The protocol's reader: any bytes in any pieces are replies or a `WireError`, soon, and take no more room than they have."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from custctl.cache.wire import Refusal, Wire, WireError
from tests.servers.ports import closing, garbage, refused, silent

PATIENCE = 0.1
LONG = 30.0
"""Seconds for what comes at once, however busy the machine is; and less than what would never end."""


def over_pair(patience: float = LONG) -> tuple[Wire, socket.socket]:
    """Return a connection and its other end."""
    ours, theirs = socket.socketpair()
    wire = Wire.__new__(Wire)
    wire.host, wire.patience, wire._held, wire._read, wire._socket = "h", patience, bytearray(), 0, ours
    return wire, theirs


@contextlib.contextmanager
def served(pieces: list[bytes], *, hang: bool = False) -> Iterator[Wire]:
    """Give a connection to a peer that is asked, sends bytes in pieces, and then closes or keeps silent."""
    wire, theirs = over_pair(PATIENCE if hang else LONG)
    over = threading.Event()

    def send() -> None:
        with contextlib.suppress(OSError):
            theirs.recv(1000)
            for piece in pieces:
                theirs.sendall(piece)
        if hang:
            over.wait()
        theirs.close()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield wire
    finally:
        over.set()
        wire.close()
        thread.join()


def packed(reply: Any) -> bytes:
    """Return a reply as a server sends it."""
    if isinstance(reply, Refusal):
        return b"-%s\r\n" % str(reply).encode()
    if isinstance(reply, bool) or reply is None:
        return b"$-1\r\n"
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, list):
        return b"*%d\r\n%s" % (len(reply), b"".join(map(packed, reply)))
    return b"$%d\r\n%s\r\n" % (len(reply), reply)


REPLIES = st.recursive(
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=200),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=20,
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[begin:end] for begin, end in itertools.pairwise(ends)]


@settings(max_examples=60)
@given(st.lists(REPLIES, min_size=1, max_size=6), st.lists(st.integers(0, 10_000), max_size=12))
def test_replies_are_read_however_they_are_cut(replies: list[Any], places: list[int]) -> None:
    with served(cut(b"".join(map(packed, replies)), places)) as wire:
        assert wire.call([("X",)] * len(replies)) == replies


KINDS = (b":", b"$", b"*", b"+", b"-", b"\r\n", b"\r", b"\n", b"0", b"1", b"-1", b"--1", b"+1", b"1_0", b" 1")
SIZES = (b"9" * 5000, b"*9\r\n" * 20, b"$67108864\r\n", b"*1048576\r\n")
FRAGMENTS = st.sampled_from([*KINDS, *SIZES, b"HTTP/1.1 400 Bad Request\r\n", b"\x00\xff", b"ERR x"])


@settings(max_examples=150)
@example([b":" + b"9" * 5000 + b"\r\n"], [])
@example([b":--1\r\n"], [])
@example([b"$3\r\nabcXY"], [])
@example([b"*1\r\n" * 5000], [])
@given(st.lists(FRAGMENTS | st.binary(max_size=20), max_size=12), st.lists(st.integers(0, 10_000), max_size=4))
def test_any_bytes_are_a_reply_or_a_wire_error(fragments: list[bytes], places: list[int]) -> None:
    with served(cut(b"".join(fragments), places)) as wire:
        try:
            [reply] = wire.call([("X",)])
        except WireError:
            return
    assert reply is None or isinstance(reply, int | bytes | list | Refusal)


@pytest.mark.parametrize("data", [b"", b"$10\r\nabc", b"*3\r\n:1\r\n", b":1", b"*2\r\n$1\r\na"])
def test_half_a_reply_is_waited_for_no_longer_than_the_patience(data: bytes) -> None:
    with served([data], hang=True) as wire:
        began = time.monotonic()
        with pytest.raises(WireError, match=f"no response within {PATIENCE} s"):
            wire.call([("X",)])
        assert time.monotonic() - began < LONG


def test_a_reply_that_comes_drop_by_drop_does_not_stretch_the_patience() -> None:
    wire, theirs = over_pair(PATIENCE)
    over = threading.Event()

    def drip() -> None:
        with contextlib.suppress(OSError):
            theirs.sendall(b"$1000\r\n")
            while not over.wait(PATIENCE / 5):
                theirs.sendall(b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    began = time.monotonic()
    with pytest.raises(WireError, match="no response"):
        wire.call([("X",)])
    assert time.monotonic() - began < LONG
    over.set()
    thread.join()
    theirs.close()


@pytest.mark.parametrize(
    "announced", [b"$67108864\r\n", b"*1048576\r\n", b"*1048576\r\n" * 8, b"$67108865\r\n", b"*9999999\r\n"]
)
def test_room_is_taken_for_what_came_not_for_what_was_announced(announced: bytes) -> None:
    with served([announced]) as wire:
        tracemalloc.start()
        with pytest.raises(WireError):
            wire.call([("X",)])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024


def test_a_value_that_is_longer_than_was_announced_is_no_reply() -> None:
    with served([b"$3\r\nabcde\r\n"]) as wire, pytest.raises(WireError, match="does not speak Redis's protocol"):
        wire.call([("X",)])


def test_a_line_without_an_end_is_given_up() -> None:
    with served([b"+" + b"x" * 1_000_000]) as wire, pytest.raises(WireError, match="does not speak Redis's protocol"):
        wire.call([("X",)])


@pytest.mark.parametrize(
    ("port", "message"),
    [
        (refused, "connection refused"),
        (silent, f"no response within {PATIENCE} s"),
        (garbage, "it does not speak Redis's protocol"),
        (closing, "it closed the connection|connection reset"),
    ],
    ids=["refused", "silent", "garbage", "closing"],
)
def test_ports_that_are_no_cache(port: Any, message: str) -> None:
    with port() as number:
        began = time.monotonic()
        with pytest.raises(WireError, match=message):
            Wire("127.0.0.1", number, patience=PATIENCE if port is silent else LONG).call([("PING",)])
        assert time.monotonic() - began < LONG


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "no-such-host.invalid", ".", "ä" * 300])
def test_a_name_that_is_none_is_a_wire_error(host: str) -> None:
    began = time.monotonic()
    with pytest.raises(WireError):
        Wire(host, 6379, patience=PATIENCE)
    assert time.monotonic() - began < LONG


def test_a_look_up_that_hangs_stand_in_for_the_resolver_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up, over = socket.getaddrinfo, threading.Event()

    def hangs(*arguments: Any, **options: Any) -> Any:
        if options.get("flags"):
            return look_up(*arguments, **options)
        over.wait(2 * LONG)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    began = time.monotonic()
    with pytest.raises(WireError):
        Wire("cache.internal", 6379, patience=PATIENCE)
    assert time.monotonic() - began < LONG
    over.set()


@pytest.mark.parametrize("path", ["/nowhere/valkey.sock", "/tmp", "/" + "x" * 200, "/a\0b"])
def test_a_path_that_is_no_socket_is_a_wire_error(path: str) -> None:
    with pytest.raises(WireError):
        Wire(path, None, patience=PATIENCE)


def test_a_command_is_sent_as_bulk_strings_whatever_it_holds() -> None:
    wire, theirs = over_pair()
    theirs.sendall(b"+OK\r\n")
    assert wire.call([("SET", "a b\r\nFLUSHALL", b"\x00\xff", 7)]) == [b"OK"]
    sent = theirs.recv(1000)
    assert sent == b"*4\r\n$3\r\nSET\r\n$13\r\na b\r\nFLUSHALL\r\n$2\r\n\x00\xff\r\n$1\r\n7\r\n"
    wire.close()
    theirs.close()
