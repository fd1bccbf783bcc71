"""Databases on a SQL Server that somebody names; none can be installed from a package index.

`CUSTCTL_TEST_MSSQL_URL` is `mssql://user:password@host:port/?tls=require`, with a login that may CREATE DATABASE; user
and password are percent-encoded, `tls` is as in a profile (`require` where it is missing), and so is `tls_ca`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    import pyodbc

URL = "CUSTCTL_TEST_MSSQL_URL"
_INSTALLED_DRIVER = "ODBC Driver 18 for SQL Server"
_ENCRYPTION = {
    "off": {"Encrypt": "no"},
    "require": {"Encrypt": "yes", "TrustServerCertificate": "yes"},
    "verify-full": {"Encrypt": "yes", "TrustServerCertificate": "no"},
    "strict": {"Encrypt": "strict"},
}
_LOGIN_SECONDS = 60
_PATIENCE = 60.0  # seconds in which what is refused for others' sake is tried again


@dataclass(slots=True)
class MssqlServer:
    """A server that is there already.

    Attributes:
        host: as the URL has it.
        port: 1433 where the URL has none.
        user: an administrator's login.
        password: its password.
        tls: how to encrypt, as in a profile.
        tls_ca: a file of certificates to trust, or None.
    """

    host: str
    port: int
    user: str
    password: str
    tls: str = "require"
    tls_ca: str | None = None
    _administration: pyodbc.Connection | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str) -> MssqlServer:
        """Read a URL.

        Raises:
            ValueError: it lacks something.
        """
        parts = urlsplit(url)
        query = {name: values[-1] for name, values in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()}
        tls, ca = query.pop("tls", "require"), query.pop("tls_ca", None)
        if parts.scheme != "mssql" or not parts.hostname or not parts.username or parts.password is None:
            raise ValueError(f"{URL} is not of the form mssql://user:password@host:port/?tls=require")
        if query or tls not in _ENCRYPTION:
            raise ValueError(f"{URL}: `tls` is one of {', '.join(_ENCRYPTION)}; beside it `tls_ca` is known, no more")
        return cls(parts.hostname, parts.port or 1433, unquote(parts.username), unquote(parts.password), tls, ca)

    def connection_string(self, database: str) -> str:
        """Return the ODBC connection string for a database."""
        values = {
            "DRIVER": driver(),
            "SERVER": f"tcp:{self.host},{self.port}",
            "DATABASE": database,
            "UID": self.user,
            "PWD": self.password,
            **_ENCRYPTION[self.tls],
        }
        return ";".join(f"{name}={_braced(value)}" for name, value in values.items())

    def connect(self, database: str = "master") -> pyodbc.Connection:
        """Connect as the administrator, in autocommit mode."""
        import pyodbc

        # A pooled connection would keep a database from being dropped.
        pyodbc.pooling = False
        return pyodbc.connect(self.connection_string(database), autocommit=True, timeout=_LOGIN_SECONDS)

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        """Run a batch in `master` and return its rows, over one connection that is kept: making one can take a second."""
        if self._administration is None:
            self._administration = self.connect()
        return _rows(self._administration, query)

    def create_database(self, name: str | None = None) -> MssqlDatabase:
        """Create an empty database.

        Args:
            name: a new one unless it is given.
        """
        name = name or f"custctl_t_{secrets.token_hex(6)}"
        self._create(name)
        return MssqlDatabase(self, name)

    def _create(self, name: str) -> None:
        """Create a database; a compatible server refuses that now and then while it creates another one."""
        import pyodbc

        end = time.monotonic() + _PATIENCE
        while True:
            try:
                self.sql(f"CREATE DATABASE {_bracketed(name)}")
                return
            except pyodbc.Error:
                if time.monotonic() > end:
                    raise
                time.sleep(secrets.randbelow(1000) / 1000)

    def close(self) -> None:
        """Close the connection that is kept."""
        if self._administration is not None:
            self._administration.close()
            self._administration = None


@dataclass(slots=True)
class MssqlDatabase:
    """A database on a server.

    Attributes:
        server: where it is.
        name: its name.
    """

    server: MssqlServer
    name: str

    @property
    def host(self) -> str:
        """The server's name or address."""
        return self.server.host

    @property
    def port(self) -> int:
        """The server's port."""
        return self.server.port

    @property
    def user(self) -> str:
        """The administrator's login."""
        return self.server.user

    @property
    def password(self) -> str:
        """The administrator's password."""
        return self.server.password

    def connect(self) -> pyodbc.Connection:
        """Connect as the administrator, in autocommit mode."""
        return self.server.connect(self.name)

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        """Run a batch and return the rows of its first result that has any."""
        with contextlib.closing(self.connect()) as connection:
            return _rows(connection, query)

    def drop(self) -> None:
        """Drop the database if it is still there, whoever is connected to it."""
        import pyodbc

        if self.server.sql(f"SELECT DB_ID('{self.name}')") == [(None,)]:
            return
        # Not all that speak T-SQL know it; where it is missing, connections that end by themselves are waited for.
        with contextlib.suppress(pyodbc.Error):
            self.server.sql(f"ALTER DATABASE {_bracketed(self.name)} SET SINGLE_USER WITH ROLLBACK IMMEDIATE")
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                self.server.sql(f"DROP DATABASE {_bracketed(self.name)}")
                return
            except pyodbc.Error:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)


def named_server() -> MssqlServer | None:
    """Return the server that the environment names, or None."""
    url = os.environ.get(URL)
    return MssqlServer.of(url) if url else None


def driver() -> str:
    """Return the ODBC driver to use: an installed one by its name, or else the wheel's by its path.

    Raises:
        RuntimeError: there is neither.
    """
    import pyodbc

    if _INSTALLED_DRIVER in pyodbc.drivers():
        return _INSTALLED_DRIVER
    found = importlib.util.find_spec("mssql_python_odbc")
    families = {"debian_ubuntu": "/etc/debian_version", "suse": "/etc/SUSE-brand", "rhel": "/etc/redhat-release"}
    family = next((name for name, sign in families.items() if Path(sign).exists()), "debian_ubuntu")
    for folder in (found.submodule_search_locations or ()) if found else ():
        pattern = f"libs/linux/{family}/{os.uname().machine}/lib/libmsodbcsql-*.so*"
        for library in sorted(Path(folder).glob(pattern), reverse=True):
            return str(library)
    raise RuntimeError(f"no ODBC driver: install `{_INSTALLED_DRIVER}`, or `python -m pip install mssql-python-odbc`")


def _rows(connection: pyodbc.Connection, query: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(connection.execute(query)) as cursor:
        rows: list[tuple[Any, ...]] | None = None
        while True:
            if cursor.description and rows is None:
                rows = [tuple(row) for row in cursor.fetchall()]
            # An error of a later statement shows here alone.
            if not cursor.nextset():
                return rows or []


def _braced(value: str) -> str:
    """Return a value for a connection string, where braces take every character and `}}` is a brace."""
    return "{" + value.replace("}", "}}") + "}"


def _bracketed(name: str) -> str:
    return "[" + name.replace("]", "]]") + "]"
