"""A data subject's request: everything that is held of a person, as a document; and erased, with a report."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.behaviours.support import Place

PASSWORD = "correct horse battery staple\n"


def person(place: Place) -> dict[str, Any]:
    """Add a customer with a history and a password."""
    email = f"p{uuid.uuid4().hex[:10]}@example.com"
    made = place.add(email=email, first_name="Zqjxwvk", phone="+44 20 7946 0000")
    place.ok("customer", "update", email, "--phone", "+44 20 7946 0001")
    place.ok("customer", "set-password", email, "--stdin", stdin=PASSWORD)
    return made


def erase(place: Place, who: str | int, *options: str, request: str = "DSR-1") -> dict[str, Any]:
    found: dict[str, Any] = place.json("customer", "erase", str(who), "--request", request, "--yes", *options)
    return found


def test_everything_goes_and_the_report_says_what_stays(shared: Place) -> None:
    customer = person(shared)
    report = erase(shared, customer["email"])
    assert report["customer_id"] == customer["id"]
    assert report["complete"] is True
    assert report["erased"] == {"customer": 1, "password": 1, "audit_values": 2, "kept_edits": 0, "list_positions": 0}
    assert {"backups", "audit_facts", "your_files", "other_machines"} <= {each["what"] for each in report["kept"]}
    assert all(each["why"] and not each["failed"] for each in report["kept"])
    [entry] = shared.items("audit", "list", "--operation", report["operation_id"])
    assert (entry["action"], entry["customer_id"]) == ("erase", customer["id"])
    assert entry["detail"]["request"] == "DSR-1"
    assert entry["actor"] == report["erased_by"]
    assert shared.sql(f"SELECT row_hash FROM customer_audit WHERE id = {entry['id']}")[0][0] == report["entry_hash"]
    shared.ok("audit", "verify")
    assert shared.count("customer_password", f"customer_id = {customer['id']}") == 0
    assert shared.count("customer_audit", f"customer_id = {customer['id']} AND held_values IS NOT NULL") == 0
    assert shared.refused(6, "customer", "get", customer["email"])["code"] == "not_found"
    assert [event["changes"] for event in shared.items("customer", "history", str(customer["id"]))] == [None] * 4


def test_an_operation_is_applied_once_and_answers_again(shared: Place) -> None:
    customer, operation = person(shared), str(uuid.uuid4())
    first = erase(shared, customer["email"], "--operation-id", operation)
    again = erase(shared, customer["email"], "--operation-id", operation)
    assert again == {**first, "replayed": True}
    error = shared.refused(
        5, "customer", "erase", str(customer["id"]), "--request", "DSR-2", "--yes", "--operation-id", operation
    )
    assert "DSR-1" in error["message"]


def test_what_is_left_of_a_deleted_customer_goes(shared: Place) -> None:
    """A row that somebody has deleted with SQL leaves its password and the audit's values."""
    customer = person(shared)
    shared.sql(f"DELETE FROM customer_password WHERE customer_id = {customer['id']}")
    shared.sql(f"DELETE FROM customer WHERE id = {customer['id']}")
    error = shared.refused(6, "customer", "erase", customer["email"], "--request", "DSR-3", "--yes")
    assert "by its id" in error["hint"]
    report = erase(shared, customer["id"], request="DSR-3")
    assert report["erased"]["audit_values"] == 2
    again = erase(shared, customer["id"], request="DSR-3")
    assert again["erased"] == {"customer": 0, "password": 0, "audit_values": 0, "kept_edits": 0, "list_positions": 0}
    shared.ok("audit", "verify")


def test_a_customer_that_never_was_is_not_found(shared: Place) -> None:
    assert "never was" in shared.refused(6, "customer", "erase", "987654321", "--request", "DSR-4", "--yes")["message"]
    assert "never was" in shared.refused(6, "customer", "export", "--who", "987654321")["message"]


@pytest.mark.parametrize("reference", ["", " ", "ada@example.com", "x" * 101, "a\tb"])
def test_a_reference_names_nobody(shared: Place, reference: str) -> None:
    shared.refused(2, "customer", "erase", "1", "--request", reference, "--yes")


def test_production_wants_the_name_of_the_profile(shared: Place) -> None:
    customer = person(shared)
    error = shared.refused(7, "customer", "erase", customer["email"], "--request", "DSR-5")
    assert "--yes" in error["hint"]
    shared.alias("prod", "production")
    command = ("customer", "erase", customer["email"], "--request", "DSR-5", "--env", "prod")
    assert "--confirm prod" in shared.refused(7, *command, "--yes")["hint"]
    shared.ok("customer", "get", customer["email"])


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_killed_erasure_is_run_again(shared: Place, moment: str) -> None:
    """The same command ends the work, also where the email that it names is erased already."""
    customer = person(shared)
    arguments = ("customer", "erase", customer["email"], "--request", "DSR-6", "--yes", "-o", "json")
    command = [sys.executable, "-m", "tests.behaviours.interrupted", moment, "SIGKILL", *arguments]
    killed = subprocess.run(command, cwd=shared.path, env=shared.environ, capture_output=True, check=False, timeout=300)
    assert killed.returncode == -9
    report = shared.ok(*arguments).json
    assert report["customer_id"] == customer["id"]
    assert report["erased"]["audit_values"] == 2
    assert report["replayed"] is (moment == "after")
    assert shared.count("customer_audit", f"customer_id = {customer['id']} AND action = 'erase'") == 1
    assert shared.refused(6, *arguments[:-2])["code"] == "not_found"
    assert not list(Path(shared.environ["HOME"]).rglob("erasing.json"))


def test_another_customer_with_the_same_email_is_not_erased_in_its_place(shared: Place) -> None:
    customer = person(shared)
    arguments = ("customer", "erase", customer["email"], "--request", "DSR-7", "--yes", "-o", "json")
    command = [sys.executable, "-m", "tests.behaviours.interrupted", "after", "SIGKILL", *arguments]
    subprocess.run(command, cwd=shared.path, env=shared.environ, capture_output=True, check=False, timeout=300)
    other = shared.add(email=customer["email"])
    assert shared.ok(*arguments).json["customer_id"] == customer["id"]
    assert shared.json("customer", "get", customer["email"])["id"] == other["id"]


def test_all_that_is_held_is_exported(shared: Place) -> None:
    customer = person(shared)
    held = shared.ok("customer", "export", "--who", customer["email"]).json
    assert held["customer"] == shared.json("customer", "get", customer["email"])
    assert held["password"]["set"] is True
    assert held["password"]["updated_at"].endswith("Z")
    assert [entry["action"] for entry in held["audit"]] == ["add", "update", "set-password"]
    assert held["audit"][1]["values"]["before"] == {"phone": "+44 20 7946 0000"}
    assert "argon2" not in str(held)
    assert held["cache"] == {"entry": False}
    erase(shared, customer["id"], request="DSR-8")
    held = shared.ok("customer", "export", "--who", str(customer["id"]), "-o", "json").json
    assert held["customer"] is None
    assert held["password"] == {"set": False, "updated_at": None}
    assert [entry["values"] for entry in held["audit"]] == [None] * 4


def test_an_import_that_touched_a_person_is_named(shared: Place) -> None:
    email = f"p{uuid.uuid4().hex[:10]}@example.com"
    (shared.path / "people.csv").write_text(f"email,first_name,last_name\n{email},A,B\n")
    shared.ok("customer", "import", "people.csv")
    held = shared.ok("customer", "export", "--who", email).json
    assert [batch["file"] for batch in held["imports"]] == ["people.csv"]
    assert erase(shared, email, request="DSR-9")["erased"]["customer"] == 1
    shared.ok("audit", "verify")


@pytest.mark.parametrize("option", [("--status", "active"), ("--fields", "email"), ("-o", "csv")])
def test_a_person_is_exported_whole(shared: Place, option: tuple[str, str]) -> None:
    assert shared.run("customer", "export", "--who", "1", *option).code == 2


def test_an_id_that_is_too_large_is_told_as_it_was_typed(shared: Place) -> None:
    number = "1234567890" * 3
    for command in (("erase", number, "--request", "R", "--yes"), ("get", number), ("history", number)):
        assert f"there is no customer {number}" in shared.refused(6, "customer", *command)["message"]


def test_a_person_is_exported_to_a_file_of_ones_own(shared: Place) -> None:
    customer = person(shared)
    shared.ok("customer", "export", "--who", customer["email"], "--output-file", "held.json")
    path = shared.path / "held.json"
    assert path.stat().st_mode & 0o077 == 0
    assert customer["email"] in path.read_text()
