"""Customers from the command line: each write is checked, audited, and applied once."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import sqlite3
import uuid
from functools import partial
from typing import Any

import pytest

from custctl.customers.model import EDITABLE, FIELDS
from custctl.engines.connection import Connection
from tests.conftest import ADA, Project
from tests.inside import inside

UPSERT = """
INSERT INTO customer (email, first_name, last_name) VALUES ('ada@example.com', 'A', 'L')
ON CONFLICT (email) DO UPDATE SET version = 1
"""
FULL = {
    "email": "grace@example.com",
    "first_name": "Grace",
    "last_name": "Hopper",
    "phone": "+1 202 555 0102",
    "company": "Eckert-Mauchly",
    "address_line": "1 Compiler Way",
    "city": "Arlington",
    "region": "VA",
    "postal_code": "22201",
    "country": "United States",
    "status": "suspended",
}


def options(values: dict[str, str]) -> list[str]:
    return [part for name, value in values.items() for part in ("--" + name.replace("_", "-"), value)]


def rows(project: Project, query: str) -> list[tuple[Any, ...]]:
    connection = project.database()
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def audit_rows(project: Project) -> int:
    return rows(project, "SELECT count(*) FROM customer_audit")[0][0]


@pytest.fixture
def migrated(project: Project) -> Project:
    """A project whose `dev` database has the schema; its commands start no processes."""
    return inside(project)


@pytest.fixture
def ada(migrated: Project) -> Project:
    """A project with one customer."""
    migrated.ok("customer", "add", *ADA)
    return migrated


# -- add and get -----------------------------------------------------------------------------------


def test_add_with_every_field_and_get(migrated: Project) -> None:
    added = migrated.ok("customer", "add", *options(FULL), "-o", "json")
    found = added.json
    assert tuple(found) == FIELDS
    assert {name: found[name] for name in EDITABLE} == FULL
    assert (found["id"], found["version"]) == (1, "e1-1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["created_at"])
    assert found["updated_at"] == found["created_at"]
    for who in ("1", "grace@example.com", "GRACE@Example.COM", " grace@example.com ", "01", "0" * 30 + "1"):
        assert migrated.ok("customer", "get", who, "-o", "json").json == found
    database = f"sqlite {migrated.path / 'dev.db'}"
    assert json.loads(added.err) == {"announce": {"profile": "dev", "environment": "development", "database": database}}
    assert migrated.ok("customer", "get", "1").err == ""


def test_what_is_added_is_kept_in_one_form(migrated: Project) -> None:
    values = {"email": "  Zoe\u0308@XN--MNCHEN-3YA.de ", "first_name": " Zoe\u0308 ", "last_name": "X", "phone": "  "}
    found = migrated.ok("customer", "add", *options(values), "-o", "json").json
    assert (found["email"], found["first_name"], found["phone"]) == ("zoë@münchen.de", "Zoë", None)
    assert found["status"] == "active"
    for who in ("zoë@münchen.de", "ZOE\u0308@xn--mnchen-3ya.DE"):
        assert migrated.ok("customer", "get", who, "--fields", "id").out == "id\n1\n"


def test_get_in_every_format(ada: Project) -> None:
    tsv = ada.ok("customer", "get", "1").out.splitlines()
    assert tsv[0].split("\t") == list(FIELDS)
    assert tsv[1].split("\t")[:4] == ["1", "ada@example.com", "Ada", "Lovelace"]
    assert ada.ok("customer", "get", "1", "-o", "csv").out.splitlines()[0] == ",".join(FIELDS)
    assert tuple(json.loads(ada.ok("customer", "get", "1", "-o", "jsonl").out)) == FIELDS
    yaml = ada.ok("customer", "get", "1", "-o", "yaml").out
    assert [line.partition(":")[0] for line in yaml.splitlines()] == list(FIELDS)
    table = ada.ok("customer", "get", "1", "-o", "table").out
    assert [line.split()[0] for line in table.splitlines() if line.strip()] == list(FIELDS)
    assert ada.ok("customer", "get", "1", "--fields", "version,email").out == "version\temail\ne1-1\tada@example.com\n"


@pytest.mark.parametrize(
    ("command", "who"),
    [
        *itertools.product(
            ["get", "update", "delete", "erase", "history", "set-password", "verify-password", "edit"],
            ["2", "0", "nobody@example.com", "a@b"],
        ),
        *itertools.product(["get", "history"], ["9" * 30, "9" * 5000, "0" * 30 + "2"]),
    ],
)
def test_nobody_of_this_name(ada: Project, command: str, who: str) -> None:
    extra = {
        "update": ["--city", "X"],
        "erase": ["--request", "DSR-1", "--yes"],
        "set-password": ["--stdin"],
        "verify-password": ["--stdin"],
    }.get(command, [])
    ada.environ["EDITOR"] = "true"
    result = ada.run("customer", command, who, *extra, "-o", "json", stdin="copper lantern drifting\n")
    assert (result.code, result.error["code"], result.out) == (6, "not_found", "")
    assert who.lstrip("0")[:30] in result.error["message"]


@pytest.mark.parametrize("who", ["ada", "", "-", "1.5", "１", "1 2", "x; rm -rf /"])
@pytest.mark.parametrize("command", ["get", "history"])
def test_rubbish_names_nobody(ada: Project, command: str, who: str) -> None:
    result = ada.run("customer", command, "--", who)
    assert result.code == 2
    assert "not an id or an email" in result.err


def test_the_hint_for_rubbish_can_be_pasted(ada: Project) -> None:
    assert "`custctl customer search 'x; rm -rf /'`" in ada.run("customer", "get", "x; rm -rf /").err


def test_every_bad_field_is_named_at_once(ada: Project) -> None:
    bad = {"email": "nope", "first_name": "", "postal_code": "1" * 21, "city": "a\nb", "status": "gone"}
    for command in (("add", "--last-name", "X"), ("update", "1")):
        before = audit_rows(ada)
        result = ada.run("customer", *command, *options(bad), "-o", "json")
        assert (result.code, result.error["code"]) == (9, "invalid")
        assert set(result.error["details"]["fields"]) == set(bad)
        assert all(f"`{name}`" in result.error["message"] for name in bad)
        assert audit_rows(ada) == before
    result = ada.run("customer", "add", "-o", "json")
    assert set(result.error["details"]["fields"]) == {"email", "first_name", "last_name"}


def test_a_taken_email(ada: Project) -> None:
    ada.ok("customer", "add", *options(FULL))
    for arguments in (("add", *ADA), ("add", "--email", "ADA@EXAMPLE.COM", *ADA[2:]), ("update", "2", *ADA[:2])):
        result = ada.run("customer", *arguments, "-o", "json")
        assert (result.code, result.error["code"]) == (5, "conflict")
        assert result.error["details"] == {"field": "email", "customer_id": 1}
        assert "taken by customer 1" in result.error["message"]
    assert rows(ada, "SELECT email, version FROM customer ORDER BY id") == [
        ("ada@example.com", 1),
        ("grace@example.com", 1),
    ]
    assert audit_rows(ada) == 2
    # Retrying cannot help, and is not waited for.
    assert ada.run("customer", "update", "2", *ADA[:2], "--retries", "1000000").code == 5


# -- update ----------------------------------------------------------------------------------------


def test_update_sets_what_is_named_and_nothing_else(ada: Project) -> None:
    before = ada.ok("customer", "get", "1", "-o", "json").json
    after = ada.ok("customer", "update", "ADA@example.com", "--phone", "+44 1", "--city", "London", "-o", "json").json
    changed = {name for name in FIELDS if before[name] != after[name]}
    assert changed - {"updated_at"} == {"phone", "city", "version"}
    assert after["version"] == "e1-2"
    assert ada.ok("customer", "get", "1", "-o", "json").json == after


def test_an_empty_text_clears_a_field(ada: Project) -> None:
    ada.ok("customer", "update", "1", "--phone", "+44 1")
    assert ada.ok("customer", "update", "1", "--phone", "", "-o", "json").json["phone"] is None
    for name in ("first-name", "last-name", "email", "status"):
        assert ada.run("customer", "update", "1", f"--{name}", "").code == 9
    assert rows(ada, "SELECT version FROM customer") == [(3,)]


def test_an_update_that_changes_nothing_writes_nothing(ada: Project) -> None:
    result = ada.ok("customer", "update", "1", "--first-name", " Ada ", "--phone", "", "-o", "json")
    assert result.json["version"] == "e1-1"
    assert "nothing to change" in result.err
    assert audit_rows(ada) == 1


def test_update_without_a_field_is_a_usage_error(ada: Project) -> None:
    result = ada.run("customer", "update", "1")
    assert (result.code, "no field given" in result.err) == (2, True)


def test_a_conflict_overwrites_nothing_and_shows_all_sides(ada: Project) -> None:
    ada.ok("customer", "update", "1", "--phone", "1", "--city", "London")
    ada.ok("customer", "update", "1", "--phone", "2")
    arguments = ("customer", "update", "1", "--phone", "3", "--region", "X", "--if-version", "e1-2")
    result = ada.run(*arguments, "-o", "json")
    assert (result.code, result.error["code"]) == (5, "conflict")
    assert result.error["details"] == {
        "customer_id": 1,
        "expected_version": "e1-2",
        "current_version": "e1-3",
        "was_known": True,
        "fields": [
            {"field": "phone", "was": "1", "now": "2", "asked": "3"},
            {"field": "region", "was": None, "now": None, "asked": "X"},
        ],
    }
    text = ada.run(*arguments)
    assert text.code == 5
    lines = [line.split() for line in text.err.splitlines()]
    assert ["field", "was", "now", "asked"] in lines
    assert ["phone", "1", "2", "3"] in lines
    assert ["region", "(empty)", "(empty)", "X"] in lines
    assert rows(ada, "SELECT phone, region, version FROM customer") == [("2", None, 3)]
    assert audit_rows(ada) == 3
    # What the message says to do works.
    assert ada.ok(*arguments[:-1], "e1-3", "-o", "json").json["phone"] == "3"


def test_a_conflict_shows_as_asked_only_what_was_asked(ada: Project) -> None:
    ada.ok("customer", "update", "1", "--phone", "1", "--city", "London", "--company", "C")
    ada.ok("customer", "update", "1", "--phone", "", "--city", "Paris", "--company", "D")
    stale = ("customer", "update", "1", "--status", "active", "--company", "", "--if-version", "e1-2")
    assert ada.run(*stale, "-o", "json").error["details"]["fields"] == [
        {"field": "phone", "was": "1", "now": None},
        {"field": "company", "was": "C", "now": "D", "asked": None},
        {"field": "city", "was": "London", "now": "Paris"},
        {"field": "status", "was": "active", "now": "active", "asked": "active"},
    ]
    lines = [line.split() for line in ada.run(*stale).err.splitlines()]
    assert ["phone", "1", "(empty)"] in lines
    assert ["company", "C", "D", "(empty)"] in lines
    assert ["city", "London", "Paris"] in lines
    delete = ada.run("customer", "delete", "1", "--yes", "--if-version", "e1-2", "-o", "json")
    assert all("asked" not in field for field in delete.error["details"]["fields"])
    # With retries, what was not asked is left as the others wrote it.
    done = ada.ok("customer", "update", "1", "--status", "closed", "--retries", "2", "-o", "json").json
    assert (done["phone"], done["city"], done["company"], done["status"]) == (None, "Paris", "D", "closed")


def test_a_conflict_with_a_write_that_is_not_in_the_audit(ada: Project) -> None:
    connection = ada.database()
    for phone in "12":
        connection.execute("UPDATE customer SET phone = ?", (phone,))
    connection.close()
    result = ada.run("customer", "update", "1", "--phone", "3", "--if-version", "e1-2")
    assert result.code == 5
    assert "(not recorded)" in result.err


def test_a_conflict_with_a_write_after_one_that_is_not_in_the_audit(ada: Project) -> None:
    """What an update found before it tells what the row was."""
    ada.database().execute("UPDATE customer SET phone = '1', city = 'Rome'").connection.close()
    ada.ok("customer", "update", "1", "--phone", "2")
    details = ada.run("customer", "update", "1", "--phone", "3", "--if-version", "e1-2", "-o", "json").error["details"]
    assert details["was_known"] is True
    assert details["fields"] == [{"field": "phone", "was": "1", "now": "2", "asked": "3"}]


@pytest.mark.parametrize("version", ["e1-2", "e2-1", "e1-01", "e1-" + "9" * 32, "e1-x"])
def test_only_the_very_version_is_a_match(ada: Project, version: str) -> None:
    assert ada.run("customer", "update", "1", "--phone", "3", "--if-version", version).code == 5
    assert ada.run("customer", "delete", "1", "--yes", "--if-version", version).code == 5
    assert rows(ada, "SELECT version, phone FROM customer") == [(1, None)]


@pytest.mark.parametrize("version", ["1", "", "e1", "e0-1", "e1-", "E1-1", "e1-1 ", "e1-" + "9" * 33])
def test_what_is_no_version_is_a_usage_error(ada: Project, version: str) -> None:
    assert ada.run("customer", "update", "1", "--phone", "3", "--if-version", version).code == 2


def test_the_epoch_is_part_of_the_version(ada: Project) -> None:
    connection = ada.database()
    connection.execute("UPDATE custctl_metadata SET value = '2' WHERE name = 'epoch'")
    connection.close()
    assert ada.run("customer", "update", "1", "--phone", "3", "--if-version", "e1-1").code == 5
    assert (
        ada.ok("customer", "update", "1", "--phone", "3", "--if-version", "e2-1", "-o", "json").json["version"]
        == "e2-2"
    )


def test_the_precondition_of_a_write_asks_for_the_epoch_too(ada: Project) -> None:
    """A counter that is reached again after a lossy failover is another version, in the statement itself."""
    from custctl.customers.store import CustomerStore
    from custctl.customers.versions import Version
    from custctl.engines import open_database
    from custctl.engines.base import EngineSettings

    def delete(connection: Connection, holds: dict[str, Any]) -> bool:
        return connection.run("customer.delete", **holds).one_or_none() is not None

    ada.database().execute("UPDATE custctl_metadata SET value = '2' WHERE name = 'epoch'").connection.close()
    database = open_database("sqlite", EngineSettings("here", path=ada.path / "dev.db"))
    store = CustomerStore(database, "development", "tester")
    for epoch, found in ((1, False), (2, True)):
        holds = store._holds(1, Version(epoch, "1"))
        row = database.transact(partial(database.write_row, columns={"city": "Rome"}, **holds))
        assert (row is not None) == found
    for epoch, found in ((1, False), (2, True)):
        holds = store._holds(1, Version(epoch, "2"))
        assert database.transact(partial(delete, holds=holds)) == found
    database.close()


def test_a_version_and_retries_exclude_each_other(ada: Project) -> None:
    result = ada.run("customer", "update", "1", "--phone", "1", "--if-version", "e1-1", "--retries", "3")
    assert (result.code, "cannot be used together" in result.err) == (2, True)
    assert ada.run("customer", "update", "1", "--phone", "1", "--retries", "-1").code == 2
    assert audit_rows(ada) == 1


# -- operations ------------------------------------------------------------------------------------


def test_the_same_operation_is_applied_once_and_answers_alike(ada: Project) -> None:
    operation = str(uuid.uuid4())
    add = ("customer", "add", *options(FULL), "--operation-id", operation, "-o", "json")
    first = ada.ok(*add)
    again = ada.ok(*add)
    assert again.json == first.json
    assert "already applied" in again.err
    assert "already applied" not in first.err
    # In any spelling of the UUID.
    assert ada.ok(*add[:-3], operation.upper().replace("-", ""), "-o", "json").json == first.json
    assert rows(ada, "SELECT count(*) FROM customer") == [(2,)]

    operation = str(uuid.uuid4())
    update = ("customer", "update", "GRACE@example.com", "--phone", "5", "--operation-id", operation, "-o", "json")
    first = ada.ok(*update)
    ada.ok("customer", "update", "2", "--phone", "6", "--email", "hopper@example.com")
    # The outcome is that of then, and the email of then still names the customer.
    assert ada.ok(*update).json == first.json
    assert ada.ok(*update[:2], "2", *update[3:]).json == first.json
    assert rows(ada, "SELECT phone, version FROM customer WHERE id = 2") == [("6", 3)]


def test_an_operation_that_renamed_its_customer_is_found_by_both_names(ada: Project) -> None:
    operation = str(uuid.uuid4())
    options_ = ("--email", "zoe@münchen.de", "--operation-id", operation, "-o", "json")
    first = ada.ok("customer", "update", "ada@example.com", *options_)
    for who in ("ada@example.com", "Ada@Example.com", "zoe@münchen.de", "ZOE@XN--MNCHEN-3YA.DE", "1", "01"):
        assert ada.ok("customer", "update", who, *options_).json == first.json


def test_an_operation_stands_for_one_request(ada: Project) -> None:
    ada.ok("customer", "add", *options(FULL))
    operation = str(uuid.uuid4())
    ada.ok("customer", "update", "1", "--phone", "5", "--operation-id", operation)
    ada.environ["EDITOR"] = "true"
    for other in (
        ("update", "2", "--phone", "5"),
        ("update", "grace@example.com", "--phone", "5"),
        ("add", "--email", "x@example.com", "--first-name", "X", "--last-name", "Y"),
        ("delete", "1", "--yes"),
        ("set-password", "1", "--stdin"),
        ("edit", "2"),
    ):
        result = ada.run(
            "customer", *other, "--operation-id", operation, "-o", "json", stdin="copper lantern drifting\n"
        )
        assert (result.code, result.error["code"]) == (5, "conflict"), other
        assert operation in result.error["message"]
    assert rows(ada, "SELECT id, version FROM customer ORDER BY id") == [(1, 2), (2, 1)]
    assert audit_rows(ada) == 3


def test_a_failed_operation_can_be_given_again(ada: Project) -> None:
    operation = str(uuid.uuid4())
    command = ("customer", "update", "1", "--phone", "5", "--operation-id", operation)
    assert ada.run(*command, "--if-version", "e1-7").code == 5
    assert ada.ok(*command, "-o", "json").json["phone"] == "5"


@pytest.mark.parametrize("text", ["", "x", "1234", "00000000-0000-0000-0000-00000000000g"])
def test_an_operation_id_is_a_uuid(ada: Project, text: str) -> None:
    result = ada.run("customer", "update", "1", "--phone", "5", "--operation-id", text)
    assert (result.code, "is not a UUID" in result.err) == (2, True)


def test_replays_of_delete_and_password(ada: Project) -> None:
    operation = str(uuid.uuid4())
    password = ("customer", "set-password", "1", "--stdin", "--operation-id", operation, "-o", "json")
    first = ada.ok(*password, stdin="copper lantern drifting\n")
    stored = rows(ada, "SELECT hash FROM customer_password")
    again = ada.ok(*password, stdin="another lantern drifting\n")
    assert first.json["operation_id"] == again.json["operation_id"] == operation
    assert "already applied" in again.err
    assert rows(ada, "SELECT hash FROM customer_password") == stored

    operation = str(uuid.uuid4())
    delete = ("customer", "delete", "ada@example.com", "--operation-id", operation, "-o", "json")
    expected = {"id": 1, "deleted": True, "operation_id": operation}
    assert ada.ok(*delete, "--yes").json == expected
    # Nothing is left to confirm.
    again = ada.ok(*delete)
    assert again.json == expected
    assert "already applied" in again.err
    assert ada.run("customer", "delete", "1", "--yes").code == 6


def test_an_update_of_a_customer_that_was_deleted_since(ada: Project) -> None:
    update = ("customer", "update", "1", "--phone", "5", "--operation-id", str(uuid.uuid4()))
    ada.ok(*update)
    ada.ok("customer", "delete", "1", "--yes")
    result = ada.ok(*update, "-o", "json")
    assert "has since been deleted" in result.err
    assert {name: value for name, value in result.json.items() if value is not None} == {"id": 1}


# -- delete and history ----------------------------------------------------------------------------


def test_delete_asks_and_nobody_is_there(ada: Project) -> None:
    for extra in ((), ("--no-input",)):
        result = ada.run("customer", "delete", "1", *extra, "-o", "json")
        assert (result.code, result.error["code"]) == (7, "refused")
        assert "`--yes`" in result.error["hint"]
    assert rows(ada, "SELECT count(*) FROM customer") == [(1,)]


def test_a_deleted_customer_is_nowhere_but_its_history_answers(ada: Project) -> None:
    secrets = ["zyxwv@example.com", "Qwzphone", "Xyzzycorp", "Plughroad", "Frobozz", "Wumpus"]
    values = dict(zip(("email", "phone", "company", "address_line", "first_name", "last_name"), secrets, strict=True))
    ada.ok("customer", "add", *options(values))
    ada.ok("customer", "update", "2", "--company", "Xyzzycorp2", "--email", "zyxwv2@example.com")
    ada.ok("customer", "set-password", "2", "--stdin", stdin="copper lantern drifting\n")
    dump = "\n".join(ada.database().iterdump())
    assert all(secret in dump for secret in secrets)
    deleted = ada.ok("customer", "delete", "zyxwv2@example.com", "--if-version", "e1-2", "--yes", "-o", "json").json
    assert (deleted["id"], deleted["deleted"]) == (2, True)

    dump = "\n".join(ada.database().iterdump())
    assert not [secret for secret in secrets if secret.lower() in dump.lower()]
    assert "argon2id$v" not in dump
    assert "ada@example.com" in dump
    for query in secrets:
        assert ada.ok("customer", "search", "--contains", query, "-o", "json").json["items"] == []

    events = ada.ok("customer", "history", "2", "-o", "json").json["items"]
    assert [event["action"] for event in events] == ["add", "update", "set-password", "delete"]
    assert [event["changes"] for event in events] == [None] * 4
    assert events[1]["fields"] == ["email", "company"]
    assert ada.run("customer", "history", "zyxwv2@example.com").code == 6
    assert ada.run("customer", "get", "2").code == 6
    assert ada.ok("audit", "verify", "-o", "json").json["ok"] is True


def test_ids_are_never_used_again(ada: Project) -> None:
    ada.ok("customer", "delete", "1", "--yes")
    assert ada.ok("customer", "add", *ADA, "-o", "json").json["id"] == 2
    connection = ada.database()
    connection.execute("DELETE FROM customer")
    connection.close()
    assert ada.ok("customer", "add", *ADA, "-o", "json").json["id"] == 3


def test_history_tells_each_change(ada: Project) -> None:
    operation = str(uuid.uuid4())
    ada.ok("customer", "update", "1", "--phone", "5", "--city", "London", "--operation-id", operation)
    result = ada.ok("customer", "history", "ada@example.com", "-o", "json").json
    assert set(result) == {"items", "next"}
    assert result["next"] is None
    added, updated = result["items"]
    assert list(added) == [
        "id",
        "happened_at",
        "action",
        "actor",
        "login",
        "version",
        "fields",
        "changes",
        "operation_id",
    ]
    assert added["changes"]["email"] == [None, "ada@example.com"]
    assert updated["changes"] == {"phone": [None, "5"], "city": [None, "London"]}
    assert (updated["operation_id"], updated["version"], updated["action"]) == (operation, "e1-2", "update")
    for chosen in ("table", "tsv", "csv", "jsonl", "yaml"):
        assert "ada@example.com" in ada.ok("customer", "history", "1", "-o", chosen).out


# -- the audit -------------------------------------------------------------------------------------


def test_audit_list_by_operation_customer_and_page(ada: Project) -> None:
    operations = [str(uuid.uuid4()) for _ in range(5)]
    for number, operation in enumerate(operations):
        ada.ok("customer", "update", "1", "--phone", str(number), "--operation-id", operation)
    ada.ok("customer", "add", *options(FULL))
    result = ada.ok("audit", "list", "-o", "json").json
    assert set(result) == {"items", "next"}
    assert [entry["id"] for entry in result["items"]] == [7, 6, 5, 4, 3, 2, 1]
    assert list(result["items"][0]) == [
        "id", "happened_at", "operation_id", "part", "action", "actor", "login", "customer_id", "sequence", "version",
        "fields", "detail",
    ]  # fmt: skip
    found = ada.ok("audit", "list", "--operation", operations[2].upper(), "-o", "json").json["items"]
    assert [(entry["operation_id"], entry["sequence"]) for entry in found] == [(operations[2], 4)]
    assert ada.ok("audit", "list", "--operation", str(uuid.uuid4()), "-o", "json").json["items"] == []
    for who in ("2", "grace@example.com"):
        assert [entry["id"] for entry in ada.ok("audit", "list", "--customer", who, "-o", "json").json["items"]] == [7]
    seen, cursor = [], None
    while True:
        page = ada.ok("audit", "list", "--limit", "3", "-o", "json", *(["--after", cursor] if cursor else [])).json
        seen += [entry["id"] for entry in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    assert len(ada.ok("audit", "list", "--limit", "0").out.splitlines()) == 8
    assert len(ada.ok("audit", "list", "--limit", "9" * 20).out.splitlines()) == 8


def test_audit_list_holds_no_value(ada: Project) -> None:
    ada.ok("customer", "update", "1", "--phone", "5551234")
    for chosen in ("json", "tsv", "yaml", "table"):
        assert "5551234" not in ada.ok("audit", "list", "-v", "-o", chosen).out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--operation", "x"), 2),
        (("--customer", "x"), 2),
        (("--customer", "nobody@example.com"), 6),
        (("--after", "x"), 2),
        (("--after", "9" * 30), 2),
        (("--limit", "-1"), 2),
        (("--fields", "nonsense"), 2),
    ],
)
def test_audit_list_refuses(ada: Project, arguments: tuple[str, ...], code: int) -> None:
    assert ada.run("audit", "list", *arguments).code == code


def test_audit_verify_with_and_without_a_checkpoint(ada: Project) -> None:
    ada.ok("customer", "update", "1", "--phone", "5")
    assert "2 entries in 1 chain" in ada.ok("audit", "verify").err
    checkpoint = ada.path / "checkpoint.json"
    checkpoint.write_text(ada.ok("audit", "verify", "-o", "json").out)
    ada.ok("customer", "update", "1", "--phone", "6")
    ada.ok("audit", "verify", "--checkpoint", checkpoint)
    ada.database().execute("DELETE FROM customer_audit WHERE id >= 2")
    ada.ok("audit", "verify")
    result = ada.run("audit", "verify", "--checkpoint", checkpoint, "-o", "json")
    assert (result.code, result.error["code"], result.json["ok"]) == (9, "invalid", False)
    assert [fault["kind"] for fault in result.json["faults"]] == ["truncated"]
    ada.database().execute("UPDATE customer_audit SET actor = 'x'")
    result = ada.run("audit", "verify")
    assert result.code == 9
    assert result.out.splitlines()[0] == "kind\tcustomer_id\taudit_id\tmessage"
    assert result.out.splitlines()[1].startswith("changed\t1\t1\t")
    assert ada.run("audit", "verify", "--checkpoint", "missing.json").code == 2
    (ada.path / "rubbish").write_text("rubbish")
    assert ada.run("audit", "verify", "--checkpoint", "rubbish").code == 9


# -- the database's own rules ----------------------------------------------------------------------


def test_any_clients_write_moves_the_version_and_none_turns_it_back(ada: Project) -> None:
    connection = ada.database()
    expected = 1
    for statement in (
        "UPDATE customer SET phone = '1'",
        "UPDATE customer SET phone = phone",
        "UPDATE customer SET version = 1",
        "UPDATE customer SET version = version",
        "UPDATE customer SET version = -5, phone = '2'",
        "UPDATE customer SET version = 1000000",
        "UPDATE customer SET version = version + 1",
        "UPDATE OR REPLACE customer SET version = 0",
        UPSERT,
    ):
        connection.execute(statement)
        expected += 1
        assert connection.execute("SELECT version FROM customer").fetchall() == [(expected,)], statement
    connection.execute("PRAGMA recursive_triggers = ON")
    connection.execute("UPDATE customer SET phone = '3'")
    assert connection.execute("SELECT version FROM customer").fetchall() == [(expected + 1,)]
    # Refused rather than turned back.
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute("UPDATE customer SET version = 1")
    assert connection.execute("SELECT min(version) > ? FROM customer", (expected,)).fetchall() == [(1,)]
    assert ada.run("customer", "update", "1", "--phone", "9", "--if-version", "e1-1").code == 5


def test_a_customer_cannot_be_replaced(ada: Project) -> None:
    connection = ada.database()
    for statement in (
        "INSERT OR REPLACE INTO customer (id, email, first_name, last_name) VALUES (1, 'x@example.com', 'X', 'Y')",
        "REPLACE INTO customer (id, email, first_name, last_name) VALUES (1, 'ada@example.com', 'X', 'Y')",
    ):
        with pytest.raises(sqlite3.DatabaseError, match="never used again"):
            connection.execute(statement)
    assert rows(ada, "SELECT id, first_name FROM customer") == [(1, "Ada")]


@pytest.mark.parametrize("value", ["ADA@example.com", "a" * 255, "x"])
def test_the_database_itself_refuses_an_email_of_another_form(ada: Project, value: str) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        ada.database().execute("UPDATE customer SET email = ?", (value,))


# -- what every command needs ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("customer", "get", "1"),
        ("customer", "list"),
        ("customer", "search", "a"),
        ("customer", "history", "1"),
        ("customer", "update", "1", "--city", "X"),
        ("customer", "add", *ADA),
        ("customer", "delete", "1", "--yes"),
        ("customer", "set-password", "1", "--stdin"),
        ("customer", "verify-password", "1", "--stdin"),
        ("audit", "list"),
        ("audit", "verify"),
    ],
)
def test_without_a_schema_everything_says_to_migrate(project: Project, arguments: tuple[str, ...]) -> None:
    project = inside(project, migrate=False)
    for _ in range(2):
        result = project.run(*arguments, "-o", "json", stdin="copper lantern drifting\n")
        assert (result.code, result.error["code"]) == (8, "pending")
        assert "custctl migrate" in result.error["hint"]
        connection = project.database()
        connection.execute("CREATE TABLE IF NOT EXISTS other (x)")
        connection.close()


def test_a_profile_of_another_environment_cannot_write(ada: Project) -> None:
    ada.profile("other", "staging", path="dev.db")
    for arguments in (
        ("update", "1", "--city", "X"),
        ("add", *options(FULL)),
        ("delete", "1", "--yes"),
        ("set-password", "1", "--stdin"),
    ):
        result = ada.run("customer", *arguments, "--env", "other", "-o", "json", stdin="copper lantern drifting\n")
        assert (result.code, result.error["code"]) == (7, "refused"), arguments
        assert result.error["details"] == {"stamp": "development", "profile": "staging"}
    assert audit_rows(ada) == 1
    assert ada.ok("customer", "get", "1", "--env", "other", "-o", "json").json["city"] is None


def test_production_wants_its_name(migrated: Project) -> None:
    migrated.ok("migrate", "--env", "prod")
    migrated.ok("customer", "add", *ADA, "-e", "prod")
    delete = ("customer", "delete", "1", "-e", "prod")
    for extra in ((), ("--yes",), ("--yes", "--no-input"), ("--confirm", "production"), ("--confirm", "dev", "--yes")):
        result = migrated.run(*delete, *extra)
        assert result.code == 7, extra
        assert "`--confirm prod`" in result.err
    assert migrated.ok(*delete, "--confirm", "prod", "-o", "json").json["deleted"] is True
    # What does not destroy is not asked about.
    migrated.ok("customer", "add", *ADA, "-e", "prod")


def test_quiet_hides_notes_and_verbose_adds_the_operation(ada: Project) -> None:
    quiet = ada.ok("customer", "update", "1", "--first-name", "Ada", "-q").err
    assert quiet == ""
    operation = str(uuid.uuid4())
    assert operation in ada.ok("customer", "update", "1", "--city", "X", "-v", "--operation-id", operation).err
