"""What the environment may change about TLS, and what it may not."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from custctl.cache.links import open_link
from custctl.cache.wire import WireError
from custctl.profiles.cache_url import parse_url
from custctl.replication.patroni.api import Access, PatroniApi
from custctl.support.errors import UnavailableError
from tests.cache.test_commands import with_cache
from tests.conftest import Project
from tests.servers import ports
from tests.servers.certificates import Certificates

_ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    made = Certificates.of(tmp_path)
    made.make("certuser")
    return made


@contextmanager
def _speaking(certificates: Certificates, words: bytes) -> Iterator[int]:
    """Give a port that speaks TLS and says something once it was asked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server)

    def talk(client: socket.socket) -> None:
        try:
            with context.wrap_socket(client, server_side=True) as secured:
                secured.recv(65536)
                secured.sendall(words)
        except OSError:
            client.close()  # the certificate was refused

    with socket.create_server(("127.0.0.1", 0)) as listener, ports.listening(listener, talk):
        yield listener.getsockname()[1]


def _ask_cache(port: int, authorities: Path | None) -> None:
    address = parse_url(f"rediss://127.0.0.1:{port}/0")
    link = open_link(address, "key", password=lambda: None, authorities=authorities, patience=5.0)
    assert link.call([("PING",)]) == [b"PONG"]
    link.close()


def _ask_patroni(port: int, authorities: Path | None) -> None:
    access = Access(encrypted=True, authority=str(authorities) if authorities else None)
    assert PatroniApi("127.0.0.1", port, access, 5.0).get("/cluster") == {}


_WAYS = [pytest.param(_ask_cache, b"+PONG\r\n", id="cache"), pytest.param(_ask_patroni, _ANSWER, id="patroni")]
Ask = Callable[[int, Path | None], None]


@pytest.mark.parametrize(("ask", "words"), _WAYS)
def test_no_session_key_is_written(
    ask: Ask, words: bytes, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    with _speaking(certificates, words) as port:
        ask(port, certificates.ca)
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize(("ask", "words"), _WAYS)
def test_who_is_trusted_is_the_systems_word_or_the_profiles(
    ask: Ask, words: bytes, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(certificates.ca))
    with _speaking(certificates, words) as port:
        with pytest.raises((UnavailableError, WireError), match=r"(?i)certificate"):
            ask(port, None)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
        ask(port, None)
        with pytest.raises((UnavailableError, WireError), match=r"(?i)certificate"):
            ask(port, certificates.foreign_ca)


def test_doctor_names_what_is_in_force(migrated: Project, tmp_path: Path) -> None:
    with_cache(migrated, "redis://127.0.0.1:1/0")
    migrated.environ |= {
        "SSL_CERT_DIR": str(tmp_path),
        "SSLKEYLOGFILE": str(tmp_path / "keys"),
        "HTTP_PROXY": "http://x",
    }
    checks = {check["check"]: check for check in migrated.run("doctor", "-o", "json").json["items"]}
    assert checks["variables"]["value"] == "SSL_CERT_DIR used; SSLKEYLOGFILE ignored"
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("name", ["REDISCLI_AUTH", "VALKEYCLI_AUTH", "REDIS_URL", "REDIS_PASSWORD"])
def test_no_variable_of_a_caches_own_clients_is_read(name: str, migrated: Project) -> None:
    heard: list[bytes] = []

    def talk(client: socket.socket) -> None:
        with client:
            heard.append(client.recv(65536))

    with socket.create_server(("127.0.0.1", 0)) as listener, ports.listening(listener, talk):
        with_cache(migrated, f"redis://127.0.0.1:{listener.getsockname()[1]}/0")
        migrated.environ[name] = "redis://:planted@127.0.0.1:1/5"
        migrated.run("cache", "status")
    assert heard and b"AUTH" not in heard[0] and b"planted" not in b"".join(heard)
