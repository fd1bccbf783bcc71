"""A PostgreSQL cluster that Patroni keeps: three nodes, each with its REST API, and an etcd that they agree through.

`a` leads at first. The databases and logins are those of `cluster`. The REST API asks for a login before it changes
anything.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psycopg
import yaml

from tests.conftest import Project
from tests.servers import processes
from tests.servers.certificates import Certificates
from tests.servers.cluster import DATABASES, NODES, REPLICATION_PASSWORD, REPLICATION_USER, node_template
from tests.servers.etcd import EtcdServer
from tests.servers.installations import Installation
from tests.servers.ports import free_port
from tests.servers.postgresql import PASSWORD, SUPERUSER, SUPERUSER_PASSWORD, USER, PostgresqlServer
from tests.servers.projects import PASSWORD_VARIABLE
from tests.servers.pythons import Python, runnable_python
from tests.servers.workplace import Workplace

SCOPE = "customers-cluster"
API_USER, API_PASSWORD = "operator", "api s3cret:%'"
API_MARK = "api s3cret"
"""The part of the REST API's password that stays as it is however it is quoted: no output may hold it."""
API_ENVIRON = {"PATRONI_RESTAPI_USERNAME": API_USER, "PATRONI_RESTAPI_PASSWORD": API_PASSWORD}

_REQUIREMENT = "patroni[etcd3,psycopg3]"
_SECONDS = 60.0
_PAUSE = 0.05


@dataclass(slots=True)
class PatroniNode(PostgresqlServer):
    """A Patroni with its PostgreSQL.

    Attributes:
        node: its name among Patroni's members.
        api_port: where its REST API listens.
        configuration: Patroni's.
    """

    node: str = ""
    api_port: int = 0
    configuration: dict[str, Any] = field(default_factory=dict)

    @property
    def postmaster(self) -> int | None:
        """The process id of its PostgreSQL, where that runs."""
        with contextlib.suppress(FileNotFoundError, IndexError, ValueError):
            pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
            return pid if processes.family(pid) else None
        return None

    def launch(self, python: Python, etcd: EtcdServer, settings: Mapping[str, Any]) -> None:
        """Start Patroni, which starts PostgreSQL in its own time."""
        self.port, self.api_port = free_port(), free_port()
        self.configuration = self._configuration(etcd, settings)
        file = self._write()
        self.process.spawn(
            [str(python.program), "-m", "patroni", str(file)],
            {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": str(self.folder), **python.environ},
        )

    def _write(self) -> Path:
        file = self.folder / "patroni.yml"
        file.write_text(yaml.safe_dump(self.configuration))
        self.workplace.hand_over(file)
        return file

    def encrypt_api(self, certificates: Certificates | None) -> None:
        """Let the REST API speak TLS alone, and ask for a client's certificate before it changes anything; or neither."""
        api = self.configuration["restapi"]
        for key in ("certfile", "cafile", "verify_client"):
            api.pop(key, None)
        if certificates is not None:
            place = self.folder / "api.pem"
            shutil.copy(certificates.server, place)
            self.workplace.hand_over(place)
            api |= {"certfile": str(place), "cafile": str(certificates.ca), "verify_client": "optional"}
        self._write()
        assert self.pid is not None
        os.kill(self.pid, signal.SIGHUP)

    def _configuration(self, etcd: EtcdServer, settings: Mapping[str, Any]) -> dict[str, Any]:
        api = f"{self.host}:{self.api_port}"
        return {
            "scope": SCOPE,
            "name": self.node,
            "restapi": {
                "listen": api,
                "connect_address": api,
                "authentication": {"username": API_USER, "password": API_PASSWORD},
            },
            "etcd3": {"host": f"127.0.0.1:{etcd.port}"},
            "bootstrap": {"dcs": settings},
            "postgresql": {
                "listen": f"{self.host}:{self.port}",
                "connect_address": f"{self.host}:{self.port}",
                "data_dir": str(self.data),
                "bin_dir": str(self.installation.programs(self.workplace)),
                "pgpass": str(self.folder / "pgpass"),
                "use_unix_socket": True,
                "authentication": {
                    "superuser": {"username": SUPERUSER, "password": SUPERUSER_PASSWORD},
                    "replication": {"username": REPLICATION_USER, "password": REPLICATION_PASSWORD},
                },
                "parameters": {"unix_socket_directories": str(self.folder)},
            },
            "watchdog": {"mode": "off"},
        }

    def kill_postgresql(self) -> None:
        """End its PostgreSQL at once (SIGKILL); its Patroni goes on."""
        pid = self.postmaster
        assert pid is not None, "PostgreSQL does not run"
        processes.kill(pid)

    def kill(self) -> None:
        """End Patroni and PostgreSQL at once (SIGKILL)."""
        # Patroni first, which would start it again.
        pid = self.postmaster
        if self.running and self.pid is not None:
            processes.freeze(self.pid)
        if pid is not None:
            processes.kill(pid)
            processes.forget_shared_memory(self.data)
        self.process.kill()

    def close(self) -> None:
        """End both and remove the folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, method: str, path: str, body: object = None, *, timeout: float = 30.0) -> tuple[int, str]:
        """Ask Patroni's REST API, with a login, and return the status and what it says."""
        login = b64encode(f"{API_USER}:{API_PASSWORD}".encode()).decode()
        asked = HTTPConnection(self.host, self.api_port, timeout=timeout)
        try:
            asked.request(method, path, json.dumps(body), {"Authorization": f"Basic {login}"})
            answer = asked.getresponse()
            return answer.status, answer.read().decode()
        finally:
            asked.close()


@dataclass(slots=True)
class PatroniCluster:
    """Three nodes that Patroni keeps.

    Attributes:
        etcd: what they agree through.
        nodes: by name, in the order of `NODES`.
    """

    etcd: EtcdServer
    nodes: Mapping[str, PatroniNode]

    @classmethod
    def create(cls, installation: Installation, workplace: Workplace) -> PatroniCluster:
        """Make a cluster and start it.

        Args:
            installation: the version.
            workplace: where it is to live.
        """
        python = runnable_python(workplace, _REQUIREMENT)
        template = node_template(installation, workplace)
        nodes = {name: _make_node(name, installation, workplace, template) for name in NODES}
        made = cls(EtcdServer.start(workplace), nodes)
        settings = {
            # The shortest that it takes.
            "ttl": 20,
            "loop_wait": 1,
            "retry_timeout": 3,
            # A primary whose server has died is not started again: another one is promoted.
            "primary_start_timeout": 0,
            "postgresql": {
                "use_pg_rewind": True,
                "parameters": {
                    "wal_log_hints": "on",
                    "wal_keep_size": "256MB",
                    "wal_retrieve_retry_interval": "100ms",
                    "max_connections": 60,
                },
            },
        }
        try:
            # Who is first leads.
            nodes["a"].launch(python, made.etcd, settings)
            made.wait(lambda: made.leader == "a", "`a` to lead")
            for name in NODES[1:]:
                nodes[name].launch(python, made.etcd, settings)
            made.wait_whole()
            made.count_fork()
        except BaseException:
            made.close()
            raise
        return made

    def close(self) -> None:
        """End all processes and remove their folders."""
        for node in self.nodes.values():
            node.close()
        self.etcd.close()

    # -- how it stands -----------------------------------------------------------------------------

    def view(self) -> dict[str, Any]:
        """Return what Patroni says of the cluster; empty where no node does."""
        for node in self.nodes.values():
            with contextlib.suppress(OSError, HTTPException, ValueError):
                view: dict[str, Any] = json.loads(node.ask("GET", "/cluster", timeout=1)[1])
                return view
        return {}

    @property
    def leader(self) -> str | None:
        """The node that leads and runs, as Patroni says."""
        members = self.view().get("members", [])
        return next((each["name"] for each in members if each["role"] == "leader" and each["state"] == "running"), None)

    @property
    def primary(self) -> str:
        """The one node that takes writes, by its own word."""
        found = []
        for name, node in self.nodes.items():
            # One that Patroni starts again meanwhile takes none.
            with contextlib.suppress(psycopg.OperationalError):
                if node.postmaster and node.sql("SELECT pg_is_in_recovery()") == [(False,)]:
                    found.append(name)
        [primary] = found
        return primary

    def sql(self, query: str, *values: object, node: str | None = None, dbname: str = "customers") -> list[Any]:
        """Run a query as the superuser, on the primary unless another node is named, and return its rows."""
        return self.nodes[node or self.primary].sql(query, *values, dbname=dbname)

    def configure(self, **settings: Any) -> None:
        """Change what Patroni keeps for the whole cluster: `pause=True`, or None for what it was at first."""
        node = next(node for node in self.nodes.values() if node.running)
        status, words = node.ask("PATCH", "/config", settings)
        assert status == 200, words

    def role(self, name: str) -> str | None:
        """Return what Patroni calls a node: leader, replica, sync_standby."""
        return next((each["role"] for each in self.view().get("members", []) if each["name"] == name), None)

    def restore(self) -> None:
        """Bring it back to what it was at first, whoever leads."""
        for node in self.nodes.values():
            if node.running:
                node.thaw()
        self.configure(pause=None, synchronous_mode=None)
        self.wait_whole()
        self.count_fork()

    def count_fork(self) -> None:
        """Let the database have counted the promotions that there have been."""
        node = self.nodes[self.primary]
        for name in DATABASES.values():
            node.sql(
                "UPDATE custctl_metadata SET value = ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)"
                "::int::text WHERE name = 'fork'",
                dbname=name,
            )

    def wait_whole(self) -> None:
        """Return when there is a primary that takes writes, and the other nodes stream from it."""

        def whole() -> bool:
            leader = self.leader
            if leader is None or self.nodes[leader].sql("SELECT pg_is_in_recovery()") != [(False,)]:
                return False
            # Its own word is newer than what Patroni has written down.
            streaming = self.nodes[leader].sql("SELECT application_name FROM pg_stat_replication")
            members = self.view().get("members", [])
            states = {each["name"]: each["state"] for each in members}
            # What one Patroni has told the others of its REST API.
            if not all(each.get("api_url", "").startswith("http:") for each in members):
                return False
            others = set(NODES) - {leader}
            return others <= {name for (name,) in streaming} and all(states.get(name) == "streaming" for name in others)

        self.wait(whole, "the cluster to be whole")

    def wait(self, reached: Callable[[], bool], what: str) -> None:
        """Return when something is reached.

        Raises:
            TimeoutError: it is not, after a minute.
        """
        end = time.monotonic() + _SECONDS
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                if reached():
                    return
            if time.monotonic() > end:
                logs = "\n".join(f"--- {node.node}\n{node.log[-3000:]}" for node in self.nodes.values())
                raise TimeoutError(f"waited {_SECONDS:g} s for {what}\n{logs}")
            time.sleep(_PAUSE)

    # -- how profiles reach it ---------------------------------------------------------------------

    def profile(
        self,
        project: Project,
        name: str = "dev",
        environment: str = "development",
        *,
        group: str | None = SCOPE,
        driver: str = "patroni",
        api_ports: Mapping[str, int] | None = None,
        **changes: Any,
    ) -> None:
        """Write a profile.

        Args:
            project: where.
            name: the profile's name.
            environment: what it says that the database is.
            group: the scope that it names.
            driver: what it says that keeps the replicas.
            api_ports: ports of REST APIs that are not the nodes' own.
            changes: other keys of `database`.
        """
        ports = {each: node.api_port for each, node in self.nodes.items()} | dict(api_ports or {})
        database = {
            "engine": "postgresql",
            "name": DATABASES["development"],
            "user": USER,
            "auth": "password",
            "nodes": [
                {"name": each, "host": node.host, "port": node.port, "api_port": ports[each]}
                for each, node in self.nodes.items()
            ],
            "tls": "off",
            "replication": {"driver": driver, **({"group": group} if group else {})},
            **changes,
        }
        project.environ |= {PASSWORD_VARIABLE: PASSWORD, **API_ENVIRON}
        text = yaml.safe_dump({"environment": environment, "database": database}, sort_keys=False)
        (project.path / "profiles" / f"{name}.yaml").write_text(text)


def _make_node(name: str, installation: Installation, workplace: Workplace, template: Path) -> PatroniNode:
    made = PatroniNode.create(installation, workplace)
    made.node = name
    made.copy_data(template)
    return made
