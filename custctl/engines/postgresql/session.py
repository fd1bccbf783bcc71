"""The connection that runs PostgreSQL's migration scripts, and the lock that keeps other runs out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg import pq
from psycopg.errors import Diagnostic

from custctl.engines.locks import wait_for_lock
from custctl.engines.model import LockHolder
from custctl.engines.postgresql.concurrently import index_is_valid, invalid, leftovers
from custctl.engines.postgresql.errors import can_run_again, server_hint, words
from custctl.engines.postgresql.messages import (
    answered,
    as_error,
    ask,
    client_encoding,
    encoded,
    first_failed,
    legible,
    read,
    send,
    send_rows,
)
from custctl.engines.postgresql.pooling import set_config
from custctl.engines.postgresql.script import ConcurrentIndex, concurrent_index, needs_autocommit, restores_session
from custctl.engines.postgresql.tokens import first_word
from custctl.engines.scripting import OUTSIDE, RowWithheldError, ScriptSession
from custctl.support.errors import CustctlError, MigrationError, StatementError, UnavailableError
from custctl.support.text import visible

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from custctl.engines.connection import Connection
    from custctl.engines.postgresql.connection import LimitedConnection
    from custctl.engines.results import Row
    from custctl.engines.scripts import Statement
    from custctl.engines.server import ServerDatabase

_POLL = 0.1  # seconds between attempts

# What DISCARD ALL does, except for advisory locks: the migration lock is one of them.
_RESET = (
    "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; SET client_encoding = 'UTF8'; DEALLOCATE ALL; UNLISTEN *;"
    " DISCARD PLANS; DISCARD TEMP; DISCARD SEQUENCES"
)
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
# The settings that this program's own statements need, for the rest of a transaction; the script's return at its end.
_OWN = (
    "SET LOCAL SESSION AUTHORIZATION DEFAULT; SET LOCAL ROLE NONE; SET LOCAL client_encoding = 'UTF8';"
    " SET LOCAL row_security = on"
)
# For a session that is read-only by default: the script's statement may not write, but its journal entry must.
_READ_ONLY_PART = "SAVEPOINT custctl; SET LOCAL transaction_read_only = on"
# Login and database of a session cannot be refused any more: these errors are about what the statement names.
_NAMED = (
    psycopg.errors.InvalidAuthorizationSpecification,
    psycopg.errors.InvalidPassword,
    psycopg.errors.InvalidCatalogName,
)
# The journal is read in a script's transaction before its first statement.
_TRANSACTION_OF_ITS_OWN = (
    "put `-- custctl: transaction=off` at the top of the script, and write its transaction there: `BEGIN ISOLATION LEVEL"
    " SERIALIZABLE`, for example, the statements, and `COMMIT`"
)
# The settings that limit how long a script takes, by the SQLSTATE with which they end it.
_LIMITS = {
    "57014": "statement_timeout",
    "25P03": "idle_in_transaction_session_timeout",
    "25P04": "transaction_timeout",
}
_FENCED = """
SELECT setting = 'on' AND source <> 'session' FROM pg_catalog.pg_settings WHERE name = 'default_transaction_read_only'
"""
_BATCH = 1 << 18  # characters of one message
_HELD = """
SELECT 1 FROM pg_catalog.pg_locks
 WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid() AND granted AND mode = 'ExclusiveLock'
   AND classid = {high} AND objid = {low} AND objsubid = 1
"""
_HOLDER = """
SELECT a.pid, a.usename, a.application_name, a.client_addr, a.backend_start
  FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
 WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
   AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
   AND l.classid = (%(key)s::bigint >> 32)::bit(32)::bigint::oid AND l.objid = (%(key)s::bigint)::bit(32)::bigint::oid
"""


def lock_key(schema: str) -> int:
    """Return the key of the advisory lock for a schema's migrations; such locks are per database."""
    return int.from_bytes(hashlib.sha256(f"custctl/migrations/{schema}".encode()).digest()[:8], "big", signed=True)


@contextmanager
def advisory_lock(
    driver: LimitedConnection, key: int, timeout: float, on_wait: Callable[[LockHolder | None], None]
) -> Iterator[None]:
    """Hold the session-level lock during the block, on the same connection that migrates.

    The lock is polled outside any transaction: waiting inside one would hold a snapshot, and CREATE INDEX CONCURRENTLY
    waits for all snapshots. A backend whose client was killed keeps the lock until it notices, so that no other
    migration runs beside it.

    Raises:
        UnavailableError: timed out; the message names the holder.
    """
    wait_for_lock(
        lambda: _scalar(driver, "SELECT pg_catalog.pg_try_advisory_lock(%(key)s)", key),
        lambda: _holder(driver, key),
        timeout,
        _POLL,
        on_wait,
    )
    try:
        yield
    finally:
        if not driver.closed and driver.info.transaction_status == pq.TransactionStatus.IDLE:
            with suppress(psycopg.Error):
                driver.execute("SELECT pg_catalog.pg_advisory_unlock(%s)", (key,))


def _scalar(driver: LimitedConnection, query: LiteralString, key: int) -> object:
    row = driver.execute(query, {"key": key}).fetchone()
    return row[0] if row else None


def _holder(driver: LimitedConnection, key: int) -> LockHolder | None:
    with suppress(psycopg.Error):
        row = driver.execute(_HOLDER, {"key": key}).fetchone()
        if row is not None:
            pid, user, application, address, since = row
            where = f" from {address}" if address else ""
            began = f", since {since:%Y-%m-%dT%H:%M:%SZ}" if since else ""
            return LockHolder(visible(f"session {pid} of {user}{where} ({application}){began}"))
    return None


class PostgresqlScriptSession(ScriptSession):
    """Scripts run on the connection that holds the lock.

    Args:
        settings: the session settings that each script starts with.
    """

    def __init__(self, database: ServerDatabase, settings: Mapping[str, str]) -> None:
        self._database = database
        self._connection = database.connect()
        self._driver: LimitedConnection = self._connection.driver
        # A script's statement may take hours; instead of a timeout, `check_alive` runs now and then.
        self._driver.patience = None
        self._driver.on_silence = database.check_alive
        # A script may deallocate the driver's prepared statements.
        self._driver.prepare_threshold = None
        pgconn = self._driver.pgconn
        # The driver's own handlers use an encoding that it may not know, and store notifications for a script.
        self._handlers = pgconn.notice_handler, pgconn.notify_handler
        pgconn.notice_handler, pgconn.notify_handler = self._heard, None
        self._settings = set_config(settings, local=False)
        # Without this, a script's temporary table would hide a type that our statements name.
        path = f"{settings['search_path']}, pg_temp"
        self._own = f"{_OWN}; {set_config({**settings, 'search_path': path}, local=True)}"
        high, low = divmod(lock_key(database.settings.schema) % (1 << 64), 1 << 32)
        self._look = _HELD.format(high=high, low=low)
        self._stale = False
        self._is_own = False
        self._has_read_only_part = False
        with database.errors():
            self._send(self._settings)

    @property
    def connection(self) -> Connection:  # type: ignore[override] # its settings must be reset first
        """The connection, with the settings that a script left behind reset."""
        if self._stale:
            with self._database.errors():
                self._put_back()
        return self._connection

    def close(self) -> None:
        """Roll back the open transaction, and restore the connection's state."""
        self.rollback()
        with suppress(psycopg.Error):
            if not self._driver.closed:
                self._put_back()
        self._driver.pgconn.notice_handler, self._driver.pgconn.notify_handler = self._handlers

    def _heard(self, result: PGresult) -> None:
        notice = Diagnostic(result, encoding="utf-8")
        if self.on_notice is not None and notice.message_primary:
            self.on_notice(notice.message_primary, notice.message_hint)

    def errors(self) -> AbstractContextManager[None]:
        return self._database.errors()

    # -- transactions ------------------------------------------------------------------------------

    def begin(self) -> None:
        with self._database.errors():
            if self._stale:
                self._put_back()
            self._send(f"{_BEGIN}; {self._own}")
        self._is_own = True

    def begin_and_ask(self, name: str, /, **values: Any) -> Row | None:
        question = self._filled_in(name, values)
        # One message to the server. The reset of the settings has its own transaction, because it must be permanent.
        before = f"BEGIN READ WRITE; {_RESET}; {self._settings}; COMMIT; " if self._stale else ""
        with self._database.errors():
            results = ask(self._driver, _escaped(f"{before}{_BEGIN}; {self._look}; ") + (question or b""))
            answers = answered(results)[1 if self._stale else 0 :]
            failed = first_failed(results)
            if failed is not None and not answers:
                raise as_error(failed)
        self._stale = False
        if failed is not None:
            raise StatementError(as_error(failed), name)
        if answers[0].ntuples != 1:
            return None
        if question is None:
            return self._connection.run(name, **values).one()
        return self._connection.made(*read(self._driver, answers[1]))[0]

    def begin_statement(self) -> None:
        read_only = self._driver.pgconn.parameter_status(b"default_transaction_read_only") == b"on"
        with self._database.errors():
            self._send(f"BEGIN READ WRITE; {_READ_ONLY_PART}" if read_only else "BEGIN READ WRITE")
        self._has_read_only_part = read_only

    def become_own(self) -> None:
        if self._is_own or not self.in_transaction():
            return
        # Deferred constraints are checked with the script's settings, as in psql.
        release = "RELEASE SAVEPOINT custctl; " if self._has_read_only_part else ""
        with self._database.errors():
            self._send(f"{release}SET CONSTRAINTS ALL IMMEDIATE; {self._own}")
        self._is_own, self._has_read_only_part = True, False

    def commit(self) -> None:
        self._is_own = False
        with self._database.errors_of_commit():
            self._send("COMMIT")

    def add_and_commit(self, name: str, /, **values: Any) -> None:
        statement = self._filled_in(name, values)
        if statement is None:
            super().add_and_commit(name, **values)
            return
        # One message: if its answer is lost, the journal shows whether all of it took effect or none.
        own = f"SET CONSTRAINTS ALL IMMEDIATE; {self._own}; "
        # A trigger that drops the row must end the transaction before the COMMIT: dividing by zero does.
        counted = b"WITH made AS (" + statement + b") SELECT 1 / count(*) FROM made"
        error: psycopg.Error | None = None
        self._is_own = False
        with self._database.errors_of_commit():
            results = ask(self._driver, _escaped(own) + counted + b"; COMMIT")
            if (failed := first_failed(results)) is not None:
                error = as_error(failed)
                # The number of earlier answers shows which part failed: the settings or the statement.
                if len(answered(results)) != 1 or self._database.is_lost(error):
                    raise error
        if isinstance(error, psycopg.errors.DivisionByZero):
            raise RowWithheldError
        if error is not None:
            raise StatementError(error, name)

    def _filled_in(self, name: str, values: Mapping[str, Any]) -> bytes | None:
        """Return one of our own statements with its values filled in; None if the server would misread it."""
        if client_encoding(self._driver) != "UTF8":
            return None
        text, _ = self._connection.text(name)
        return psycopg.ClientCursor(self._driver).mogrify(text, values).encode()

    def rollback(self) -> None:
        self._is_own = self._has_read_only_part = False
        with suppress(psycopg.Error):
            if self._driver.info.transaction_status != pq.TransactionStatus.IDLE:
                self._send("ROLLBACK")

    def in_transaction(self) -> bool:
        return self._driver.info.transaction_status != pq.TransactionStatus.IDLE

    def holds_lock(self) -> bool:
        with self._database.errors():
            return self._send(self._look)[-1].ntuples == 1

    def reset(self) -> None:
        # Done together with the next message: a separate one would cost as much as a small script.
        self._stale = True

    def _put_back(self) -> None:
        self._send(f"{_RESET}; {self._settings}")
        self._stale = False

    # -- statements --------------------------------------------------------------------------------

    def run(self, statement: Statement) -> None:
        self._is_own = False
        with self._database.errors(), self._of_script(statement):
            if self._stale:
                self._put_back()
            text = encoded(self._driver, statement.text)
            index = None if self.in_transaction() else concurrent_index(statement)
            if index is not None:
                self._build(text, index)
            elif needs_autocommit(statement) and not self.in_transaction():
                with legible(self._driver):
                    names = leftovers(self._driver, statement)
                self._drop(names)
                self._patiently(text)
            else:
                rows = None if statement.data is None else encoded(self._driver, statement.data)
                send_rows(self._driver, text, rows)

    def run_all(self, statements: Iterator[Statement]) -> Iterator[int]:
        done = 0
        for batch in _batches(statements):
            if len(batch) == 1:
                self.run(batch[0])
            else:
                self._is_own = False
                # Unlike psql, send them joined: the server answers each one, up to the first that fails.
                texts: list[bytes] = []
                for number, statement in enumerate(batch):
                    try:
                        texts.append(encoded(self._driver, statement.text))
                    except MigrationError:
                        yield done + number
                        raise
                with self._database.errors():
                    results = ask(self._driver, b";\n".join(texts))
                if (failed := first_failed(results)) is not None:
                    number = _number(batch, failed, len(results) - 1)
                    yield done + number
                    with self._database.errors(), self._of_script(batch[number]):
                        raise as_error(failed)
            done += len(batch)
            yield done

    @contextmanager
    def _of_script(self, statement: Statement) -> Iterator[None]:
        """Translate the errors that mean something else in a script than in a statement of our own."""
        try:
            yield
        except psycopg.errors.InsufficientPrivilege as error:
            # The statement's text names the privilege.
            where, cause = self._database.at_node(), self._database.scrubbed(error)
            raise self._database.translated(error, where, statement.text) from cause
        except psycopg.Error as error:
            told = self._of_script_alone(error, statement)
            if told is None:
                raise
            raise told from self._database.scrubbed(error)

    def _of_script_alone(self, error: psycopg.Error, statement: Statement) -> CustctlError | None:
        """Return what an error means in a script; None if it means the same elsewhere."""
        if isinstance(error, _NAMED):
            return CustctlError(words(error))
        if isinstance(error, psycopg.errors.ActiveSqlTransaction) and first_word(statement.text) == "SET":
            return MigrationError(words(error), hint=_TRANSACTION_OF_ITS_OWN)
        if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
            return CustctlError(words(error)) if self._made_itself_read_only() else None
        if (setting := _LIMITS.get(error.sqlstate or "")) is not None:
            # The profile's limits do not apply to scripts.
            return UnavailableError(words(error), hint=f"run it again; if the script sets `{setting}`, raise it there")
        if can_run_again(error):
            return UnavailableError(words(error), hint="run it again: another transaction was in the way")
        hint = server_hint(error)
        if hint is None or self._database.translate(error).exit_code in OUTSIDE:
            return None
        return MigrationError(words(error), hint=hint)

    def _made_itself_read_only(self) -> bool:
        """Tell whether the script made its session or transaction read-only: the node took writes before."""
        # A transaction begins as READ WRITE. Outside of one, the node may have been fenced meanwhile.
        return self.in_transaction() or self._send(_FENCED)[-1].get_value(0, 0) == b"f"

    def _build(self, text: bytes, index: ConcurrentIndex) -> None:
        """Build an index concurrently with writers; rebuild one that an earlier attempt left INVALID."""
        if index.name is not None:
            with legible(self._driver):
                names = invalid(self._driver, index)
            self._drop(names)
        self._patiently(text)
        if index.name is None:
            return
        with legible(self._driver):
            is_valid = index_is_valid(self._driver, index)
        if not is_valid:
            raise CustctlError(
                f"the index `{index.name}` is INVALID: it existed already, and another session is building it",
                hint="wait until that session ends, and run it again",
            )

    def _drop(self, names: Sequence[str]) -> None:
        for name in names:
            with legible(self._driver):
                self._patiently(f"DROP INDEX CONCURRENTLY {name}".encode())

    def _patiently(self, text: bytes) -> None:
        """Run a statement that waits for other transactions: a lock timeout would leave an INVALID index."""
        held = (self._send("SHOW lock_timeout")[-1].get_value(0, 0) or b"0").decode()
        self._send("SET lock_timeout = 0")
        try:
            send_rows(self._driver, text, None)
        finally:
            if not self._driver.closed:
                self._send(f"SET lock_timeout = '{held}'")

    def _send(self, text: str) -> list[PGresult]:
        """Send this program's own statements."""
        return send(self._driver, _escaped(text))


def _escaped(text: str) -> bytes:
    """Return statements in ASCII, so that they are the same in every encoding."""
    # Only values of settings contain other characters, in strings that allow escapes.
    return "".join(c if c.isascii() else f"\\U{ord(c):08x}" for c in text).encode()


def _batches(statements: Iterator[Statement]) -> Iterator[list[Statement]]:
    """Group statements into batches that can be sent as one message.

    The server parses a whole message before it runs the first statement. So a statement that changes parsing
    (`standard_conforming_strings`, say) ends its batch. COPY is sent alone because it exchanges data with the client.
    """
    batch: list[Statement] = []
    size = 0
    for statement in statements:
        if first_word(statement.text) == "COPY":
            if batch:
                yield batch
            yield [statement]
            batch, size = [], 0
            continue
        batch.append(statement)
        size += len(statement.text)
        if size > _BATCH or restores_session(statement):
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _number(batch: Sequence[Statement], failed: PGresult, answered: int) -> int:
    """Return which statement of a message failed: by the error's position, else by the number of answers."""
    place = failed.error_field(pq.DiagnosticField.STATEMENT_POSITION)
    if place is None:
        return min(answered, len(batch) - 1)
    end = 0
    for number, statement in enumerate(batch):
        end += len(statement.text) + len(";\n")
        if int(place) <= end:
            return number
    return len(batch) - 1
