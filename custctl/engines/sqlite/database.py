"""SQLite, the embedded engine, behind the one interface."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateTable

from custctl.engines.base import CELL_END, Check, Database, EngineSettings, Joined, LockHolder, Merge, T
from custctl.engines.sqlite import folding
from custctl.engines.sqlite.errors import translate
from custctl.engines.sqlite.session import SqliteScriptSession, begin_immediate, driver_of
from custctl.schema.sqltypes import Timestamp
from custctl.support import signals
from custctl.support.errors import CredentialError, CustctlError, ExitCode, PendingError, RefusedError

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Result, Row, Select, Table
    from sqlalchemy.sql.dml import Insert, Update

    from custctl.engines.base import ScriptSession
    from custctl.engines.scripts import Language, Lint, Statement

# Not `temp_store = MEMORY`: what a statement needs to be undone is kept there too, all pages that it writes.
_SETTINGS = (
    "foreign_keys = ON",
    # What is deleted is overwritten, whatever SQLite was built with.
    "secure_delete = ON",
    # 32 MiB hold the upper levels of all indexes of ten million customers; a short command fills little of it.
    "cache_size = -32768",
    # 16 MiB of log before it is written back: an import writes each page of an index less often.
    "wal_autocheckpoint = 4000",
)
_READERS_MS = 500  # how long readers are waited for where the log is emptied
_PROGRESS_STEPS = 50_000  # virtual machine instructions between looks at the clock: about a millisecond


class SqliteDatabase(Database):
    """A database in one file, in WAL mode where custctl made it."""

    engine_name = "sqlite"

    def __init__(self, settings: EngineSettings) -> None:
        if settings.path is None:
            raise ValueError("sqlite needs a path")
        self.location = settings.location
        self._path: Path = settings.path
        self._timeout = settings.statement_timeout
        self._deadline: float | None = None
        self._expired = False
        self._interrupt: BaseException | None = None
        self._begin: str | None = None
        self._erases = False
        self._connection: Connection | None = None
        # Not `skip_autocommit_rollback`: the driver is in autocommit, and the transactions are ours all the same.
        self._engine = sa.create_engine("sqlite://", creator=self._open, poolclass=NullPool, hide_parameters=True)
        sa.event.listen(self._engine, "begin", self._on_begin)
        sa.event.listen(self._engine, "before_cursor_execute", self._on_execute)

    # -- connecting --------------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        if not self.exists():
            raise PendingError(f"{self.location} does not exist yet", hint="run `custctl migrate`")
        # Autocommit at the driver: it would begin and commit behind our back otherwise.
        mode = "immutable=1" if self._is_immutable() else "mode=rw"
        connection = sqlite3.connect(
            f"{self._path.as_uri()}?{mode}", uri=True, isolation_level=None, timeout=self._timeout
        )
        connection.create_function("custctl_contains", -1, folding.contains, deterministic=True)
        connection.create_function("custctl_starts_with", 2, folding.starts_with, deterministic=True)
        connection.set_progress_handler(self._on_progress, _PROGRESS_STEPS)
        for setting in _SETTINGS:
            connection.execute(f"PRAGMA {setting}")
        return connection

    def _is_immutable(self) -> bool:
        """Tell whether the file is on a read-only file system, and whole without a log or journal beside it.

        SQLite cannot make there what readers of a database in WAL mode share, and need not: nobody writes.
        """
        if os.name != "posix":
            return False
        with suppress(OSError):
            beside = (Path(f"{self._path}-{kind}") for kind in ("wal", "journal"))
            if os.statvfs(self._path).f_flag & os.ST_RDONLY:
                return not any(path.exists() and path.stat().st_size for path in beside)
        return False

    def _on_begin(self, connection: Connection) -> None:
        if self._begin is not None:
            connection.exec_driver_sql(self._begin)

    def _on_execute(self, *_: object) -> None:
        if self._deadline is not None:
            self._deadline = time.monotonic() + self._timeout

    def _on_progress(self) -> int:
        # Signal handlers run here too, in the midst of a long statement; sqlite3 would drop what they raise.
        try:
            self._expired = self._deadline is not None and time.monotonic() > self._deadline
            return int(self._expired)
        except BaseException as interrupt:  # noqa: BLE001 - raised again by `_told`
            self._interrupt = interrupt
            return 1

    def _connect(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._engine.connect()
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def exists(self) -> bool:
        try:
            self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise CredentialError(
                f"{self.location} cannot be looked at: {error.strerror}", hint="check the modes of the folders above it"
            ) from error
        return True

    def create(self) -> None:
        # An empty file may be one whose maker was killed here.
        if self.exists() and self._path.stat().st_size > 0:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # The file holds personal data: it is its owner's alone until its owner says otherwise.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            with self._errors():
                connection = self._open()
                try:
                    connection.execute("PRAGMA journal_mode = WAL")
                finally:
                    connection.close()
        except OSError as error:
            raise translate_os(error, self.location) from error

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._told(error) from error
        except sa.exc.DBAPIError as error:
            raise self._told(error) from error.orig

    def _told(self, error: Exception) -> BaseException:
        if self._interrupt is not None:
            interrupt, self._interrupt = self._interrupt, None
            return interrupt
        expired, self._expired = self._expired, False
        driver_error = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        name = getattr(driver_error, "sqlite_errorname", None)
        # A signal's handler may raise before `_on_progress` is inside its `try`, or in a function that SQL calls:
        # the driver then drops what it raised.
        if signals.received is not None and name in ("SQLITE_INTERRUPT", "SQLITE_ERROR"):
            return signals.received
        if name == "SQLITE_INTERRUPT" and not expired:
            return KeyboardInterrupt()
        return self.translate(error)

    def translate(self, error: Exception) -> CustctlError:
        driver_error = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        name = getattr(driver_error, "sqlite_errorname", None) or ""
        if name.startswith("SQLITE_CANTOPEN") and not os.access(self._path, os.R_OK):
            return CredentialError(
                f"{self.location} cannot be opened: permission denied", hint="check the owner and the mode of the file"
            )
        if name.startswith("SQLITE_READONLY") and self._is_immutable():
            return CredentialError(
                f"{self.location} cannot be written: its file system is read-only",
                hint="reading works; to write, copy the file to a file system that can be written",
            )
        if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")) and not os.access(self._path.parent, os.W_OK):
            return CredentialError(
                f"{self.location} cannot be used: SQLite makes `-wal` and `-shm` files beside it, and may not",
                hint="get write permission for its folder, or copy the file, with its `-wal`, to a folder of your own",
            )
        return translate(driver_error or error, self.location)

    # -- transactions ------------------------------------------------------------------------------

    @contextmanager
    def reading(self, *, snapshot: bool = False, replica: bool = False) -> Iterator[Connection]:
        # A transaction costs nothing here: all reads are of one state.
        with self._errors():
            connection = self._connect()
            self._begin = "BEGIN"
            self._deadline = time.monotonic() + self._timeout
            try:
                with connection.begin():
                    yield connection
            finally:
                self._deadline = None

    def transact(self, work: Callable[[Connection], T]) -> T:
        with self.writing() as connection:
            return work(connection)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Hold the one write lock during the block, and commit at its end; an error leaves nothing."""
        # The time limit is for the lock: a batch that has it goes on to its end.
        with self._errors():
            connection = self._connect()
            self._begin = None
            self._erases = False
            with connection.begin():
                begin_immediate(driver_of(connection), self._timeout)
                yield connection
            if self._erases:
                self._empty_log(connection)

    # -- the catalogue -----------------------------------------------------------------------------

    def table_names(self, connection: Connection) -> set[str]:
        rows = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in rows if not name.startswith("sqlite_")}

    def read_only(self) -> ColumnElement[str]:
        return sa.literal("no")  # a file follows no other

    def is_standby(self, connection: Connection) -> bool:
        return False

    def lock(self, connection: Connection, name: str) -> None:
        """Do nothing: one transaction at a time can write."""

    def erase_copies(self, connection: Connection) -> None:
        # The index only marks what is deleted. One segment is made of all, without what is marked: the option
        # `secure-delete` of FTS5 would make a file that SQLite before 3.42 cannot write to.
        if self._has_index(connection):
            connection.exec_driver_sql("INSERT INTO customer_search (customer_search) VALUES ('optimize')")
        self._erases = True

    def _has_index(self, connection: Connection) -> bool:
        found = connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'customer_search'")
        return found.scalar() is not None

    def _empty_log(self, connection: Connection) -> None:
        """Write the log back and empty it. A reader in the midst of it keeps it until the next writer gets so far."""
        # It is committed: what fails here must not look as if it were not.
        driver = driver_of(connection)
        with suppress(sqlite3.Error):
            driver.execute(f"PRAGMA busy_timeout = {_READERS_MS}")
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            driver.execute(f"PRAGMA busy_timeout = {int(self._timeout * 1000)}")

    def create_tables(self, connection: Connection, tables: Sequence[Table]) -> None:
        for table in tables:
            connection.execute(CreateTable(table, if_not_exists=True))

    def now(self) -> ColumnElement[str]:
        return sa.func.strftime("%Y-%m-%dT%H:%M:%fZ", "now", type_=Timestamp)

    # -- version-checked writes --------------------------------------------------------------------

    def encode_version(self, raw: Any) -> str:
        return str(raw)

    def decode_version(self, text: str) -> int:
        if not (text.isascii() and text.isdigit()):
            raise ValueError(text)
        return int(text)

    def version_text(self, column: ColumnElement[Any], prefix: str) -> ColumnElement[str]:
        return sa.literal(prefix).concat(sa.cast(column, sa.Text))

    def write_row(
        self, connection: Connection, statement: Update, returned: Sequence[ColumnElement[Any]]
    ) -> Row[Any] | None:
        # Not RETURNING: it shows the row before the trigger that raises the version.
        identity = returned[0]
        written = connection.execute(statement.returning(identity)).one_or_none()
        return None if written is None else self._look_up(connection, written[0], returned).one_or_none()

    def insert_row(self, connection: Connection, statement: Insert, returned: Sequence[ColumnElement[Any]]) -> Row[Any]:
        made = connection.execute(statement).inserted_primary_key
        assert made is not None
        return self._look_up(connection, made[0], returned).one()

    def _look_up(self, connection: Connection, row_id: int, returned: Sequence[ColumnElement[Any]]) -> Result[Any]:
        return connection.execute(sa.select(*returned).where(returned[0] == row_id))

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
        from custctl.engines.sqlite.bulk import merge

        return merge(driver_of(connection), table.name, columns, rows, key=key, insert=insert, update=update)

    def stream(self, connection: Connection, statement: Select[Any], size: int) -> Iterator[list[tuple[Any, ...]]]:
        compiled = statement.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
        names = compiled.positiontup or ()
        cursor = driver_of(connection).execute(str(compiled), [compiled.params[name] for name in names])
        while True:
            self._on_execute()
            rows = cursor.fetchmany(size)
            if not rows:
                return
            yield rows

    def stream_joined(
        self, connection: Connection, statement: Select[Any], size: int
    ) -> Iterator[Joined | list[tuple[Any, ...]]]:
        # One text a row, joined in C, takes half the time of fifteen values.
        key, *cells = list(statement.selected_columns)
        pattern = CELL_END.join(["%s"] * (len(cells) + 1))
        # printf stops at NUL: a row that holds one is told apart.
        nul = sa.literal("\0")
        holes: list[ColumnElement[Any]] = [sa.func.coalesce(sa.func.instr(cell, nul), 0) for cell in cells]
        text = sa.case((sum(holes[1:], holes[0]) > 0, None), else_=sa.func.printf(pattern, key, *cells))
        joined = statement.with_only_columns(key, text)
        for block in self.stream(connection, joined, size):
            texts = [text for _, text in block]
            if None not in texts:
                whole = "\n".join(texts)
                if whole.count("\n") == len(texts) - 1 and whole.count(CELL_END) == len(texts) * len(cells):
                    yield Joined(whole.encode(), len(texts))
                    continue
            rows = statement.where(key.between(block[0][0], block[-1][0]))
            yield from self.stream(connection, rows, size)

    # -- search ------------------------------------------------------------------------------------

    def starts_with(self, column: ColumnElement[Any], text: str) -> list[ColumnElement[bool]]:
        needle, order = folding.fold(text), self.fold_order(self.fold_key(column))
        # Of the order of the index: other letters than ASCII are told apart by their code.
        ranges = [sa.and_(order >= low, order < high) for low, high in sorted(folding.prefix_ranges(needle))]
        if needle.isascii():
            return ranges
        checked = sa.func.custctl_starts_with(needle, column) == 1
        return [sa.and_(one, checked) for one in ranges]

    def fold_order(self, key: ColumnElement[Any]) -> ColumnElement[Any]:
        # An email is stored in lower case: its unique index serves as it is.
        return key if getattr(key, "name", "") == "email" else sa.collate(key, "NOCASE")

    def contains(
        self, connection: Connection, statement: Select[Any], columns: Sequence[ColumnElement[Any]], text: str
    ) -> tuple[Select[Any], ColumnElement[Any]]:
        identity: ColumnElement[Any] = columns[0].table.c.id
        checked = statement.where(sa.func.custctl_contains(folding.fold(text), *columns) == 1)
        query = folding.trigram_query(text)
        if query is None or not self._has_index(connection):
            return checked, identity
        # The index yields its hits in the order of their rowid, and no more of them than are asked for.
        hits = sa.table("customer_search", sa.column("rowid"))
        matching = sa.literal_column("customer_search").op("MATCH")(query)
        return checked.join(hits, hits.c.rowid == identity).where(matching), hits.c.rowid

    # -- migrations --------------------------------------------------------------------------------

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

        return file_lock(self._path, timeout, on_wait)

    @contextmanager
    def script_session(self) -> Iterator[ScriptSession]:
        with self._errors():
            session = SqliteScriptSession(self)
            try:
                yield session
            finally:
                session.close()

    def settle(self, connection: Connection, statement: Statement) -> bool | None:
        # Each of these can be run again whether or not it took effect.
        return False if self.language.needs_autocommit(statement) else None

    # -- diagnosis ---------------------------------------------------------------------------------

    def checks(self, scripts: Path) -> Iterator[Check]:
        yield Check("driver", True, f"sqlite3 of Python, SQLite {sqlite3.sqlite_version}")
        fts5 = "fts5" in self.features()
        yield Check("substring search", True, "FTS5 trigram index" if fts5 else "full scan: this SQLite has no FTS5")
        if not self.exists():
            yield Check("database", False, f"{self._path} does not exist", "run `custctl migrate`", ExitCode.PENDING)
            return
        with self.reading() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            pages, size = (
                connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("page_count", "page_size")
            )
        yield Check("database", True, f"{self._path}, {int(pages or 0) * int(size or 0):,} bytes, journal mode {mode}")
        if mode != "wal":
            yield Check(
                "journal mode", False, str(mode), "readers wait for writers: run `PRAGMA journal_mode = WAL` on it once"
            )
        writable = os.access(self._path, os.W_OK) and os.access(self._path.parent, os.W_OK)
        yield Check(
            "permission",
            writable,
            "readable and writable" if writable else "read-only",
            None if writable else "check the owner and the mode of the file and of its folder",
            ExitCode.CREDENTIAL,
        )
        if os.name == "posix" and self._path.stat().st_mode & 0o007:
            # Advice, not a fault: what is meant to be shared is for its owner to say.
            yield Check("privacy", True, "every user of this machine can open it", f"run `chmod o= {self._path}`")


def translate_os(error: OSError, location: str) -> CustctlError:
    """Return the error of the tree for a file that could not be made."""
    return RefusedError(f"{location} cannot be created: {error.strerror}", hint="check `database.path` in the profile")
