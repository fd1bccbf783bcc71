"""The connection on which PostgreSQL's migration scripts run, and the lock that keeps other runs out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, LiteralString

import psycopg
from psycopg import pq, sql

from custctl.engines.base import LockHolder, ScriptSession
from custctl.engines.postgresql.script import ConcurrentIndex, concurrent_index, needs_autocommit
from custctl.errors import CustctlError, UnavailableError
from custctl.text import visible

if TYPE_CHECKING:
    from custctl.engines.postgresql.connection import LimitedConnection
    from custctl.engines.postgresql.database import PostgresqlDatabase
    from custctl.engines.scripts import Statement

_POLL = 0.1  # seconds between attempts

# What DISCARD ALL does, but for the advisory locks: the migration lock is one of them.
_RESET = (
    "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; UNLISTEN *; DISCARD PLANS;"
    " DISCARD TEMP; DISCARD SEQUENCES; "
)
_HELD = """
SELECT 1 FROM pg_catalog.pg_locks
 WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid() AND granted AND mode = 'ExclusiveLock'
   AND classid = (%(key)s::bigint >> 32)::bit(32)::bigint::oid AND objid = (%(key)s::bigint)::bit(32)::bigint::oid
   AND objsubid = 1
"""
_HOLDER = """
SELECT a.pid, a.usename, a.application_name, a.client_addr, a.backend_start
  FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
 WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
   AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
   AND l.classid = (%(key)s::bigint >> 32)::bit(32)::bigint::oid AND l.objid = (%(key)s::bigint)::bit(32)::bigint::oid
"""
_INDEX = """
SELECT i.indisvalid,
       EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index AS p WHERE p.index_relid = i.indexrelid),
       n.nspname
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE i.indrelid = to_regclass(%(table)s) AND c.relname = %(name)s
"""


def lock_key(schema: str) -> int:
    """Return the key of the advisory lock of a schema's migrations; such locks belong to one database."""
    return int.from_bytes(hashlib.sha256(f"custctl/migrations/{schema}".encode()).digest()[:8], "big", signed=True)


@contextmanager
def advisory_lock(
    driver: LimitedConnection, key: int, timeout: float, on_wait: Callable[[LockHolder | None], None]
) -> Iterator[None]:
    """Hold the lock during the block, at the session's level, on the very connection that migrates.

    It is asked for again and again, outside of any transaction: whoever waited for it inside of one would hold a
    snapshot, and an index that is built CONCURRENTLY waits for all of those. A backend whose client was killed keeps
    the lock until it has noticed, so that nobody else works beside it.

    Raises:
        UnavailableError: the time ran out; the message names the holder.
    """
    deadline = time.monotonic() + timeout
    waited = False
    while not _scalar(driver, "SELECT pg_catalog.pg_try_advisory_lock(%(key)s)", key):
        if time.monotonic() >= deadline:
            holder = _holder(driver, key)
            raise UnavailableError(
                f"another migration holds the lock{f': {holder.description}' if holder else ''}",
                hint="wait for it to end, or give it longer with `--lock-timeout`",
            )
        if not waited:
            waited = True
            on_wait(_holder(driver, key))
        time.sleep(_POLL)
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


def index_is_valid(driver: LimitedConnection, index: ConcurrentIndex) -> bool:
    """Tell whether an index is there and was built to its end."""
    row = _find_index(driver, index)
    return row is not None and bool(row[0])


def _find_index(driver: LimitedConnection, index: ConcurrentIndex) -> tuple[bool, bool, str] | None:
    """Return whether an index is valid, whether a session builds it now, and its schema; None where it is not there."""
    parts = [index.table_schema, index.table] if index.table_schema else [index.table]
    table = ".".join('"' + part.replace('"', '""') + '"' for part in parts)
    return driver.execute(_INDEX, {"table": table, "name": index.name}).fetchone()


class PostgresqlScriptSession(ScriptSession):
    """Scripts run on the connection that holds the lock."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database
        self.connection = database._connect()
        self._driver = database._driver(self.connection)
        # A statement of a script may take hours; that the server is alive is asked for now and then.
        self._driver.patience = None
        self._driver.on_silence = database.check_alive
        self._settings = database._script_settings()
        with database._errors():
            self._driver.execute(self._raw(self._settings))

    def begin(self) -> None:
        with self._database._errors():
            self._driver.execute("BEGIN ISOLATION LEVEL READ COMMITTED")

    def run(self, statement: Statement) -> None:
        with self._database._errors():
            try:
                self._run(statement)
            except psycopg.errors.InsufficientPrivilege as error:
                # Which privilege that was, the statement alone tells.
                where, cause = self._database._at_node(), self._database._scrubbed(error)
                raise self._database._translated(error, where, statement.text) from cause

    def _run(self, statement: Statement) -> None:
        index = concurrent_index(statement)
        if statement.data is not None:
            with self._driver.cursor() as cursor, cursor.copy(self._raw(statement.text)) as copy:
                copy.write(statement.data)
        elif index is not None and not self.in_transaction():
            self._build(statement, index)
        elif needs_autocommit(statement) and not self.in_transaction():
            self._run_patiently(self._raw(statement.text))
        else:
            self._driver.execute(self._raw(statement.text))

    def _build(self, statement: Statement, index: ConcurrentIndex) -> None:
        """Build an index beside the writers; one that was left INVALID by an attempt before is built anew."""
        if index.name is not None:
            self._drop_invalid(index, index.name)
        self._run_patiently(self._raw(statement.text))
        if index.name is not None and not index_is_valid(self._driver, index):
            raise CustctlError(
                f"the index `{index.name}` is INVALID: it was there already, and another session builds it",
                hint="wait for that session to end, and run it again",
            )

    def _drop_invalid(self, index: ConcurrentIndex, name: str) -> None:
        row = _find_index(self._driver, index)
        if row is None or row[0]:
            return
        if row[1]:
            raise UnavailableError(
                f"another session is building the index `{name}`", hint="wait for it to end, and run it again"
            )
        self._run_patiently(sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(row[2], name)))

    def _run_patiently(self, query: LiteralString | sql.Composed) -> None:
        """Run what waits for other transactions: a time limit on locks would kill it, and leave an INVALID index."""
        held = self._driver.execute("SELECT current_setting('lock_timeout')").fetchone()
        self._driver.execute("SET lock_timeout = 0")
        try:
            self._driver.execute(query)
        finally:
            if not self._driver.closed and held:
                self._driver.execute("SELECT pg_catalog.set_config('lock_timeout', %s, false)", (held[0],))

    def commit(self) -> None:
        with self._database._errors_of_commit():
            self._driver.execute("COMMIT")

    def rollback(self) -> None:
        with suppress(psycopg.Error):
            if self._driver.info.transaction_status != pq.TransactionStatus.IDLE:
                self._driver.execute("ROLLBACK")

    def in_transaction(self) -> bool:
        return self._driver.info.transaction_status != pq.TransactionStatus.IDLE

    def holds_lock(self) -> bool:
        with self._database._errors():
            return _scalar(self._driver, _HELD, lock_key(self._database._settings.schema)) == 1

    def reset(self) -> None:
        with self._database._errors():
            self._driver.execute(self._raw(_RESET + self._settings))

    @staticmethod
    def _raw(text: str) -> LiteralString:
        # A script is run as it is written; nothing is put into it.
        return text
