"""What a store tells its mirror about a write, so that a cache is never left with a row that is no longer true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from custctl.customers.mirror import NoMirror
from custctl.customers.operations import new_operation_id
from custctl.customers.store import CustomerStore
from custctl.engines.base import EngineSettings
from custctl.engines.sqlite.database import SqliteDatabase
from custctl.support.errors import (
    ConflictError,
    CustctlError,
    InterruptedRunError,
    NotFoundError,
    OutcomeUnknownError,
    UnavailableError,
)
from tests.conftest import Project

ADA = {"email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace"}


class Told(NoMirror):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def writing(self, database_id: str | None, customer_id: int) -> None:
        self.notes.append(f"writing {customer_id}")

    def wrote(self, database_id: str | None, row: object) -> None:
        self.notes.append(f"wrote {row['version']}")  # type: ignore[index]

    def deleted(self, database_id: str | None, customer_id: int, version: str) -> None:
        self.notes.append(f"deleted {version}")

    def erasing(self, database_id: str | None, customer_id: int) -> None:
        self.notes.append(f"erasing {customer_id}")

    def erased(self, database_id: str | None, customer_id: int, version: str | None) -> None:
        self.notes.append(f"erased {version}")

    def unchanged(self) -> None:
        self.notes.append("unchanged")

    def since(self) -> list[str]:
        """Return what it was told since the last call."""
        notes, self.notes = self.notes, []
        return notes


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def customers(migrated: Project, told: Told) -> Iterator[CustomerStore]:
    """A store with one customer."""
    database = SqliteDatabase(EngineSettings("here", path=migrated.path / "dev.db"))
    store = CustomerStore(database, "development", "tester", mirror=told)
    store.add(ADA, operation_id=new_operation_id())
    assert told.since() == ["writing 1", "wrote e1-1"]
    try:
        yield store
    finally:
        database.close()


def test_an_update_and_the_same_again(customers: CustomerStore, told: Told) -> None:
    operation = new_operation_id()
    customers.update("1", {"city": "Ulm"}, operation_id=operation)
    assert told.since() == ["writing 1", "wrote e1-2"]
    customers.update("1", {"city": "Ulm"}, operation_id=operation)
    customers.update("1", {"city": "Ulm"}, operation_id=new_operation_id())
    assert told.since() == ["unchanged"] * 2


def test_what_is_not_written(customers: CustomerStore, told: Told) -> None:
    customers.update("1", {"city": "Ulm"}, operation_id=new_operation_id(), rehearse=True)
    assert told.since() == []
    with pytest.raises(ConflictError):
        customers.update("1", {"city": "Ulm"}, operation_id=new_operation_id(), if_version="e1-9")
    with pytest.raises(ConflictError):
        customers.add(ADA, operation_id=new_operation_id())
    with pytest.raises(NotFoundError):
        customers.delete("2", operation_id=new_operation_id())
    for who in ("2", "nobody@example.com"):
        with pytest.raises(NotFoundError):
            customers.erase(who, request="DSR-1", operation_id=new_operation_id())
    assert told.since() == ["unchanged"] * 5


@pytest.mark.parametrize(
    ("error", "notes"),
    [
        (OutcomeUnknownError("lost"), []),
        (InterruptedRunError("interrupted"), []),
        (UnavailableError("lost; nothing was written"), ["unchanged"]),
    ],
    ids=["unknown", "interrupted", "not written"],
)
def test_what_may_yet_be_written_stays_announced(
    customers: CustomerStore, told: Told, monkeypatch: pytest.MonkeyPatch, error: CustctlError, notes: list[str]
) -> None:
    run = customers.transactions.run

    def stand_in(*arguments: Any) -> Any:
        """Lose the answer to the commit."""
        run(*arguments)
        raise error

    monkeypatch.setattr(customers.transactions, "run", stand_in)
    with pytest.raises(type(error)):
        customers.update("1", {"city": "Ulm"}, operation_id=new_operation_id())
    assert told.since() == ["writing 1", *notes]


def test_a_delete_and_an_erasure_of_what_it_left(customers: CustomerStore, told: Told) -> None:
    customers.delete("1", operation_id=new_operation_id())
    assert told.since() == ["writing 1", "deleted e1-1"]
    customers.erase("1", request="DSR-1", operation_id=new_operation_id())
    assert told.since()[::2] == ["erasing 1", "erased e1-1"]


def test_an_erasure(customers: CustomerStore, told: Told) -> None:
    operation = new_operation_id()
    customers.erase("ADA@example.com", request="DSR-1", operation_id=operation)
    assert told.since() == ["erasing 1", "deleted e1-1", "erased e1-1"]
    # A process that was killed before it told all of this is run again.
    customers.erase("1", request="DSR-1", operation_id=operation)
    assert told.since()[-1] == "erased e1-1"
