"""What a server says besides rows and errors, on a stand-in for pyodbc's connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from custctl.engines.mssql.session import MssqlScriptSession
from custctl.engines.mssql.supervised import Connection

SAID = "[Microsoft][ODBC Driver 18 for SQL Server][SQL Server]"


class StandInCursor:
    """Answers a batch with result sets, each with its messages, as pyodbc does."""

    def __init__(self, sets: Sequence[tuple[str | None, Sequence[tuple[str, str]]]]) -> None:
        self._sets = list(sets)
        self._show()

    def _show(self) -> None:
        column, self.messages = self._sets[0]
        self.description = [(column,)] if column else None

    def execute(self, statement: str) -> None:
        assert statement == "the batch"

    def setinputsizes(self, sizes: Sequence[Any]) -> None: ...

    def fetchmany(self, size: int) -> list[Any]:
        return []

    def nextset(self) -> bool:
        del self._sets[0]
        if self._sets:
            self._show()
        return bool(self._sets)

    def cancel(self) -> None: ...

    def close(self) -> None: ...


class StandInDriver:
    """A connection with one such cursor."""

    def __init__(self, *sets: tuple[str | None, Sequence[tuple[str, str]]]) -> None:
        self._sets = sets

    def cursor(self) -> StandInCursor:
        return StandInCursor(self._sets)

    def close(self) -> None: ...


def test_what_scripts_and_servers_say_of_each_result_is_passed_on() -> None:
    driver = StandInDriver(
        (None, [("[01000] (0)", f"{SAID}begun"), ("[01000] (5701)", f"{SAID}Changed database context to 'x'.")]),
        (
            "n",
            [("[01000] (0)", f"{SAID}Changed database context to 'x'."), ("[01000] (8153)", f"{SAID}Warning: NULL.")],
        ),
        (None, [("[01000] (50000)", "[FreeTDS][SQL Server][draft] half-way"), ("[01000] (0)", f"{SAID} ")]),
        (None, [("[01000] (113000)", f"{SAID}ours"), ("[01000] (15477)", f"{SAID}Caution: a name changes.")]),
    )
    connection = Connection(lambda: driver, 5)
    session = MssqlScriptSession.__new__(MssqlScriptSession)
    told: list[str] = []
    warned: list[tuple[str, str | None]] = []
    session.on_notice = lambda text, hint: warned.append((text, hint))
    session.on_message = told.append
    connection.exhaust("the batch", session._heard)
    connection.close()
    assert told == ["begun", "[draft] half-way", "ours"]
    assert warned == [("Warning: NULL.", None), ("Caution: a name changes.", None)]


def test_nobody_has_to_listen() -> None:
    session = MssqlScriptSession.__new__(MssqlScriptSession)
    session._heard("[01000] (0)", f"{SAID}begun")
