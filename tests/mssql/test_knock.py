"""A host with several addresses: the first that accepts a connection is enough, and none costs more than the time limit."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from custctl.engines.model import Node
from custctl.engines.mssql.knock import knock
from custctl.support.errors import UnavailableError
from tests.servers import ports

GOOD, DEAD, DEAD_TOO, CLOSED = "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"


@contextlib.contextmanager
def dead(host: str, port: int) -> Iterator[None]:
    """Let no connection to an address come about: the backlog is full, and the kernel drops what asks for one."""
    with contextlib.ExitStack() as held:
        listener = held.enter_context(socket.socket())
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(4):
            caller = held.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex((host, port))
        yield


@pytest.fixture
def port() -> Iterator[int]:
    """Give a port that `GOOD` accepts, `CLOSED` refuses and the others leave without an answer."""
    with ports.silent() as found, dead(DEAD, found), dead(DEAD_TOO, found):
        yield found


def knocked(monkeypatch: pytest.MonkeyPatch, port: int, *addresses: str, limit: float = 2) -> float:
    """Knock at a host with these addresses within a limit of seconds, and return the seconds that took."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]
    known = socket.getaddrinfo

    def looked_up(host: str, *arguments: object, **options: object) -> object:
        return found if host == "listener" else known(host, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    began = time.monotonic()
    knock(Node("a", "listener", port), limit)
    return time.monotonic() - began


@pytest.mark.parametrize("addresses", [(GOOD,), (DEAD, GOOD), (DEAD, DEAD_TOO, GOOD), (CLOSED, GOOD), (GOOD, DEAD)])
def test_an_address_that_accepts_is_found_at_once(
    monkeypatch: pytest.MonkeyPatch, port: int, addresses: tuple[str, ...]
) -> None:
    assert knocked(monkeypatch, port, *addresses, limit=20) < 10


@pytest.mark.parametrize("addresses", [(DEAD,), (DEAD, DEAD_TOO), (CLOSED, DEAD)])
def test_addresses_without_an_answer_share_the_time_limit(
    monkeypatch: pytest.MonkeyPatch, port: int, addresses: tuple[str, ...]
) -> None:
    began = time.monotonic()
    with pytest.raises(UnavailableError, match=r"no answer within 2 s$"):
        knocked(monkeypatch, port, *addresses)
    assert 2 <= time.monotonic() - began < 3.9, "each had two seconds of its own"


def test_a_port_that_refuses_is_told_at_once(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    began = time.monotonic()
    with pytest.raises(UnavailableError, match=r"connection refused$"):
        knocked(monkeypatch, port, CLOSED, limit=20)
    assert time.monotonic() - began < 10
