"""`update --dry-run`: what would change, with the exit code of the real update, and nothing written."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.behaviours.support import Place


@pytest.fixture
def customer(shared: Place) -> dict[str, Any]:
    return shared.add(email=f"r{uuid.uuid4().hex[:10]}@example.com", phone="1")


def test_it_shows_field_by_field_what_would_change_and_writes_nothing(shared: Place, customer: dict[str, Any]) -> None:
    who, operation = customer["email"], str(uuid.uuid4())
    command = ("customer", "update", who, "--phone", "2", "--company", "Labs", "--first-name", "F")
    plan = shared.json(*command, "--dry-run", "--operation-id", operation)
    assert plan == {
        "id": customer["id"],
        "version": customer["version"],
        "dry_run": True,
        "changes": [{"field": "phone", "old": "1", "new": "2"}, {"field": "company", "old": None, "new": "Labs"}],
    }
    assert shared.json("customer", "get", who) == customer
    assert shared.items("audit", "list", "--operation", operation) == []
    # The id is free: the real update takes it.
    assert shared.json(*command, "--operation-id", operation)["company"] == "Labs"
    result = shared.run(*command, "--dry-run", "--operation-id", operation)
    assert result.code == 0
    assert "already applied" in result.err


def test_nothing_to_change(shared: Place, customer: dict[str, Any]) -> None:
    result = shared.ok("customer", "update", customer["email"], "--phone", "1", "--dry-run", "-o", "json")
    assert result.json["changes"] == []
    assert any("nothing to change" in note for note in result.told)


def test_exit_codes_are_those_of_the_update(shared: Place, customer: dict[str, Any]) -> None:
    other = shared.add(email=f"r{uuid.uuid4().hex[:10]}@example.com")
    who = customer["email"]
    for code, arguments in (
        (5, (who, "--phone", "2", "--if-version", "e1-99" if shared.engine != "mssql" else "e1-00000000000000ff")),
        (5, (who, "--email", other["email"])),
        (6, ("nobody@example.com", "--phone", "2")),
        (9, (who, "--email", "nobody")),
        (2, (who,)),
    ):
        command = ("customer", "update", *arguments)
        assert shared.run(*command, "--dry-run").code == shared.run(*command).code == code, arguments
    shared.alias("staging", "staging")
    assert shared.run("customer", "update", who, "--phone", "2", "--dry-run", "--env", "staging").code == 7
    assert shared.json("customer", "get", who) == customer
