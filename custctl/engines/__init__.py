"""The one interface to a database. Each engine behind it has a folder and a row in `ENGINES`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from custctl.support.errors import UnavailableError

if TYPE_CHECKING:
    from custctl.engines.adding import ColumnScripts
    from custctl.engines.base import Database, EngineSettings


class Engine(NamedTuple):
    """What the rest of the program needs to know about an engine before loading it.

    Attributes:
        database: its `Database`, as `module:class`.
        columns: its `ColumnScripts`, as `module:class`.
        is_file: whether a database is a file; the fields up to `drivers` are for servers.
        port: the default port.
        schema: the default schema of the tables.
        logins: the allowed values of `auth` in a profile.
        tls: the default `tls` in development and test.
        sockets: whether a node's host may be the folder of a server's socket.
        drivers: the allowed values of `replication.driver`.
        password_source: the function that says where the engine's driver finds a password by itself, as
            `module:function`.
        may_go_without_password: whether the server may accept a password login without a password.
        version_base: the base in which a row version is written.
        needs: what to install if its driver cannot be loaded.
    """

    database: str
    columns: str
    is_file: bool = False
    port: int = 0
    schema: str | None = None
    logins: tuple[str, ...] = ()
    tls: str = "off"
    sockets: bool = False
    drivers: tuple[str, ...] = ("none",)
    password_source: str | None = None
    may_go_without_password: bool = False
    version_base: int = 10
    needs: str = ""


ENGINES: dict[str, Engine] = {
    "sqlite": Engine(
        "custctl.engines.sqlite.database:SqliteDatabase",
        "custctl.engines.sqlite.adding:SqliteColumnScripts",
        is_file=True,
    ),
    "postgresql": Engine(
        "custctl.engines.postgresql.database:PostgresqlDatabase",
        "custctl.engines.postgresql.adding:PostgresqlColumnScripts",
        port=5432,
        schema="public",
        logins=("password", "integrated", "certificate", "oauth", "rds-iam"),
        sockets=True,
        drivers=("none", "streaming", "patroni"),
        password_source="custctl.engines.postgresql.libpq:password_source",  # noqa: S106 - a function's name
        may_go_without_password=True,
    ),
    "mssql": Engine(
        "custctl.engines.mssql.database:MssqlDatabase",
        "custctl.engines.mssql.adding:MssqlColumnScripts",
        port=1433,
        schema="dbo",
        logins=("password", "integrated", "entra"),
        tls="require",  # its driver always encrypts
        drivers=("none", "availability-group"),
        version_base=16,
        # pyodbc's wheel does not bring the driver manager.
        needs="install unixODBC, for example with `apt-get install unixodbc`",
    ),
}
"""The engines by name, as profiles and `sql/` name them."""


def open_database(engine: str, settings: EngineSettings) -> Database:
    """Return the database of an engine. It connects on first use.

    Raises:
        UnavailableError: something that the engine's driver needs is not installed.
    """
    row = ENGINES[engine]
    try:
        made: type[Database] = _named(row.database)
    except ImportError as error:
        if not row.needs:
            raise
        name = error.name or "the driver"
        raise UnavailableError(f"{name} cannot be loaded: {error}", hint=row.needs) from None
    return made(settings)  # type: ignore[call-arg] # every engine takes its settings


def column_scripts(engine: str) -> ColumnScripts:
    """Return the writer of the scripts that add a column on an engine."""
    made: type[ColumnScripts] = _named(ENGINES[engine].columns)
    return made()


def driver_password(engine: str, servers: Sequence[tuple[str, int]], name: str, user: str | None) -> str | None:
    """Describe where an engine's driver finds a password by itself; None if it finds none.

    Args:
        servers: host and port of each node.
        name: the database's name.
        user: who logs in; None means the driver's default.
    """
    source = ENGINES[engine].password_source
    if source is None:
        return None
    look: Callable[[Sequence[tuple[str, int]], str, str | None], str | None] = _named(source)
    return look(servers, name, user)


def version_rank(engine: str, version: str) -> int:
    """Convert a row version, as `Database.encode_version` wrote it, to a number that grows with each write.

    Raises:
        ValueError: `version` is not a row version.
    """
    return int(version, ENGINES[engine].version_base)


def _named(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
