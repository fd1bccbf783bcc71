"""The checks of `doctor` on SQL Server.

A compatible server lacks some views and functions, so each is queried separately, outside any transaction, and skipped
if it is missing.
"""

from __future__ import annotations

import configparser
import os
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyodbc

from custctl.engines.certificates import look
from custctl.engines.model import Check
from custctl.engines.mssql.driver import Driver, find_driver
from custctl.engines.mssql.errors import is_lost
from custctl.engines.mssql.handshake import shake_hands
from custctl.engines.mssql.member import GROUP, SERVER_RIGHTS
from custctl.engines.mssql.names import COLLATION, literal, quote
from custctl.engines.rights import Right, all_rights, in_words, judge, rights_of
from custctl.engines.roles import ADMIN, RIGHTS, SUPPORT
from custctl.support.errors import ExitCode
from custctl.support.text import visible

if TYPE_CHECKING:
    from custctl.engines.connection import Connection as SqlConnection
    from custctl.engines.model import Node
    from custctl.engines.mssql.supervised import Connection
    from custctl.engines.server import ServerDatabase

_OLDEST = 14  # SQL Server 2017
_FULL = 0.9  # fraction of the session limit at which the check fails
_UNTOLD = "the server does not report it"
# unixODBC's variables for the list of drivers and for tracing. Its data sources are not used.
_VARIABLES = ("ODBCSYSINI", "ODBCINSTINI")


def preconditions(database: ServerDatabase, connection: SqlConnection) -> Iterator[Check]:
    """Yield what must hold before the first script is applied."""
    look = _Look(database, connection.driver)
    yield look.version()
    yield look.default_schema()
    yield look.may_create()
    yield from database.taken_names(connection)


def checks(database: ServerDatabase, scripts: Path) -> Iterator[Check]:
    """Yield the checks of driver, server and login.

    Args:
        scripts: the folder of SQL Server's scripts, as shown in hints.

    Raises:
        CustctlError: there is no driver, the server cannot be reached, or refuses the login.
    """
    driver = find_driver()
    path = _installed_path(driver) if driver.source == "installed" else None
    name = f"{driver.name}, {path}" if path else driver.name
    yield Check("driver", True, f"{name} ({driver.source}), pyodbc {pyodbc.version}")
    named = [name for name in _VARIABLES if os.environ.get(name)]
    if named:
        yield Check("environment", True, f"{', '.join(named)} used")
    with database.reading() as connection:
        yield from _Look(database, connection.driver).all(scripts)


def _installed_path(driver: Driver) -> str | None:
    """Return the library that the system's driver manager has registered for a driver; None if unknown."""
    folders = (os.environ.get("ODBCSYSINI"), "/etc", "/usr/local/etc", "/opt/homebrew/etc")
    for folder in filter(None, folders):
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read(Path(folder) / os.environ.get("ODBCINSTINI", "odbcinst.ini"))
            return parser[driver.name]["Driver"]
        except (configparser.Error, KeyError, OSError, UnicodeDecodeError):
            continue
    return None


class _Look:
    """Runs the checks through an open connection."""

    def __init__(self, database: ServerDatabase, driver: Connection) -> None:
        self._database = database
        self._settings = database.settings
        self._driver = driver
        assert database.node is not None
        self._node: Node = database.node

    def all(self, scripts: Path) -> Iterator[Check]:
        """Yield every check; a failure does not stop the others."""
        checks: dict[str, Callable[[], Iterator[Check]]] = {
            "driver version": self._versions,
            "server": self._server,
            "writes": self._writes,
            "tls": self._tls,
            "login": self._login,
            "rights": lambda: self._rights(scripts / "repeatable" / "roles.sql"),
            "default schema": lambda: iter([self.default_schema()]),
            "snapshots": self._snapshots,
            "sessions": self._sessions,
            "availability group": self._group,
            "search": self._search,
        }
        yield from self._database.run_checks(checks)

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query; none if the server does not support it, or this login may not run it."""
        try:
            return self._driver.run(query)
        except pyodbc.Error as error:
            if is_lost(error):
                raise
            return []

    def _value(self, expression: str) -> Any:
        """Return the value of an expression; None if the server does not report it."""
        rows = self._ask(f"SELECT {expression}")
        return rows[0][0] if rows else None

    def _text(self, expression: str) -> str | None:
        value = self._value(f"CAST({expression} AS NVARCHAR(256))")
        return visible(str(value)) if value is not None else None

    # -- driver and server -------------------------------------------------------------------------

    def _versions(self) -> Iterator[Check]:
        told = [self._driver.info(what) for what in (pyodbc.SQL_DRIVER_NAME, pyodbc.SQL_DRIVER_VER, pyodbc.SQL_DM_VER)]
        yield Check("driver version", True, visible(f"{told[0]} {told[1]}, driver manager {told[2]}"))

    def _server(self) -> Iterator[Check]:
        node, nodes = self._node, len(self._settings.nodes)
        yield Check("node", True, str(node) + (f", one of {nodes}" if nodes > 1 else ""))
        yield self.version()

    def version(self) -> Check:
        """Check the server's version."""
        version = self._text("SERVERPROPERTY('ProductVersion')") or ""
        edition = self._text("SERVERPROPERTY('Edition')")
        collation = self._text("DATABASEPROPERTYEX(DB_NAME(), 'Collation')")
        compatible = self._text("SERVERPROPERTY('BabelfishVersion')")
        parts = [
            f"Babelfish {compatible}, compatible with SQL Server {version}" if compatible else f"SQL Server {version}",
            edition or "",
            f"collation {collation}" if collation else "",
        ]
        value = ", ".join(filter(None, parts))
        major = re.match(r"\d+", version)
        old = compatible is None and major is not None and int(major[0]) < _OLDEST and edition != "SQL Azure"
        hint = "custctl needs SQL Server 2017 or newer" if old else None
        return Check("server", not old, value, hint, ExitCode.MIGRATION)

    def _writes(self) -> Iterator[Check]:
        if self._text("DATABASEPROPERTYEX(DB_NAME(), 'Updateability')") == "READ_ONLY":
            hint = "name the primary among `database.nodes` in the profile"
            yield Check("writes", False, "refused: a read-only replica or database", hint, ExitCode.REFUSED)
        else:
            yield Check("writes", True, "taken")

    # -- encryption --------------------------------------------------------------------------------

    def _tls(self) -> Iterator[Check]:
        settings = self._settings
        shown: list[str] = []

        def shake(context: Any) -> Any:
            found = shake_hands(self._node, settings.connect_timeout, context, strict=settings.tls == "strict")
            shown.append(f"{found.protocol}, {found.cipher}")
            return found

        certificate = list(look(shake))
        rows = self._ask("SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID")
        told = str(rows[0][0]) if rows else None
        verified = "verified" if settings.tls in ("verify-full", "strict") else f"not verified (`tls: {settings.tls}`)"
        words = [*shown[:1], f"the certificate is {verified}"]
        if told is None:
            words.append(f"the driver encrypts; {_UNTOLD} of it")
        if told is not None and told.upper() == "FALSE":
            hint = "something between this machine and the server removes the encryption"
            yield Check("tls", False, "the server says that the connection is not encrypted", hint)
        else:
            yield Check("tls", True, ", ".join(words))
        yield from certificate

    # -- the login ---------------------------------------------------------------------------------

    def _login(self) -> Iterator[Check]:
        login = self._text("SUSER_SNAME()") or self._settings.user or _UNTOLD
        user = self._text("USER_NAME()")
        proof = self._text("CONNECTIONPROPERTY('auth_scheme')")
        if proof is None:
            rows = self._ask("SELECT auth_scheme FROM sys.dm_exec_connections WHERE session_id = @@SPID")
            proof = str(rows[0][0]) if rows else None
        by = {"SQL": "password", "KERBEROS": "Kerberos"}.get(proof or "", proof) or f"`auth: {self._settings.auth}`"
        yield Check("login", True, f"{login}{f', in the database as {user}' if user else ''}, by {by}")

    def may_create(self) -> Check:
        """Check that the login may create tables in the database."""
        may = self._value("HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'CREATE TABLE')")
        # A compatible server may not tell.
        if may != 0:
            return Check("rights", True, "no tables are visible; it may create tables")
        user = quote(self._text("USER_NAME()") or self._settings.user or "USER")
        hint = f"ask an administrator to run `ALTER ROLE db_owner ADD MEMBER {user}` in this database"
        return Check("rights", False, "no tables are visible, and it may not create any", hint, ExitCode.CREDENTIAL)

    def _rights(self, script: Path) -> Iterator[Check]:
        schema = self._settings.schema
        journal = f"{quote(schema)}.[schema_migration]"
        if self._value(f"OBJECT_ID({literal(journal)})") is None:
            # Before the first migration there are no tables; without rights on them, they are not visible either.
            yield self.may_create()
            return
        sovereign = None
        for role, query in (("sysadmin", "IS_SRVROLEMEMBER(N'sysadmin')"), ("db_owner", "IS_ROLEMEMBER(N'db_owner')")):
            if sovereign is None and self._value(query) == 1:
                sovereign = role
        mine = [] if sovereign else [role for role in RIGHTS if self._value(f"IS_ROLEMEMBER(N'{role}')") == 1]
        refused = self._refused()
        if refused is None:
            yield Check("roles", True, ", ".join(mine or [sovereign or "none of custctl's"]))
            yield Check("rights", True, _UNTOLD)
            return

        def lacks(role: str) -> list[str]:
            if sovereign:
                return []  # do not ask: a compatible server may answer wrongly
            missing = in_words([right for right in rights_of(role) if right in refused])
            return missing + (self._lacks_to_alter() if role == ADMIN else [])

        there = self._value(f"DATABASE_PRINCIPAL_ID(N'{SUPPORT}')") is not None
        user = quote(self._text("USER_NAME()") or self._settings.user or "USER")
        join = f"ALTER ROLE {SUPPORT} ADD MEMBER {user}" if there else None
        yield from judge(mine, sovereign, lacks, run_script=self._sqlcmd(script), join=join)

    def _sqlcmd(self, script: Path) -> str:
        """Return the command with which an administrator runs a script on this database."""
        server = f"{self._node.host},{self._node.port}"
        return shlex.join(["sqlcmd", "-S", server, "-d", self._settings.name, "-i", str(script)])

    def _refused(self) -> set[Right] | None:
        """Return the rights that this login lacks; None if the server does not report it."""
        rights = all_rights()
        asked = [f"SELECT {number}, {self._has(right)}" for number, right in enumerate(rights)]
        rows = self._ask(" UNION ALL ".join(asked))
        if not rows:
            # The combined query may be too large for a compatible server.
            rows = [row for query in asked for row in self._ask(query)]
        return {rights[int(number)] for number, has in rows if has == 0} if rows else None

    def _has(self, right: Right) -> str:
        table, privilege, column = right
        named = literal(f"{quote(self._settings.schema)}.{quote(table)}")
        part = f", {literal(column)}, N'COLUMN'" if column else ""
        return f"HAS_PERMS_BY_NAME({named}, N'OBJECT', N'{privilege}'{part})"

    def _lacks_to_alter(self) -> list[str]:
        schema = self._settings.schema
        missing = []
        if self._value("HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'CREATE TABLE')") == 0:
            missing.append("CREATE TABLE in the database")
        if self._value(f"HAS_PERMS_BY_NAME({literal(quote(schema))}, N'SCHEMA', N'ALTER')") == 0:
            missing.append(f"ALTER on the schema `{schema}`")
        return missing

    def default_schema(self) -> Check:
        """Check that unqualified names in scripts resolve to the profile's schema."""
        found, wanted = self._text("SCHEMA_NAME()"), self._settings.schema
        fits = found is None or found.lower() == wanted.lower()
        user = self._settings.user or "USER"
        hint = f"`ALTER USER [{user}] WITH DEFAULT_SCHEMA = [{wanted}]`, or set `database.schema: {found}`"
        return Check("default schema", fits, found or _UNTOLD, None if fits else hint, ExitCode.REFUSED)

    # -- features ----------------------------------------------------------------------------------

    def _snapshots(self) -> Iterator[Check]:
        rows = self._ask(
            "SELECT snapshot_isolation_state, is_read_committed_snapshot_on FROM sys.databases WHERE name = DB_NAME()"
        )
        if not rows:
            yield Check("snapshots", True, f"{_UNTOLD}: an export may include rows written while it runs")
            return
        whole, versions = rows[0][0] == 1, bool(rows[0][1])
        name = quote(self._settings.name)
        hints = []
        if not whole:
            hints.append(f"`ALTER DATABASE {name} SET ALLOW_SNAPSHOT_ISOLATION ON`")
        if not versions:
            hints.append(f"`ALTER DATABASE {name} SET READ_COMMITTED_SNAPSHOT ON`, while nobody is connected")
        told = "an export reads one consistent state" if whole else "an export may include rows written while it runs"
        waits = "readers do not wait for writers" if versions else "readers wait for writers"
        yield Check("snapshots", True, f"{told}; {waits}", "; ".join(hints) or None)

    def _sessions(self) -> Iterator[Check]:
        limit = self._value("@@MAX_CONNECTIONS")
        used = None
        if self._value("HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW SERVER STATE')") == 1:
            rows = self._ask("SELECT COUNT(*) FROM sys.dm_exec_sessions WHERE is_user_process = 1")
            used = int(rows[0][0]) if rows else None
        if not limit or used is None:
            yield Check("sessions", True, f"{_UNTOLD} this login")
            return
        full = used >= int(limit) * _FULL
        hint = "close idle connections, or raise the server's `user connections`" if full else None
        yield Check("sessions", not full, f"{used} of {limit}", hint)

    def _group(self) -> Iterator[Check]:
        if len(self._settings.nodes) == 1:
            return
        name = "availability group"
        enabled = self._value("CAST(SERVERPROPERTY('IsHadrEnabled') AS INT)")
        if enabled != 1:
            yield Check(name, True, "none: they are turned off on the server" if enabled == 0 else f"{_UNTOLD} of any")
            return
        lacking = [right for right in SERVER_RIGHTS if self._value(f"HAS_PERMS_BY_NAME(NULL, NULL, N'{right}')") == 0]
        if lacking:
            login = quote(self._text("SUSER_SNAME()") or self._settings.user or "LOGIN")
            hint = f"for `replica`: {'; '.join(f'`GRANT {right} TO {login}`' for right in lacking)}"
            yield Check(name, True, "this login is not allowed to see it", hint)
            return
        rows = self._ask(GROUP.format(database=literal(self._settings.name)))
        if not rows:
            yield Check(name, True, "the database is not in one")
            return
        _, group, cluster_type, required, _, role, _ = rows[0]
        waits = f"commits wait for at least {required} secondaries" if required else "commits need no secondary"
        told = f"{visible(str(group))}, {str(role).lower()} here, CLUSTER_TYPE = {cluster_type}; {waits}"
        yield Check(name, True, told)

    def _search(self) -> Iterator[Check]:
        yield Check("substring search", True, "full scan")
        yield Check("case in search", True, f"by LOWER of the server; compared by the collation `{COLLATION}`")
