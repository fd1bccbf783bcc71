"""SQL Server, by way of pyodbc and Microsoft's ODBC driver, behind the one interface."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar

import pyodbc
import sqlalchemy as sa
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import TypeDecorator

from custctl.engines.base import Check, LockHolder, Merge, Node
from custctl.engines.mssql import errors
from custctl.engines.mssql.dialect import make_dialect
from custctl.engines.mssql.driver import connection_string, find_driver
from custctl.engines.mssql.errors import TAKEN, is_lost, number, words
from custctl.engines.mssql.names import quote
from custctl.engines.mssql.supervised import Connection as Supervised
from custctl.engines.server import DriverError, DriverErrors, GivenUpError, ServerDatabase
from custctl.schema.sqltypes import Timestamp
from custctl.support.errors import CredentialError, CustctlError, LockTimeoutError, UnavailableError
from custctl.support.tls import keep_out, require_authorities

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import ColumnElement, Connection, Dialect, Engine, Select, Table

    from custctl.engines.base import EngineSettings, ScriptSession
    from custctl.engines.members import Member
    from custctl.engines.reads import Freshness
    from custctl.engines.scripts import Language, Lint, Statement

# Each connection is a command's own; and a pooled one would keep what the last one has set.
pyodbc.pooling = False

COLLATION = "Latin1_General_BIN2"
"""By code point: the same whatever the database's own collation is."""

_FOLDING = "Latin1_General_CS_AS"
"""Knows the case of all letters; by code point a compatible server knows that of A to Z."""

_NOT_READ = (-155, -151)
"""The types DATETIMEOFFSET, and GEOGRAPHY and its like: pyodbc refuses rows that hold one, which scripts may select."""

_SPELLED_LETTERS = 3  # at most 4 ** 3 ranges, most often 2 ** 3
# What LOWER leaves apart, and the other engines compare as the same letter.
_FURTHER_CASES = {"\u03c3": "\u03c2", "\u03c2": "\u03c3", "ß": "\u1e9e", "\u03b8": "\u03f4"}


class MssqlDatabase(ServerDatabase):
    """A database of SQL Server 2017 or newer, or of a server that speaks its protocol and dialect."""

    engine_name = "mssql"
    driver_error = pyodbc.Error
    driver_errors: ClassVar[DriverErrors] = errors

    def __init__(self, settings: EngineSettings) -> None:
        super().__init__(settings)
        self._sees_one_state = False
        self._unknown: set[str] = set()

    # -- connecting --------------------------------------------------------------------------------

    def _make_engine(self) -> Engine:
        dialect = make_dialect(self._settings.schema)
        pool = NullPool(self._open)
        pool._dialect = dialect  # as `create_engine` does, which would run queries of its own
        return sa.Engine(pool, dialect, sa.make_url("mssql+pyodbc://"), hide_parameters=True)

    def _dial(self, node: Node) -> Supervised:
        return self._log_in(node, to_read=False)

    def _dial_to_read(self, node: Node) -> Supervised:
        # A listener in the profile sends this on to a secondary by itself.
        return self._log_in(node, to_read=True)

    def _log_in(self, node: Node, *, to_read: bool) -> Supervised:
        settings = self._settings
        driver = find_driver()
        password = settings.password()
        _knock(node, settings.connect_timeout)
        keep_out()
        if settings.tls_ca is not None:
            require_authorities(settings.tls_ca)
            # The driver trusts what OpenSSL trusts; there is no keyword for it.
            os.environ["SSL_CERT_FILE"] = str(settings.tls_ca)

        def connect() -> pyodbc.Connection:
            text = connection_string(driver, settings, node, password, to_read=to_read)
            made = pyodbc.connect(text, autocommit=True, timeout=max(1, round(settings.connect_timeout)))
            for kind in _NOT_READ:
                made.add_output_converter(kind, bytes)
            return made

        try:
            connection = Supervised(connect, settings.connect_timeout)
            self._set_up(connection)
            connection.limit_statements(settings.statement_timeout or None)
        except pyodbc.Error as error:
            cause = DriverError(words(error), answered=number(error) is not None)
            raise self._translated(error, f"node {node}") from cause
        return connection

    def _translated(self, error: Exception, where: str, statement: str | None = None) -> CustctlError:
        return self._with_next_step(super()._translated(error, where, statement))

    def _with_next_step(self, told: CustctlError) -> CustctlError:
        """Return an error whose hint is what the server knows of a privilege that a login lacks, if it is one of those.

        It is asked by another connection: the one on which it was refused may be in the midst of a transaction.
        """
        from custctl.engines.mssql.denials import next_step

        privilege, name = told.details.get("privilege"), told.details.get("object")
        if isinstance(told, CredentialError) and privilege and name and self._node is not None:
            with suppress(pyodbc.Error, CustctlError), closing(self._dial(self._node)) as driver:
                told.hint = next_step(driver, privilege, name, self._settings.schema) or told.hint
        return told

    def _session(self) -> tuple[str, ...]:
        """Return the settings of a session that the program counts on."""
        from custctl.engines.mssql.session import SETTINGS

        timeout = int(self._settings.statement_timeout * 900) or -1
        return (*SETTINGS, f"SET LOCK_TIMEOUT {timeout}")

    def _set_up(self, driver: Supervised) -> None:
        """Let the settings of a session go out with its first statement."""

        def one_by_one(error: pyodbc.Error) -> bool:
            told = self._translated(error, self._at_node())
            # To wait for a lock once more would take more time than a statement has.
            if is_lost(error) or isinstance(told, UnavailableError | LockTimeoutError):
                return False
            driver.run("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION")
            self._set(driver, self._session())
            return True

        driver.opening = "; ".join(each for each in self._session() if each not in self._unknown)
        driver.on_refused = one_by_one

    def _set(self, driver: Supervised, statements: Sequence[str]) -> None:
        """Run statements that set something; those that a compatible server does not know are left out from then on."""
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
        if len(self._settings.nodes) == 1:
            return True
        try:
            return not _is_read_only(driver)
        except pyodbc.Error:
            return True

    def _freshness(self, node: Node, driver: Supervised) -> Freshness | None:
        from custctl.engines.mssql.freshness import read_freshness

        try:
            return read_freshness(driver, self._settings.schema)
        except pyodbc.Error as error:
            driver.close()
            raise self._translated(error, f"node {node}") from self._scrubbed(error)

    def _driver(self, connection: Connection) -> Supervised:
        driver = connection.connection.dbapi_connection
        assert isinstance(driver, Supervised)
        return driver

    def _give_time(self, connection: Connection, seconds: float | None) -> None:
        driver = self._driver(connection)
        driver.patience, driver.on_silence = seconds, None

    # -- transactions ------------------------------------------------------------------------------

    def _begin(self, connection: Connection) -> None:
        # SQLAlchemy ends what it knows of: without its own transaction it would take a commit for done.
        if connection.get_transaction() is None:
            connection.begin()
        self._driver(connection).begin()

    def _begin_snapshot(self, connection: Connection) -> None:
        """Begin a transaction that sees one state, where the database allows that kind.

        Elsewhere each statement sees what is committed when it begins, as the server has it by default; rows are read
        in the order of their key, and none of them twice.
        """
        driver = self._driver(connection)
        if has_snapshots(driver):
            self._sees_one_state = True
            # A compatible server may have the property, and not the level.
            self._set(driver, ["SET TRANSACTION ISOLATION LEVEL SNAPSHOT"])
            self._begin(connection)

    def _roll_back(self, connection: Connection) -> None:
        super()._roll_back(connection)
        if self._sees_one_state:
            self._sees_one_state = False
            with suppress(pyodbc.Error):
                self._driver(connection).run("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")

    # -- the catalogue -----------------------------------------------------------------------------

    def table_names(self, connection: Connection) -> set[str]:
        query = sa.text(
            "SELECT t.name FROM sys.tables AS t INNER JOIN sys.schemas AS s ON s.schema_id = t.schema_id"
            " WHERE s.name = :schema"
        )
        return {name for (name,) in connection.execute(query, {"schema": self._settings.schema})}

    def create_tables(self, connection: Connection, tables: Sequence[Table]) -> None:
        there = self.table_names(connection)
        for table in tables:
            if table.name not in there:
                declared, unique = _declared(table)
                connection.execute(CreateTable(declared))
                for index in unique:
                    connection.exec_driver_sql(index.format(schema=quote(self._settings.schema)))

    def read_only(self) -> ColumnElement[str]:
        told = sa.func.DATABASEPROPERTYEX(sa.func.DB_NAME(), sa.literal_column("N'Updateability'"))
        is_read_only = sa.cast(told, sa.Unicode(60)) == sa.literal_column("N'READ_ONLY'", sa.Unicode)
        return sa.case((is_read_only, sa.literal_column("N'yes'")), else_=sa.literal_column("N'no'"))

    def now(self) -> ColumnElement[str]:
        return sa.cast(sa.func.SYSUTCDATETIME(), Timestamp())

    def lock(self, connection: Connection, name: str) -> None:
        from custctl.engines.mssql.session import resource, take_lock

        timeout = int(self._settings.statement_timeout * 900) or -1
        answer = take_lock(
            self._driver(connection), resource(self._settings.schema, name), owner="Transaction", timeout=timeout
        )
        if answer < 0:
            told = UnavailableError(
                f"a lock at {self._at_node()} was not to be had in time",
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

    def version_text(self, column: ColumnElement[Any], prefix: str) -> ColumnElement[str]:
        return sa.type_coerce(column, _VersionText(prefix))

    def touch(self) -> dict[str, ColumnElement[Any]]:
        # No trigger does this: with one, a statement could not return the row that it wrote.
        return {"updated_at": self.now()}

    # -- volume ------------------------------------------------------------------------------------

    def merge(
        self,
        connection: Connection,
        table: Table,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        *,
        key: str,
        insert: bool,
        update: bool,
    ) -> Merge:
        from custctl.engines.mssql.bulk import merge

        driver, schema = self._driver(connection), self._settings.schema
        try:
            return merge(driver, schema, table, columns, rows, key=key, insert=insert, update=update)
        except pyodbc.Error as error:
            told = self.translate(error)
            if number(error) in TAKEN or told.details.get("field") == "email":
                raise GivenUpError(told) from self._scrubbed(error)
            raise

    def stream(self, connection: Connection, statement: Select[Any], size: int) -> Iterator[list[tuple[Any, ...]]]:
        with connection.execution_options(yield_per=size).execute(statement) as result:
            for rows in result.partitions():
                yield [tuple(row) for row in rows]

    # -- search ------------------------------------------------------------------------------------

    def fold_key(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        # An email is stored in lower case: its unique index serves as it is.
        if column.name == "email":
            return column
        return sa.func.LOWER(column.collate(_FOLDING), type_=sa.Unicode).collate(COLLATION)

    def fold_order(self, key: ColumnElement[Any]) -> ColumnElement[Any]:
        return key  # the columns compare by code point, and so does what is made of them

    def starts_with(self, column: ColumnElement[Any], text: str) -> list[ColumnElement[bool]]:
        # The ranges are what an index finds; the patterns decide.
        ranges = [_begins_with(column, low) for low in _spellings(text)]
        return [sa.and_(sa.or_(*ranges), self._is_like(column, text, "", "%"))]

    def contains(
        self, connection: Connection, statement: Select[Any], columns: Sequence[ColumnElement[Any]], text: str
    ) -> tuple[Select[Any], ColumnElement[Any]]:
        identity: ColumnElement[Any] = columns[0].table.c.id
        found = [self._is_like(column, text, "%", "%") for column in columns]
        return statement.where(sa.or_(*found)), identity

    def _is_like(self, column: ColumnElement[Any], text: str, before: str, behind: str) -> ColumnElement[bool]:
        # Folded here: what a function makes of a parameter has a collation that is at odds with the column's.
        patterns = [f"{before}{_literal(folded)}{behind}" for folded in _foldings(text)]
        return sa.or_(*(self.fold_key(column).like(pattern) for pattern in patterns))

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

        with self._errors():
            connection = self._connect()
            driver = self._driver(connection)
            # Another run's scripts may take hours; that the server is alive is asked for now and then.
            driver.patience, driver.on_silence = None, self.check_alive
            driver.limit_statements(None)
            name = resource(self._settings.schema, "migrations")
            with session_lock(driver, name, timeout, on_wait):
                yield

    @contextmanager
    def script_session(self) -> Iterator[ScriptSession]:
        from custctl.engines.mssql.session import MssqlScriptSession, resource

        with self._errors():
            session = MssqlScriptSession(self, resource(self._settings.schema, "migrations"))
            try:
                yield session
            finally:
                session.rollback()
                self._remember_scripts()

    def settle(self, connection: Connection, statement: Statement) -> bool | None:
        return None  # what runs outside of a transaction here leaves no one place to look at

    # -- replication -------------------------------------------------------------------------------

    def _member(self, node: Node) -> Member:
        from custctl.engines.mssql.member import MssqlMember

        settings = self._settings
        # From `master` a node can be asked and steered whatever state the database is in.
        outside = type(self)(replace(settings, name="master", nodes=(node,)))
        return MssqlMember(
            node,
            outside._dial(node),
            lambda error: self._translated(error, f"node {node}"),
            settings.name,
            settings.schema,
            settings.connect_timeout,
        )

    # -- diagnosis ---------------------------------------------------------------------------------

    def preconditions(self, connection: Connection) -> Iterator[Check]:
        from custctl.engines.mssql.diagnosis import preconditions

        yield from preconditions(self, connection)

    def checks(self, scripts: Path) -> Iterator[Check]:
        from custctl.engines.mssql.diagnosis import checks

        yield from checks(self, scripts)


class _VersionText(TypeDecorator[str]):
    """A row's version as clients see it, made of the eight bytes when they arrive."""

    impl = sa.BINARY(8)
    cache_ok = True

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self.prefix = prefix

    def process_result_value(self, value: Any, dialect: Dialect) -> str:
        """Return text, of what the driver returned."""
        return self.prefix + bytes(value).hex()


def has_snapshots(driver: Supervised) -> bool:
    """Tell whether the database allows transactions that see one state."""
    try:
        rows = driver.run("SELECT snapshot_isolation_state FROM sys.databases WHERE name = DB_NAME()")
    except pyodbc.Error:
        return False
    return bool(rows) and rows[0][0] == 1


def _is_read_only(driver: Supervised) -> bool:
    rows = driver.run("SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS NVARCHAR(60))")
    return bool(rows) and rows[0][0] == "READ_ONLY"


def _knock(node: Node, timeout: float) -> None:
    """Find out at once what the driver finds out only when its whole time is over: that nobody listens."""
    try:
        socket.create_connection((node.host, node.port), timeout=timeout).close()
    except TimeoutError:
        raise UnavailableError(
            f"node {node} cannot be reached: no answer within {timeout:g} s",
            hint="check that the server runs, and `database.nodes` in the profile",
        ) from None
    except OSError as error:
        raise UnavailableError(
            f"node {node} cannot be reached: {(error.strerror or str(error)).lower()}",
            hint="check that the server runs, and `database.nodes` in the profile",
        ) from None


def _declared(table: Table) -> tuple[Table, list[str]]:
    """Return a table as it is declared here, and the indexes that stand for its unique columns.

    Text gets a collation of its own. SQL Server takes two NULLs for the same: a unique column that may be NULL has an
    index that only finds it. One without the NULLs would make writing depend on the settings of the session, which
    scripts change.
    """
    declared = table.to_metadata(sa.MetaData(naming_convention=table.metadata.naming_convention))
    indexes = []
    for constraint in list(declared.constraints):
        if isinstance(constraint, sa.UniqueConstraint):
            (column,) = constraint.columns
            declared.constraints.discard(constraint)
            kind, ending = ("INDEX", "") if column.nullable else ("UNIQUE INDEX", "_unique")
            indexes.append(
                f"CREATE {kind} {quote(f'{table.name}_{column.name}{ending}')}"
                f" ON {{schema}}.{quote(table.name)} ({quote(column.name)})"
            )
    for column in declared.columns:
        if isinstance(column.type, sa.Unicode | sa.UnicodeText):
            column.type = type(column.type)(column.type.length, collation=COLLATION)
    return declared, sorted(indexes)


def _begins_with(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Return a range that holds all values which begin with a text, by UTF-16 units as well as by code point."""
    last = ord(text[-1]) + 1
    if last in (0x10000, 0x110000):  # behind which other characters follow in the other order, or none at all
        return column >= text
    return sa.and_(column >= text, column < text[:-1] + chr(0xE000 if last == 0xD800 else last))


def _literal(text: str) -> str:
    """Return a text as a pattern that matches it alone.

    By classes of one character, not by ESCAPE: a compatible server loses an escaped character behind `%`.
    """
    return "".join(f"[{char}]" if char in "%_[" else char for char in text)


def _fold(char: str) -> str:
    """Return a letter in lower case, as LOWER does; one that has none of a single letter stays."""
    return char.lower() if len(char.lower()) == 1 else char


def _foldings(text: str) -> list[str]:
    """Return what LOWER may make of values that are `text` but for case."""
    left = _SPELLED_LETTERS
    choices: list[tuple[str, ...]] = []
    for char in map(_fold, text):
        further = _FURTHER_CASES.get(char) if left else None
        left -= further is not None
        choices.append((char, further) if further else (char,))
    return ["".join(chars) for chars in product(*choices)]


def _spellings(text: str) -> list[str]:
    """Return the beginnings, in each case, that values which begin with `text` have."""
    choices = []
    for char in text[:_SPELLED_LETTERS]:
        forms = (char, char.lower(), char.upper(), char.title(), _FURTHER_CASES.get(_fold(char), char))
        choices.append(tuple(dict.fromkeys(form for form in forms if len(form) == 1)))
    return ["".join(chars) for chars in product(*choices)]
