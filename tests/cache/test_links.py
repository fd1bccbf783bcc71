"""Ways to a real Valkey: by name, socket, login and TLS; by way of Sentinels, and in a Cluster."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from custctl.cache.links import Link, open_link, refused
from custctl.cache.wire import LoginError, Refusal, WireError
from custctl.profiles.cache_url import parse_url
from tests.cache.test_commands import with_cache
from tests.conftest import ADA, Project
from tests.servers import ports
from tests.servers.certificates import Certificates
from tests.servers.fixtures import PostgresqlServers
from tests.servers.ports import silent
from tests.servers.proxy import Proxy
from tests.servers.valkey import ValkeyServer
from tests.servers.workplace import Workplace

PATIENCE = 1.5
NEAR = "custctl:{d9428888-122b-11e1-b85c-61cd3cbb3210}:state"
USER, PASSWORD = "ada", "hunter2 ü"
SECONDS = 20.0


@pytest.fixture(scope="module")
def workplace(postgresql_servers: PostgresqlServers) -> Workplace:
    return postgresql_servers.workplace


@pytest.fixture(scope="module")
def server(workplace: Workplace) -> Iterator[ValkeyServer]:
    """A server with a user beside the default one, and a socket."""
    made = ValkeyServer.create(workplace, {"unixsocket": "valkey.sock", "unixsocketperm": "777"})
    made.start()
    made.call("ACL", "SETUSER", USER, "on", f">{PASSWORD}", "~custctl:*", "+@all")
    made.call("ACL", "SETUSER", "reader", "on", f">{PASSWORD}", "~custctl:*", "+@read", "+@connection")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    made = Certificates.of(tmp_path_factory.mktemp("certificates"))
    made.make("certuser")
    return made


@pytest.fixture(scope="module")
def front(server: ValkeyServer, certificates: Certificates) -> Iterator[Proxy]:
    """TLS before the server, which has none built in."""
    with Proxy(server.host, server.port, certificate=certificates.server, at_once=True) as made:
        yield made


@contextlib.contextmanager
def link(
    url: str, *, password: str | None = PASSWORD, authorities: Path | None = None, patience: float = PATIENCE
) -> Iterator[Link]:
    made = open_link(parse_url(url), NEAR, password=lambda: password, authorities=authorities, patience=patience)
    try:
        yield made
    finally:
        made.close()


def one(url: str, *command: Any, **options: Any) -> Any:
    with link(url, **options) as made:
        return made.call([command])[0]


def failure(url: str, *command: Any, **options: Any) -> WireError:
    with pytest.raises(WireError) as caught:
        one(url, *(command or ("PING",)), **options)
    assert "hunter2" not in f"{caught.value!r}{caught.value.__cause__!r}{caught.value.__context__!r}"
    return caught.value


# -- one server ------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_by_address_and_by_name(server: ValkeyServer, scheme: str, host: str) -> None:
    assert one(f"{scheme}://{host}:{server.port}", "PING") == b"PONG"


def test_by_socket_with_login_and_number(server: ValkeyServer) -> None:
    path = server.folder / "valkey.sock"
    assert one(f"unix://{path}", "PING") == b"PONG"
    one(f"unix://{USER}@{path}?db=3", "SET", "custctl:a", "b")
    assert server.call("GET", "custctl:a") is None
    assert one(f"redis://{server.host}:{server.port}/3", "GET", "custctl:a") == b"b"


def test_a_login_is_that_of_the_user(server: ValkeyServer) -> None:
    assert one(f"redis://{USER}@{server.host}:{server.port}", "ACL", "WHOAMI") == b"ada"
    assert one(f"redis://{server.host}:{server.port}", "ACL", "WHOAMI", password="asked for by nobody") == b"default"


def test_a_refused_login_is_told_without_the_password(server: ValkeyServer) -> None:
    url = f"redis://{USER}@{server.host}:{server.port}/1"
    error = failure(url, password="hunter2, mistyped")
    assert isinstance(error, LoginError)
    assert str(error) == "it rejects the login: WRONGPASS invalid username-password pair or user is disabled"


def test_a_server_that_wants_a_login_of_everybody(workplace: Workplace) -> None:
    made = ValkeyServer.create(workplace, {"requirepass": PASSWORD})
    made.start()
    try:
        error = failure(f"redis://{made.host}:{made.port}")
        assert isinstance(error, LoginError)
        assert str(error) == "it rejects the login: NOAUTH Authentication required"
        assert one(f"redis://default@{made.host}:{made.port}", "PING") == b"PONG"
    finally:
        made.stop()


def test_a_login_without_the_rights(server: ValkeyServer) -> None:
    found = one(f"redis://reader@{server.host}:{server.port}", "SET", "custctl:a", "b")
    assert isinstance(found, Refusal)
    assert str(refused(found)).startswith("the login lacks a privilege: NOPERM ")
    assert isinstance(refused(found), LoginError)


def test_a_number_that_the_server_has_not(server: ValkeyServer) -> None:
    error = failure(f"redis://{server.host}:{server.port}/99")
    assert str(error) == "it has no database 99: ERR DB index is out of range"
    assert not isinstance(error, LoginError)


def test_a_server_without_a_login_is_not_told_the_password_by_its_own_words(workplace: Workplace) -> None:
    """It repeats the arguments of a command that it does not know."""
    made = ValkeyServer.create(workplace, {"rename-command AUTH": "LOGIN"})
    made.start()
    try:
        error = failure(f"redis://{USER}@{made.host}:{made.port}/1")
        assert str(error).lower() == "it rejects the login: err unknown command 'auth'"
    finally:
        made.stop()


@pytest.mark.parametrize("user", ["", f"{USER}@"])
def test_a_server_with_too_many_clients_says_so(workplace: Workplace, user: str) -> None:
    made = ValkeyServer.create(workplace, {"maxclients": "1"})
    made.start()
    with socket.create_connection((made.host, made.port)) as held:
        held.sendall(b"PING\r\n")
        assert held.recv(10)
        error = failure(f"redis://{user}{made.host}:{made.port}/1")
    made.stop()
    assert not isinstance(error, LoginError)
    assert str(error) == "it cannot serve requests: ERR max number of clients reached"


def test_what_is_refused_about_one_command_is_among_the_replies(server: ValkeyServer) -> None:
    server.call("SET", "custctl:text", "x")
    with link(f"redis://{server.host}:{server.port}") as made:
        before, wrong, after = made.call([("PING",), ("HGETALL", "custctl:text"), ("PING",)])
    assert (before, after) == (b"PONG", b"PONG")
    assert isinstance(wrong, Refusal)
    assert wrong.kind == "WRONGTYPE"


def test_a_replica_does_not_serve(server: ValkeyServer, workplace: Workplace) -> None:
    made = ValkeyServer.create(workplace, {"replicaof": f"{server.host} {server.port}"})
    made.start()
    try:
        assert str(failure(f"redis://{made.host}:{made.port}", "SET", "a", "b")).startswith(
            "it cannot serve requests: READONLY "
        )
    finally:
        made.stop()


# -- TLS -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
def test_tls_with_a_login(front: Proxy, certificates: Certificates, scheme: str) -> None:
    url = f"{scheme}://{USER}@{front.host}:{front.port}"
    assert one(url, "ACL", "WHOAMI", authorities=certificates.ca) == b"ada"
    assert one(url.replace(front.host, "localhost"), "PING", authorities=certificates.ca) == b"PONG"


def test_tls_of_another_authority(front: Proxy, certificates: Certificates) -> None:
    for authorities in (certificates.foreign_ca, None):
        error = failure(f"rediss://{USER}@{front.host}:{front.port}", authorities=authorities)
        assert str(error) == "its certificate is not trusted: unable to get local issuer certificate"


def test_tls_for_another_name(server: ValkeyServer, certificates: Certificates, tmp_path: Path) -> None:
    file = tmp_path / "other.pem"
    file.write_bytes(certificates.client.read_bytes() + certificates.client_key.read_bytes())
    with Proxy(server.host, server.port, certificate=file, at_once=True) as other:
        error = failure(f"rediss://{USER}@localhost:{other.port}", authorities=certificates.ca)
    assert "its certificate is not trusted: " in str(error)
    assert "localhost" in str(error)


def test_tls_where_there_is_none(server: ValkeyServer, certificates: Certificates) -> None:
    began = time.monotonic()
    failure(f"rediss://{USER}@{server.host}:{server.port}", authorities=certificates.ca)
    with silent() as port:
        assert "no response within" in str(failure(f"rediss://127.0.0.1:{port}", authorities=certificates.ca))
    assert time.monotonic() - began < 10 * PATIENCE


def test_no_tls_where_there_is_some(front: Proxy) -> None:
    failure(f"redis://{USER}@{front.host}:{front.port}")


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such file or directory"), (b"nonsense", "it contains no certificates")]
)
def test_authorities_that_cannot_be_read(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    assert str(failure("rediss://127.0.0.1:1", authorities=file)) == f"cannot use `{file}`: {message}"


# -- Sentinel --------------------------------------------------------------------------------------


class Watched:
    """A master, its replica and three Sentinels, which fail over within a second."""

    def __init__(self, workplace: Workplace) -> None:
        login = {"masterauth": PASSWORD, "requirepass": PASSWORD}
        self.master = ValkeyServer.create(workplace, login)
        self.master.start()
        self.replica = ValkeyServer.create(workplace, {**login, "replicaof": f"{self.master.host} {self.master.port}"})
        self.replica.start()
        self.sentinels = []
        for _ in range(3):
            options = {
                "sentinel monitor main": f"{self.master.host} {self.master.port} 2",
                "sentinel auth-pass main": f'"{PASSWORD}"',
                "sentinel down-after-milliseconds main": "500",
                "sentinel failover-timeout main": "5000",
            }
            self.sentinels.append(ValkeyServer.create(workplace, options, sentinel=True))
            self.sentinels[-1].start()

    @property
    def url(self) -> str:
        hosts = ",".join(f"{each.host}:{each.port}" for each in self.sentinels)
        return f"redis+sentinel://default@{hosts}/main"

    def close(self) -> None:
        for each in (*self.sentinels, self.replica, self.master):
            each.process.kill()


@pytest.fixture(scope="module")
def watched(workplace: Workplace) -> Iterator[Watched]:
    made = Watched(workplace)
    yield made
    made.close()


def until(done: Any) -> None:
    end = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


def port_of(url: str, **options: Any) -> int:
    found = one(url, "CONFIG", "GET", "port", **options)
    return int(found[1])


def test_sentinels_lead_to_the_master_and_after_its_death_to_the_next(watched: Watched) -> None:
    assert port_of(watched.url) == watched.master.port
    # Two are frozen: the third one is asked in the time that is left.
    for each in watched.sentinels[:2]:
        each.process.freeze()
    began = time.monotonic()
    assert port_of(watched.url) == watched.master.port
    assert time.monotonic() - began < 2 * PATIENCE
    for each in watched.sentinels[:2]:
        each.process.thaw()

    def agreed() -> bool:
        with contextlib.suppress(Refusal):
            return all(each.call("SENTINEL", "ckquorum", "main") for each in watched.sentinels)
        return False

    until(agreed)
    until(lambda: len(watched.sentinels[1].call("SENTINEL", "replicas", "main")) == 1)
    watched.master.process.kill()
    assert isinstance(failure(watched.url), WireError)

    def follows() -> bool:
        with contextlib.suppress(WireError):
            return port_of(watched.url) == watched.replica.port
        return False

    until(follows)


def test_a_master_that_no_sentinel_knows(watched: Watched) -> None:
    message = str(failure(watched.url.replace("/main", "/other")))
    assert message == "the sentinel at 127.0.0.1 knows no master `other`"


def test_sentinels_that_are_all_silent_cost_no_more_than_twice_the_patience() -> None:
    with silent() as one_port, silent() as other, ports.refused() as third:
        began = time.monotonic()
        failure(f"redis+sentinel://127.0.0.1:{one_port},127.0.0.1:{other},127.0.0.1:{third}/main", patience=0.12)
        assert time.monotonic() - began < 10
    with ports.refused() as port:
        assert "connection refused" in str(failure(f"redis+sentinel://127.0.0.1:{port}/main"))


def looked_after(project: Project, url: str) -> None:
    """Use a cache by all commands that concern it."""
    with_cache(project, url)
    project.environ["CUSTCTL_CACHE_PASSWORD"] = PASSWORD
    assert "warning" not in project.ok("customer", "add", *ADA).err
    assert project.ok("customer", "get", "1", "--with-source", "-o", "json").json["source"] == "cache"
    status = project.ok("cache", "status", "-o", "json").json
    assert (status["hits"], status["entries"]) == (1, 1)
    assert status["server"].startswith(("valkey ", "redis "))
    assert project.ok("cache", "clear", "-o", "json").json["removed"] == 1
    assert project.ok("cache", "warm", "-o", "json").json["filled"] == 1
    doctor = {each["check"]: each["state"] for each in project.ok("doctor", "-o", "json").json["items"]}
    assert doctor["cache"] == "ok"


def test_a_project_behind_sentinels(watched: Watched, migrated: Project) -> None:
    looked_after(migrated, watched.url)


# -- Cluster ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nodes(workplace: Workplace) -> Iterator[list[ValkeyServer]]:
    """A Cluster of three."""
    made = [
        ValkeyServer.create(workplace, {"cluster-enabled": "yes", "cluster-require-full-coverage": "no"})
        for _ in range(3)
    ]
    for index, each in enumerate(made):
        each.start()
        begin, end = index * 16384 // 3, (index + 1) * 16384 // 3 - 1
        each.call("CLUSTER", "ADDSLOTSRANGE", begin, end)
        if index:
            each.call("CLUSTER", "MEET", made[0].host, made[0].port)
    until(lambda: all(b"cluster_state:ok" in each.call("CLUSTER", "INFO") for each in made))
    until(lambda: all(len(each.call("CLUSTER", "SLOTS")) == 3 for each in made))
    yield made
    for each in made:
        each.process.kill()


def keeper(nodes: list[ValkeyServer]) -> int:
    """Return which node keeps the entries."""
    slot = nodes[0].call("CLUSTER", "KEYSLOT", NEAR)
    return next(index for index in range(3) if slot < (index + 1) * 16384 // 3)


@pytest.mark.parametrize("first", [0, 1, 2])
def test_any_node_leads_to_the_one_that_keeps_the_entries(nodes: list[ValkeyServer], first: int) -> None:
    url = f"redis+cluster://{nodes[first].host}:{nodes[first].port}"
    assert port_of(url) == nodes[keeper(nodes)].port
    with link(url) as made:
        assert made.call([("HSET", NEAR, "a", first), ("HGET", NEAR, "a")])[1] == b"%d" % first


@pytest.mark.parametrize("first", [0, 1])
def test_a_project_in_a_cluster(nodes: list[ValkeyServer], migrated: Project, first: int) -> None:
    looked_after(migrated, f"redis+cluster://{nodes[first].host}:{nodes[first].port}")


def test_nodes_that_are_down_are_passed_over(nodes: list[ValkeyServer]) -> None:
    with ports.refused() as down, silent() as frozen:
        url = f"redis+cluster://127.0.0.1:{down},127.0.0.1:{frozen},{nodes[0].host}:{nodes[0].port}"
        assert port_of(url) == nodes[keeper(nodes)].port


def test_entries_that_move_are_followed(nodes: list[ValkeyServer]) -> None:
    here = keeper(nodes)
    there = (here + 1) % 3
    slot = nodes[0].call("CLUSTER", "KEYSLOT", NEAR)
    with link(f"valkey+cluster://{nodes[here].host}:{nodes[here].port}") as made:
        made.call([("DEL", NEAR)])
        name = nodes[there].call("CLUSTER", "MYID")
        for each in (nodes[there], nodes[here], nodes[3 - here - there]):
            each.call("CLUSTER", "SETSLOT", slot, "NODE", name)
        replies = made.call([("HSET", NEAR, "a", 1), ("HGET", NEAR, "a")])
        assert replies == [1, b"1"]
        assert int(made.call([("CONFIG", "GET", "port")])[0][1]) == nodes[there].port


def test_a_slot_without_a_node_does_not_serve(nodes: list[ValkeyServer]) -> None:
    slot = nodes[0].call("CLUSTER", "KEYSLOT", "alone")
    for each in nodes:
        each.call("CLUSTER", "DELSLOTS", slot)
    with link(f"redis+cluster://{nodes[0].host}:{nodes[0].port}") as made, pytest.raises(WireError) as caught:
        made.call([("GET", "alone")])
    assert str(caught.value) == "it cannot serve requests: CLUSTERDOWN Hash slot not served"


def test_a_node_of_a_cluster_taken_for_a_single_server(nodes: list[ValkeyServer]) -> None:
    other = nodes[(keeper(nodes) + 1) % 3]
    owners = {each.port for each in nodes}
    messages = set()
    for port in owners:
        with contextlib.suppress(WireError):
            one(f"redis://{other.host}:{port}", "GET", NEAR)
            continue
        messages.add(str(failure(f"redis://{other.host}:{port}", "GET", NEAR)))
    assert len(messages) == 1
    assert messages.pop().startswith("it cannot serve requests: MOVED ")
