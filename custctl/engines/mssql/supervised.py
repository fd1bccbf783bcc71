"""Runs the driver's connection on its own thread, so that no call blocks the program longer than its timeout.

ODBC's own timeouts do not fire if the server hangs, and Python handles no signal while the driver waits. So one thread
makes the connection and all calls on it, and the caller waits with a timeout. An abandoned call continues in its
thread, which ends with the program; the connection cannot be used any more.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import pyodbc

T = TypeVar("T")

_LOOK = 0.1  # seconds between a waiting caller's checks for signals and the timeout
_SILENCE = 10.0  # seconds without an answer after which to check that the server is alive
_CANCEL = 2.0  # seconds for the server to end an interrupted call
_PORTION = 1000  # rows
# Statements that can share a batch with the settings before them, and can be sent again if the batch was refused.
_MAY_FOLLOW = re.compile(r"(?:SELECT|WITH|BEGIN TRANSACTION)\b")
# Question marks in strings and quoted names are not parameters.
_PLACE = re.compile(r"""'[^']*'|"[^"]*"|\[[^\]]*\]|\?""")


class _Call:
    """A function to call on the connection's thread, and its result."""

    __slots__ = ("_done", "_function", "error", "value")

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._done = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.value = self._function()
        except BaseException as error:  # noqa: BLE001 - raised again by the waiting caller
            self.error = error
        self._done.set()

    def wait(self, seconds: float) -> bool:
        return self._done.wait(seconds)


class Connection:
    """A DBAPI connection in autocommit mode; `begin` starts transactions.

    Args:
        connect: makes the driver's connection.
        login_timeout: seconds for `connect`.

    Attributes:
        in_transaction: whether a transaction may be open.
        patience: seconds to wait for an answer; None means no limit.
        on_silence: without a limit, called after every ten seconds without an answer; an exception ends the wait.
        opening: settings to send with the first statement, in the same batch if possible.
        on_refused: called if such a batch was refused, to apply the settings one by one; tells whether to send the
            statement again.
    """

    def __init__(self, connect: Callable[[], pyodbc.Connection], login_timeout: float) -> None:
        self.opening = ""
        self.on_refused: Callable[[pyodbc.Error], bool] | None = None
        self.patience: float | None = login_timeout
        self.on_silence: Callable[[], None] | None = None
        self.closed = False
        self.in_transaction = False
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._driver: pyodbc.Connection | None = None
        threading.Thread(target=self._work, daemon=True).start()
        try:
            self._driver = self.call(connect)
        except BaseException:
            self._abandon()  # or the thread would wait as long as the process lives
            raise

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call.run()

    def call(self, function: Callable[[], T], cancel: Callable[[], None] | None = None) -> T:
        """Call a function on the connection's thread and return what it returns.

        Args:
            cancel: asks the driver to end the call early; may be called from any thread.

        Raises:
            pyodbc.OperationalError: no answer in time; the connection can no longer be used.
        """
        if self.closed:
            raise pyodbc.OperationalError("08003", "[08003] the connection is closed")
        call = _Call(function)
        self._calls.put(call)
        began = looked = time.monotonic()
        try:
            while not call.wait(_LOOK):
                now = time.monotonic()
                if self.patience is not None and now - began > self.patience:
                    self._abandon()
                    raise pyodbc.OperationalError("08S01", f"[08S01] no answer within {self.patience:g} s")
                if self.patience is None and self.on_silence is not None and now - looked > _SILENCE:
                    self.on_silence()
                    looked = time.monotonic()
        except BaseException:
            if not self.closed:
                if cancel is not None:
                    with suppress(pyodbc.Error):
                        cancel()
                if not call.wait(_CANCEL):
                    self._abandon()
            raise
        if call.error is not None:
            raise call.error
        value: T = call.value
        return value

    def _abandon(self) -> None:
        self.closed = True
        self._calls.put(None)

    def begin(self, more: str = "") -> list[tuple[Any, ...]]:
        """Begin a transaction.

        Args:
            more: statements to run in it, in the same batch.

        Returns:
            The rows of `more`.
        """
        # A previous transaction whose end was interrupted or refused would otherwise contain this one.
        self.rollback()
        # Set before it runs: if it is interrupted, the transaction may have begun.
        self.in_transaction = True
        return self.run(f"BEGIN TRANSACTION; {more}" if more else "BEGIN TRANSACTION")

    def commit(self) -> None:
        """Commit the transaction of `begin`, if there is one."""
        if self.in_transaction:
            self.run("COMMIT TRANSACTION")
            # Reset only now: a failed or interrupted commit may leave the transaction open for `rollback`.
            self.in_transaction = False

    def rollback(self) -> None:
        """Roll back the transaction of `begin`, if there is one."""
        if self.in_transaction and not self.closed:
            self.run("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION")
        # Reset only now: an interrupted rollback may leave the transaction open for the next one.
        self.in_transaction = False

    def run(self, batch: str) -> list[tuple[Any, ...]]:
        """Run a batch to its end, and return the rows of its last result set."""
        rows: list[tuple[Any, ...]] = []

        def keep(cursor: Cursor) -> None:
            rows[:] = [tuple(row) for row in cursor.fetchall()]

        self._run(batch, keep)
        return rows

    def exhaust(self, batch: str, on_message: Callable[[str, str], None] | None = None) -> None:
        """Run a batch to its end; read and discard its rows, because errors may come among them.

        Args:
            on_message: called with the class and text of each PRINT message and warning.
        """

        def drop(cursor: Cursor) -> None:
            while cursor.fetchmany(_PORTION):
                pass

        self._run(batch, drop, on_message)

    def _run(
        self,
        batch: str,
        read: Callable[[Cursor], None],
        on_message: Callable[[str, str], None] | None = None,
    ) -> None:
        # The driver reports an error of a later statement only when its result is fetched.
        cursor = self.cursor()
        try:
            cursor.execute(batch)
            while True:
                if on_message is not None:
                    for kind, text in cursor.messages:
                        on_message(kind, text)
                if cursor.description:
                    read(cursor)
                if not cursor.nextset():
                    return
        finally:
            cursor.close()

    def limit_statements(self, seconds: float | None) -> None:
        """Set the driver's statement timeout in seconds; None means no limit."""
        driver = self._held()
        self.call(lambda: setattr(driver, "timeout", max(1, round(seconds)) if seconds else 0))

    def cursor(self) -> Cursor:
        """Return a cursor."""
        return Cursor(self, self.call(self._held().cursor))

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        if not self.closed:
            driver = self._held()
            self.patience = min(self.patience or _CANCEL, _CANCEL)
            with suppress(pyodbc.Error):
                self.call(driver.close)
            self._abandon()

    def info(self, what: int) -> Any:
        """Return what the driver reports about itself and the server."""
        driver = self._held()
        return self.call(lambda: driver.getinfo(what))

    def _held(self) -> pyodbc.Connection:
        assert self._driver is not None
        return self._driver


class Cursor:
    """A DBAPI cursor whose calls run on the connection's thread."""

    arraysize = 1

    def __init__(self, connection: Connection, driver: pyodbc.Cursor) -> None:
        self._connection = connection
        self._driver = driver
        self._sizes: Sequence[Any] = ()

    def _call(self, function: Callable[[], T]) -> T:
        return self._connection.call(function, self._driver.cancel)

    @property
    def description(self) -> Any:
        """As in DBAPI."""
        return self._driver.description

    @property
    def rowcount(self) -> int:
        """As in DBAPI."""
        return int(self._driver.rowcount)

    @property
    def messages(self) -> Sequence[tuple[str, str]]:
        """The PRINT messages and warnings, as (class, text)."""
        return self._driver.messages or ()

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """As in DBAPI, but for all later statements."""
        self._sizes = sizes

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Cursor:
        """As in DBAPI; see `without_nulls`."""
        statement, given, sizes = without_nulls(statement, parameters, self._sizes)
        if self._connection.opening:
            statement = self._opened(statement, given, sizes)
        if statement:
            self._send(statement, given, sizes)
        return self

    def _send(self, statement: str, given: Sequence[Any], sizes: Sequence[Any]) -> None:
        self._driver.setinputsizes(sizes)
        self._call(lambda: self._driver.execute(statement, *given))

    def _opened(self, statement: str, given: Sequence[Any], sizes: Sequence[Any]) -> str:
        """Send the session's opening settings, and return the part of the statement still to send.

        The driver makes a procedure of a statement with parameters, so settings in its batch end with it. They are
        sent with each such statement, until the first one without parameters.
        """
        connection, opening = self._connection, self._connection.opening
        if not given:
            connection.opening = ""
        try:
            if _MAY_FOLLOW.match(statement):
                self._send(f"{opening}; {statement}", given, sizes)
                return ""
            connection.opening = ""
            self._send(opening, (), ())
        except pyodbc.Error as error:
            connection.opening = ""
            if connection.on_refused is None or not connection.on_refused(error):
                raise
        return statement

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """As in DBAPI, one row after the other."""
        for row in rows:
            self.execute(statement, row)

    def execute_array(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement for arrays of rows at once; the driver asks the server to describe the parameters."""
        self._driver.fast_executemany = True
        self._driver.setinputsizes(self._sizes)
        self._call(lambda: self._driver.executemany(statement, rows))

    def fetchone(self) -> Any:
        """As in DBAPI."""
        return self._call(self._driver.fetchone)

    def fetchmany(self, size: int = 1) -> list[Any]:
        """As in DBAPI."""
        return self._call(lambda: self._driver.fetchmany(size))

    def fetchall(self) -> list[Any]:
        """As in DBAPI."""
        return self._call(self._driver.fetchall)

    def nextset(self) -> bool:
        """As in DBAPI."""
        return bool(self._call(self._driver.nextset))

    def close(self) -> None:
        """As in DBAPI."""
        if not self._connection.closed:
            with suppress(pyodbc.Error):
                self._call(self._driver.close)

    def __iter__(self) -> Iterator[Any]:
        while (row := self.fetchone()) is not None:
            yield row


def without_nulls(
    statement: str, parameters: Sequence[Any], sizes: Sequence[Any]
) -> tuple[str, Sequence[Any], Sequence[Any]]:
    """Return a statement with each NULL written as a literal, its other parameters and their sizes.

    The driver would ask the server for the type of a NULL parameter. That costs a round trip, and a compatible server
    that cannot tell aborts the transaction.
    """
    if all(value is not None for value in parameters):
        return statement, parameters, sizes
    values = iter(parameters)

    def written(place: re.Match[str]) -> str:
        return "NULL" if place[0] == "?" and next(values) is None else place[0]

    kept = [at for at, value in enumerate(parameters) if value is not None]
    return (
        _PLACE.sub(written, statement),
        [parameters[at] for at in kept],
        [sizes[at] for at in kept if at < len(sizes)],
    )
