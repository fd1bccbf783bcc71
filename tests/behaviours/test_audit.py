"""The audit: every write is in it, and whoever tampers with it is found, on every engine alike."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest

from custctl.customers import audit
from custctl.customers.audit import HASHED
from custctl.support.identity import system_user
from tests.behaviours.support import Place
from tests.servers.postgresql import USER

_COLUMNS = ("action", "customer_id", "version", "fields", "sequence")


def faults(place: Place, *arguments: str) -> list[tuple[str, int | None]]:
    """Return kind and row of what `audit verify` finds, which must be something."""
    result = place.run("audit", "verify", *arguments, "-o", "json")
    assert result.code == 9, result.err
    assert result.json["ok"] is False
    return [(fault["kind"], fault["audit_id"]) for fault in result.json["faults"]]


def test_every_write_is_listed_newest_first(migrated: Place) -> None:
    place = migrated
    ada = place.add(email="ada@example.com")
    who, operation = str(ada["id"]), str(uuid.uuid4())
    after = place.json("customer", "update", who, "--city", "Łódź", "--phone", "1", "--operation-id", operation)
    place.ok("customer", "update", who, "--city", "Łódź")  # writes nothing
    bob = place.add(email="bob@example.com")
    entries = place.items("audit", "list")
    assert [tuple(entry[name] for name in _COLUMNS) for entry in entries] == [
        ("add", bob["id"], bob["version"], ["email", "first_name", "last_name", "status"], 1),
        ("update", ada["id"], after["version"], ["phone", "city"], 2),
        ("add", ada["id"], ada["version"], ["email", "first_name", "last_name", "status"], 1),
    ]
    assert [entry["id"] for entry in entries] == sorted((entry["id"] for entry in entries), reverse=True)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["happened_at"]) for entry in entries)
    assert place.items("audit", "list", "--operation", operation.upper()) == [entries[1]]
    assert place.items("audit", "list", "--customer", "ada@example.com") == entries[1:]
    page = place.json("audit", "list", "--limit", "2")
    assert page["items"] == entries[:2]
    assert place.json("audit", "list", "--limit", "2", "--after", page["next"]) == {"items": entries[2:], "next": None}
    # An operation is recorded once, whoever writes.
    columns = "operation_id, part, customer_id, sequence, action, actor, happened_at, fields, detail, values_hash"
    try:
        place.sql(
            f"INSERT INTO customer_audit ({columns}, previous_hash, row_hash)"
            f" SELECT {columns.replace('sequence', 'sequence + 100')}, previous_hash, row_hash FROM customer_audit"
            f" WHERE operation_id = '{operation}'"
        )
    except place.integrity_errors():
        pass
    else:
        raise AssertionError("the operation is recorded twice")


def test_tampering_is_found(migrated: Place) -> None:
    place = migrated
    ada, bob = place.add(email="ada@example.com"), place.add(email="bob@example.com")
    for city in ("London", "Łódź", "Rome"):
        place.ok("customer", "update", str(ada["id"]), "--city", city)
    report = place.json("audit", "verify")
    assert (report["ok"], report["faults"], report["rows"], report["chains"]) == (True, [], 5, 2)
    rows: list[dict[str, Any]] = place.items("audit", "list", "--customer", str(ada["id"]))[::-1]
    first, second, third, last = (row["id"] for row in rows)
    own = f"WHERE id = {second}"

    # A column that the hash covers: any change of it, and none when it is as it was.
    ((actor,),) = place.sql(f"SELECT actor FROM customer_audit {own}")
    place.sql(f"UPDATE customer_audit SET actor = {place.literal('nobody')} {own}")
    assert faults(place) == [("changed", second)]
    place.sql(f"UPDATE customer_audit SET actor = {place.literal(actor)} {own}")
    place.ok("audit", "verify")

    # The values.
    ((held, salt),) = place.sql(f"SELECT held_values, salt FROM customer_audit {own}")
    assert "London" in held
    place.sql(f"UPDATE customer_audit SET held_values = {place.literal(held.replace('London', 'Paris'))} {own}")
    assert faults(place) == [("changed", second)]
    place.sql(f"UPDATE customer_audit SET held_values = NULL, salt = NULL {own}")
    assert faults(place) == [("erased", second)]
    place.sql(f"UPDATE customer_audit SET held_values = {place.literal(held)}, salt = {place.literal(salt)} {own}")
    checkpoint = place.ok("audit", "verify", "-o", "json").out
    (place.path / "checkpoint.json").write_text(checkpoint)

    # Rows that go: in the middle the chain tells, at its end the checkpoint alone does.
    place.add(email="carol@example.com")
    place.ok("audit", "verify", "--checkpoint", "checkpoint.json")
    place.sql(f"DELETE FROM customer_audit WHERE id = {last}")
    place.ok("audit", "verify")
    assert faults(place, "--checkpoint", "checkpoint.json") == [("truncated", None)]
    place.sql(f"DELETE FROM customer_audit WHERE id = {second}")
    assert ("removed", third) in faults(place)
    assert {kind for kind, _ in faults(place, "--checkpoint", "checkpoint.json")} == {"removed", "truncated"}
    place.sql(f"DELETE FROM customer_audit WHERE customer_id = {bob['id']}")
    assert first
    assert str(bob["id"]) not in {str(number) for _, number in faults(place)}
    assert faults(place, "--checkpoint", "checkpoint.json").count(("truncated", None)) == 1


def test_a_deletion_is_no_tampering(migrated: Place) -> None:
    place = migrated
    ada, bob = place.add(email="ada@example.com"), place.add(email="bob@example.com")
    (place.path / "checkpoint.json").write_text(place.ok("audit", "verify", "-o", "json").out)
    place.ok("customer", "delete", str(ada["id"]), "--yes")
    report = place.json("audit", "verify", "--checkpoint", "checkpoint.json")
    assert (report["ok"], report["rows"]) == (True, 3)
    held = place.sql("SELECT customer_id, held_values FROM customer_audit ORDER BY id")
    assert [(number, text is None) for number, text in held] == [
        (ada["id"], True), (bob["id"], False), (ada["id"], True)
    ]  # fmt: skip
    assert "ada@example" not in json.dumps(place.items("audit", "list", "--customer", str(ada["id"])))
    # A checkpoint of another database is none of this one's.
    other = json.loads((place.path / "checkpoint.json").read_text())
    other["checkpoint"]["database_id"] = str(uuid.uuid4())
    (place.path / "checkpoint.json").write_text(json.dumps(other))
    assert place.refused(7, "audit", "verify", "--checkpoint", "checkpoint.json")["code"] == "refused"


def test_an_import_is_one_entry_a_batch_with_the_customers_that_it_touched(migrated: Place) -> None:
    place = migrated
    place.add(email="first@example.com")
    (place.path / "more.csv").write_text("email,first_name,last_name\na@example.com,A,A\nb@example.com,B,B\n")
    operation = str(uuid.uuid4())
    place.ok("customer", "import", "more.csv", "--operation-id", operation)
    (entry,) = place.items("audit", "list", "--operation", operation)
    assert (entry["action"], entry["customer_id"], entry["part"]) == ("import", None, 1)
    assert (entry["detail"]["inserted"], entry["detail"]["file"]) == (2, "more.csv")
    rows = {row["email"]: row["id"] for row in place.items("customer", "list")}
    low, high = sorted((rows["a@example.com"], rows["b@example.com"]))
    assert entry["detail"]["customers"] == f"{low}-{high}"
    history = place.items("customer", "history", "b@example.com")
    assert [(event["action"], event["operation_id"]) for event in history] == [("import", operation)]
    place.ok("audit", "verify")


def test_an_entry_names_the_login_beside_whoever_the_client_says_it_is(migrated: Place) -> None:
    place = migrated
    ada = place.add(email="ada@example.com")
    place.environ["LOGNAME"] = "ceo"
    place.ok("customer", "update", str(ada["id"]), "--city", "Łódź")
    entry = place.items("audit", "list")[0]
    ours = {"sqlite": system_user(), "postgresql": USER}.get(place.engine) or place.sql("SELECT ORIGINAL_LOGIN()")[0][0]
    assert entry["actor"].startswith("ceo@")
    assert entry["login"] == ours
    assert [event["login"] for event in place.items("customer", "history", str(ada["id"]))] == [ours, ours]
    assert place.json("audit", "verify")["ok"] is True
    # It is in the chain.
    if place.engine == "mssql":
        # There the check that no client chooses it holds for updates, too.
        place.sql("ALTER TABLE customer_audit DROP CONSTRAINT customer_audit_database_login_check")
    place.sql(f"UPDATE customer_audit SET database_login = {place.literal('ceo')} WHERE id = {entry['id']}")
    assert faults(place) == [("changed", entry["id"])]
    place.sql(f"UPDATE customer_audit SET database_login = NULL WHERE id = {entry['id']}")
    assert ("changed", entry["id"]) in faults(place)


def test_no_client_chooses_the_login(migrated: Place) -> None:
    place = migrated
    ada = place.add(email="ada@example.com")
    columns = "part, customer_id, action, actor, happened_at, detail, held_values, values_hash, previous_hash, row_hash"

    def forge(operation: str, sequence: int, login: str) -> None:
        place.sql(
            f"INSERT INTO customer_audit ({columns}, operation_id, sequence{login and ', database_login'})"
            f" SELECT {columns}, '{operation}', {sequence}{login and f', {place.literal(login)}'} FROM customer_audit"
        )

    if place.engine != "sqlite":
        with pytest.raises(place.errors()):
            forge("forged", 7, "ceo")
    # A client of an older release names none: the database does.
    forge("older", 8, "")
    ((login,),) = place.sql("SELECT database_login FROM customer_audit WHERE operation_id = 'older'")
    assert login == (None if place.engine == "sqlite" else place.items("audit", "list")[0]["login"])
    # Whoever erases the values of a customer need not be who wrote them.
    place.ok("customer", "delete", str(ada["id"]), "--yes")


def test_entries_of_an_older_schema_verify_with_those_that_follow(empty: Place) -> None:
    place = empty
    place.ok("migrate")
    ada = place.add(email="ada@example.com")
    (row,) = [
        dict(zip(HASHED, values, strict=True))
        for values in place.sql(f"SELECT {', '.join(HASHED)} FROM customer_audit")
    ]
    row["happened_at"] = place.items("audit", "list")[0]["happened_at"]
    older = audit.row_hash({**row, "database_login": None})
    place.sql(f"UPDATE customer_audit SET database_login = NULL, row_hash = '{older}'")
    place.ok("audit", "verify")
    place.ok("customer", "update", str(ada["id"]), "--city", "Ulm")
    place.ok("audit", "verify")
    assert [entry["login"] is None for entry in place.items("audit", "list")] == [False, True]
    # The login is not added to an old row, nor left out of a new one.
    place.sql("UPDATE customer_audit SET database_login = NULL WHERE sequence = 2")
    assert {number for _, number in faults(place)} == {place.items("audit", "list")[0]["id"]}
