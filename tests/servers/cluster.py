"""A replicated PostgreSQL cluster of three nodes, each of which can be stopped, killed, frozen and brought back.

`a` is the primary at first, `b` and `c` follow it by streaming. On all of them are the databases of `DATABASES`, migrated;
who works there, `custctl`, is a member of `custctl_admin` and no superuser. `support` and `operator` are members of the
other two roles. Replication has a login of its own, whose password stands in each standby's `primary_conninfo`.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import yaml
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.conftest import Project, make_project
from tests.servers.installations import Installation
from tests.servers.postgresql import (
    PASSWORD,
    SUPERUSER,
    SUPERUSER_PASSWORD,
    USER,
    PostgresqlServer,
    make_certificates,
)
from tests.servers.projects import PASSWORD_VARIABLE
from tests.servers.proxy import Proxy
from tests.servers.workplace import Workplace

NODES = ("a", "b", "c")
DATABASES = {"development": "customers", "production": "customers_prod"}
"""Environment to the database that is stamped so."""
SUPPORT_USER, OPERATOR_USER = "support", "operator"

REPLICATION_USER = "replicator"
# A blank and a quote are what conninfo strings have a meaning for.
REPLICATION_MARK = "repl1cati0n"
"""The part of replication's password that stays as it is however it is quoted: no output may hold it."""
REPLICATION_PASSWORD = f"{REPLICATION_MARK}'s secret"

_SETTINGS = """
# What pg_rewind asks for.
wal_log_hints = on
full_page_writes = on
wal_keep_size = 256MB
# A standby that finds no primary looks again at once.
wal_retrieve_retry_interval = 100ms
wal_receiver_status_interval = 1s
shared_buffers = 16MB
max_connections = 60
autovacuum = off
"""
_SECONDS = 60.0
_PAUSE = 0.01

T = TypeVar("T")


@dataclass(slots=True)
class Cluster:
    """A primary and its standbys.

    Attributes:
        installation: the version.
        workplace: where its servers live.
        nodes: the servers by name, in the order of `NODES`.
        synchronous: whether each commit waits for one of the other nodes, whichever is the primary.
    """

    installation: Installation
    workplace: Workplace
    nodes: Mapping[str, PostgresqlServer]
    synchronous: bool = False
    _frozen: set[str] = field(default_factory=set)
    _fronts: dict[str, Proxy] = field(default_factory=dict)

    @classmethod
    def create(
        cls,
        installation: Installation,
        workplace: Workplace,
        *,
        synchronous: bool = False,
    ) -> Cluster:
        """Make a cluster and start it.

        Args:
            installation: the version.
            workplace: where it is to live.
            synchronous: whether each commit waits for one of the other nodes.
        """
        made = cls(
            installation,
            workplace,
            {name: PostgresqlServer.create(installation, workplace) for name in NODES},
            synchronous,
        )
        made.reset()
        return made

    def close(self) -> None:
        """End all servers and remove their folders."""
        for front in self._fronts.values():
            front.close()
        for server in self.nodes.values():
            server.close()

    # -- bringing it up ----------------------------------------------------------------------------

    def reset(self) -> None:
        """Bring it to its first state, whatever has become of it: `a` is the primary and the others follow it."""
        template = node_template(self.installation, self.workplace)
        _each(lambda name: self._renew(name, template), NODES)
        self._frozen.clear()
        # The standbys have to know its port.
        self.nodes["a"].start()
        _each(lambda name: self._start_following(name, "a"), NODES[1:])
        self.wait_streaming()

    def _renew(self, name: str, template: Path) -> None:
        server = self.nodes[name]
        server.kill()
        server.copy_data(template)
        settings = [f"cluster_name = '{name}'"]
        if self.synchronous:
            settings.append(f"synchronous_standby_names = 'ANY 1 ({', '.join(NODES)})'")
        with (server.data / "postgresql.conf").open("a") as stream:
            stream.write("\n".join([*settings, ""]))

    def _start_following(self, name: str, primary: str) -> None:
        self.follow(name, primary)
        self.nodes[name].start()

    def follow(self, name: str, primary: str) -> None:
        """Let a stopped node be another's standby from its next start on; what ALTER SYSTEM had set there is gone."""
        server = self.nodes[name]
        signal = server.data / "standby.signal"
        signal.touch()
        settings = server.data / "postgresql.auto.conf"
        settings.write_text(f"primary_conninfo = {_setting(self.conninfo(name, primary))}\n")
        self.workplace.hand_over(signal, settings)

    def conninfo(self, name: str, primary: str) -> str:
        """Return the `primary_conninfo` with which a node follows another."""
        upstream = self.nodes[primary]
        return make_conninfo(
            host=upstream.host,
            port=upstream.port,
            user=REPLICATION_USER,
            password=REPLICATION_PASSWORD,
            application_name=name,
        )

    def rejoin(self, name: str, primary: str) -> None:
        """Bring a node back as another's standby: rewound where that can be done, else copied anew.

        Args:
            name: the node; it is stopped where it runs.
            primary: the node to follow.
        """
        self.stop(name)
        server, source = self.nodes[name], self.nodes[primary]
        local = make_conninfo(host=str(source.folder), port=source.port, user=SUPERUSER, dbname="postgres")
        try:
            # A promotion's checkpoint may still be on its way, and pg_rewind compares what the last one knew.
            source.sql("CHECKPOINT")
            server.tool("pg_rewind", f"--target-pgdata={server.data}", f"--source-server={local}", "--no-sync")
        except RuntimeError:
            server.remove_data()
            server.tool(
                "pg_basebackup", f"--pgdata={server.data}", f"--dbname={local}", "--checkpoint=fast", "--no-sync"
            )
        self._name_again(name, primary)
        self._start_following(name, primary)

    def _name_again(self, name: str, source: str) -> None:
        """Give a node its own name back: its files are now copies of another's."""
        settings = self.nodes[name].data / "postgresql.conf"
        text = settings.read_text()
        settings.write_text(text.replace(f"cluster_name = '{source}'", f"cluster_name = '{name}'"))

    # -- what happens to a node --------------------------------------------------------------------

    def start(self, *names: str) -> None:
        """Start nodes that are down, as what they were when they ended."""
        _each(lambda name: self.nodes[name].start(), names)

    def stop(self, *names: str, mode: str = "fast") -> None:
        """Shut nodes down; those that are down stay so."""
        _each(lambda name: self.nodes[name].stop(mode), names)
        self._frozen.difference_update(names)

    def kill(self, *names: str) -> None:
        """End nodes at once (SIGKILL to all their processes)."""
        _each(lambda name: self.nodes[name].kill(), names)
        self._frozen.difference_update(names)

    def freeze(self, *names: str) -> None:
        """Stop all processes of nodes (SIGSTOP): connections come about, and nothing answers."""
        _each(lambda name: self.nodes[name].freeze(), names)
        self._frozen.update(names)

    def thaw(self, *names: str) -> None:
        """Let frozen nodes go on."""
        _each(lambda name: self.nodes[name].thaw(), names)
        self._frozen.difference_update(names)

    def pause_replay(self, *names: str) -> None:
        """Let standbys go on receiving, and not replay."""
        for name in names:
            self.nodes[name].sql("SELECT pg_wal_replay_pause()")
            _wait(
                partial(self._is_paused, name),
                f"`{name}` to pause",
            )

    def _is_paused(self, name: str) -> bool:
        return self.nodes[name].sql("SELECT pg_get_wal_replay_pause_state()") == [("paused",)]

    def _is_cut(self, name: str) -> bool:
        return not self.nodes[name].sql("SELECT pid FROM pg_stat_wal_receiver")

    def resume_replay(self, *names: str) -> None:
        """Let standbys replay again."""
        for name in names:
            # What it replays then may end this very query.
            with contextlib.suppress(psycopg.errors.SerializationFailure):
                self.nodes[name].sql("SELECT pg_wal_replay_resume()")

    def detach(self, *names: str) -> None:
        """Let standbys receive nothing any more, as where the network between the nodes is cut."""
        for name in names:
            # A port on which nobody listens; the rest is as it was.
            self._set_conninfo(name, lambda given: {**given, "port": "1"})
            _wait(
                partial(self._is_cut, name),
                f"`{name}` to be cut",
            )

    def attach(self, name: str, primary: str) -> None:
        """Let a standby follow a node, again or anew, without a restart."""
        self._set_conninfo(name, lambda _: conninfo_to_dict(self.conninfo(name, primary)))

    def _set_conninfo(self, name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        with self.nodes[name].connect() as connection:
            given = connection.execute("SHOW primary_conninfo").fetchone()
            assert given is not None
            conninfo = make_conninfo(**change(conninfo_to_dict(given[0])))
            connection.execute(psycopg.sql.SQL("ALTER SYSTEM SET primary_conninfo = {}").format(conninfo))
            connection.execute("SELECT pg_reload_conf()")

    # -- how it stands -----------------------------------------------------------------------------

    def roles(self) -> dict[str, str]:
        """Return what each node is: `primary` (takes writes), `fenced` (a primary that takes none), `standby`, `frozen`
        or `down`, as it tells the superuser.
        """
        return dict(zip(NODES, _each(self._role, NODES), strict=True))

    def _role(self, name: str) -> str:
        if name in self._frozen:
            return "frozen"
        if not self.nodes[name].running:
            return "down"
        try:
            [(standby, fenced)] = self.nodes[name].sql(
                "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on'"
            )
        except psycopg.OperationalError:
            return "down"
        return "standby" if standby else "fenced" if fenced else "primary"

    @property
    def primary(self) -> str:
        """The one node that takes writes."""
        [found] = [name for name, role in self.roles().items() if role == "primary"]
        return found

    def standbys(self) -> list[str]:
        """Return the standbys that answer."""
        return [name for name, role in self.roles().items() if role == "standby"]

    def sql(self, query: str, *values: object, node: str | None = None, dbname: str = "customers") -> list[Any]:
        """Run a query as the superuser, on the primary unless another node is named, and return its rows."""
        return self.nodes[node or self.primary].sql(query, *values, dbname=dbname)

    def wait_streaming(self, *standbys: str) -> None:
        """Return when standbys, by default all that answer, stream from the primary and have replayed what it has."""
        primary = self.primary
        wanted = set(standbys or self.standbys())
        [(position,)] = self.nodes[primary].sql("SELECT pg_current_wal_lsn()::text")

        def caught_up() -> bool:
            rows = self.nodes[primary].sql(
                "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming' AND flush_lsn >= %s::pg_lsn",
                position,
            )
            if not wanted <= {name for (name,) in rows}:
                return False
            try:
                return all(
                    self.nodes[name].sql("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", position) == [(True,)]
                    for name in wanted
                )
            except psycopg.errors.SerializationFailure:
                return False  # what it replays is in the way of any query

        _wait(caught_up, f"{', '.join(sorted(wanted))} to follow `{primary}`")

    # -- how profiles reach it ---------------------------------------------------------------------

    def project(self, project: Project, **changes: Any) -> Project:
        """Give a project the profiles `dev` and `prod` on this cluster, whose databases are migrated.

        Args:
            project: is changed, and returned.
            changes: as in `profile`.
        """
        for name, environment in (("dev", "development"), ("prod", "production")):
            self.profile(project, name, environment, **changes)
        return project

    def profile(
        self,
        project: Project,
        name: str = "dev",
        environment: str = "development",
        *,
        through: Mapping[str, Proxy] | None = None,
        nodes: Iterable[str] = NODES,
        driver: str = "streaming",
        max_lag: str = "5s",
        **changes: Any,
    ) -> None:
        """Write a profile.

        Args:
            project: where.
            name: the profile's name.
            environment: `development`, or `production`, which reaches the nodes by verified TLS.
            through: nodes that are reached through a proxy (see `proxies`).
            nodes: those that the profile names.
            driver: what keeps the replicas.
            max_lag: as in a profile.
            changes: other keys of `database`: `reads`, `hooks`, `user`, `connect_timeout`.
        """
        reached: Mapping[str, Proxy | PostgresqlServer] = {**self.nodes, **(through or {})}
        tls: dict[str, str] = {"tls": "off"}
        if environment == "production":
            certificates = make_certificates(self.workplace)
            tls = {"tls": "verify-full", "tls_ca": str(certificates.ca)}
            if self.nodes["a"].certificates is None and through is None:
                reached = self._tls_fronts(certificates.server)
        database = {
            "engine": "postgresql",
            "name": DATABASES[environment],
            "user": USER,
            "auth": "password",
            "nodes": [{"name": each, "host": reached[each].host, "port": reached[each].port} for each in nodes],
            **tls,
            "replication": {"driver": driver, "max_lag": max_lag},
            **changes,
        }
        project.environ[PASSWORD_VARIABLE] = PASSWORD
        text = yaml.safe_dump(
            {"environment": environment, "database": database, "seed": ["reference"]}, sort_keys=False
        )
        (project.path / "profiles" / f"{name}.yaml").write_text(text)

    @contextlib.contextmanager
    def proxies(self, *names: str) -> Iterator[dict[str, Proxy]]:
        """Put proxies before nodes, by default before all, for profiles whose network is to be cut or frozen.

        Between the nodes themselves nothing is changed by it.
        """
        with contextlib.ExitStack() as stack:
            yield {
                name: stack.enter_context(Proxy(self.nodes[name].host, self.nodes[name].port))
                for name in names or NODES
            }

    def _tls_fronts(self, certificate: Path) -> dict[str, Proxy]:
        """Return proxies that have the TLS which the wheel's servers lack."""
        for name, server in self.nodes.items():
            if name not in self._fronts:
                self._fronts[name] = Proxy(server.host, server.port, certificate=certificate)
                self._fronts[name].open()
        return self._fronts


def _each(work: Callable[[str], T], names: Iterable[str]) -> list[T]:
    """Do something for several nodes at once."""
    with ThreadPoolExecutor(len(NODES)) as pool:
        return list(pool.map(work, names))


def _wait(reached: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _SECONDS
    while not reached():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {_SECONDS:g} s for {what}")
        time.sleep(_PAUSE)


def _setting(value: str) -> str:
    """Quote a value for a file of settings."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def node_template(installation: Installation, workplace: Workplace) -> Path:
    """Return the data folder of a node that was shut down, with roles and migrated databases, to be copied."""
    with workplace.made_once(f"cluster-{installation.name}") as (folder, fresh):
        template = folder / "data"
        if fresh:
            _make_template(PostgresqlServer.create(installation, workplace), template)
    return template


def _make_template(server: PostgresqlServer, template: Path) -> None:
    with (server.data / "postgresql.conf").open("a") as settings:
        settings.write(_SETTINGS)
    server.start()
    server.create_role(REPLICATION_USER, REPLICATION_PASSWORD, replication=True)
    for name in DATABASES.values():
        server.create_database(name)
    _migrate(server)
    for user, role in ((USER, "custctl_admin"), (OPERATOR_USER, "custctl_operator"), (SUPPORT_USER, "custctl_support")):
        if user != USER:
            server.create_role(user)
        server.sql(f"GRANT {role} TO {user}")
    server.stop()
    server.data.rename(template)
    server.close()


def _migrate(server: PostgresqlServer) -> None:
    """Migrate both databases as an administrator would, who alone can give all that a failover takes."""
    certificates = make_certificates(server.workplace)
    with (
        tempfile.TemporaryDirectory() as folder,
        Proxy(server.host, server.port, certificate=certificates.server) as front,
    ):
        project = make_project(Path(folder))
        cluster = Cluster(server.installation, server.workplace, {"a": server})
        for environment in DATABASES:
            through = {"a": front} if environment == "production" else {}
            cluster.profile(project, environment, environment, through=through, nodes=["a"], user=SUPERUSER)
        project.environ[PASSWORD_VARIABLE] = SUPERUSER_PASSWORD
        for environment in DATABASES:
            project.ok("migrate", "--env", environment)
