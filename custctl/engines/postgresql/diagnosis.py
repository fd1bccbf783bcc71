"""The checks of `doctor` on PostgreSQL."""

from __future__ import annotations

import re
import shlex
import socket
import ssl
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import pq

from custctl.engines.certificates import Shown, close, look
from custctl.engines.model import Check
from custctl.engines.postgresql import triggers
from custctl.engines.postgresql.denials import grant_temporary
from custctl.engines.postgresql.libpq import variables
from custctl.engines.postgresql.logged import SETTINGS, logging_values
from custctl.engines.postgresql.names import quoted
from custctl.engines.postgresql.pooling import keeps_session
from custctl.engines.rights import Right, all_rights, in_words, judge, rights_of
from custctl.engines.roles import ADMIN, RIGHTS, SUPPORT
from custctl.schema.standing import read_standing
from custctl.support.errors import ExitCode, RefusedError

if TYPE_CHECKING:
    from pathlib import Path
    from ssl import SSLContext

    from custctl.engines.connection import Connection
    from custctl.engines.model import Node
    from custctl.engines.server import ServerDatabase

_OLDEST = 150000
_FULL = 0.9  # share of a session limit from which it is reported
_WANT_TLS = struct.pack("!II", 8, 80877103)  # SSLRequest

_SESSION = "SELECT session_user, current_user, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
_OWNER = """
SELECT pg_get_userbyid(c.relowner)::text, pg_has_role(c.relowner, 'USAGE')
  FROM (SELECT to_regclass(quote_ident(%(schema)s) || '.schema_migration')::oid AS oid) AS journal
  LEFT JOIN pg_class AS c ON c.oid = journal.oid
"""
_MAY_CREATE = """
SELECT to_regnamespace(quote_ident(%(schema)s)) IS NOT NULL,
       CASE WHEN to_regnamespace(quote_ident(%(schema)s)) IS NULL
            THEN has_database_privilege(current_database(), 'CREATE')
            ELSE has_schema_privilege(%(schema)s, 'USAGE') AND has_schema_privilege(%(schema)s, 'CREATE') END
"""
_TLS = "SELECT ssl, version, cipher, bits, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
_LIMITS = """
SELECT 'the server', count(*),
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
       - coalesce(current_setting('reserved_connections', true)::int, 0)
  FROM pg_stat_activity WHERE usename IS NOT NULL AND datname IS NOT NULL
UNION ALL
SELECT 'this login', count(*), (SELECT rolconnlimit FROM pg_roles WHERE rolname = session_user)
  FROM pg_stat_activity WHERE usename = session_user
UNION ALL
SELECT 'this database', count(*), (SELECT datconnlimit FROM pg_database WHERE datname = current_database())
  FROM pg_stat_activity WHERE datname = current_database()
"""
_RIGHTS = """
SELECT w.tab, w.privilege, w.col,
       CASE WHEN w.col IS NULL THEN has_table_privilege(w.oid, w.privilege)
            ELSE has_column_privilege(w.oid, w.col, w.privilege) END
  FROM (SELECT tab, privilege, col, to_regclass(quote_ident(%(schema)s) || '.' || quote_ident(tab))::oid AS oid
          FROM unnest(%(tables)s::text[], %(privileges)s::text[], %(columns)s::text[]) AS u (tab, privilege, col)) AS w
 WHERE w.oid IS NOT NULL
"""
# Whether the login lacks only this for an import, whose batches go through a temporary table.
_LACKS_TEMPORARY = """
SELECT has_table_privilege(to_regclass(quote_ident(%(schema)s) || '.customer_import')::oid, 'INSERT')
       AND NOT has_database_privilege(current_database(), 'TEMPORARY')
"""
_FOLDING = """
SELECT pg_get_function_sqlbody(p.oid), (SELECT datcollate FROM pg_database WHERE datname = current_database())
  FROM pg_proc AS p
 WHERE p.proname = 'custctl_fold' AND p.pronamespace = to_regnamespace(quote_ident(%(schema)s))
"""
_INDEXES = """
SELECT c.relname, i.indisvalid
  FROM pg_index AS i
  JOIN pg_class AS c ON c.oid = i.indexrelid
 WHERE c.relnamespace = to_regnamespace(quote_ident(%(schema)s))
"""


def checks(database: ServerDatabase, scripts: Path) -> Iterator[Check]:
    """Yield the checks of driver, server and login.

    Args:
        scripts: the folder of PostgreSQL's scripts, as hints show it.

    Raises:
        CustctlError: the server cannot be reached, or refuses the login.
    """
    yield _driver()
    yield from _variables()
    with database.reading() as connection:
        yield from _Look(database, connection).all(scripts)


def preconditions(database: ServerDatabase, connection: Connection) -> Iterator[Check]:
    """Yield the checks that must pass before the first script is applied."""
    look = _Look(database, connection)
    yield look.version()
    yield look.may_create()
    yield from database.taken_names(connection)


def _driver() -> Check:
    libpq = pq.version()
    module = sys.modules.get(pq.PGconn.__module__)
    path = getattr(module, "__file__", None) or psycopg.__file__
    value = f"psycopg {psycopg.__version__} ({pq.__impl__}), libpq {libpq // 10000}.{libpq % 10000}, {path}"
    return Check("driver", True, value)


def _variables() -> Iterator[Check]:
    used, kept_out = variables()
    told = [f"{', '.join(names)} {what}" for names, what in ((used, "used"), (kept_out, "ignored")) if names]
    if told:
        yield Check("environment", True, "; ".join(told))


class _Look:
    """Checks of a server through an open connection, outside any transaction."""

    def __init__(self, database: ServerDatabase, connection: Connection) -> None:
        self._database = database
        self._settings = database.settings
        self._connection = connection
        self._info = connection.driver.info
        self._pgconn = connection.driver.pgconn
        assert database.node is not None
        self._node: Node = database.node

    def all(self, scripts: Path) -> Iterator[Check]:
        """Yield every check; a failed check does not stop the others."""
        checks: dict[str, Callable[[], Iterator[Check]]] = {
            "server": self._server,
            "writes": self._writes,
            "tls": self._tls,
            "login": self._login,
            "roles": lambda: self._roles(scripts / "repeatable" / "roles.sql"),
            "pooler": self._pooler,
            "sessions": self._sessions,
            "server log": self._server_log,
            "search": lambda: self._search(scripts / "repeatable" / "customer_search.sql"),
            "indexes": self._indexes,
        }
        yield from self._database.run_checks(checks, self._begin_again)

    def _begin_again(self) -> None:
        """Begin again after an error: behind a pooler there is a transaction, which an error aborts."""
        self._connection.rollback()
        self._database.begin_reading(self._connection)

    def _rows(self, query: str, **values: object) -> list[Any]:
        return list(self._connection.send(query, tuple(values), values))

    def _one(self, query: str, **values: object) -> Any:
        return self._rows(query, **values)[0]

    # -- the server --------------------------------------------------------------------------------

    def _server(self) -> Iterator[Check]:
        node, nodes = self._node, len(self._settings.nodes)
        yield Check("node", True, str(node) + (f", one of {nodes}" if nodes > 1 else ""))
        yield self.version()

    def version(self) -> Check:
        """Check the server's version and the database's encoding."""
        version, encoding = self._one("SELECT current_setting('server_version'), current_setting('server_encoding')")
        value = f"PostgreSQL {version}, {encoding}"
        if self._info.server_version < _OLDEST:
            return Check("server", False, value, "custctl needs PostgreSQL 15 or newer", ExitCode.MIGRATION)
        if encoding != "UTF8":
            name = quoted(f"{self._settings.name}_utf8")
            hint = (
                f"the encoding must be UTF8: ask an administrator to run"
                f" `CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'`, and name it in `database.name`"
            )
            return Check("server", False, value, hint, ExitCode.MIGRATION)
        return Check("server", True, value)

    def may_create(self) -> Check:
        """Check that the login may create tables in the schema."""
        schema = self._settings.schema
        there, creates = self._one(_MAY_CREATE, schema=schema)
        value = f"may {'' if creates else 'not '}create tables in the schema `{schema}`"
        if creates:
            return Check("rights", True, value)
        login = quoted(self._one(_SESSION)[1])
        on = f"SCHEMA {quoted(schema)}" if there else f"DATABASE {quoted(self._settings.name)}"
        uses = "USAGE, " if there else ""
        hint = f"ask an administrator to run `GRANT {uses}CREATE ON {on} TO {login}`"
        return Check("rights", False, value, hint, ExitCode.CREDENTIAL)

    def _writes(self) -> Iterator[Check]:
        if not self._database.is_standby(self._connection):
            try:
                driver = self._connection.driver
                triggers.check(self._database, driver, driver.execute(triggers.ASK))
            except RefusedError as error:
                yield Check("writes", False, f"refused: {error.message}", error.hint, error.exit_code)
            else:
                yield Check("writes", True, "taken")
            return
        standby = self._one("SELECT pg_is_in_recovery()")[0]
        why = "a read-only standby" if standby else "`default_transaction_read_only` is on"
        hint = self._database.refusal_of_writes(self._connection).hint
        yield Check("writes", False, f"refused: {why}", hint, ExitCode.REFUSED)

    # -- encryption --------------------------------------------------------------------------------

    def _tls(self) -> Iterator[Check]:
        if not self._pgconn.ssl_in_use:
            if self._pgconn.used_gssapi:
                yield Check("tls", True, "none; Kerberos may encrypt in its place")
            elif self._node.host.startswith("/"):
                yield Check("tls", True, "none: the socket is on this machine")
            else:
                yield Check("tls", True, f"none: `tls: {self._settings.tls}`", "set `tls: verify-full` in the profile")
            return
        shown: list[Shown] = []

        def shake_hands(context: SSLContext) -> Shown:
            shown.append(self._shake_hands(context))
            return shown[-1]

        certificate = list(look(shake_hands))
        encrypted, protocol, cipher, bits, _ = self._one(_TLS)
        verified = "verified" if self._settings.tls in ("verify-full", "strict") else "not verified (`tls: require`)"
        if encrypted:
            yield Check("tls", True, f"{protocol}, {cipher}, {bits} bits; the certificate is {verified}")
        else:
            told = f"{shown[0].protocol}, {shown[0].cipher}, " if shown else ""
            yield Check("tls", True, f"{told}up to a proxy before the server; the certificate is {verified}")
        yield from certificate

    def _shake_hands(self, context: SSLContext) -> Shown:
        """Make another connection, only for the handshake.

        Source: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
        """
        direct = self._settings.tls == "strict"
        if direct:
            context.set_alpn_protocols(["postgresql"])
        address = (self._node.host, self._node.port)
        with socket.create_connection(address, timeout=self._settings.connect_timeout) as plain:
            if not direct:
                plain.sendall(_WANT_TLS)
                if plain.recv(1) != b"S":
                    raise ssl.SSLError("the server does not offer TLS")
            connection = context.wrap_socket(plain, server_hostname=self._node.host)
            try:
                return Shown.by(connection)
            finally:
                close(connection)

    # -- the login ---------------------------------------------------------------------------------

    def _login(self) -> Iterator[Check]:
        user, current, _ = self._one(_SESSION)
        who = user if user == current else f"{user}, acting as {current}"
        yield Check("login", True, f"{who}, by {self._proof(user)}")

    def _proof(self, user: str) -> str:
        """Describe how the login was authenticated."""
        if self._info.server_version >= 160000:
            told = self._one("SELECT system_user")[0]
            if told is None:
                return "trust: no proof is required"
            method, _, identity = str(told).partition(":")
            return method if identity == user else f"{method} of {identity}"
        if self._pgconn.used_password:
            return "password"
        if self._pgconn.used_gssapi:
            return "Kerberos"
        certificate = self._one(_TLS)[4]
        return f"certificate {certificate}" if certificate else "trust or peer"

    def _roles(self, script: Path) -> Iterator[Check]:
        there = dict(
            self._rows(
                "SELECT rolname, pg_has_role(rolname, 'USAGE') FROM pg_roles WHERE rolname = ANY (%(roles)s)",
                roles=list(RIGHTS),
            )
        )
        schema = self._settings.schema
        user, _, superuser = self._one(_SESSION)
        owner, owns = self._one(_OWNER, schema=schema)
        if owner is None:
            # Before the first migration there are no tables to check rights on.
            yield self.may_create()
            return
        creates = self._one(_MAY_CREATE, schema=schema)[1]
        sovereign = "superuser" if superuser else "owner of the tables" if owner == user else None
        mine = [role for role in RIGHTS if there.get(role) and not superuser]

        def lacks(role: str) -> list[str]:
            missing = in_words(self._missing(role))
            if role == ADMIN and not owns:
                missing.append("ownership of the tables")
            if role == ADMIN and not creates:
                missing.append(f"CREATE on the schema `{schema}`")
            return missing

        run_script = self._psql(script)
        join = f"GRANT {SUPPORT} TO {quoted(user)}" if SUPPORT in there else None
        yield from judge(mine, sovereign, lacks, run_script=run_script, join=join)
        if gone := [role for role in RIGHTS if role not in there]:
            hint = f"for logins other than the owner's, ask an administrator to run `{run_script}`"
            yield Check("roles of the server", True, f"missing: {', '.join(gone)}", hint)
        if self._one(_LACKS_TEMPORARY, schema=schema)[0]:
            hint = f"ask an administrator to run `{grant_temporary(self._settings.name, user)}`"
            yield Check("imports", False, "may not create temporary tables", hint, ExitCode.CREDENTIAL)

    def _psql(self, script: Path) -> str:
        """Return the command with which an administrator runs a script on this database."""
        host, port = (("-h", self._node.host), ("-p", str(self._node.port)))
        command = ["psql", *host, *port, "-d", self._settings.name]
        if self._settings.schema != "public":
            command += ["-c", f"SET search_path = {quoted(self._settings.schema)}"]
        return shlex.join([*command, "-f", str(script)])

    def _missing(self, role: str) -> list[Right]:
        wanted = all_rights()
        tables, privileges, columns = ([right[at] for right in wanted] for at in range(3))
        values = {"schema": self._settings.schema, "tables": tables, "privileges": privileges, "columns": columns}
        refused = {(tab, privilege, col) for tab, privilege, col, has in self._rows(_RIGHTS, **values) if not has}
        return [right for right in rights_of(role) if right in refused]

    # -- sessions ----------------------------------------------------------------------------------

    def _pooler(self) -> Iterator[Check]:
        driver = self._connection.driver
        if not driver.pooled and self._one("SELECT pg_backend_pid()")[0] == self._pgconn.backend_pid:
            yield Check("pooler", True, "none")
            return
        with closing(self._database.dial(self._node)) as idle:
            kept = keeps_session(idle, lambda: self._database.dial(self._node))
        if kept:
            hint = "settings are sent with each transaction" if driver.pooled else None
            yield Check("pooler", True, "one is between this machine and the server, in session mode", hint)
        else:
            hint = (
                "settings are sent with each transaction; `custctl migrate` needs the server's own port, or a pool in"
            )
            hint += " session mode, in `database.nodes`"
            yield Check("pooler", True, "one is in use, and the session changes between transactions", hint)

    def _sessions(self) -> Iterator[Check]:
        told, full = [], []
        for whose, used, limit in self._rows(_LIMITS):
            if limit is None or limit < 0:
                continue
            told.append(f"{used} of {limit} for {whose}")
            if used >= limit * _FULL:
                full.append(whose)
        hint = f"close idle connections, or raise the limit of {' and of '.join(full)}" if full else None
        yield Check("sessions", not full, ", ".join(told), hint)

    def _server_log(self) -> Iterator[Check]:
        found = list(logging_values(dict(self._rows(SETTINGS))))
        if not found:
            yield Check("server log", True, "contains no values of statements")
            return
        told = ", ".join(f"`{setting}`" for setting, _ in found)
        ends = " and ".join(f"`{setting}`" for setting in dict.fromkeys(setting for _, setting in found))
        yield Check(
            "server log", True, f"may hold customers' data: {told}", f"to keep it out, set {ends} on the server"
        )

    # -- what the schema needs ---------------------------------------------------------------------

    def _search(self, script: Path) -> Iterator[Check]:
        schema = self._settings.schema
        folding = self._rows(_FOLDING, schema=schema)
        if not folding:
            return
        yield self._folding(*folding[0])
        index = dict(self._rows(_INDEXES, schema=schema)).get("customer_search")
        installed = bool(self._rows("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'"))
        if index:
            yield Check("substring search", True, "trigram index `customer_search`")
        elif installed and read_standing(self._connection).deferred is not None:
            yield Check("substring search", True, "full scan: an import has dropped `customer_search`")
        elif installed:
            state = "INVALID" if index is False else "missing"
            hint = f"ask the owner of the tables to drop the index if it exists, then to run `{self._psql(script)}`"
            value = f"full scan: the index `customer_search` is {state}"
            yield Check("substring search", False, value, hint, ExitCode.MIGRATION)
        else:
            hint = "ask an administrator to run `CREATE EXTENSION pg_trgm`, then run `custctl migrate`"
            yield Check("substring search", True, "full scan: the extension pg_trgm is not installed", hint)

    def _folding(self, body: str | None, locale: str) -> Check:
        named = re.search(r'COLLATE (?:pg_catalog\.)?"?([\w-]+)"?\)', body or "")
        collation = named[1] if named else "default"
        if collation == "default" and locale in ("C", "POSIX"):
            hint = "case matters for letters other than A to Z: use a server with ICU, or PostgreSQL 17"
            return Check("case in search", True, f"by the database's collation, `{locale}`", hint)
        return Check("case in search", True, f"by the collation `{collation}`")

    def _indexes(self) -> Iterator[Check]:
        found = dict(self._rows(_INDEXES, schema=self._settings.schema))
        if "customer_pk" not in found:
            return
        broken = [name for name, valid in found.items() if not valid and name != "customer_search"]
        if broken:
            names = ", ".join(f"`{name}`" for name in broken)
            hint = "run `REINDEX INDEX CONCURRENTLY` on it, or drop it and run its script again"
            yield Check("indexes", False, f"INVALID: {names}", hint, ExitCode.MIGRATION)
        else:
            yield Check("indexes", True, f"{len(found)}, all valid")
