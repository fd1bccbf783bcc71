"""The proxy's faults strike where they are set, on real connections, and the faulty ports are as faulty as they say."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from tests.servers import ports
from tests.servers.fixtures import PostgresqlServers
from tests.servers.postgresql import Database
from tests.servers.proxy import Proxy


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.fixture
def database(postgresql18: Database) -> Database:
    postgresql18.sql("CREATE TABLE t (x INTEGER)")
    postgresql18.sql(f"GRANT ALL ON t TO {postgresql18.user}")
    return postgresql18


@pytest.fixture
def proxy(database: Database) -> Iterator[Proxy]:
    with Proxy(database.host, database.port) as made:
        yield made


def connect(database: Database, proxy: Proxy, **options: object) -> psycopg.Connection[tuple[object, ...]]:
    given = {"host": proxy.host, "autocommit": False, "sslmode": "disable", "gssencmode": "disable", **options}
    return database.connect(user=database.user, port=proxy.port, **given)


def wait_until(condition: object, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.005)


def test_everything_is_forwarded(database: Database, proxy: Proxy) -> None:
    with connect(database, proxy) as connection:
        text = "x" * 3_000_000
        assert connection.execute("SELECT %s::text || 'y'", (text,)).fetchall() == [(text + "y",)]
        assert (proxy.stats.accepted, proxy.stats.open) == (1, 1)
    wait_until(lambda: proxy.stats.open == 0)
    assert proxy.stats.cut == 0


def test_a_commit_that_is_cut_before_is_not_applied(database: Database, proxy: Proxy) -> None:
    proxy.cut_before(b"COMMIT")
    with connect(database, proxy) as connection:
        connection.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(psycopg.OperationalError, match="closed"):
            connection.commit()
    assert database.sql("SELECT x FROM t") == []
    assert (proxy.stats.cut, proxy.pending) == (1, 0)


def test_a_commit_whose_answer_is_cut_is_applied(database: Database, proxy: Proxy) -> None:
    proxy.cut_answer(b"COMMIT")
    with connect(database, proxy) as connection:
        connection.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(psycopg.OperationalError, match="closed"):
            connection.commit()
    assert database.sql("SELECT x FROM t") == [(1,)]
    # Once.
    with connect(database, proxy) as connection:
        connection.execute("INSERT INTO t VALUES (2)")
    assert database.sql("SELECT x FROM t") == [(1,), (2,)]


def test_a_fault_strikes_at_the_nth_time(database: Database, proxy: Proxy) -> None:
    proxy.cut_before(b"INSERT", 3)
    proxy.cut_before(b"INSERT", 4)
    with connect(database, proxy, autocommit=True) as connection, pytest.raises(psycopg.OperationalError):
        for number in range(5):
            connection.execute(f"INSERT INTO t VALUES ({number})")
    assert database.sql("SELECT x FROM t") == [(0,), (1,)]
    with connect(database, proxy, autocommit=True) as connection, pytest.raises(psycopg.OperationalError):
        connection.execute("INSERT INTO t VALUES (5)")
    assert proxy.stats.cut == 2


@pytest.mark.parametrize("answer", [False, True])
def test_a_frozen_connection_says_nothing_until_it_is_dropped(database: Database, proxy: Proxy, answer: bool) -> None:
    (proxy.freeze_answer if answer else proxy.freeze_on)(b"COMMIT")
    connection = connect(database, proxy)
    connection.execute("INSERT INTO t VALUES (1)")
    errors: list[BaseException] = []

    def commit() -> None:
        try:
            connection.commit()
        except psycopg.OperationalError as error:
            errors.append(error)

    thread = threading.Thread(target=commit)
    thread.start()
    wait_until(lambda: proxy.stats.frozen == 1)
    wait_until(lambda: database.sql("SELECT x FROM t") == ([(1,)] if answer else []))
    assert thread.is_alive()
    # The server has not learnt anything.
    query = "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    assert database.sql(query) == [("idle" if answer else "idle in transaction",)]
    assert not errors
    # Others go through.
    with connect(database, proxy) as other:
        other.execute("SELECT 1")
    proxy.drop()
    thread.join(10)
    assert errors
    connection.close()


def test_new_connections_can_be_refused_for_a_while(database: Database, proxy: Proxy) -> None:
    with connect(database, proxy, autocommit=True) as connection:
        proxy.refuse()
        with pytest.raises(psycopg.OperationalError, match="refused"):
            connect(database, proxy)
        connection.execute("SELECT 1")
        proxy.accept()
        connect(database, proxy).close()
    assert proxy.stats.accepted == 2


def test_a_client_of_a_stopped_server_is_closed() -> None:
    with (
        ports.refused() as port,
        Proxy("127.0.0.1", port) as proxy,
        socket.create_connection((proxy.host, proxy.port), timeout=10) as client,
    ):
        assert client.recv(1) == b""


@pytest.fixture
def echo() -> Iterator[tuple[int, bytearray]]:
    """A server that keeps what it hears and answers each piece with `+`, and the end with `.`."""
    heard = bytearray()
    threads: list[threading.Thread] = []

    def serve(client: socket.socket) -> None:
        with client:
            while piece := client.recv(100):
                heard.extend(piece)
                client.sendall(b"+")
            client.sendall(b".")

    def begin(client: socket.socket) -> None:
        threads.append(threading.Thread(target=serve, args=(client,)))
        threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        with ports.listening(listener, begin):
            yield listener.getsockname()[1], heard
        for thread in threads:
            thread.join()


def test_a_pattern_may_come_in_pieces(echo: tuple[int, bytearray]) -> None:
    port, heard = echo
    with Proxy("127.0.0.1", port) as proxy:
        proxy.cut_before(b"COMMIT", 2)
        with socket.create_connection((proxy.host, proxy.port), timeout=10) as client:
            for piece in (b"COM", b"MIT", b"x", b"C", b"OMM", b"I"):
                client.sendall(piece)
                assert client.recv(1) == b"+"
            client.sendall(b"T and more")
            assert client.recv(1) == b""
    assert heard == b"COMMITxCOMMI"


def test_one_piece_may_hold_a_pattern_many_times(echo: tuple[int, bytearray]) -> None:
    port, heard = echo
    with Proxy("127.0.0.1", port) as proxy:
        proxy.cut_answer(b"a", 3)
        with socket.create_connection((proxy.host, proxy.port), timeout=10) as client:
            client.sendall(b"aaaa")
            assert client.recv(1) == b""
    assert heard == b"aaaa"


def test_a_half_closed_connection_still_hears_the_answer(echo: tuple[int, bytearray]) -> None:
    port, _ = echo
    with Proxy("127.0.0.1", port) as proxy:
        with socket.create_connection((proxy.host, proxy.port), timeout=10) as client:
            client.sendall(b"a")
            assert client.recv(1) == b"+"
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b"."
            assert client.recv(1) == b""
        wait_until(lambda: proxy.stats.open == 0)


def test_closing_wakes_a_connection_that_waits_for_a_server_that_does_not_read() -> None:
    with (
        ports.silent() as port,
        Proxy("127.0.0.1", port) as proxy,
        socket.create_connection((proxy.host, proxy.port), timeout=0.3) as client,
    ):
        with pytest.raises(TimeoutError):
            client.sendall(b"x" * 50_000_000)
        begun = time.monotonic()
        proxy.close()
        assert time.monotonic() - begun < 5


def test_the_proxy_can_be_the_end_of_postgresqls_tls(
    database: Database, postgresql_servers: PostgresqlServers, postgresql17: Database
) -> None:
    files = postgresql17.server.certificates
    assert files is not None
    with Proxy(database.host, database.port, certificate=files.server) as proxy:
        for host in ("localhost", "127.0.0.1"):
            with connect(
                database, proxy, host=host, sslmode="verify-full", sslrootcert=files.ca, gssencmode="prefer"
            ) as connection:
                text = "x" * 3_000_000
                assert connection.execute("SELECT %s::text || 'y'", (text,)).fetchall() == [(text + "y",)]
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            connect(database, proxy, sslmode="verify-full", sslrootcert=files.foreign_ca)
        proxy.cut_before(b"INSERT")
        with connect(database, proxy, sslmode="require") as connection, pytest.raises(psycopg.OperationalError):
            connection.execute("INSERT INTO t VALUES (1)")
        # Who asks for no TLS is let through as well.
        connect(database, proxy, sslmode="disable").close()


def test_a_refused_port_refuses() -> None:
    with ports.refused() as port, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)


def test_a_silent_port_connects_and_says_nothing() -> None:
    with ports.silent() as port, socket.create_connection(("127.0.0.1", port), timeout=0.1) as client:
        client.sendall(b"hello")
        with pytest.raises(TimeoutError):
            client.recv(1)


def test_a_port_that_talks_garbage_is_no_database() -> None:
    with ports.garbage() as port:
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(host="127.0.0.1", port=port, user="x", connect_timeout=2)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            assert client.recv(100).startswith(b"\x00\xff")


def test_a_closing_port_accepts_and_closes() -> None:
    with ports.closing() as port, socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        assert client.recv(1) == b""
