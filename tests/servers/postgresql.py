"""Real PostgreSQL clusters, and databases on them that are a test's own.

What they have in common: UTF-8, and by version a locale (see `installations`); on the Unix socket the superuser logs in
without a password, over TCP everybody needs one (SCRAM); with TLS the role `certuser` needs a client's certificate and
`tlsonly` an encrypted connection. Data that a crash of the machine would lose is of no concern (`fsync = off`), what a
crash of the server would lose is (`synchronous_commit = on`).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.servers import processes
from tests.servers.certificates import Certificates
from tests.servers.installations import Installation
from tests.servers.ports import free_port
from tests.servers.supervised import ServerProcess, WatchedProcess
from tests.servers.workplace import Workplace

if TYPE_CHECKING:
    import psycopg

SUPERUSER = "postgres"
# Punctuation that connection strings, URLs and YAML have a meaning for; the roles' passwords are known to all tests.
SUPERUSER_PASSWORD = "postgres's"
USER = "custctl"
PASSWORD = "s3cret; p@ss=w'o}rd %20"
CERTIFICATE_USER = "certuser"
TLS_USER = "tlsonly"

_SETTINGS = """
listen_addresses = '127.0.0.1'
max_connections = 200
shared_buffers = 64MB
fsync = off
full_page_writes = off
lc_messages = 'C'
log_line_prefix = '%m [%p] %q%u@%d '
# A killed server's files go with its folder; where the system has its shared memory they would stay.
dynamic_shared_memory_type = mmap
"""
_TLS_SETTINGS = """
ssl = on
ssl_ca_file = 'ca.pem'
ssl_cert_file = 'server.pem'
ssl_key_file = 'server.pem'
"""
_LOCAL_ACCESS = f"""
local all         {SUPERUSER} trust
local replication {SUPERUSER} trust
local all         all         scram-sha-256
"""
_TLS_ACCESS = f"""
hostssl   all {CERTIFICATE_USER} 127.0.0.1/32 cert
hostnossl all {CERTIFICATE_USER} 127.0.0.1/32 reject
hostnossl all {TLS_USER}         127.0.0.1/32 reject
"""
_TCP_ACCESS = """
host all         all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
"""

_STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_START_SECONDS = 60.0


class PortTakenError(Exception):
    """Somebody else listens on the port."""


@dataclass(slots=True)
class PostgresqlServer:
    """A cluster of one's own, on 127.0.0.1 and on a Unix socket in its folder.

    Attributes:
        installation: the version.
        workplace: where it lives.
        folder: its own: `data`, `log` and the socket.
        process: what runs it.
        host: the address it listens on.
        port: kept over stops and starts.
    """

    installation: Installation
    workplace: Workplace
    folder: Path
    process: ServerProcess
    host: str = "127.0.0.1"
    port: int = 0

    @classmethod
    def create(cls, installation: Installation, workplace: Workplace) -> Self:
        """Make a cluster, which is not running yet and ends with the tests, from a template that is made once a run.

        Args:
            installation: the version.
            workplace: where it is to live.
        """
        folder = Path(tempfile.mkdtemp(prefix=f"{installation.name}-", dir=workplace.path))
        workplace.hand_over(folder)
        made = cls(installation, workplace, folder, WatchedProcess(workplace, folder))
        made.copy_data(_template(installation, workplace))
        return made

    def copy_data(self, template: Path) -> None:
        """Put a copy of another server's data in the place of one's own; neither may be running."""
        self.remove_data()
        # cp keeps the owner.
        subprocess.run(["cp", "-a", template, self.data], check=True)

    def remove_data(self) -> None:
        """Remove the data, which a server must not be using."""
        assert not self.running, "the server runs"
        shutil.rmtree(self.data, ignore_errors=True)

    def tool(self, name: str, *arguments: str | Path) -> str:
        """Run another of PostgreSQL's programs as who runs the server, and return what it wrote.

        Raises:
            RuntimeError: it failed.
        """
        programs = self.installation.programs(self.workplace)
        return self.workplace.run([programs / name, *arguments], environ=_environ())

    @property
    def name(self) -> str:
        """The version, as in a test's id."""
        return self.installation.name

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def certificates(self) -> Certificates | None:
        """The files for TLS; None where the server has none."""
        return make_certificates(self.workplace) if self.installation.has_tls else None

    @property
    def log(self) -> str:
        """What the server has logged."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "log").read_text(errors="replace")
        return ""

    @property
    def running(self) -> bool:
        """Whether there is a process, be it a stopped one."""
        return self.process.running

    @property
    def pid(self) -> int | None:
        """The postmaster's, while it runs."""
        return self.process.pid

    def start(self, **settings: str | int) -> None:
        """Start the server and return when it takes connections.

        Args:
            settings: as in postgresql.conf, for this run of the server.

        Raises:
            RuntimeError: it does not start; the message holds its log.
        """
        assert not self.running, "the server runs"
        fixed = self.port != 0
        for attempt in range(10):
            if not fixed:
                self.port = free_port()
            try:
                self._launch(settings)
                return
            except PortTakenError:
                # A port of its own is wanted back: whoever uses it may be gone in a moment.
                time.sleep(0.2 * attempt if fixed else 0)
        raise RuntimeError(f"no port is free\n{self.log}")

    def _launch(self, settings: Mapping[str, str | int]) -> None:
        options = {"port": self.port, "unix_socket_directories": self.folder, **settings}
        command = [
            str(self.installation.programs(self.workplace) / "postgres"),
            "-D",
            str(self.data),
            *(word for name, value in options.items() for word in ("-c", f"{name}={value}")),
        ]
        # A killed server leaves its lock files, whose process number may be another program's by now.
        for lock in (self.data / "postmaster.pid", self.folder / f".s.PGSQL.{self.port}.lock"):
            lock.unlink(missing_ok=True)
        log_start = len(self.log)
        self.process.spawn(command, _environ())
        end = time.monotonic() + _START_SECONDS
        while not self._ready():
            if not self.running:
                self.process.forget()
                told = self.log[log_start:]
                raise PortTakenError if "Address already in use" in told else RuntimeError(told)
            if time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"the server is not ready after {_START_SECONDS:g} s\n{self.log[log_start:]}")
            time.sleep(0.005)

    def _ready(self) -> bool:
        """Read the postmaster's lock file as `pg_ctl` does: the eighth line is its state."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        # A killed server has left its own.
        return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() in {"ready", "standby"}

    def stop(self, mode: str = "fast") -> None:
        """Shut the server down as PostgreSQL's own tools do.

        Args:
            mode: `smart` (waits for clients), `fast` or `immediate` (as after a crash).
        """
        self.process.stop(_STOP_SIGNALS[mode])

    def kill(self) -> None:
        """End the whole server at once (SIGKILL to the postmaster and all its children)."""
        if self.running:
            self.process.kill()
            processes.forget_shared_memory(self.data)
        self.process.forget()

    def freeze(self) -> None:
        """Stop all processes of the server: connections still come about in the kernel, and nothing answers."""
        self.process.freeze()

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self.process.thaw()

    def close(self) -> None:
        """End the server and remove its folder; a second time does nothing."""
        self.stop("immediate")
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def connect(self, *, dbname: str = "postgres", **options: Any) -> psycopg.Connection[Any]:
        """Connect: without options as the superuser over the socket, with a `user` over TCP; in autocommit mode.

        Args:
            dbname: the database.
            options: libpq's, and psycopg's own.
        """
        import psycopg

        local = {"host": str(self.folder), "user": SUPERUSER}
        remote = {"host": self.host, "password": PASSWORD, "connect_timeout": 10}
        given = {"port": self.port, **(remote if {"user", "host"} & options.keys() else local)}
        return psycopg.connect(**{"autocommit": True, "dbname": dbname, **given, **options})

    def sql(self, query: str, *values: object, dbname: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a query as the superuser and return its rows; with values, `%s` stands for each.

        Without values there may be several statements: the rows are those of the first that has any.
        """
        with self.connect(dbname=dbname) as connection:
            cursor = connection.execute(query, values or None)
            while not cursor.description:
                if not cursor.nextset():
                    return []
            return cursor.fetchall()

    def create_role(self, name: str, password: str | None = PASSWORD, **attributes: object) -> None:
        """Create a role that can log in.

        Args:
            name: its name, quoted here.
            password: or None.
            attributes: as in CREATE ROLE: `superuser=True`, `createdb=False`, `connection_limit=1`, `in_role="x"`.
        """
        words = ["LOGIN"]
        for key, value in attributes.items():
            word = key.replace("_", " ").upper()
            words.append(word if value is True else f"NO{word}" if value is False else f"{word} {value}")
        if password is not None:
            words.append(f"PASSWORD {_literal(password)}")
        self.sql(f"CREATE ROLE {_quoted(name)} {' '.join(words)}")

    def create_database(self, name: str | None = None, *, owner: str = USER) -> Database:
        """Create an empty database.

        Args:
            name: a new one unless it is given.
            owner: the role it belongs to; by default an ordinary one.
        """
        name = name or f"t_{secrets.token_hex(6)}"
        # template0: nobody can be connected to it, which would be an error.
        self.sql(f"CREATE DATABASE {_quoted(name)} OWNER {_quoted(owner)} TEMPLATE template0")
        return Database(self, name)


@dataclass(slots=True)
class Database:
    """A database on a server, with the ordinary role that owns it.

    Attributes:
        server: where it is.
        name: its name.
        user: its owner.
        password: the owner's.
    """

    server: PostgresqlServer
    name: str
    user: str = USER
    password: str = PASSWORD
    _roles: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        """The server's address."""
        return self.server.host

    @property
    def port(self) -> int:
        """The server's port."""
        return self.server.port

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """Connect as `PostgresqlServer.connect` does: as the superuser, or over TCP as a given `user`."""
        return self.server.connect(**{"dbname": self.name, **options})

    def sql(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a query as the superuser and return its rows; with values, `%s` stands for each."""
        return self.server.sql(query, *values, dbname=self.name)

    def create_role(self, name: str, password: str | None = PASSWORD, **attributes: object) -> None:
        """Create a role, as `PostgresqlServer.create_role` does, that goes with the database."""
        self.server.create_role(name, password, **attributes)
        self._roles.append(name)

    def drop(self) -> None:
        """Drop the database, whoever is connected to it."""
        self.server.sql(f"DROP DATABASE IF EXISTS {_quoted(self.name)} WITH (FORCE)")
        for role in self._roles:
            self.server.sql(f"DROP ROLE IF EXISTS {_quoted(role)}")


def _template(installation: Installation, workplace: Workplace) -> Path:
    """Return the data folder of a cluster that was never started, to be copied."""
    with workplace.made_once(f"template-{installation.name}") as (data, fresh):
        if fresh:
            _make_template(installation, workplace, data)
    return data


def make_certificates(workplace: Workplace) -> Certificates:
    """Return the certificates of a test run."""
    with workplace.made_once("certificates") as (folder, fresh):
        certificates = Certificates.of(folder)
        if fresh:
            folder.chmod(0o755)
            certificates.make(CERTIFICATE_USER)
    return certificates


def _make_template(installation: Installation, workplace: Workplace, data: Path) -> None:
    programs = installation.programs(workplace)
    options = ("--no-sync", "--wal-segsize=1", "--auth=trust", "--encoding=UTF8", f"--username={SUPERUSER}")
    workplace.run([programs / "initdb", *options, *installation.locale, f"--pgdata={data}"], environ=_environ())
    with (data / "postgresql.conf").open("a") as settings:
        settings.write(_SETTINGS + (_TLS_SETTINGS if installation.has_tls else ""))
    access = [_LOCAL_ACCESS, _TLS_ACCESS if installation.has_tls else "", _TCP_ACCESS]
    (data / "pg_hba.conf").write_text("".join(access))
    if installation.has_tls:
        certificates = make_certificates(workplace)
        for source in (certificates.ca, certificates.server):
            workplace.hand_over(Path(shutil.copy(source, data)))
        (data / certificates.server.name).chmod(0o600)
    # Single-user mode: no server has to be started for this.
    roles = [
        f"ALTER ROLE {SUPERUSER} PASSWORD {_literal(SUPERUSER_PASSWORD)};",
        *(f"CREATE ROLE {role} LOGIN PASSWORD {_literal(PASSWORD)};" for role in (USER, TLS_USER, CERTIFICATE_USER)),
    ]
    command = (programs / "postgres", "--single", "-D", data, "postgres")
    told = workplace.run(command, environ=_environ(), stdin="\n".join(roles) + "\n")
    if "ERROR" in told:
        # It exits 0 nevertheless.
        raise RuntimeError(told)


def _environ() -> dict[str, str]:
    """Return an environment without PG… variables, whose time zone and language are the same everywhere."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
