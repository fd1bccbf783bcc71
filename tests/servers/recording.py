"""Counts what a command asks of its database: logins, and round trips on them, whatever the engine's driver."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyodbc
import pytest

from custctl.engines.postgresql.connection import LimitedConnection


@dataclass(slots=True)
class Recorded:
    """What was asked of a database.

    Attributes:
        logins: how many connections were made.
        trips: how often an answer was waited for on them; of a file, how many statements were run.
        asked: what was sent, where the driver shows that.
    """

    logins: int = 0
    trips: int = 0
    asked: list[str] = field(default_factory=list)

    def trip(self, statement: str) -> None:
        """Count a round trip."""
        self.trips += 1
        self.asked.append(statement)


@contextmanager
def recording() -> Iterator[Recorded]:
    """Count what is asked of any database in this process during the block."""
    recorded = Recorded()
    with pytest.MonkeyPatch.context() as patch:
        _watch_sqlite(patch, recorded)
        _watch_postgresql(patch, recorded)
        _watch_mssql(patch, recorded)
        yield recorded


def _watch_sqlite(patch: pytest.MonkeyPatch, recorded: Recorded) -> None:
    connect = sqlite3.connect

    def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        made = connect(*arguments, **options)
        recorded.logins += 1
        # What a trigger runs is shown as a comment.
        made.set_trace_callback(lambda statement: None if statement.startswith("--") else recorded.trip(statement))
        return made

    patch.setattr(sqlite3, "connect", traced)


def _watch_postgresql(patch: pytest.MonkeyPatch, recorded: Recorded) -> None:
    make, wait = LimitedConnection.__init__, LimitedConnection.wait

    def made(self: LimitedConnection, *arguments: Any, **options: Any) -> None:
        make(self, *arguments, **options)
        recorded.logins += 1

    def watched(gen: Any) -> Any:
        # What is already as it is asked to be, as where no transaction is open to be undone, is not asked for.
        try:
            state = next(gen)
            recorded.trip(str(getattr(gen, "__qualname__", gen)))
            while True:
                state = gen.send((yield state))
        except StopIteration as end:
            return end.value

    def waited(self: LimitedConnection, gen: Any, *arguments: Any, **options: Any) -> Any:
        return wait(self, watched(gen), *arguments, **options)

    patch.setattr(LimitedConnection, "__init__", made)
    patch.setattr(LimitedConnection, "wait", waited)


def _watch_mssql(patch: pytest.MonkeyPatch, recorded: Recorded) -> None:
    connect = pyodbc.connect

    def made(*arguments: Any, **options: Any) -> Any:
        recorded.logins += 1
        return _Connection(connect(*arguments, **options), recorded)

    patch.setattr(pyodbc, "connect", made)


class _Connection:
    """A connection of pyodbc whose cursors are counted."""

    def __init__(self, driver: pyodbc.Connection, recorded: Recorded) -> None:
        object.__setattr__(self, "_driver", driver)
        object.__setattr__(self, "_recorded", recorded)

    def cursor(self) -> _Cursor:
        return _Cursor(self._driver.cursor(), self._recorded)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._driver, name, value)


class _Cursor:
    def __init__(self, driver: pyodbc.Cursor, recorded: Recorded) -> None:
        object.__setattr__(self, "_driver", driver)
        object.__setattr__(self, "_recorded", recorded)

    def execute(self, statement: str, *parameters: Any) -> _Cursor:
        self._recorded.trip(statement)
        self._driver.execute(statement, *parameters)
        return self

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        self._recorded.trip(statement)
        self._driver.executemany(statement, rows)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._driver, name, value)
