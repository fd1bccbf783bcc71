"""Lost races, on stand-ins: SQLite reads and writes under one lock, so that its own races are never lost."""

from __future__ import annotations

from typing import Any

import pytest

from custctl.customers.operations import new_operation_id
from custctl.customers.outbox import NoQueue
from custctl.customers.store import CustomerStore
from custctl.engines.base import EngineSettings
from custctl.engines.connection import Connection
from custctl.engines.sqlite.database import SqliteDatabase
from custctl.support.errors import ConflictError
from tests.conftest import ADA, Project


class StandInThatLosesRaces(SqliteDatabase):
    """SQLite, but the first writes find that somebody else was faster."""

    def __init__(self, settings: EngineSettings, losses: int) -> None:
        super().__init__(settings)
        self.losses = losses
        self.attempts = 0

    def write_row(self, connection: Any, columns: Any, **holds: Any) -> Any:
        self.attempts += 1
        if self.attempts <= self.losses:
            connection.send("UPDATE customer SET city = 'Rome' WHERE id = 1")
            return None
        return super().write_row(connection, columns, **holds)


def store(project: Project, losses: int) -> tuple[CustomerStore, StandInThatLosesRaces]:
    project.ok("customer", "add", *ADA)
    database = StandInThatLosesRaces(EngineSettings(location="here", path=project.path / "dev.db"), losses)
    return CustomerStore(database, "development", "tester"), database


def test_the_named_fields_are_applied_again_after_a_conflict(migrated: Project) -> None:
    customers, database = store(migrated, losses=2)
    outcome = customers.update("1", {"phone": "5"}, operation_id=new_operation_id(), retries=2)
    assert outcome.customer is not None
    assert outcome.customer.phone == "5"
    assert database.attempts == 3
    database.close()


@pytest.mark.parametrize("retries", [0, 1])
def test_with_too_few_retries_nothing_is_written(migrated: Project, retries: int) -> None:
    customers, database = store(migrated, losses=9)
    with pytest.raises(ConflictError) as caught:
        customers.update("1", {"phone": "5"}, operation_id=new_operation_id(), retries=retries)
    assert database.attempts == retries + 1
    assert [field["field"] for field in caught.value.details["fields"]] == ["phone", "city"]
    database.close()
    found = migrated.ok("customer", "get", "1", "-o", "json").json
    assert (found["phone"], found["city"]) == (None, None)


def test_a_given_version_is_never_retried(migrated: Project) -> None:
    customers, database = store(migrated, losses=1)
    with pytest.raises(ConflictError):
        customers.update("1", {"phone": "5"}, operation_id=new_operation_id(), if_version="e1-1", retries=5)
    assert database.attempts == 1
    database.close()


class StandInThatWritesBeforeADelete(NoQueue):
    """Somebody who changes a customer between the look at its row and the first deletes."""

    def __init__(self, writes: int) -> None:
        self.writes = writes

    def forget(self, connection: Connection, customer_id: int, operation_id: str) -> None:
        if self.writes:
            self.writes -= 1
            connection.send("UPDATE customer SET city = 'Rome' WHERE id = 1")


def test_a_delete_that_loses_a_race_deletes_nothing(migrated: Project) -> None:
    _, database = store(migrated, losses=0)
    customers = CustomerStore(database, "development", "tester", queue=StandInThatWritesBeforeADelete(1))
    with pytest.raises(ConflictError) as caught:
        customers.delete("1", operation_id=new_operation_id())
    database.close()
    assert caught.value.details["fields"] == [{"field": "city", "was": None, "now": "Rome"}]
    assert migrated.ok("customer", "get", "1", "-o", "json").json["version"] == "e1-1"
    assert [event["action"] for event in migrated.ok("customer", "history", "1", "-o", "json").json["items"]] == ["add"]


def test_an_erasure_goes_through_whatever_others_write_meanwhile(migrated: Project) -> None:
    _, database = store(migrated, losses=0)
    customers = CustomerStore(database, "development", "tester", queue=StandInThatWritesBeforeADelete(3))
    customers.erase("1", request="DSR-1", operation_id=new_operation_id())
    database.close()
    assert migrated.run("customer", "get", "1").code == 6
