"""PostgreSQL behind the common interface, using psycopg."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg
from psycopg import sql

from custctl.engines.model import Check, Index, LockHolder, Merge, Node, Remains, SearchIndex
from custctl.engines.postgresql import errors, read_only, triggers
from custctl.engines.postgresql.attempts import PROTOCOL_VIOLATION, is_answer, translate_attempt
from custctl.engines.postgresql.connection import AttemptError, LimitedConnection, NoPasswordError
from custctl.engines.postgresql.login import (
    options,
    parameters,
    script_settings,
    search_path,
    session_settings,
    unlimited_transactions,
)
from custctl.engines.postgresql.pooling import is_pooled, require_session, set_config
from custctl.engines.postgresql.running import PostgresqlConnection
from custctl.engines.postgresql.timeline import TIMELINE
from custctl.engines.server import DriverError, DriverErrors, ServerDatabase
from custctl.engines.shaping import Fix, Product
from custctl.schema import names
from custctl.support.errors import CredentialError, CustctlError, InvalidError, NoCredentialError, RefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from custctl.engines.connection import Connection
    from custctl.engines.members import Member
    from custctl.engines.reads import Freshness, LogPosition
    from custctl.engines.resuming import Lost
    from custctl.engines.scripting import ScriptSession
    from custctl.engines.scripts import Language, Lint, Statement
    from custctl.schema.own import Field
    from custctl.schema.shape import Difference, Shape

# A type has the name of each table, too.
_NO_TABLES = """
SELECT relname, CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
                             WHEN 'p' THEN 'partitioned table' WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'type'
                             ELSE 'index' END
  FROM pg_catalog.pg_class
 WHERE relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND relname = ANY (%(tables)s) AND relkind <> 'r'
UNION ALL
SELECT typname, 'type' FROM pg_catalog.pg_type
 WHERE typnamespace = to_regnamespace(quote_ident(%(schema)s)) AND typname = ANY (%(tables)s) AND typtype <> 'c'
"""


class PostgresqlDatabase(ServerDatabase):
    """A database of a PostgreSQL server, 15 or newer."""

    engine_name = "postgresql"
    waits_for_standbys = True
    driver_error = psycopg.Error
    driver_errors: ClassVar[DriverErrors] = errors

    # -- connecting --------------------------------------------------------------------------------

    def _over(self, driver: LimitedConnection) -> PostgresqlConnection:
        return PostgresqlConnection(driver, self.settings.schema)

    def dial(self, node: Node) -> LimitedConnection:
        password, missing = self._password()
        login = parameters(self.settings, node, password)
        try:
            return self._connected(login)
        except psycopg.Error as error:
            if missing is not None and isinstance(error, NoPasswordError):
                raise missing from None
            where, tls = f"node {node}", self.settings.tls != "off"
            # Its traceback holds an attempt that timed out: the server would wait for it.
            error.__traceback__ = None
            told = translate_attempt(error, where, self.login_name(), login.get("sslrootcert"), tls=tls)
            raise told from DriverError(errors.words(error), answered=is_answer(error))

    def _connected(self, login: dict[str, Any]) -> LimitedConnection:
        given = {**login, "options": options(self.settings)}
        try:
            driver = LimitedConnection.connect(**given, autocommit=True)
        except AttemptError as error:
            if error.sqlstate != PROTOCOL_VIOLATION:
                raise
            # A pooler that accepts no settings with the login.
            driver = LimitedConnection.connect(**{**login, "options": ""}, autocommit=True)
        driver.pooled = is_pooled(driver)
        if driver.pooled:
            driver.prepare_threshold = None
        return driver

    def _password(self) -> tuple[str | None, NoCredentialError | None]:
        """Return the password, or the error to raise if there is none and the server wants one."""
        try:
            return self.settings.password(), None
        except NoCredentialError as missing:
            return None, missing

    def _is_primary(self, driver: LimitedConnection) -> bool:
        return read_only.is_primary(driver)

    def _is_fenced(self, driver: LimitedConnection) -> bool:
        return read_only.is_fenced(driver)

    def _freshness(self, node: Node, driver: LimitedConnection) -> Freshness | None:
        from custctl.engines.postgresql.freshness import read_freshness

        before, driver.patience = driver.patience, self.settings.connect_timeout
        try:
            return read_freshness(driver, self.settings.schema)
        except psycopg.Error as error:
            driver.close()
            raise self.translated(error, f"node {node}") from self.scrubbed(error)
        finally:
            driver.patience = before

    def translated(self, error: Exception, where: str, statement: str | None = None) -> CustctlError:
        told = super().translated(error, where, statement)
        original = self._original(error)
        if isinstance(original, psycopg.errors.InsufficientPrivilege) and isinstance(told, CredentialError):
            told.hint = self._next_step(original, statement) or told.hint
        return told

    def _next_step(self, error: psycopg.Error, statement: str | None) -> str | None:
        """Return the hint for how the login gets a missing privilege; None if the server does not report it.

        It uses a new connection, because the one that was refused may be inside a transaction or have another role.
        """
        from custctl.engines.postgresql.denials import Denial, next_step

        if self.node is None:
            return None
        denial = Denial.read(error.diag.message_primary or "", statement)
        with suppress(psycopg.Error, CustctlError), self.dial(self.node) as driver:
            driver.patience = self.settings.connect_timeout
            return next_step(driver, denial, self.settings.schema, error)
        return None

    def _driver(self, connection: Connection) -> LimitedConnection:
        driver = connection.driver
        assert isinstance(driver, LimitedConnection)
        return driver

    def _give_time(self, connection: Connection, seconds: float | None) -> None:
        driver = self._driver(connection)
        driver.patience, driver.on_silence = seconds, None

    # -- transactions ------------------------------------------------------------------------------

    def _begin(self, connection: Connection) -> None:
        cursor = self._start(connection, "READ COMMITTED", {}, triggers.ASK)
        while cursor.nextset():
            pass
        triggers.check(self, self._driver(connection), cursor)

    def begin_reading(self, connection: Connection) -> None:
        if self._driver(connection).pooled:
            self._start(connection, "READ COMMITTED", self._no_hurry(connection))

    def _start(
        self, connection: Connection, level: str, settings: dict[str, str], *others: str
    ) -> psycopg.Cursor[tuple[Any, ...]]:
        """Begin a transaction with these settings in one round trip; behind a pooler, with all of ours.

        Args:
            others: statements that are sent with it.
        """
        driver = self._driver(connection)
        told = {**session_settings(self.settings), **settings} if driver.pooled else settings
        setting = [set_config(told, local=True)] if told else []
        return driver.execute("; ".join((f"BEGIN ISOLATION LEVEL {level}", *setting, *others)))

    def _commit_and_locate(self, connection: Connection) -> LogPosition | None:
        from custctl.engines.postgresql.freshness import commit

        driver = self._driver(connection)
        committed = commit(driver, self.settings.schema)
        if not committed.confirmed and self.settings.replicas is not None:
            self.settings.replicas.unconfirmed(self.at_node())
        if committed.record_due:
            self._record_synchronous(driver)
        return committed.reached

    def _record_synchronous(self, driver: LimitedConnection) -> None:
        """Record which standbys a commit waits for; if that fails, the next write does it."""
        from custctl.engines.postgresql import recording

        before, driver.patience = driver.patience, self.settings.connect_timeout
        try:
            recording.write(driver, self.settings.schema)
        except psycopg.Error:
            if driver.closed:
                self.close()
        finally:
            driver.patience = before

    def _remember_scripts(self) -> None:
        from custctl.engines.postgresql import recording

        super()._remember_scripts()
        link = self._link
        if self.settings.replicas is None or link is None or link.driver.closed:
            return
        with suppress(psycopg.Error):
            due = link.driver.execute(recording.due(self.settings.schema)).fetchone()
            if due is not None and due[0]:
                self._record_synchronous(link.driver)

    def _begin_snapshot(self, connection: Connection) -> None:
        self._start(connection, "REPEATABLE READ READ ONLY", self._no_hurry(connection))

    def _no_hurry(self, connection: Connection) -> dict[str, str]:
        """Return the settings of a transaction whose output may have a slow reader."""
        lifted = unlimited_transactions(self._driver(connection).info.server_version)
        return {"idle_in_transaction_session_timeout": "0", **lifted}

    # -- the catalogue -----------------------------------------------------------------------------

    def table_names(self, connection: Connection) -> set[str]:
        query = (
            "SELECT relname FROM pg_catalog.pg_class"
            " WHERE relkind IN ('r', 'p') AND relnamespace = to_regnamespace(quote_ident(%(schema)s))"
        )
        return {name for (name,) in connection.send(query, ("schema",), {"schema": self.settings.schema})}

    def non_tables(self, connection: Connection) -> list[tuple[str, str]]:
        values = {"schema": self.settings.schema, "tables": list(names.TABLES)}
        return [(name, kind) for name, kind in connection.send(_NO_TABLES, tuple(values), values)]

    def create_tables(self, connection: Connection) -> None:
        # Not IF NOT EXISTS, which requires the privilege even when there is nothing to do.
        query = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = %(schema)s"
        if connection.send(query, ("schema",), {"schema": self.settings.schema}).first() is None:
            connection.send(f"CREATE SCHEMA {connection.quote(self.settings.schema)}")
        for table in names.BOOTSTRAP:
            connection.run(f"create.{table}")

    def refusal_of_writes(self, connection: Connection) -> RefusedError:
        return read_only.refusal(self, self._driver(connection))

    def lock(self, connection: Connection, name: str) -> None:
        query = "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(%(name)s, 0))"
        connection.send(query, ("name",), {"name": f"custctl/{self.settings.schema}/{name}"})

    # -- version-checked writes --------------------------------------------------------------------

    def store_hash(self, connection: Connection, owner: int, stored: str) -> None:
        # The server may log a parameter, for example with `log_statement`, but not the data of a COPY. If a COPY fails,
        # the server quotes the line, unless it is binary. A concurrent writer waits, and finds the first one's row.
        self.lock(connection, f"{names.PASSWORD}/{owner}")
        connection.run("password.delete", owner=owner)
        copy = sql.SQL("COPY {} (customer_id, hash) FROM STDIN (FORMAT binary)").format(
            sql.Identifier(self.settings.schema, names.PASSWORD)
        )
        try:
            with self._driver(connection).cursor() as cursor, cursor.copy(copy) as stream:
                stream.set_types(("int8", "text"))
                stream.write_row((owner, stored))
        except psycopg.DataError as error:
            # Its message quotes the hash.
            raise InvalidError(
                f"the column `hash` of `{names.PASSWORD}` does not accept a hash",
                hint="`custctl doctor` compares the schema",
                details={"sqlstate": error.sqlstate},
            ) from None

    # -- volume ------------------------------------------------------------------------------------

    def own_fields(self, connection: Connection) -> list[Field]:
        from custctl.engines.postgresql.columns import own_fields

        return own_fields(connection)

    def constrained(self, connection: Connection, constraint: str | None) -> list[str]:
        from custctl.engines.postgresql.columns import constrained

        return constrained(connection, constraint)

    def referring(self, connection: Connection) -> list[tuple[str, str, str]]:
        from custctl.engines.postgresql.columns import referring

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
        from custctl.engines.postgresql.bulk import merge

        driver, schema = self._driver(connection), self.settings.schema
        own = connection.own.by_name
        return merge(driver, schema, table, columns, own, rows, key=key, insert=insert, update=update)

    def drop_secondary_indexes(self, connection: Connection, table: str, at_most: int) -> Sequence[Index]:
        from custctl.engines.postgresql.secondary import drop

        return drop(connection, table, at_most)

    def has_index(self, connection: Connection, table: str, name: str) -> bool:
        named = {"name": connection.qualified(name)}
        return bool(connection.send("SELECT to_regclass(%(name)s) IS NOT NULL", ("name",), named).scalar())

    def make_index(self, connection: Connection, index: Index) -> None:
        # There is no time limit; instead, `check_alive` runs now and then.
        driver = self._driver(connection)
        driver.patience, driver.on_silence = None, self.check_alive
        unlimited = {"statement_timeout": "0", **unlimited_transactions(driver.info.server_version)}
        connection.send(set_config(unlimited, local=True))
        super().make_index(connection, index)

    # -- migrations --------------------------------------------------------------------------------

    def features(self) -> frozenset[str]:
        query = """
        SELECT 1 FROM pg_catalog.pg_available_extension_versions AS v
         WHERE v.name = 'pg_trgm'
           AND (v.installed OR (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
                OR (v.trusted AND has_database_privilege(current_database(), 'CREATE')))
        """
        with self.reading() as connection:
            return frozenset({"pg_trgm"}) if connection.send(query).first() else frozenset()

    @property
    def language(self) -> Language:
        from custctl.engines.postgresql import script

        return script

    @property
    def lint(self) -> Lint:
        from custctl.engines.postgresql.lint import lint

        return lint

    def fails_in_transaction(self, statement: Statement) -> bool:
        from custctl.engines.postgresql.script import needs_autocommit

        # Some forms of the subscription statements may run in a transaction, as pg_dump writes them.
        return needs_autocommit(statement) and "SUBSCRIPTION" not in statement.text.upper().split()[:2]

    def runs_alone(self, statement: Statement) -> bool:
        from custctl.engines.postgresql.script import may_commit, needs_autocommit, restores_session

        # A session setting may end a transaction before its journal entry is written; setting it twice is harmless.
        return needs_autocommit(statement) or may_commit(statement) or restores_session(statement)

    def settings_of(self, statements: Sequence[Statement]) -> list[int]:
        from custctl.engines.postgresql.resuming import settings

        return settings(statements)

    def essential_setting(self, statement: Statement) -> str | None:
        from custctl.engines.postgresql.script import changes_role

        # If another setting is missing, a later statement that needs it gives a better error.
        return "role" if changes_role(statement) else None

    def lost(self, applied: Sequence[Statement], rest: Sequence[Statement]) -> Lost | None:
        from custctl.engines.postgresql.resuming import lost

        return lost(applied, rest)

    @contextmanager
    def migration_lock(self, timeout: float, on_wait: Callable[[LockHolder | None], None]) -> Iterator[None]:
        from custctl.engines.postgresql.session import advisory_lock, lock_key

        with self.errors():
            connection = self.connect()
            self._give_time(connection, self._limit())
            node = self.node
            assert node is not None
            require_session(self._driver(connection), lambda: self.dial(node), f"node {node}", "a migration")
            with advisory_lock(self._driver(connection), lock_key(self.settings.schema), timeout, on_wait):
                yield

    @contextmanager
    def script_session(self) -> Iterator[ScriptSession]:
        from custctl.engines.postgresql.session import PostgresqlScriptSession

        with self.errors():
            driver = self._driver(self.connect())
            triggers.check(self, driver, driver.execute(triggers.ASK))
            session = PostgresqlScriptSession(self, script_settings(self.settings, driver.info.server_version))
            try:
                yield session
            finally:
                session.close()
                self._remember_scripts()

    def plan_own_words(self, connection: Connection, columns: Sequence[str]) -> tuple[SearchIndex, ...]:
        from custctl.engines.postgresql.own_words import missing

        return tuple(missing(connection, columns))

    def first_own_words(self, columns: Sequence[str], scripts: Collection[str]) -> tuple[str, ...]:
        from custctl.engines.postgresql.own_words import first

        return first(columns, scripts)

    def build_own_words(self, session: ScriptSession, index: SearchIndex) -> None:
        from custctl.engines.postgresql.own_words import build

        build(session, index)

    def settle(self, connection: Connection, statement: Statement) -> bool | None:
        from custctl.engines.postgresql.settling import settle

        return settle(self._driver(connection), statement)

    # -- replication -------------------------------------------------------------------------------

    def branch(self, connection: Connection) -> str | None:
        return str(connection.send(f"SELECT {TIMELINE}").scalar())

    def _member(self, node: Node) -> Member:
        from custctl.engines.postgresql.member import PostgresqlMember

        return PostgresqlMember(
            node,
            lambda: self.dial(node),
            lambda error: self.translated(error, f"node {node}"),
            self.settings.schema,
            self.settings.connect_timeout,
        )

    # -- shape -------------------------------------------------------------------------------------

    def read_shape(self, connection: Connection) -> Shape:
        from custctl.engines.postgresql.shape import read_shape

        return read_shape(connection)

    @property
    def client(self) -> str:
        node = self.settings.nodes[0]
        at = f"-h {node.host} -p {node.port} -d {shlex.quote(self.settings.name)}"
        return f"psql -v ON_ERROR_STOP=1 --single-transaction {at} -f FILE"

    @property
    def opening(self) -> Sequence[str]:
        return (f"SET search_path = {search_path(self.settings.schema)}",)

    def product(self) -> Product:
        from custctl.engines.postgresql.made import MADE

        return Product.of(MADE)

    def fixes(
        self, connection: Connection, differences: Sequence[Difference], expected: Shape, found: Shape
    ) -> list[Fix]:
        from custctl.engines.postgresql.fixes import fixes
        from custctl.engines.postgresql.obstacles import obstacles

        return fixes(differences, expected, found, obstacles(connection))

    def take_back_row(self, connection: Connection, table: str, number: int) -> None:
        super().take_back_row(connection, table, number)
        name = connection.qualified(table)
        sequence = "pg_catalog.pg_get_serial_sequence(%(name)s, 'id')"
        newest = f"SELECT pg_catalog.setval({sequence}, coalesce(max(id), 1), max(id) IS NOT NULL) FROM {name.replace('%', '%%')}"
        connection.send(newest, ("name",), {"name": name})

    def require_all_rows(self, connection: Connection) -> None:
        table = connection.qualified(names.CUSTOMER)
        query = "SELECT pg_catalog.row_security_active(%(table)s::text)"
        if connection.send(query, ("table",), {"table": table}).scalar():
            raise CredentialError(
                f"row-level security of `{names.CUSTOMER}` may hide customers from {self.login_name()}",
                hint="use a login that it does not restrict (`BYPASSRLS`)",
            )

    def remains(self) -> Sequence[Remains]:
        from custctl.engines.postgresql.remains import remains

        return remains(self.settings.schema)

    # -- diagnosis ---------------------------------------------------------------------------------

    def preconditions(self, connection: Connection) -> Iterator[Check]:
        from custctl.engines.postgresql.diagnosis import preconditions

        yield from preconditions(self, connection)

    def checks(self, scripts: Path) -> Iterator[Check]:
        from custctl.engines.postgresql.diagnosis import checks

        yield from checks(self, scripts)
