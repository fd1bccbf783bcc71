"""Requests to services end in time, whatever the other side does, and trust no certificate that they should not."""

from __future__ import annotations

import ssl
import threading
import time

import pytest
import trustme

from custctl.support.errors import CredentialError, UnavailableError, UsageError
from custctl.support.urls import is_safe_url, url_host
from custctl.support.web import LARGEST, Web
from tests.accounts import peer as peers
from tests.accounts.peer import Answer, Asked, peer, whole

LIMIT = 0.4
# A machine that is busy is slow; what hangs takes for ever.
PATIENCE = 30.0


def test_an_answer_comes_whole_whatever_its_status() -> None:
    with peer(whole("418 I'm a teapot", b'{"a": 1}', "Retry-After: 7")) as other:
        web = Web(other.url, timeout=PATIENCE, headers={"Authorization": "Bearer t"})
        answer = web.send("POST", "/Users", json={"b": 2}, params={"count": "1"})
        web.close()
    assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (418, {"a": 1}, "7")
    [asked] = other.asked
    assert (asked.method, asked.target, asked.body) == ("POST", "/Users?count=1", b'{"b":2}')
    assert asked.headers["authorization"] == "Bearer t"
    assert asked.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("answer", [peers.frozen, peers.trickling, peers.trickling_headers])
def test_a_request_ends_in_time(answer: Answer) -> None:
    with peer(answer) as other:
        web = Web(other.url, timeout=LIMIT)
        started = time.monotonic()
        with pytest.raises(UnavailableError, match=r"`127\.0\.0\.1` does not answer in time"):
            web.send("GET", "/")
        assert time.monotonic() - started < PATIENCE


def test_a_limit_of_one_request_wins_over_the_client_s() -> None:
    with peer(peers.frozen) as other:
        web = Web(other.url, timeout=3600)
        with pytest.raises(UnavailableError, match="in time"):
            web.send("GET", "/", timeout=LIMIT)


def test_an_endless_answer_fills_no_memory() -> None:
    with peer(peers.endless) as other, pytest.raises(UnavailableError, match=f"larger than {LARGEST >> 20} MiB"):
        Web(other.url, timeout=PATIENCE).send("GET", "/")


@pytest.mark.parametrize("answer", [peers.garbage, peers.cut])
def test_what_is_no_answer_is_told_without_its_words(answer: Answer) -> None:
    with peer(answer) as other, pytest.raises(UnavailableError, match="cannot be reached: RemoteProtocolError") as told:
        Web(other.url, timeout=PATIENCE).send("GET", "/")
    assert "nobody speaks so" not in str(told.value)


def test_after_a_request_that_was_given_up_the_next_one_is_served() -> None:
    def answer(asked: Asked) -> Answer:
        return peers.frozen if asked.target == "/slow" else whole("200 OK", b"{}")

    with peer(answer) as other:
        web = Web(other.url, timeout=PATIENCE)
        with pytest.raises(UnavailableError):
            web.send("GET", "/slow", timeout=LIMIT)
        assert web.send("GET", "/").status_code == 200


def test_a_name_server_that_keeps_silent_takes_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    asleep = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: asleep.wait(PATIENCE))
    with pytest.raises(UnavailableError, match=r"`idp.example` does not answer in time"):
        Web("https://idp.example", timeout=LIMIT).send("GET", "/")
    asleep.set()


def test_redirects_are_not_followed() -> None:
    with peer(whole("302 Found", b"", "Location: http://127.0.0.1:1/")) as other:
        assert Web(other.url, timeout=PATIENCE).send("GET", "/").status_code == 302


def test_a_certificate_must_be_trusted(tmp_path_factory: pytest.TempPathFactory) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    ca = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    with peer(whole("200 OK"), context) as other:
        with pytest.raises(CredentialError, match="the certificate of `localhost` is not trusted"):
            Web(other.url, timeout=PATIENCE).send("GET", "/")
        assert Web(other.url, timeout=PATIENCE, ca=str(ca)).send("GET", "/").status_code == 200
        named = Web(other.url.replace("localhost", "127.0.0.1"), timeout=PATIENCE, ca=str(ca))
        with pytest.raises(CredentialError):
            named.send("GET", "/")
    with pytest.raises(UsageError, match="contains no certificates"):
        Web(other.url, timeout=1, ca=str(ca.with_name("none.pem")))


def test_only_this_machine_is_spoken_to_in_the_clear() -> None:
    for url in ("http://idp.example", "ftp://localhost", "idp.example", ""):
        with pytest.raises(UsageError, match="is not an `https` URL"):
            Web(url, timeout=1)
    good = ("https://idp.example/scim/v2", "https://idp.example:8443", "http://127.0.0.1:80/x", "http://[::1]/")
    assert all(map(is_safe_url, good))
    bad = ("http://idp.example", "https://u:p@idp.example", "https://u@idp.example", "https://a/?x=1", "https://a/#x",
           "https://", "https://a:99999/", "https://a b/", "file:///x", "http://127.0.0.1.example/")  # fmt: skip
    assert not any(map(is_safe_url, bad))
    assert url_host("https://idp.example:8443/scim") == "idp.example:8443"
