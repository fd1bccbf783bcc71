"""Patroni's REST API as a client of HTTP meets it: logins by Patroni's own variables, answers cut, late or foreign."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from custctl.replication.patroni.api import Access, PatroniApi
from custctl.support.errors import CredentialError, OutcomeUnknownError, UnavailableError
from tests.servers import ports

NO_LOGIN = Access()


@contextmanager
def answering(words: bytes, heard: list[bytes] | None = None) -> Iterator[int]:
    """Give a port that reads a request, says something, and hangs up."""

    def talk(client: socket.socket) -> None:
        with client:
            data = client.recv(65536)
            if heard is not None:
                heard.append(data)
            client.sendall(words)

    with socket.create_server(("127.0.0.1", 0)) as listener, ports.listening(listener, talk):
        yield listener.getsockname()[1]


def api(port: int, access: Access = NO_LOGIN, timeout: float = 2.0) -> PatroniApi:
    return PatroniApi("127.0.0.1", port, access, timeout)


def reply(body: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.0 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


LOGIN = {"PATRONI_RESTAPI_USERNAME": "ada", "PATRONI_RESTAPI_PASSWORD": "hunter2"}


@pytest.mark.parametrize(
    ("environ", "user", "password"),
    [
        ({}, None, None),
        (LOGIN, "ada", "hunter2"),
        (LOGIN | {"PATRONI_CTL_USERNAME": "eve", "PATRONI_CTL_PASSWORD": "other"}, "eve", "other"),
        (LOGIN | {"PATRONI_CTL_USERNAME": "", "PATRONI_CTL_PASSWORD": ""}, "ada", "hunter2"),
        ({"PATRONI_RESTAPI_USERNAME": "", "PATRONI_RESTAPI_PASSWORD": ""}, None, None),
    ],
)
def test_a_login_is_taken_from_patronis_variables(
    environ: Mapping[str, str], user: str | None, password: str | None
) -> None:
    access = Access.of(environ)
    assert access.user == user
    assert (access.password.reveal() if access.password else None) == password
    assert "hunter2" not in repr(access)


def test_half_a_login_is_told_and_not_made_up_from_two_sections() -> None:
    for name, value in LOGIN.items():
        with pytest.raises(CredentialError, match="needs both") as told:
            Access.of({name: value})
        assert "hunter2" not in str(told.value)
    with pytest.raises(CredentialError, match="`PATRONI_CTL_USERNAME` is set, and `PATRONI_CTL_PASSWORD` is not"):
        Access.of(LOGIN | {"PATRONI_CTL_USERNAME": "eve"})


@pytest.mark.parametrize(
    ("environ", "encrypted"),
    [
        ({}, False),
        ({"PATRONI_CTL_CACERT": "/ca.pem"}, True),
        ({"PATRONI_RESTAPI_CAFILE": "/ca.pem"}, True),
        ({"PATRONI_CTL_CERTFILE": "/c.pem"}, True),
        ({"PATRONI_CTL_INSECURE": "on"}, True),
        ({"PATRONI_CTL_INSECURE": "off"}, False),
        ({"PATRONI_CTL_CACERT": ""}, False),
    ],
)
def test_https_is_spoken_where_a_variable_says_how(environ: Mapping[str, str], encrypted: bool) -> None:
    assert Access.of(environ).encrypted is encrypted


def test_a_password_in_the_clear_is_known_for_what_it_is() -> None:
    access = Access.of(LOGIN)
    exposed = {
        host: PatroniApi(host, 8008, access, 1.0).is_exposed
        for host in ("db1.internal", "localhost", "127.0.1.1", "::1", "/run/postgresql")
    }
    assert [host for host, is_exposed in exposed.items() if is_exposed] == ["db1.internal"]
    assert not PatroniApi("db1.internal", 8008, NO_LOGIN, 1.0).is_exposed
    assert not PatroniApi("db1.internal", 8008, Access.of(LOGIN | {"PATRONI_CTL_INSECURE": "1"}), 1.0).is_exposed


def test_the_login_goes_with_changes_alone() -> None:
    heard: list[bytes] = []
    with answering(reply("{}"), heard) as port:
        asked = api(port, Access.of(LOGIN))
        assert asked.get("/cluster") == {}
        assert asked.post("/switchover", {"leader": "a"}, 1.0).status == 200
    assert b"Authorization" not in heard[0]
    assert b"Authorization: Basic YWRhOmh1bnRlcjI=" in heard[1]


def test_no_proxy_of_the_environment_comes_between(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(reply("[1]")) as port, ports.refused() as nobody:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{nobody}")
        assert api(port).get("/cluster") == [1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (b"", "remote end closed connection without response"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "ssh-2.0"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\n{", "not JSON"),
        (reply("<html>"), "not JSON"),
        (reply("no\x1b[2J\nsecond line", "503 Service Unavailable"), r"answers 503: no\\x1b\[2J$"),
    ],
)
def test_an_answer_that_is_none_is_told(words: bytes, told: str) -> None:
    with answering(words) as port, pytest.raises(UnavailableError, match=f"(?i){told}"):
        api(port).get("/cluster")


def test_an_answer_without_end_is_cut() -> None:
    with (
        answering(b"HTTP/1.0 200 OK\r\n\r\n" + b" " * (3 << 20)) as port,
        pytest.raises(UnavailableError, match="not JSON"),
    ):
        api(port).get("/cluster")


def test_a_request_that_was_never_sent_differs_from_an_answer_that_was_lost() -> None:
    with ports.refused() as port, pytest.raises(UnavailableError, match="refused"):
        api(port).post("/switchover", {}, 1.0)
    with ports.closing() as port, pytest.raises(OutcomeUnknownError, match="was lost"):
        api(port).post("/switchover", {}, 1.0)
    began = time.monotonic()
    with ports.silent() as port, pytest.raises(OutcomeUnknownError, match="no answer in time"):
        api(port).post("/switchover", {}, 0.3)
    assert time.monotonic() - began < 15


def test_what_patroni_says_is_cleaned_and_cut() -> None:
    with answering(reply("Switchover failed\x1b]0;x\nmore", "503 Service Unavailable")) as port:
        answer = api(port).post("/switchover", {}, 1.0)
    assert str(answer) == "503, Switchover failed\\x1b]0;x"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_no_proxy_comes_in_between(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    with answering(reply('{"members": []}')) as port:
        assert api(port).get("/cluster") == {"members": []}
