"""The `Database` interface for SQL Server, through pyodbc and Microsoft's ODBC driver."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pyodbc

from custctl.engines.model import Check, LockHolder, Merge, Node, Remains
from custctl.engines.mssql import errors
from custctl.engines.mssql.driver import connection_string, find_driver, with_token
from custctl.engines.mssql.errors import TAKEN, is_lost, number, words
from custctl.engines.mssql.knock import knock
from custctl.engines.mssql.running import MssqlConnection
from custctl.engines.mssql.supervised import Connection as Supervised
from custctl.engines.server import DriverError, DriverErrors, GivenUpError, ServerDatabase
from custctl.engines.shaping import Fix, Product
from custctl.schema import names
from custctl.support.errors import CredentialError, CustctlError, LockTimeoutError, UnavailableError
from custctl.support.tls import keep_out, require_authorities

if TYPE_CHECKING:
    from pathlib import Path

    from custctl.engines.base import EngineSettings
    from custctl.engines.connection import Connection
    from custctl.engines.members import Member
    from custctl.engines.reads import Freshness
    from custctl.engines.results import Row
    from custctl.engines.scripting import ScriptSession
    from custctl.engines.scripts import Language, Lint, Statement
    from custctl.schema.own import Field
    from custctl.schema.shape import Difference, Shape

# A command opens its own connections, and a pooled one would keep the settings of its last user.
pyodbc.pooling = False

_LOCK_SHARE = 0.9  # of the statement timeout; the rest is for the answer to arrive

_NOT_READ = (-155, -151)
"""DATETIMEOFFSET, and GEOGRAPHY and similar types: pyodbc cannot fetch them by itself, but scripts may select them."""


class MssqlDatabase(ServerDatabase):
    """A database of SQL Server 2017 or newer, or of a compatible server."""

    statement_end = "\nGO\n"
    engine_name = "mssql"
    driver_error = pyodbc.Error
    driver_errors: ClassVar[DriverErrors] = errors

    def __init__(self, settings: EngineSettings) -> None:
        super().__init__(settings)
        self._sees_one_state = False
        self._unknown: set[str] = set()

    # -- connecting --------------------------------------------------------------------------------

    def _over(self, driver: Supervised) -> MssqlConnection:
        return MssqlConnection(driver, self.settings.schema)

    def dial(self, node: Node) -> Supervised:
        return self._log_in(node, to_read=False)

    def _dial_to_read(self, node: Node) -> Supervised:
        # An availability group listener routes this to a secondary.
        return self._log_in(node, to_read=True)

    def _log_in(self, node: Node, *, to_read: bool) -> Supervised:
        settings = self.settings
        driver = find_driver()
        password = settings.password() if settings.token is None else None
        token = settings.token(node.host, node.port) if settings.token is not None else None
        knock(node, settings.connect_timeout)
        keep_out()
        if settings.tls_ca is not None:
            require_authorities(settings.tls_ca)
            # The driver uses OpenSSL's trust store; it has no keyword for another one.
            os.environ["SSL_CERT_FILE"] = str(settings.tls_ca)

        def connect() -> pyodbc.Connection:
            text = connection_string(driver, settings, node, password, to_read=to_read)
            limit = max(1, round(settings.connect_timeout))
            made = pyodbc.connect(text, autocommit=True, timeout=limit, attrs_before=with_token(token))
            for kind in _NOT_READ:
                made.add_output_converter(kind, bytes)
            return made

        try:
            connection = Supervised(connect, settings.connect_timeout)
            self._set_up(connection)
            connection.limit_statements(settings.statement_timeout or None)
        except pyodbc.Error as error:
            cause = DriverError(words(error), answered=number(error) is not None)
            raise self.translated(error, f"node {node}") from cause
        return connection

    def translated(self, error: Exception, where: str, statement: str | None = None) -> CustctlError:
        return self.with_next_step(super().translated(error, where, statement))

    def with_next_step(self, error: CustctlError) -> CustctlError:
        """Return the error; if it is about a missing privilege, set the hint to what grants it.

        The server is asked on another connection: the one that got the error may be in a transaction.
        """
        from custctl.engines.mssql.denials import next_step

        privilege, name = error.details.get("privilege"), error.details.get("object")
        if isinstance(error, CredentialError) and privilege and name and self.node is not None:
            with suppress(pyodbc.Error, CustctlError), closing(self.dial(self.node)) as driver:
                error.hint = next_step(driver, privilege, name, self.settings.schema) or error.hint
        return error

    def _session(self) -> tuple[str, ...]:
        """Return the session settings that the program relies on."""
        from custctl.engines.mssql.session import SETTINGS

        return (*SETTINGS, f"SET LOCK_TIMEOUT {self._lock_timeout}")

    @property
    def _lock_timeout(self) -> int:
        """The milliseconds to wait for a lock; -1 means no limit.

        It is shorter than the statement timeout, so that the server reports the lock before the driver gives up on the
        statement: only then is it known that a lock was the cause.
        """
        return int(self.settings.statement_timeout * 1000 * _LOCK_SHARE) or -1

    def _set_up(self, driver: Supervised) -> None:
        """Send the session settings together with the first statement, to save a round trip."""

        def one_by_one(error: pyodbc.Error) -> bool:
            told = self.translated(error, self.at_node())
            # Waiting for a lock again would exceed the statement timeout.
            if is_lost(error) or isinstance(told, UnavailableError | LockTimeoutError):
                return False
            driver.run("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION")
            self._set(driver, self._session())
            return True

        driver.opening = "; ".join(each for each in self._session() if each not in self._unknown)
        driver.on_refused = one_by_one

    def _set(self, driver: Supervised, statements: Sequence[str]) -> None:
        """Run SET statements; those that a compatible server does not know are skipped from then on."""
        statements = [statement for statement in statements if statement not in self._unknown]
        if not statements:
            return
        try:
            driver.run("; ".join(statements))
        except pyodbc.Error as error:
            if is_lost(error):
                raise
            for statement in statements:
                try:
                    driver.run(statement)
                except pyodbc.Error as unknown:
                    if is_lost(unknown):
                        raise
                    self._unknown.add(statement)

    def _is_primary(self, driver: Supervised) -> bool:
        if len(self.settings.nodes) == 1:
            return True
        try:
            return not _is_read_only(driver)
        except pyodbc.Error:
            return True

    def _freshness(self, node: Node, driver: Supervised) -> Freshness | None:
        from custctl.engines.mssql.freshness import read_freshness

        try:
            return read_freshness(driver, self.settings.schema)
        except pyodbc.Error as error:
            driver.close()
            raise self.translated(error, f"node {node}") from self.scrubbed(error)

    def _driver(self, connection: Connection) -> Supervised:
        driver = connection.driver
        assert isinstance(driver, Supervised)
        return driver

    def _give_time(self, connection: Connection, seconds: float | None) -> None:
        driver = self._driver(connection)
        driver.patience, driver.on_silence = seconds, None

    # -- transactions ------------------------------------------------------------------------------

    def _begin(self, connection: Connection) -> None:
        self._driver(connection).begin()

    def _begin_snapshot(self, connection: Connection) -> None:
        """Begin a snapshot transaction, if the database allows them.

        Otherwise no transaction begins, and the server's default applies: each statement sees what is committed when it
        begins. Rows are still read in key order, and none of them twice.
        """
        driver = self._driver(connection)
        if has_snapshots(driver):
            self._sees_one_state = True
            # A compatible server may report the option without supporting the level.
            self._set(driver, ["SET TRANSACTION ISOLATION LEVEL SNAPSHOT"])
            self._begin(connection)

    def _roll_back(self, connection: Connection) -> None:
        super()._roll_back(connection)
        if self._sees_one_state:
            self._sees_one_state = False
            with suppress(pyodbc.Error):
                self._driver(connection).run("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")

    # -- the catalog -------------------------------------------------------------------------------

    def table_names(self, connection: Connection) -> set[str]:
        query = (
            "SELECT t.name FROM sys.tables AS t INNER JOIN sys.schemas AS s ON s.schema_id = t.schema_id"
            " WHERE s.name = ?"
        )
        return {name for (name,) in connection.send(query, ("schema:text",), {"schema": self.settings.schema})}

    def non_tables(self, connection: Connection) -> list[tuple[str, str]]:
        tables = ", ".join(f"N'{name}'" for name in names.TABLES)
        query = (
            "SELECT o.name, LOWER(REPLACE(o.type_desc, '_', ' ')) FROM sys.objects AS o"
            " INNER JOIN sys.schemas AS s ON s.schema_id = o.schema_id"
            f" WHERE s.name = ? AND o.name IN ({tables}) AND o.type <> 'U'"
        )
        return [
            (name, kind) for name, kind in connection.send(query, ("schema:text",), {"schema": self.settings.schema})
        ]

    def create_tables(self, connection: Connection) -> None:
        there = self.table_names(connection)
        for table in names.BOOTSTRAP:
            if table not in there:
                text, _ = connection.text(f"create.{table}")
                self._driver(connection).run(text)

    def lock(self, connection: Connection, name: str) -> None:
        from custctl.engines.mssql.session import resource, take_lock

        answer = take_lock(
            self._driver(connection),
            resource(self.settings.schema, name),
            owner="Transaction",
            timeout=self._lock_timeout,
        )
        if answer < 0:
            told = UnavailableError(
                f"timed out waiting for a lock at {self.at_node()}",
                hint="another transaction holds it; try again in a moment",
            )
            if answer == -3:  # a deadlock
                raise GivenUpError(told)
            raise told

    # -- version-checked writes --------------------------------------------------------------------

    def encode_version(self, raw: Any) -> str:
        return bytes(raw).hex()

    def decode_version(self, text: str) -> bytes:
        raw = bytes.fromhex(text)
        if len(raw) != 8 or raw.hex() != text:
            raise ValueError(text)
        return raw

    # -- volume ------------------------------------------------------------------------------------

    def write_row(self, connection: Connection, columns: Mapping[str, Any], **holds: Any) -> Row | None:
        if not connection.own.fields:
            return super().write_row(connection, columns, **holds)
        return cast("MssqlConnection", connection).run_and_select("customer.update", columns, "customer.row", **holds)

    def insert_row(self, connection: Connection, columns: Mapping[str, Any]) -> Row:
        made = super().insert_row(connection, columns)
        return made if not connection.own.fields else connection.run("customer.row", id=made[0]).one()

    def own_fields(self, connection: Connection) -> list[Field]:
        from custctl.engines.mssql.columns import own_fields

        return own_fields(connection)

    def constrained(self, connection: Connection, constraint: str | None) -> list[str]:
        from custctl.engines.mssql.columns import constrained

        return constrained(connection, constraint)

    def referring(self, connection: Connection) -> list[tuple[str, str, str]]:
        from custctl.engines.mssql.columns import referring

        return referring(connection)

    def merge(
        self,
        connection: Connection,
        table: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        *,
        key: str,
        insert: bool,
        update: bool,
    ) -> Merge:
        from custctl.engines.mssql.bulk import merge

        driver, schema = self._driver(connection), self.settings.schema
        try:
            own = connection.own.by_name
            return merge(driver, schema, table, columns, own, rows, key=key, insert=insert, update=update)
        except pyodbc.Error as error:
            told = self.translate(error)
            # Do not retry a taken value in an own unique field: it stays taken.
            if "rule" not in told.details and (number(error) in TAKEN or told.details.get("field") == "email"):
                raise GivenUpError(told) from self.scrubbed(error)
            raise

    # -- migrations --------------------------------------------------------------------------------

    def features(self) -> frozenset[str]:
        return frozenset()

    @property
    def language(self) -> Language:
        from custctl.engines.mssql import script

        return script

    @property
    def lint(self) -> Lint:
        from custctl.engines.mssql.lint import lint

        return lint

    @contextmanager
    def migration_lock(self, timeout: float, on_wait: Callable[[LockHolder | None], None]) -> Iterator[None]:
        from custctl.engines.mssql.session import resource, session_lock

        with self.errors():
            connection = self.connect()
            driver = self._driver(connection)
            # Another run's scripts may take hours: no timeout, only a periodic check that the server is alive.
            driver.patience, driver.on_silence = None, self.check_alive
            driver.limit_statements(None)
            name = resource(self.settings.schema, "migrations")
            with session_lock(driver, name, timeout, on_wait):
                yield

    @contextmanager
    def script_session(self) -> Iterator[ScriptSession]:
        from custctl.engines.mssql.session import MssqlScriptSession, resource

        with self.errors():
            session = MssqlScriptSession(self, resource(self.settings.schema, "migrations"), self._set, self._session())
            try:
                yield session
            finally:
                session.rollback()
                self._remember_scripts()

    def settle(self, connection: Connection, statement: Statement) -> bool | None:
        return None  # the server has no single place that shows whether a statement outside a transaction was applied

    # -- replication -------------------------------------------------------------------------------

    def _member(self, node: Node) -> Member:
        from custctl.engines.mssql.member import MssqlMember

        settings = self.settings
        # Connected to `master`, a node can be queried and managed in any state of the database.
        outside = type(self)(settings._replace(name="master", nodes=(node,)))
        return MssqlMember(
            node,
            outside.dial(node),
            lambda error: self.translated(error, f"node {node}"),
            settings.name,
            settings.schema,
            settings.connect_timeout,
        )

    # -- shape -------------------------------------------------------------------------------------

    def read_shape(self, connection: Connection) -> Shape:
        from custctl.engines.mssql.shape import read_shape

        return read_shape(cast("MssqlConnection", connection))

    def sees_shape(self, connection: Connection) -> bool:
        from custctl.engines.mssql.shape import sees_shape

        return sees_shape(connection)

    @property
    def client(self) -> str:
        node = self.settings.nodes[0]
        return f"sqlcmd -b -I -S {node.host},{node.port} -d {shlex.quote(self.settings.name)} -i FILE"

    def product(self) -> Product:
        from custctl.engines.mssql.made import MADE

        return Product.of(MADE)

    def fixes(
        self, connection: Connection, differences: Sequence[Difference], expected: Shape, found: Shape
    ) -> list[Fix]:
        from custctl.engines.mssql.fixes import fixes

        return fixes(differences, expected, found)

    def remains(self) -> Sequence[Remains]:
        from custctl.engines.mssql.remains import remains

        return remains(self.settings.schema, self.settings.name)

    # -- diagnosis ---------------------------------------------------------------------------------

    def preconditions(self, connection: Connection) -> Iterator[Check]:
        from custctl.engines.mssql.diagnosis import preconditions

        yield from preconditions(self, connection)

    def checks(self, scripts: Path) -> Iterator[Check]:
        from custctl.engines.mssql.diagnosis import checks

        yield from checks(self, scripts)


def has_snapshots(driver: Supervised) -> bool:
    """Tell whether the database allows snapshot transactions."""
    try:
        rows = driver.run("SELECT snapshot_isolation_state FROM sys.databases WHERE name = DB_NAME()")
    except pyodbc.Error:
        return False
    return bool(rows) and rows[0][0] == 1


def _is_read_only(driver: Supervised) -> bool:
    rows = driver.run("SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS NVARCHAR(60))")
    return bool(rows) and rows[0][0] == "READ_ONLY"
