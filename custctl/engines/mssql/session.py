"""The connection that runs SQL Server's migration scripts, and the lock that excludes other runs."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pyodbc

from custctl.engines.locks import lock_is_held
from custctl.engines.model import LockHolder
from custctl.engines.mssql.errors import hidden, is_unbalanced, lacking
from custctl.engines.mssql.names import literal, quote
from custctl.engines.mssql.tokens import with_flat_comments
from custctl.engines.scripting import ScriptSession, TransactionEndedError
from custctl.support.errors import ExitCode, MigrationError, RefusedError, UnavailableError

if TYPE_CHECKING:
    from custctl.engines.mssql.supervised import Connection
    from custctl.engines.scripts import Statement
    from custctl.engines.server import ServerDatabase

_PAUSE = 0.25  # seconds between attempts if the server does not wait
# Milliseconds to wait before reporting that another run holds the lock. Not 0: a compatible server then returns -999.
_SOON = 100
_LONGEST = 2**31 - 1

SETTINGS = (
    "SET ANSI_NULLS ON",
    "SET ANSI_PADDING ON",
    "SET ANSI_WARNINGS ON",
    "SET ARITHABORT ON",
    "SET CONCAT_NULL_YIELDS_NULL ON",
    "SET NUMERIC_ROUNDABORT OFF",
    "SET QUOTED_IDENTIFIER ON",
    "SET IMPLICIT_TRANSACTIONS OFF",
    "SET NOCOUNT OFF",
    # Without it an error leaves its transaction open, with half of the changes.
    "SET XACT_ABORT ON",
    "SET ROWCOUNT 0",
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
)
"""The settings that this program's statements rely on; a script may have changed them."""

_DEFAULTS = (
    "SET ANSI_NULL_DFLT_ON ON",
    "SET CURSOR_CLOSE_ON_COMMIT OFF",
    "SET DEADLOCK_PRIORITY NORMAL",
    "SET TEXTSIZE 2147483647",
)
# If one of these is on, the server executes nothing else.
_IDLE = ("SET PARSEONLY OFF", "SET NOEXEC OFF", "SET FMTONLY OFF")


_BY_DRIVER = re.compile(r"^\[[^\]]*\](?:\[[^\]]*Driver[^\]]*\])?(?:\[SQL Server\])?")
# The messages about a changed database or language: the script asked for it.
_OF_CONTEXT = re.compile(r"\((?:5701|5703)\)|\(0\) Changed (?:database context|language setting) to ")
# Messages of PRINT have number 0, those of RAISERROR a user-defined number; all others are the server's own.
_OF_SCRIPT = re.compile(r"\((?:0|[5-9]\d{4,}|[1-4]\d{5,})\)")

# Settings that a procedure or an executed string changes end with it, so only the script's text matters.
_SETS = re.compile(r"\b(?:SET|USE)\b", re.IGNORECASE)


def resource(schema: str, name: str) -> str:
    """Return the name of an application lock within its database; a hash, so that any parts give plain characters."""
    return f"custctl:{hashlib.sha256(f'{schema.lower()}/{name}'.encode()).hexdigest()[:40]}"


def _full_name(name: str) -> str:
    """Return the T-SQL for a lock's name with the database's id: a compatible server may share locks among databases.

    The id, not the name: only the server knows which spellings of a name are the same.
    """
    return f"N'{name}:' + CAST(DB_ID() AS NVARCHAR(10))"


def take_lock(driver: Connection, name: str, *, owner: str, timeout: int) -> int:
    """Request an application lock and return the server's answer: below zero means not granted.

    Args:
        name: what `resource` returned.
        owner: Session or Transaction.
        timeout: milliseconds.

    Source: https://learn.microsoft.com/sql/relational-databases/system-stored-procedures/sp-getapplock-transact-sql
    """
    return _answer(driver.run(_asking_for(name, owner, timeout)))


def _asking_for(name: str, owner: str, timeout: int) -> str:
    return (
        f"DECLARE @result INT, @name NVARCHAR(255) = {_full_name(name)};"
        f" EXEC @result = sp_getapplock @Resource = @name, @LockMode = N'Exclusive',"
        f" @LockOwner = N'{owner}', @LockTimeout = {timeout}; SELECT @result AS result;"
    )


def _answer(rows: Sequence[tuple[Any, ...]]) -> int:
    return int(rows[0][0]) if rows else -999


def _mode(name: str, owner: str) -> str:
    """Return the T-SQL for the mode in which this session or transaction holds an application lock."""
    return f"APPLOCK_MODE(N'public', {_full_name(name)}, N'{owner}')"


@contextmanager
def session_lock(
    driver: Connection, name: str, timeout: float, on_wait: Callable[[LockHolder | None], None]
) -> Iterator[None]:
    """Hold an application lock of the session during the block, on the connection that migrates.

    Raises:
        UnavailableError: timed out waiting for the lock.
    """
    deadline = time.monotonic() + timeout
    if not _is_granted(take_lock(driver, name, owner="Session", timeout=_SOON)):
        on_wait(None)
        # Let the server wait, in one call: it queues the waiting sessions in order.
        while not _is_granted(take_lock(driver, name, owner="Session", timeout=_milliseconds(deadline))):
            if time.monotonic() >= deadline:
                raise lock_is_held(None)
            time.sleep(_PAUSE)
    try:
        yield
    finally:
        with suppress(pyodbc.Error, UnavailableError):
            driver.run(
                f"DECLARE @name NVARCHAR(255) = {_full_name(name)};"
                " EXEC sp_releaseapplock @Resource = @name, @LockOwner = N'Session'"
            )


def _is_granted(answer: int) -> bool:
    """Tell whether an application lock was granted; it was not on a timeout or a deadlock.

    Raises:
        UnavailableError: the request failed for another reason.
    """
    if answer >= 0 or answer in (-1, -3):
        return answer >= 0
    raise UnavailableError(f"the server does not grant the migration lock: sp_getapplock returned {answer}")


def _milliseconds(deadline: float) -> int:
    left = int((deadline - time.monotonic()) * 1000)
    return min(max(left, _SOON), _LONGEST)


class MssqlScriptSession(ScriptSession):
    """Runs scripts on the connection that holds the lock, one batch at a time.

    Args:
        lock: the name of the lock.
        put: runs SET statements, skipping those that the server does not know.
        settings: the program's own session settings.
    """

    def __init__(
        self,
        database: ServerDatabase,
        lock: str,
        put: Callable[[Connection, Sequence[str]], None],
        settings: Sequence[str],
    ) -> None:
        self._database = database
        self._put = put
        self._settings = settings
        self._lock = lock
        self._settings_touched = False
        # A lock with a random name that a script's transaction holds. It ends with the transaction, so it shows whether
        # a later transaction is still the same one.
        self._mark = resource(secrets.token_hex(), "script")
        self._is_marked = False
        self.connection = database.connect()
        self._driver: Connection = self.connection.driver
        # A script's statement may take hours: no timeout, only a periodic check that the server is alive.
        self._driver.patience = None
        self._driver.on_silence = database.check_alive
        with database.errors():
            self._driver.limit_statements(None)
            self._check_schema()
            self._defaults = (f"USE {quote(database.settings.name)}", *self._language(), *_DEFAULTS)
            # Ask outside a transaction: a server without APPLOCK_MODE may abort one for it.
            self._can_ask = self._ask() is True

    def _check_schema(self) -> None:
        """Refuse a login whose default schema is not the profile's."""
        wanted = self._database.settings.schema
        rows = self._driver.run("SELECT SCHEMA_NAME()")
        found = rows[0][0] if rows else None
        if found is not None and str(found).lower() != wanted.lower():
            user = self._database.settings.user or "USER"
            raise RefusedError(
                f"names in scripts would belong to the schema `{found}`, but the profile's is `{wanted}`",
                hint=f"`ALTER USER [{user}] WITH DEFAULT_SCHEMA = [{wanted}]`, or set `database.schema: {found}`",
            )

    def _language(self) -> tuple[str, ...]:
        """Return the statements that restore the language, and with it the date order."""
        try:
            language, first = self._driver.run("SELECT CAST(@@LANGUAGE AS NVARCHAR(128)), CAST(@@DATEFIRST AS INT)")[0]
        except (pyodbc.Error, IndexError):
            return ()
        return (f"SET LANGUAGE {literal(language)}", f"SET DATEFIRST {int(first)}")

    def _ask(self) -> bool | None:
        """Tell whether the session holds the lock; None if the server does not report it."""
        try:
            rows = self._driver.run(f"SELECT {_mode(self._lock, 'Session')}")
        except pyodbc.Error:
            return None
        return bool(rows) and rows[0][0] == "Exclusive"

    def errors(self) -> AbstractContextManager[None]:
        return self._database.errors()

    def begin(self) -> None:
        self._is_marked = False
        with self._database.errors():
            self._driver.begin()

    def begin_script(self) -> bool:
        self.begin_statement()
        return self.holds_lock()

    def begin_statement(self) -> None:
        mark = _asking_for(self._mark, "Transaction", _SOON) if self._can_ask else ""
        with self._database.errors():
            self._is_marked = _answer(self._driver.begin(mark)) >= 0

    def run(self, statement: Statement) -> None:
        with self._database.errors():
            try:
                # The statement may begin a transaction: make sure that a rollback includes it.
                self._driver.in_transaction = True
                self._settings_touched = self._settings_touched or bool(_SETS.search(statement.text))
                batch = statement.before + statement.text + statement.behind
                # A question mark is the only thing that the driver could misread.
                self._driver.exhaust(with_flat_comments(batch) if "?" in batch else batch, self._heard)
            except pyodbc.Error as error:
                if self._is_marked and is_unbalanced(error):
                    self.check_transaction()
                # If the server does not report which privilege is missing, derive it from the statement.
                where, login = self._database.at_node(), self._database.login_name()
                name = hidden(error)
                if name is not None and self._is_there(name):
                    denied = lacking(name, where, login, statement.text)
                    raise self._database.with_next_step(denied) from self._database.scrubbed(error)
                told = self._database.translated(error, where, statement.text)
                if told.exit_code is ExitCode.CREDENTIAL:
                    raise told from self._database.scrubbed(error)
                raise

    def _is_there(self, name: str) -> bool:
        """Tell whether this login can see an object with this name."""
        self.rollback()
        try:
            rows = self._driver.run(
                f"SELECT COALESCE(OBJECT_ID({literal(name)}), SCHEMA_ID({literal(name)}),"
                f" DATABASE_PRINCIPAL_ID({literal(name)}))"
            )
        except pyodbc.Error:
            return False
        return bool(rows) and rows[0][0] is not None

    def _heard(self, kind: str, text: str) -> None:
        """Pass on messages of PRINT, RAISERROR and warnings, without the driver's prefixes."""
        told = _BY_DRIVER.sub("", text).strip()
        if not told or _OF_CONTEXT.search(f"{kind} {told}"):
            return
        if _OF_SCRIPT.search(kind):
            if self.on_message is not None:
                self.on_message(told)
        elif self.on_notice is not None:
            self.on_notice(told, None)

    def commit(self) -> None:
        with self._database.errors_of_commit():
            self._driver.commit()

    def rollback(self) -> None:
        with suppress(pyodbc.Error):
            self._driver.rollback()

    def in_transaction(self) -> bool:
        with self._database.errors():
            rows = self._driver.run("SELECT @@TRANCOUNT")
            return bool(rows) and int(rows[0][0]) > 0

    def check_transaction(self) -> None:
        with self._database.errors():
            mode = _mode(self._mark, "Transaction") if self._is_marked else "N'Exclusive'"
            depth, held = self._driver.run(f"SELECT @@TRANCOUNT, {mode}")[0]
        if not depth or held != "Exclusive":
            raise TransactionEndedError
        if depth > 1:
            raise MigrationError(
                "the statement begins a transaction and leaves it open",
                hint="let the statement commit what it begins",
            )

    def holds_lock(self) -> bool:
        with self._database.errors():
            return not self._can_ask or self._ask() is not False

    def reset(self) -> None:
        with self._database.errors():
            if not self._settings_touched:
                return
            self._settings_touched = False
            self._put(self._driver, _IDLE)
            self._put(self._driver, self._defaults)
            self._put(self._driver, self._settings)
