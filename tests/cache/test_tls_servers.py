"""Sentinels and a Cluster that speak TLS themselves, and want a login of everybody, on a real Redis."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from custctl.cache.wire import LoginError, Refusal, Wire, WireError
from tests.cache.test_commands import with_cache
from tests.cache.test_links import NEAR, PASSWORD, PATIENCE, failure, looked_after, port_of, until
from tests.conftest import Project
from tests.servers.certificates import Certificates
from tests.servers.fixtures import PostgresqlServers
from tests.servers.ports import free_port
from tests.servers.valkey import ValkeyServer, redis_with_tls
from tests.servers.workplace import Workplace


class TlsServers:
    """Servers with TLS and a login; each has another port without TLS, by which the test looks into it."""

    def __init__(self, workplace: Workplace) -> None:
        self.workplace = workplace
        self.certificates = Certificates.of(workplace.make_folder(workplace.path / f"tls-{secrets.token_hex(4)}"))
        self.certificates.make("certuser")
        for file in (self.certificates.ca, self.certificates.server):
            workplace.hand_over(file)
        self.running: list[ValkeyServer] = []
        self.ports: dict[int, int] = {}

    def start(self, options: Mapping[str, str | Path], *, sentinel: bool = False) -> ValkeyServer:
        for _ in range(5):
            tls = free_port()
            found = self.certificates
            secured: dict[str, str | Path] = {
                "tls-port": str(tls),
                "tls-cert-file": found.server,
                "tls-key-file": found.server,
                "tls-ca-cert-file": found.ca,
                "tls-auth-clients": "no",
                "tls-replication": "yes",
                "requirepass": f'"{PASSWORD}"' if sentinel else PASSWORD,
            }
            made = ValkeyServer.create(
                self.workplace, {**secured, **options}, sentinel=sentinel, program=redis_with_tls
            )
            # Another may have taken the port, or the one of the Cluster's own talk that goes with it.
            with contextlib.suppress(RuntimeError):
                made.start()
                self.running.append(made)
                self.ports[made.port] = tls
                return made
        raise RuntimeError((made.folder / "log").read_text(errors="replace"))

    def ask(self, server: ValkeyServer, *words: str | int) -> Any:
        wire = Wire(server.host, server.port, patience=10 * PATIENCE)
        _, reply = wire.call([("AUTH", "default", PASSWORD), words])
        wire.close()
        if isinstance(reply, Refusal):
            raise reply
        return reply

    def place(self, server: ValkeyServer) -> str:
        return f"127.0.0.1:{self.ports[server.port]}"

    def close(self) -> None:
        for each in self.running:
            each.process.kill()


@pytest.fixture
def servers(postgresql_servers: PostgresqlServers) -> Iterator[TlsServers]:
    made = TlsServers(postgresql_servers.workplace)
    yield made
    made.close()


def use(project: Project, servers: TlsServers, url: str) -> None:
    looked_after(project, f"{url}', tls_ca: '{servers.certificates.ca}")


def test_sentinels(servers: TlsServers, migrated: Project) -> None:
    login = {"masterauth": PASSWORD}
    master = servers.start(login)
    replica = servers.start({**login, "replicaof": servers.place(master).replace(":", " ")})
    watching = {
        "sentinel monitor main": f"127.0.0.1 {servers.ports[master.port]} 2",
        "sentinel auth-pass main": f'"{PASSWORD}"',
        "sentinel sentinel-pass": f'"{PASSWORD}"',
        "sentinel down-after-milliseconds main": "1000",
        "sentinel failover-timeout main": "5000",
    }
    sentinels = [servers.start(watching, sentinel=True) for _ in range(3)]
    hosts = ",".join(map(servers.place, sentinels))
    url = f"rediss+sentinel://default@{hosts}/main"
    use(migrated, servers, url)
    authorities = servers.certificates.ca
    assert port_of(url, authorities=authorities) == master.port
    assert isinstance(failure(url, authorities=authorities, password="mistyped"), WireError)

    def agreed() -> bool:
        with contextlib.suppress(Refusal):
            return all(
                servers.ask(each, "SENTINEL", "ckquorum", "main")
                and len(servers.ask(each, "SENTINEL", "replicas", "main")) == 1
                for each in sentinels
            )
        return False

    until(agreed)
    before = migrated.ok("customer", "get", "1", "--with-source", "-o", "json").json
    assert before["source"] == "cache"
    master.process.kill()

    def follows() -> bool:
        with contextlib.suppress(WireError):
            return port_of(url, authorities=authorities) == replica.port
        return False

    until(follows)
    migrated.ok("customer", "update", "1", "--phone", "7")
    assert migrated.ok("customer", "get", "1", "-o", "json").json["phone"] == "7"
    migrated.ok("cache", "status")


def test_a_cluster(servers: TlsServers, migrated: Project) -> None:
    options = {
        "cluster-enabled": "yes",
        "cluster-require-full-coverage": "no",
        "tls-cluster": "yes",
        "masterauth": PASSWORD,
    }
    nodes = [servers.start(options) for _ in range(3)]
    for index, each in enumerate(nodes):
        servers.ask(each, "CLUSTER", "ADDSLOTSRANGE", index * 16384 // 3, (index + 1) * 16384 // 3 - 1)
        if index:
            servers.ask(each, "CLUSTER", "MEET", "127.0.0.1", servers.ports[nodes[0].port])
    until(lambda: all(b"cluster_state:ok" in servers.ask(each, "CLUSTER", "INFO") for each in nodes))
    until(lambda: all(len(servers.ask(each, "CLUSTER", "SLOTS")) == 3 for each in nodes))
    slot = servers.ask(nodes[0], "CLUSTER", "KEYSLOT", NEAR)
    keeper = next(each for index, each in enumerate(nodes) if slot < (index + 1) * 16384 // 3)
    authorities = servers.certificates.ca
    for each in nodes:
        url = f"rediss+cluster://default@{servers.place(each)}"
        assert port_of(url, authorities=authorities) == keeper.port
    use(migrated, servers, url)
    error = failure(url, authorities=authorities, password="mistyped")
    assert isinstance(error, LoginError)
    assert str(error).startswith("it rejects the login: WRONGPASS ")
    with_cache(migrated, f"rediss+cluster://default@{servers.place(nodes[0])}", more=f", tls_ca: '{authorities}'")
    migrated.environ["CUSTCTL_CACHE_PASSWORD"] = "mistyped"
    result = migrated.run("doctor")
    assert result.code == 4, result.out + result.err
