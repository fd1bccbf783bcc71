"""Columns that a company adds to `customer` are fields like the product's, from the migration on that adds them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import get_args

import pytest

from custctl.customers.conflicts import FieldsChangedError
from custctl.customers.model import FIELDS
from custctl.customers.operations import new_operation_id
from custctl.customers.store import CustomerStore
from custctl.schema.own import Kind
from tests.behaviours.own_fields import SET, TYPES, add_columns, quoted, settings, write_script
from tests.behaviours.support import Place
from tests.conftest import make_project
from tests.servers.fixtures import ENGINES, place
from tests.servers.projects import on_engine

TYPED = {name: text for name, (text, _) in SET.items()}
KEPT = {name: value for name, (_, value) in SET.items()}


@pytest.fixture(scope="module", params=ENGINES)
def company(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A project whose `customer` has a column of each type."""
    made = on_engine(make_project(tmp_path_factory.mktemp("company")), place(request))
    try:
        found = Place.of(made)
        add_columns(found)
        yield found
    finally:
        made.drop()


def added(company: Place, email: str, **values: str) -> dict[str, object]:
    found: dict[str, object] = company.json(
        "customer", "add", "--email", email, "--first-name", "F", "--last-name", "L", *settings(**values)
    )
    return found


def test_there_is_one_of_each_kind(company: Place) -> None:
    database = company.open()
    try:
        with database.reading() as connection:
            found = {field.kind for field in database.own_fields(connection)}
    finally:
        database.close()
    # JSON is text there: the type `json` is new in SQL Server 2025.
    missing = set(get_args(Kind)) - found - ({"json"} if company.engine == "mssql" else set())
    assert not missing, f"add a column to `TYPES` and `SET` in own_fields.py, of {sorted(missing)}"


def test_they_come_after_ours_in_the_table_s_order_and_keep_their_types(company: Place) -> None:
    row = added(company, "all@example.com", **TYPED)
    assert list(row) == [*FIELDS, *TYPES[company.engine]]
    assert {name: row[name] for name in KEPT} == KEPT
    assert row["blob"] is None
    assert company.json("customer", "get", "all@example.com") == row
    assert [item for item in company.items("customer", "list", "--limit", "0") if item["id"] == row["id"]] == [row]
    assert row in company.items("customer", "search", "all@example")


def test_they_are_set_cleared_and_told_apart_by_history(company: Place) -> None:
    row = added(company, "changed@example.com", tier="gold", credit="1")
    done = company.json("customer", "update", str(row["id"]), *settings(credit="2.345", vip="1"), "--unset", "tier")
    assert (done["credit"], done["vip"], done["tier"], done["points"]) == ("2.35", True, None, 0)
    history = company.items("customer", "history", str(row["id"]))
    assert history[-1]["changes"] == {"tier": ["gold", None], "credit": ["1.00", "2.35"], "vip": [None, True]}
    same = company.json("customer", "update", str(row["id"]), *settings(credit="2.35"))
    assert same["version"] == done["version"]


def test_every_bad_value_is_named_at_once(company: Place) -> None:
    bad = {
        "tier": "much too long",
        "points": "",
        "small": "32768",
        "credit": "123456789.00",
        "ratio": "far",
        "vip": "perhaps",
        "born": "2001-02-29",
        "seen": "yesterday",
        "reference": "12",
        "blob": "x",
        "shoe size": "4.5",
    }
    error = company.refused(
        9, "customer", "add", "--email", "x", "--first-name", "F", "--last-name", "L", *settings(**bad)
    )
    assert set(error["details"]["fields"]) == {"email", *bad}
    assert company.refused(2, "customer", "update", "1", "--set", "teir=x")["hint"] == "did you mean `tier`?"
    assert company.refused(2, "customer", "update", "1", "--set", "version=x")["exit_code"] == 2
    assert company.refused(2, "customer", "update", "1", "--set", "tier=x", "--unset", "tier")["exit_code"] == 2


def test_a_conflict_shows_them_field_by_field(company: Place) -> None:
    row = added(company, "conflict@example.com", tier="gold")
    company.ok("customer", "update", str(row["id"]), *settings(tier="silver"))
    error = company.refused(
        5, "customer", "update", str(row["id"]), *settings(tier="tin"), "--if-version", str(row["version"])
    )
    assert error["details"]["fields"] == [{"field": "tier", "was": "gold", "now": "silver", "asked": "tin"}]


def test_what_was_validated_against_other_columns_is_not_written(company: Place) -> None:
    row = added(company, "stale@example.com", tier="gold")
    new = {"email": "never@example.com", "first_name": "F", "last_name": "L"}
    database = company.open()
    try:
        store = CustomerStore(database, "development", "tester")
        with pytest.raises(FieldsChangedError):
            store.update(str(row["id"]), {"city": "Ulm", "tier": "tin"}, operation_id=new_operation_id())
        with pytest.raises(FieldsChangedError):
            store.add(new, operation_id=new_operation_id())
        # No column of the company is named.
        store.update(str(row["id"]), {"city": "Graz"}, operation_id=new_operation_id())
    finally:
        database.close()
    found = company.json("customer", "get", str(row["id"]))
    assert (found["city"], found["tier"]) == ("Graz", "gold")
    assert company.refused(6, "customer", "get", "never@example.com")


def test_a_column_that_another_run_adds_is_known_from_then_on(company: Place) -> None:
    row = added(company, "later@example.com")
    add = "ADD" if company.engine == "mssql" else "ADD COLUMN"
    write_script(company, 1001, f"ALTER TABLE customer {add} later INTEGER;\n")
    company.ok("migrate")
    # As on another machine, which still knows the old columns.
    for folder in (company.path, *company.path.rglob("fields.json")):
        if folder.is_file():
            held = json.loads(folder.read_text())
            folder.write_text(json.dumps([field for field in held if field["name"] != "later"]))
    assert company.json("customer", "get", str(row["id"]))["later"] is None
    assert company.json("customer", "update", str(row["id"]), *settings(later="4"))["later"] == 4


def test_a_column_that_is_gone_is_told_with_what_mends_it(empty: Place) -> None:
    write_script(empty, 1000, "ALTER TABLE customer ADD gone INTEGER;\n")
    empty.ok("migrate")
    row = added(empty, "gone@example.com", gone="1")
    empty.sql(f"ALTER TABLE customer DROP COLUMN {quoted(empty, 'gone')}")
    for command in (("get", "1"), ("list",), ("search", "gone"), ("update", "1", "--set", "gone=2")):
        assert "custctl doctor" in empty.refused(8, "customer", *command)["hint"]
    doctor = empty.run("doctor", "-o", "json")
    [check] = [each for each in doctor.json["items"] if each["check"] == "own fields"]
    assert (check["state"], check["value"]) == ("fault", "not as recorded: `gone` is missing")
    exported = empty.run("customer", "export")
    assert (exported.code, exported.out) == (8, "")
    assert "custctl doctor" in exported.err
    empty.ok("migrate")
    found = empty.json("customer", "get", str(row["id"]))
    assert "gone" not in found
    assert empty.json("customer", "update", "1", "--city", "Graz")["city"] == "Graz"


def test_any_name_and_many_names_work_everywhere(empty: Place) -> None:
    place = empty
    names = [
        "a,b",
        "100%s",
        "it's ?",
        "{schema}",
        ":n",
        "größe",
        *(f"a_rather_long_name_of_a_column_{n}" for n in range(40)),
    ]
    add, kind = ("ADD", "NVARCHAR(9)") if place.engine == "mssql" else ("ADD COLUMN", "VARCHAR(9)")
    write_script(place, 1000, "".join(f"ALTER TABLE customer {add} {quoted(place, name)} {kind};\n" for name in names))
    place.ok("migrate")
    row = added(place, "names@example.com", **{f'"{name}"': "one" for name in names})
    assert {row[name] for name in names} == {"one"}
    changed = {name: [None, "one"] for name in names}
    (event,) = place.items("customer", "history", "names@example.com")
    assert {name: event["changes"][name] for name in names} == changed
    assert set(names) < set(event["fields"])
    for form, old, new in (("csv", "one", "csv"), ("jsonl", "csv", "jsonl")):
        text = place.ok("customer", "export", "-o", form).out.replace(old, new)
        place.ok("customer", "import", "-", "--format", form, "--on-conflict", "update", stdin=text)
        row = place.json("customer", "get", "names@example.com")
        assert {row[name] for name in names} == {new}
    again = [part for name in names for part in ("--set", f'"{name}"=two')]
    place.ok("customer", "update", "names@example.com", *again)
    event = place.items("customer", "history", "names@example.com")[-1]
    assert event["changes"] == {name: ["jsonl", "two"] for name in names}
    for name in names:
        assert len(place.items("customer", "list", "--where", f'"{name}"=two', "--sort", name)) == 1
    place.ok("audit", "verify")
