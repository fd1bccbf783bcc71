"""The connection on its thread: transactions, batches read to their end, NULLs written out; the driver is a stand-in."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pyodbc
import pytest

from custctl.engines.mssql.session import session_lock
from custctl.engines.mssql.supervised import Connection, without_nulls
from custctl.support.errors import UnavailableError
from tests.mssql import stand_in
from tests.mssql.stand_in import Server

SIZES = [(1, None, None), (2, None, None), (3, 0, 0)]


@pytest.mark.parametrize(
    ("statement", "parameters", "expected"),
    [
        ("VALUES (?, ?, ?)", (1, 2, 3), ("VALUES (?, ?, ?)", [1, 2, 3], SIZES)),
        ("VALUES (?, ?, ?)", (1, None, 3), ("VALUES (?, NULL, ?)", [1, 3], [SIZES[0], SIZES[2]])),
        ("VALUES (?, ?, ?)", (None, None, None), ("VALUES (NULL, NULL, NULL)", [], [])),
        (
            "SET [a?] = ?, b = N'?''?', \"c?\" = ?, d = ?",
            (None, 0, ""),
            ("SET [a?] = NULL, b = N'?''?', \"c?\" = ?, d = ?", [0, ""], SIZES[1:]),
        ),
    ],
)
def test_a_null_is_written_out(
    statement: str, parameters: tuple[Any, ...], expected: tuple[str, Sequence[Any], Sequence[Any]]
) -> None:
    text, given, sizes = without_nulls(statement, parameters, SIZES)
    assert (text, list(given), list(sizes)) == expected


def test_sizes_are_not_needed() -> None:
    assert without_nulls("VALUES (?, ?)", (None, 1), ()) == ("VALUES (NULL, ?)", [1], [])


@pytest.fixture
def server() -> Server:
    """A stand-in server."""
    return Server()


@pytest.fixture
def connection(server: Server) -> Connection:
    """A connection to it."""
    return Connection(server.connect, 5)


def said(server: Server) -> list[str]:
    """Return what the stand-in was asked."""
    return [statement for statement, _ in server.asked]


def test_the_stand_in_is_told_of_transactions_that_were_begun_alone(server: Server, connection: Connection) -> None:
    connection.commit()
    connection.rollback()
    assert said(server) == []
    connection.begin()
    connection.commit()
    connection.rollback()
    connection.begin()
    connection.rollback()
    connection.rollback()
    begin, commit = "BEGIN TRANSACTION", "COMMIT TRANSACTION"
    assert said(server) == [begin, commit, begin, "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION"]


def test_settings_go_out_with_the_first_statement(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = sent_by(monkeypatch)
    connection.opening = "SET XACT_ABORT ON"
    # What is set in a statement with parameters ends with it.
    connection.cursor().execute("SELECT 1 WHERE 1 = ?", (1,))
    connection.begin()
    connection.run("SELECT 2")
    assert sent == [
        "SET XACT_ABORT ON; SELECT 1 WHERE 1 = ?",
        "SET XACT_ABORT ON; BEGIN TRANSACTION",
        "SELECT 2",
    ]


def test_settings_go_out_before_what_stands_alone_in_its_batch(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = sent_by(monkeypatch)
    connection.opening = "SET XACT_ABORT ON"
    connection.run("CREATE VIEW v AS SELECT 1 AS x")
    assert sent == ["SET XACT_ABORT ON", "CREATE VIEW v AS SELECT 1 AS x"]


@pytest.mark.parametrize("again", [True, False])
def test_a_statement_is_sent_again_where_its_settings_may_have_been_refused(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    sent = sent_by(monkeypatch, refused="SET X ON; ")
    connection.opening, connection.on_refused = "SET X ON", lambda error: again
    if again:
        connection.begin()
        assert sent == ["SET X ON; BEGIN TRANSACTION", "BEGIN TRANSACTION"]
    else:
        with pytest.raises(pyodbc.ProgrammingError):
            connection.begin()


def sent_by(monkeypatch: pytest.MonkeyPatch, refused: str = "\0") -> list[str]:
    """Return what is sent from now on, a batch an entry; those that begin with `refused` are."""
    sent: list[str] = []

    def execute(self: Any, statement: str, *parameters: Any) -> Any:
        sent.append(statement)
        if statement.startswith(refused):
            raise pyodbc.ProgrammingError("42000", "refused")
        return self

    monkeypatch.setattr(stand_in._Cursor, "execute", execute)
    return sent


class Results:
    """A stand-in for a driver whose batch has several results, the last of which is an error."""

    description = None
    timeout = 0

    def __init__(self, results: list[Any]) -> None:
        self._left = results
        self.fetched: list[int] = []

    def cursor(self) -> Results:
        return self

    def setinputsizes(self, sizes: object) -> None:
        pass

    def execute(self, batch: str) -> None:
        self._show()

    def _show(self) -> None:
        if isinstance(self._left[0], Exception):
            raise self._left[0]
        self.description = [("a",)] if self._left[0] is not None else None
        self._rows = list(self._left[0] or ())

    def fetchmany(self, size: int) -> list[Any]:
        rows, self._rows = self._rows[:size], self._rows[size:]
        self.fetched.append(len(rows))
        return rows

    def fetchall(self) -> list[Any]:
        return self.fetchmany(len(self._rows))

    def nextset(self) -> bool:
        del self._left[0]
        if self._left:
            self._show()
        return bool(self._left)

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_an_error_behind_other_results_of_a_stand_in_is_raised() -> None:
    late = pyodbc.ProgrammingError("42000", "late")
    for run in (Connection.run, Connection.exhaust):
        driver = Results([None, [(1,)], None, late])
        with pytest.raises(pyodbc.ProgrammingError, match="late"):
            run(Connection(lambda driver=driver: driver, 5), "SELECT 1; SELECT 1/0")  # type: ignore[misc]


def test_the_rows_of_the_last_result_of_a_stand_in_are_returned() -> None:
    connection = Connection(lambda: Results([[(1,)], None, [(2,), (3,)], None]), 5)
    assert connection.run("…") == [(2,), (3,)]


def test_what_a_script_selects_from_a_stand_in_is_read_in_portions() -> None:
    driver = Results([[(n,) for n in range(2_500)]])
    Connection(lambda: driver, 5).exhaust("…")
    assert driver.fetched == [1_000, 1_000, 500, 0]


def test_all_calls_to_a_stand_in_come_from_one_thread() -> None:
    threads: set[int] = set()

    class Noting(Server):
        def answer(self, statement: str, parameters: Sequence[Any]) -> Any:
            threads.add(threading.get_ident())
            return super().answer(statement, parameters)

    connection = Connection(Noting().connect, 5)
    connection.begin()
    connection.run("SELECT SCHEMA_NAME()")
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_the_migration_lock_of_a_stand_in_is_waited_for_by_the_server(server: Server, connection: Connection) -> None:
    """With a limit of zero a compatible server does not say that somebody else has it, but that it failed."""
    answers = iter([-1, -3, 0])
    server.answers["sp_getapplock"] = [(0,)]
    waited: list[object] = []
    asked = server.answer

    def answer(statement: str, parameters: Sequence[Any]) -> Any:
        if "sp_getapplock" in statement:
            server.answers["sp_getapplock"] = [(next(answers),)]
        return asked(statement, parameters)

    server.answer = answer  # type: ignore[method-assign]
    with session_lock(connection, "custctl:x", 30, waited.append):
        pass
    assert waited == [None]
    limits = [int(s.split("@LockTimeout = ")[1].split(";")[0]) for s in said(server) if "sp_getapplock" in s]
    assert len(limits) == 3
    assert 0 < limits[0] < 1_000 < limits[2] <= limits[1] <= 30_000
    assert "EXEC sp_releaseapplock" in said(server)[-1]


def test_a_lock_is_named_after_its_database_too(server: Server, connection: Connection) -> None:
    """Locks are wide as the server on one that is compatible: an unrelated database's migrations would wait."""
    with session_lock(connection, "custctl:x", 30, lambda _: None):
        pass
    assert len(said(server)) == 2
    for statement in said(server):
        assert "@name NVARCHAR(255) = N'custctl:x:' + CAST(DB_ID() AS NVARCHAR(10))" in statement
        assert "@Resource = @name," in statement


@pytest.mark.parametrize(
    ("answer", "message"), [(-1, "another migration holds the lock"), (-999, "sp_getapplock returned -999")]
)
def test_a_lock_that_a_stand_in_does_not_grant(
    server: Server, connection: Connection, answer: int, message: str
) -> None:
    server.answers["sp_getapplock"] = [(answer,)]
    with pytest.raises(UnavailableError, match=message), session_lock(connection, "custctl:x", 0, lambda _: None):
        raise AssertionError("it was granted")


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), pyodbc.OperationalError("HYT00", "[HYT00] time is over")])
def test_a_commit_that_does_not_end_is_undone_at_a_stand_in(
    server: Server, connection: Connection, failure: BaseException
) -> None:
    """Else the next transaction begins inside it, and its commit keeps nothing."""
    answer = server.answer

    def fail(statement: str, parameters: Sequence[Any]) -> Any:
        if statement.startswith("COMMIT"):
            raise failure
        return answer(statement, parameters)

    server.answer = fail  # type: ignore[method-assign]
    connection.begin()
    with pytest.raises(type(failure)):
        connection.commit()
    connection.rollback()
    assert "ROLLBACK TRANSACTION" in said(server)[-1]


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), pyodbc.OperationalError("HYT00", "[HYT00] time is over")])
def test_an_undoing_that_does_not_end_at_a_stand_in_is_done_before_the_next_transaction(
    server: Server, connection: Connection, failure: BaseException
) -> None:
    """Else that one begins within what was to be undone, and what is read in it may never have been committed."""
    answer = server.answer
    failures = iter([failure])

    def fail(statement: str, parameters: Sequence[Any]) -> Any:
        if "ROLLBACK" in statement and (error := next(failures, None)) is not None:
            raise error
        return answer(statement, parameters)

    server.answer = fail  # type: ignore[method-assign]
    connection.begin()
    with pytest.raises(type(failure)):
        connection.rollback()
    connection.begin()
    assert said(server) == ["BEGIN TRANSACTION", "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION", "BEGIN TRANSACTION"]


def test_a_refused_connection_to_a_stand_in_leaves_no_thread() -> None:
    threads: list[threading.Thread] = []

    def refusing() -> Any:
        """A server that refuses the login."""
        threads.append(threading.current_thread())
        raise pyodbc.OperationalError("28000", "[28000] Login failed")

    with pytest.raises(pyodbc.OperationalError):
        Connection(refusing, 5)
    [thread] = threads
    thread.join(10)
    assert not thread.is_alive()
