"""The database's own stamp decides who may write to it and what may be seeded into it."""

from __future__ import annotations

import pytest

from custctl.customers.model import EDITABLE
from custctl.customers.synthetic import synthetic_customers
from tests.behaviours.support import Place, editable
from tests.conftest import ADA

DEMO = [
    "ada.lovelace@example.com",
    "emmy.noether@example.org",
    "grace.hopper@example.com",
    "radia.perlman@example.net",
    "rozsa.peter@example.net",
    "sofja.kowalewskaja@example.org",
]


def test_a_profile_of_another_environment_writes_nothing(empty: Place) -> None:
    place = empty
    place.alias("live", "production")
    place.ok("migrate", "--env", "live")
    added = place.json("customer", "add", *ADA, "--env", "live")
    (place.path / "more.csv").write_text("email,first_name,last_name\nx@example.com,X,Y\n")
    place.copy_scripts()
    place.write("0099_late", "CREATE TABLE late (x INTEGER)")
    who = str(added["id"])
    for arguments in (
        ("migrate",),
        ("seed",),
        ("seed", "--customers", "5"),
        ("customer", "add", *ADA),
        ("customer", "update", who, "--city", "Paris"),
        ("customer", "delete", who, "--yes"),
        ("customer", "import", "more.csv"),
        ("customer", "set-password", who, "--stdin"),
        ("migrate", "repair"),
    ):
        error = place.refused(7, *arguments, stdin="copper lantern drifting\n")
        assert "stamped `production`" in error["message"], arguments
        assert error["details"] == {"stamp": "production", "profile": "development"}
    assert place.tables("late") == set()
    # Reading is no harm, and nothing was written.
    assert place.items("customer", "list") == [added]
    assert place.count("customer_audit") == 1


def test_production_asks_for_its_name_and_takes_no_test_data(empty: Place) -> None:
    place = empty
    place.alias("live", "production")
    place.ok("migrate", "--env", "live")
    who = str(place.json("customer", "add", *ADA, "--env", "live")["id"])
    (place.path / "more.csv").write_text("email,city\nada@example.com,Paris\n")
    for arguments in (
        ("customer", "delete", who),
        ("customer", "import", "more.csv", "--on-conflict", "update"),
    ):
        for flags in ((), ("--yes",), ("--confirm", "dev")):
            error = place.refused(7, *arguments, *flags, "--env", "live")
            assert "--confirm live" in f"{error['message']} {error['hint']}"
    for arguments in (("seed", "--set", "demo"), ("seed", "--customers", "5")):
        assert place.refused(7, *arguments, "--env", "live")["code"] == "refused"
    assert place.json("seed", "--env", "live")["sets"] == ["reference"]
    assert place.count("customer_status") == 3
    assert [item["city"] for item in place.items("customer", "list", "--env", "live")] == [None]
    done = place.json("customer", "import", "more.csv", "--on-conflict", "update", "--env", "live", "--confirm", "live")
    assert (done["inserted"], done["updated"]) == (0, 1)
    place.ok("customer", "delete", who, "--env", "live", "--confirm", "live")
    assert place.items("customer", "list", "--env", "live") == []


def test_a_restored_database_is_restamped_and_older_versions_are_void(migrated: Place) -> None:
    place = migrated
    before = place.add(email="ada@example.com")
    place.alias("proof", "test")
    assert place.refused(7, "customer", "update", str(before["id"]), "--city", "Paris", "--env", "proof")
    assert place.refused(2, "migrate", "repair", "--environment", "staging", "--env", "proof")
    assert place.refused(7, "migrate", "repair", "--environment", "test", "--env", "proof")["code"] == "refused"
    row = place.items("migrate", "repair", "--environment", "test", "--env", "proof", "--yes")
    assert row == [{"change": "restamp", "script": "", "detail": "development -> test"}]
    assert place.refused(7, "customer", "update", str(before["id"]), "--city", "Paris")["code"] == "refused"
    assert [entry["action"] for entry in place.items("audit", "list", "--env", "proof")] == ["restamp", "add"]
    # The row's own counter is what it was; the history is another one.
    error = place.refused(
        5,
        "customer",
        "update",
        str(before["id"]),
        "--city",
        "Paris",
        "--if-version",
        before["version"],
        "--env",
        "proof",
    )
    assert error["details"]["current_version"] == before["version"].replace("e1-", "e2-")
    after = place.json("customer", "update", str(before["id"]), "--city", "Paris", "--env", "proof")
    assert after["version"].startswith("e2-")


def test_a_journal_without_a_stamp_is_refused(migrated: Place) -> None:
    place = migrated
    place.sql("DELETE FROM custctl_metadata WHERE name = 'environment'")
    for arguments in (("migrate",), ("customer", "add", *ADA), ("seed",)):
        assert "stamp" in place.refused(7, *arguments)["message"]
    place.ok("migrate", "repair", "--environment", "development", "--yes")
    place.ok("customer", "add", *ADA)


def test_seeding_twice_adds_nothing_the_second_time(migrated: Place) -> None:
    place = migrated
    done = place.json("seed")
    assert (done["environment"], done["sets"], done["customers"]) == ("development", ["reference", "demo"], len(DEMO))
    assert done["scripts"] == ["seed/reference/customer_status.sql", "seed/demo/customers.sql"]
    rows = place.items("customer", "list", "--sort", "email")
    assert [row["email"] for row in rows] == DEMO
    assert editable(rows[5]) == {
        "email": "sofja.kowalewskaja@example.org",
        "first_name": "Софья",
        "last_name": "Ковалевская",
        "phone": None,
        "company": "Stockholms Högskola",
        "address_line": None,
        "city": "Stockholm",
        "region": None,
        "postal_code": "111 22",
        "country": "Sweden",
        "status": "suspended",
    }
    assert place.sql("SELECT status, description, sort_order FROM customer_status ORDER BY sort_order") == [
        ("active", "may order and log in", 1),
        ("suspended", "may log in, may not order", 2),
        ("closed", "kept for the records alone", 3),
    ]
    again = place.ok("seed", "-o", "json")
    assert again.json["scripts"] == []
    assert "nothing to do" in again.err
    assert place.count("customer") == 6
    assert {entry["action"] for entry in place.items("audit", "list")} == {"seed"}
    place.ok("audit", "verify")


def test_synthetic_customers_are_the_same_everywhere(migrated: Place) -> None:
    place = migrated
    arguments = ("seed", "--customers", "120", "--random-seed", "7")
    assert place.json(*arguments)["customers"] == 120
    assert place.json(*arguments)["customers"] == 0
    expected = sorted(synthetic_customers(120, 7), key=lambda row: str(row["email"]))
    found = place.items("customer", "list", "--sort", "email", "--limit", "0")
    assert [editable(row) for row in found] == [{name: row[name] for name in EDITABLE} for row in expected]
    # More of the same begin with those that are there.
    assert place.json("seed", "--customers", "150", "--random-seed", "7")["customers"] == 30
    place.ok("audit", "verify")


@pytest.mark.parametrize("arguments", [("seed", "--set", "nonsense"), ("seed", "--customers", "0")])
def test_what_cannot_be_seeded_is_a_usage_error(shared: Place, arguments: tuple[str, ...]) -> None:
    assert shared.refused(2, *arguments)["code"] == "usage"
