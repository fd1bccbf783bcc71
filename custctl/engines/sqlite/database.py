"""SQLite, the embedded engine, behind the common interface."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from custctl.engines.base import Database, EngineSettings
from custctl.engines.connecting import T
from custctl.engines.constraints import withheld
from custctl.engines.model import Check, Index, LockHolder, Merge, Remains, SearchIndex
from custctl.engines.sqlite import file, folding, forms, lanes
from custctl.engines.sqlite.errors import translate
from custctl.engines.sqlite.running import SqliteConnection, begin_immediate, value_of
from custctl.schema import names
from custctl.support import letters, signals
from custctl.support.errors import CustctlError, PendingError, StatementError
from custctl.support.identity import system_user

if TYPE_CHECKING:
    from pathlib import Path

    from custctl.engines.connection import Connection
    from custctl.engines.results import Row
    from custctl.engines.resuming import Lost
    from custctl.engines.scripting import ScriptSession
    from custctl.engines.scripts import Language, Lint, Statement
    from custctl.engines.shaping import Fix, Product
    from custctl.schema.own import Field
    from custctl.schema.shape import Difference, Shape

# In negative KiB. 32 MiB hold the upper levels of all indexes of ten million customers; a short command uses little of it.
_CACHE = -32768
# Not `temp_store = MEMORY`: it would also keep a statement's rollback data in memory, all the pages that it writes.
_SETTINGS = (
    "foreign_keys = ON",
    # Overwrite deleted data, whatever SQLite's build options.
    "secure_delete = ON",
    f"cache_size = {_CACHE}",
    # Write the log back only after 16 MiB, so that an import writes each index page less often.
    "wal_autocheckpoint = 4000",
)
_READERS_MS = 500  # how long emptying the log waits for readers
_PROGRESS_STEPS = 50_000  # virtual machine instructions between checks of the clock: about a millisecond


class SqliteDatabase(Database):
    """A database in one file; in WAL mode if custctl created it."""

    engine_name = "sqlite"
    has_logins = False

    def __init__(self, settings: EngineSettings) -> None:
        if settings.path is None:
            raise ValueError("sqlite needs a path")
        self.location = settings.location
        self.path: Path = settings.path
        self.timeout = settings.statement_timeout
        self._deadline: float | None = None
        self._expired = False
        self._interrupt: BaseException | None = None
        self._erases = False
        self._connection: SqliteConnection | None = None

    # -- connecting --------------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        if not self.exists():
            raise PendingError(f"{self.location} does not exist yet", hint="run `custctl migrate`")
        # The driver is in autocommit; otherwise it would begin and commit by itself.
        mode = "immutable=1" if file.is_immutable(self.path) else "mode=rw"
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?{mode}", uri=True, isolation_level=None, timeout=self.timeout
        )
        try:
            connection.create_function("custctl_lane", 5, lanes.lane, deterministic=True)
            connection.create_function("custctl_starts_with", 2, folding.starts_with, deterministic=True)
            connection.create_function("custctl_holds", 2, letters.holds, deterministic=True)
            connection.create_function("custctl_moment", 1, forms.moment, deterministic=True)
            connection.create_function("custctl_json", 1, forms.json_form, deterministic=True)
            connection.create_function("custctl_login", 0, system_user)
            connection.set_progress_handler(self._on_progress, _PROGRESS_STEPS)
            for setting in _SETTINGS:
                connection.execute(f"PRAGMA {setting}")
        except BaseException:
            # The error's traceback would keep the file open.
            connection.close()
            raise
        return connection

    def _on_execute(self) -> None:
        if self._deadline is not None:
            self._deadline = time.monotonic() + self.timeout

    def _on_progress(self) -> int:
        # Signal handlers also run here, during a long statement; sqlite3 would drop the exceptions they raise.
        try:
            self._expired = self._deadline is not None and time.monotonic() > self._deadline
            return int(self._expired)
        except BaseException as interrupt:  # noqa: BLE001 - raised again by `_translated`
            self._interrupt = interrupt
            return 1

    def connect(self) -> SqliteConnection:
        if self._connection is None or self._connection.closed:
            self._connection = SqliteConnection(self._open(), "", self._on_execute)
            self._connection.own = self.own
        return self._connection

    def detach(self) -> SqliteConnection | None:
        """Hand over the open connection, if any; `connect` then opens a new one."""
        connection, self._connection = self._connection, None
        return connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def exists(self) -> bool:
        return file.exists(self.path, self.location)

    def create(self) -> None:
        # An empty file may be left by a process that was killed here.
        if self.exists() and self.path.stat().st_size > 0:
            return
        file.create(self.path, self.location)
        with self.errors(), closing(self._open()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")

    @contextmanager
    def errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._translated(error) from error
        except StatementError as error:
            raise self._translated(error) from error.orig

    def _translated(self, error: Exception) -> BaseException:
        if self._interrupt is not None:
            interrupt, self._interrupt = self._interrupt, None
            return interrupt
        expired, self._expired = self._expired, False
        driver_error = error.orig if isinstance(error, StatementError) else error
        name = getattr(driver_error, "sqlite_errorname", None)
        # A signal handler may raise before `_on_progress` is inside its `try`, or in a function that SQL calls; the
        # driver then drops the exception.
        if signals.received is not None and name in ("SQLITE_INTERRUPT", "SQLITE_ERROR"):
            return signals.received
        if name == "SQLITE_INTERRUPT" and not expired:
            return KeyboardInterrupt()
        return self.translate(error)

    def translate(self, error: Exception) -> CustctlError:
        driver_error = error.orig if isinstance(error, StatementError) else error
        name = getattr(driver_error, "sqlite_errorname", None) or ""
        denied = file.denied(name, self.path, self.location)
        if denied is not None:
            return denied
        return translate(driver_error or error, self.location)

    # -- transactions ------------------------------------------------------------------------------

    @contextmanager
    def reading(self, *, snapshot: bool = False, replica: bool = False) -> Iterator[Connection]:
        # A transaction costs nothing here, so all reads see one state.
        with self.errors():
            connection = self.connect()
            self._deadline = time.monotonic() + self.timeout
            try:
                connection.driver.execute("BEGIN")
                yield connection
            finally:
                self._end(connection, "ROLLBACK")
                self._deadline = None

    def transact(self, work: Callable[[Connection], T]) -> T:
        with self.writing() as connection:
            return work(connection)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Hold the write lock during the block and commit at its end; roll back on an error."""
        # The timeout applies to the lock: a batch that has it runs to its end.
        with self.errors():
            connection = self.connect()
            self._erases = False
            begin_immediate(connection.driver, self.timeout)
            try:
                yield connection
                connection.driver.execute("COMMIT")
            except BaseException:
                self._end(connection, "ROLLBACK")
                raise
            if self._erases:
                self._empty_log(connection.driver)

    def _end(self, connection: SqliteConnection, how: str) -> None:
        """End the open transaction, if any; if that fails, close the connection, which ends it as well."""
        try:
            if connection.driver.in_transaction:
                connection.driver.execute(how)
        except sqlite3.Error:
            connection.close()

    # -- the catalogue -----------------------------------------------------------------------------

    def table_names(self, connection: Connection) -> set[str]:
        rows = connection.send("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in rows if not name.startswith("sqlite_")}

    def non_tables(self, connection: Connection) -> list[tuple[str, str]]:
        tables = ", ".join(f"'{name}'" for name in names.TABLES)
        query = (
            "SELECT name, CASE type WHEN 'table' THEN 'virtual table' ELSE type END FROM sqlite_master"
            f" WHERE lower(name) IN ({tables}) AND (type IN ('view', 'index') OR sql LIKE 'CREATE VIRTUAL %')"
        )
        return [(name, kind) for name, kind in connection.send(query)]

    def is_standby(self, connection: Connection) -> bool:
        return False  # a file is never a standby

    def lock(self, connection: Connection, name: str) -> None:
        """Do nothing: only one transaction at a time can write."""

    def erase_copies(self, connection: Connection) -> None:
        from custctl.engines.sqlite.secondary import FULL_TEXT

        # A full-text index only marks deleted entries; `optimize` merges all segments into one without them. FTS5's
        # option `secure-delete` would create a file that SQLite before 3.42 cannot write to.
        there = self.table_names(connection)
        for index in FULL_TEXT:
            if index in there:
                connection.send(f"INSERT INTO {index} ({index}) VALUES ('optimize')")
        # If somebody has run ANALYZE, SQLite keeps samples of the indexed values.
        if value_of(connection.driver, "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat4'") is not None:
            connection.send("DELETE FROM sqlite_stat4 WHERE tbl LIKE 'customer%'")
        self._erases = True

    def _empty_log(self, driver: sqlite3.Connection) -> bool:
        """Write the log back and empty it; return whether that was possible.

        If a reader still uses the log, it stays until a later writer can empty it.
        """
        # The transaction is committed: a failure here must not look like a failed commit.
        with suppress(sqlite3.Error):
            driver.execute(f"PRAGMA busy_timeout = {_READERS_MS}")
            busy = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            driver.execute(f"PRAGMA busy_timeout = {int(self.timeout * 1000)}")
            return not busy
        return False

    def scrub(self) -> Sequence[Remains]:
        # Other clients write without `secure_delete` and leave old values in free space: rewrite the file.
        try:
            with self.errors():
                driver = self.connect().driver
                driver.execute("VACUUM")
                is_read = not self._empty_log(driver)
        except CustctlError as error:
            why = (
                f"the file could not be rewritten: {error.message}; it may hold what other programs deleted or changed"
            )
            return [Remains("free_pages", why, "VACUUM", failed=True)]
        if is_read:
            why = "somebody reads the database: its log could not be written back, and old pages stay until it is"
            return [Remains("write_ahead_log", why, "PRAGMA wal_checkpoint(TRUNCATE)", failed=True)]
        return ()

    def create_tables(self, connection: Connection) -> None:
        for table in names.BOOTSTRAP:
            connection.run(f"create.{table}")

    # -- version-checked writes --------------------------------------------------------------------

    def write_row(self, connection: Connection, columns: Mapping[str, Any], **holds: Any) -> Row | None:
        written = connection.run("customer.update", columns, **holds).first()
        return None if written is None else connection.run("customer.row", id=written[0]).one_or_none()

    def insert_row(self, connection: Connection, columns: Mapping[str, Any]) -> Row:
        made = connection.run("customer.add", columns)
        if made.rowcount == 0:
            raise withheld()
        return connection.run("customer.row", id=made.lastrowid).one()

    def own_fields(self, connection: Connection) -> list[Field]:
        from custctl.engines.sqlite.columns import own_fields

        return own_fields(connection)

    # -- volume ------------------------------------------------------------------------------------

    def constrained(self, connection: Connection, constraint: str | None) -> list[str]:
        from custctl.engines.sqlite.columns import constrained

        return constrained(connection, constraint)

    def referring(self, connection: Connection) -> list[tuple[str, str, str]]:
        from custctl.engines.sqlite.columns import referring

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
        from custctl.engines.sqlite.bulk import OwnColumn, merge

        own = {
            field.name: OwnColumn(partial(connection.own_value, field), partial(connection.own_compared, field))
            for field in connection.own.fields
        }
        return merge(connection.driver, table, columns, own, rows, key=key, insert=insert, update=update)

    def drop_secondary_indexes(self, connection: Connection, table: str, at_most: int) -> Sequence[Index]:
        from custctl.engines.sqlite.secondary import drop

        return drop(connection.driver, table, at_most)

    def has_index(self, connection: Connection, table: str, name: str) -> bool:
        query = "SELECT 1 FROM sqlite_master WHERE name = ?"
        return connection.send(query, ("name",), {"name": name}).first() is not None

    # -- migrations --------------------------------------------------------------------------------

    def make_index(self, connection: Connection, index: Index) -> None:
        from custctl.engines.sqlite.searched import quicker

        # Sorting takes as much memory as the cache, besides the cache.
        connection.send(f"PRAGMA cache_size = {_CACHE // 4}")
        for statement in index.statements:
            connection.send(quicker(connection.driver, statement))
        connection.send(f"PRAGMA cache_size = {_CACHE}")

    def features(self) -> frozenset[str]:
        with closing(sqlite3.connect(":memory:")) as connection:
            options = {row[0] for row in connection.execute("PRAGMA compile_options")}
        has_trigram = sqlite3.sqlite_version_info >= (3, 34)
        return frozenset({"fts5"}) if "ENABLE_FTS5" in options and has_trigram else frozenset()

    @property
    def language(self) -> Language:
        from custctl.engines.sqlite import script

        return script

    @property
    def lint(self) -> Lint:
        from custctl.engines.sqlite.lint import lint

        return lint

    def migration_lock(
        self, timeout: float, on_wait: Callable[[LockHolder | None], None]
    ) -> AbstractContextManager[None]:
        from custctl.engines.sqlite.lock import file_lock

        return file_lock(self.path, timeout, on_wait)

    @contextmanager
    def script_session(self) -> Iterator[ScriptSession]:
        from custctl.engines.sqlite.session import SqliteScriptSession

        with self.errors():
            session = SqliteScriptSession(self)
            try:
                yield session
            finally:
                session.close()

    def plan_own_words(self, connection: Connection, columns: Sequence[str]) -> tuple[SearchIndex, ...]:
        from custctl.engines.sqlite.own_words import missing

        return tuple(missing(connection.driver, columns))

    def first_own_words(self, columns: Sequence[str], scripts: Collection[str]) -> tuple[str, ...]:
        from custctl.engines.sqlite.own_words import first

        return first(columns, scripts)

    def settings_of(self, statements: Sequence[Statement]) -> list[int]:
        from custctl.engines.sqlite.resuming import settings

        return settings(statements)

    def essential_setting(self, statement: Statement) -> str | None:
        return statement.text

    def lost(self, applied: Sequence[Statement], rest: Sequence[Statement]) -> Lost | None:
        from custctl.engines.sqlite.resuming import lost

        return lost(applied, rest)

    def settle(self, connection: Connection, statement: Statement) -> bool | None:
        # Each of these statements can be run again, whether or not it took effect.
        return False if self.language.needs_autocommit(statement) else None

    # -- shape -------------------------------------------------------------------------------------

    def read_shape(self, connection: Connection) -> Shape:
        from custctl.engines.sqlite.shape import read_shape

        return read_shape(connection)

    @property
    def client(self) -> str:
        import shlex

        return f"sqlite3 -bail {shlex.quote(str(self.path))} <FILE"

    def product(self) -> Product:
        from custctl.engines.shaping import Product
        from custctl.engines.sqlite.made import MADE

        return Product.of(MADE)

    def fixes(
        self, connection: Connection, differences: Sequence[Difference], expected: Shape, found: Shape
    ) -> list[Fix]:
        from custctl.engines.sqlite.fixes import fixes

        return fixes(differences, expected, found)

    def take_back_row(self, connection: Connection, table: str, number: int) -> None:
        super().take_back_row(connection, table, number)
        newest = connection.send(f"SELECT MAX(id) FROM {connection.qualified(table)}").scalar()
        values = {"newest": newest, "name": table}
        if newest is None:
            connection.send("DELETE FROM sqlite_sequence WHERE name = ?", ("name",), values)
        else:
            connection.send("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", ("newest", "name"), values)

    # -- diagnosis ---------------------------------------------------------------------------------

    def checks(self, scripts: Path) -> Iterator[Check]:
        from custctl.engines.sqlite.diagnosis import checks

        yield from checks(self, self.path)
