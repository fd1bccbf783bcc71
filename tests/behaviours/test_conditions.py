"""Conditions, sorts and counts by any field find what a plain filter over the rows finds, on every engine."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from operator import eq, ge, gt, le, lt
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custctl.api.customers import Customers
from custctl.cli.commands.customer import pages
from custctl.cli.context import Context
from custctl.schema.own import to_text
from tests.behaviours.own_fields import add_columns
from tests.behaviours.support import Place, options
from tests.conftest import make_project
from tests.servers.fixtures import ENGINES, place
from tests.servers.projects import on_engine

Row = dict[str, Any]

PEOPLE: list[dict[str, str]] = [
    {"email": "ada@example.com", "company": "Łódź Labs", "country": "Poland", "tier": "gold", "points": "10", "credit": "9.5"},
    {"email": "bob@example.com", "company": "LODZ LABS", "country": "Austria", "tier": "Gold", "points": "9", "credit": "10"},
    {"email": "cyd@example.com", "country": "Austria", "tier": "silver", "points": "-3", "small": "0", "vip": "true"},
    {"email": "dan@example.com", "phone": "1", "tier": "gôld", "credit": "-0.05", "ratio": "0.1", "vip": "false"},
    {"email": "eve@example.com", "country": "Ελλάδα", "born": "2000-02-29", "seen": "2026-01-01T10:00:00+02:00"},
    {"email": "fay@example.com", "country": "ΕΛΛΆΔΑ", "born": "1999-12-31", "seen": "2026-01-01T08:00:00.001Z"},
    {"email": "gus@example.com", "company": "100%_[x]^\\", "seen": "2026-01-01T07:59:59.999Z", "ratio": "1e-7"},
    {"email": "hal@example.com", "reference": "0000000a-0000-0000-0000-00000000000b", "ratio": "-2.5", "small": "-32768"},
    {"email": "ivy@example.com", "reference": "ffffffff-0000-0000-0000-00000000000b", "shoe size": "39", "vip": "true"},
    {"email": "jan@example.com", "shoe size": "40", "extra": '{"a": 1, "b": [true, null]}', "status": "closed"},
    {"email": "kim@example.com", "tier": "gold", "points": "10", "credit": "9.50", "company": "Ёлка ß", "born": "2000-02-29"},
]  # fmt: skip
TEXTS = ("email", "company", "country", "tier", "phone", "status")
VALUES: dict[str, list[str]] = {
    "email": ["cyd@example.com", "Cyd@Example.com", "d"],
    "company": ["Łódź Labs", "LODZ LABS", "lodz", "%", "_", "[", "\\", "елка", "ẞ", "Łódź Labsx", "L"],
    "country": ["Austria", "austria", "Ελλάδα", "ελλαδα", "B", "A"],
    "tier": ["gold", "Gold", "g", "GOLD", "oľd", "silver", "muchtoolongforit"],
    "phone": ["1"],
    "status": ["active", "closed"],
    "id": ["1", "4", "999999999999"],
    "points": ["10", "9", "0", "-3", "2147483647"],
    "small": ["0", "-32768"],
    "credit": ["9.5", "9.50", "10", "-0.05", "0"],
    "ratio": ["0.1", "1e-7", "-2.5", "0"],
    "vip": ["true", "no"],
    "born": ["2000-02-29", "2000-01-01"],
    "seen": ["2026-01-01T08:00:00Z", "2026-01-01", "2026-01-01T09:00:00.001+01:00"],
    "reference": ["0000000A-0000-0000-0000-00000000000B"],
    "created_at": ["2020-01-01", "2100-01-01"],
    "shoe size": ["39", "39.0"[:2]],
}
ORDERED: dict[str, Callable[[Any, Any], bool]] = {"=": eq, ">": gt, ">=": ge, "<": lt, "<=": le}
SORTED = ("tier", "points", "small", "credit", "ratio", "vip", "born", "seen", "reference", "shoe size")
FEW = settings(
    max_examples=20,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module", params=ENGINES)
def company(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A project whose customers have own fields of each type, some of them empty."""
    made = on_engine(make_project(tmp_path_factory.mktemp("conditions")), place(request))
    try:
        found = Place.of(made)
        add_columns(found)
        with closing(opened(found)) as context:
            for person in PEOPLE:
                context.customers.add({"first_name": "F", "last_name": "L", **person})
        yield found
    finally:
        made.drop()


@pytest.fixture(scope="module")
def customers(company: Place) -> Iterator[Customers]:
    """Its customers, on one connection."""
    with closing(opened(company)) as context:
        yield context.customers


@pytest.fixture(scope="module")
def everyone(customers: Customers) -> list[Row]:
    """All of them, in order of id."""
    return [each.as_dict() for each in customers.iterate()]


def opened(company: Place) -> Context:
    return Context({"env": ["dev"]}, company.environ, company.path)


def plain(text: str) -> str:
    """Return a text without case and accents."""
    spelled = unicodedata.normalize("NFD", text.replace("Ł", "L").replace("ł", "l").lower())
    return "".join(char for char in spelled if not unicodedata.combining(char)).replace("ς", "σ")


def comparable(field: str, value: Any) -> Any:
    """Return a value of a row, or one that is typed, as what is compared."""
    if value is None:
        return None
    if field in ("id", "points", "small", "shoe size"):
        return int(value)
    if field in ("credit", "ratio"):
        return Decimal(str(value)) if field == "credit" else float(value)
    if field in ("seen", "created_at"):
        zone = {"2026-01-01": "2026-01-01T00:00:00.000Z", "2026-01-01T08:00:00Z": "2026-01-01T08:00:00.000Z"}
        zone |= {"2026-01-01T09:00:00.001+01:00": "2026-01-01T08:00:00.001Z"}
        return zone.get(value, value)
    if field == "vip":
        return value in (True, "true")
    return value.lower() if field in ("email", "reference") else value


def holds(row: Row, field: str, operator: str, value: str) -> bool:
    """Tell whether a condition holds of a row."""
    held = comparable(field, row[field])
    if operator == "?":
        return held is not None
    asked = comparable(field, value)
    if operator == "!=":
        return bool(held != asked)
    if held is None:
        return False
    return plain(asked) in plain(held) if operator == "~" else ORDERED[operator](held, asked)


@st.composite
def conditions(draw: st.DrawFn) -> tuple[str, str, str]:
    field = draw(st.sampled_from(sorted(VALUES)))
    few = ["=", "!=", "?"]
    operators = few if field in ("vip", "reference") else [*few, ">", ">=", "<", "<="]
    operator = draw(st.sampled_from([*operators, "~", "~"] if field in TEXTS else operators))
    values = ["active", "closed"] if field == "status" else VALUES[field]
    return field, operator, "" if operator == "?" else draw(st.sampled_from(values))


@FEW
@given(asked=st.lists(conditions(), min_size=1, max_size=3), field=st.sampled_from(SORTED), descending=st.booleans())
def test_lists_counts_and_exports_are_those_of_a_plain_filter(
    customers: Customers, everyone: list[Row], asked: list[tuple[str, str, str]], field: str, *, descending: bool
) -> None:
    where = [f"{name}{operator}{value}" for name, operator, value in asked]
    expected = [row for row in everyone if all(holds(row, *condition) for condition in asked)]
    wanted = [row["id"] for row in expected]
    assert [each.id for each in customers.iterate(where=where)] == wanted
    assert customers.count(where=where) == len(wanted)
    assert [each.id for each in customers.export(where=where)] == wanted
    ids, after = [], None
    while True:
        page = customers.list(where=where, sort="-" * descending + field, limit=2, after=after)
        ids += [each.id for each in page.items]
        if (after := page.next) is None:
            break
    assert ids == ordered(expected, field, descending=descending)


def ordered(rows: list[Row], field: str, *, descending: bool) -> list[int]:
    held = sorted((row for row in rows if row[field] is not None), key=lambda row: row["id"])
    held.sort(key=lambda row: comparable(field, row[field]), reverse=descending)
    return [row["id"] for row in held] + [row["id"] for row in rows if row[field] is None]


def test_every_operator_of_every_field(customers: Customers, everyone: list[Row]) -> None:
    for field, values in VALUES.items():
        operators = ["=", "!="] if field in ("vip", "reference") else ["=", "!=", ">", ">=", "<", "<="]
        for operator in [*operators, *(["~"] if field in TEXTS else []), "?"]:
            for value in values if operator != "?" else [""]:
                found = [each.id for each in customers.iterate(where=[f"{field}{operator}{value}"])]
                expected = [row["id"] for row in everyone if holds(row, field, operator, value)]
                assert found == expected, (field, operator, value)


def test_an_empty_value_is_none(customers: Customers, everyone: list[Row]) -> None:
    for field in ("tier", "company", "seen", "blob"):
        if field != "blob":
            assert customers.count(where=[f"{field}="]) == sum(row[field] is None for row in everyone)
            assert customers.count(where=[f"{field}!="]) == sum(row[field] is not None for row in everyone)
        assert customers.count(where=[f"{field}?"]) == sum(row[field] is not None for row in everyone)


def test_json_is_compared_as_it_is_kept(customers: Customers) -> None:
    kept = to_text(customers.get("jan@example.com")["extra"])
    assert [each.email for each in customers.iterate(where=[f"extra={kept}"])] == ["jan@example.com"]
    assert customers.count(where=[f"extra!={kept}"]) == len(PEOPLE) - 1


def test_counts_by_value(company: Place, customers: Customers, everyone: list[Row]) -> None:
    for field in (*SORTED, "country", "status", "email"):
        counted = customers.count_by(field)
        assert counted == Counter(row[field] for row in everyone)
        numbers = list(counted.values())
        assert numbers == sorted(numbers, reverse=True)
    assert list(customers.count_by("tier").items()) == [(None, 6), ("gold", 2), ("Gold", 1), ("gôld", 1), ("silver", 1)]
    found = company.ok("customer", "list", "--count-by", "tier", "--where", "tier?", "--limit", "1", "-o", "tsv")
    assert found.out == "tier\tcount\ngold\t2\n"
    assert "more values follow" in found.err
    assert company.json("customer", "list", "--count", "--where", "points>9") == {"count": 2}


def test_the_cursor_carries_conditions(company: Place) -> None:
    asked = ("customer", "list", "--where", "points>=0", "--sort", "-credit", "--limit", "2")
    first = company.json(*asked)
    second = company.json("customer", "list", "--after", first["next"], "--limit", "100")
    found = [row["email"][:3] for row in (*first["items"], *second["items"])]
    assert found == ["bob", "ada", "kim", "dan", "eve", "fay", "gus", "hal", "ivy", "jan"]
    company.json(*asked, "--after", first["next"])
    for other in (("--where", "points>=1"), ("--sort", "points")):
        assert company.refused(2, "customer", "list", "--after", first["next"], *other)
    # As on another machine, which knows no own field yet.
    for file in company.path.rglob("fields.json"):
        file.unlink()
    assert company.json("customer", "list", "--after", first["next"], "--limit", "100") == second


def test_an_export_has_the_same_filters_and_fields(company: Place) -> None:
    chosen = ("--where", "tier~gold", "--country", "Poland", "--status", "active")
    found = company.ok("customer", "export", *chosen, "--fields", "tier,email").out
    assert list(csv.reader(io.StringIO(found))) == [["tier", "email"], ["gold", "ada@example.com"]]
    lines = company.ok("customer", "export", *chosen, "--fields", "credit", "-o", "jsonl").out
    assert json.loads(lines) == {"credit": "9.50"}
    every = company.ok("customer", "export", "--fields", "email").out.split()
    assert every == ["email", *(person["email"] for person in PEOPLE)]
    whole = company.items("customer", "list", *chosen)
    assert json.loads(company.ok("customer", "export", *chosen, "-o", "jsonl").out) == whole[0]
    assert company.refused(2, "customer", "export", "--fields", "teir")["hint"] == "did you mean `tier`?"


@pytest.mark.parametrize(
    ("code", "where", "told"),
    [
        (2, "teir=gold", "did you mean `tier`?"),
        (2, "lastname~x", "did you mean `last_name`?"),
        (2, "tier", "phone?"),
        (2, "=x", "phone?"),
        (2, "points~1", "`points` cannot be compared with `~`"),
        (2, "vip>true", "`vip` cannot be compared with `>`"),
        (2, "blob=x", "`blob` cannot be compared with `=`"),
        (2, "version=1", "`version` cannot be compared"),
        (9, "points=ten", "`points` must be a whole number"),
        (9, "small>=99999", "`small` must be from"),
        (9, "small>", "`small` needs a value"),
        (9, "credit=0.005", "`credit` has more than 2 digits after the point"),
        (9, "born<2001-02-29", "`born` must be a date"),
        (9, "seen>yesterday", "`seen` must be a time"),
        (9, "created_at>=2026-13-01", "`created_at` must be a time"),
        (9, "reference=12", "`reference` must be a UUID"),
        (9, "id=x", "`id` must be a whole number"),
        (9, "status=activ", "there is no status `activ`"),
        (9, "tier~", "`tier` needs a value"),
        (9, "tier~" + "x" * 100_000, "`tier` cannot be searched for more than 1000 characters"),
    ],
)
def test_what_cannot_be_asked_is_told(company: Place, code: int, where: str, told: str) -> None:
    for command in (("list",), ("list", "--count"), ("export",)):
        error = (
            company.refused(code, "customer", *command, "--where", where)
            if command != ("export",)
            else company.run("customer", "export", "--where", where, "-o", "csv")
        )
        if isinstance(error, dict):
            assert told in f"{error['message']} {error.get('hint')}"
        else:
            assert (error.code, error.out) == (code, "")
            assert told in error.err


def test_a_value_that_begins_like_an_operator_is_told_and_found(migrated: Place) -> None:
    person = {"email": "a@example.com", "first_name": "F", "last_name": "L", "company": "=Labs", "country": "Chile"}
    migrated.ok("customer", "add", *options(person))
    for where, shown in (("country==Chile", 0), ("country=Chile", 1), ("company==Labs", 1)):
        for command in (("list", "--count"), ("list",), ("export",)):
            result = migrated.ok("customer", *command, "--where", where)
            assert (f"`{where}` compares with the value" in result.err) == ("==" in where)
        assert migrated.json("customer", "list", "--count", "--where", where) == {"count": shown}


def test_what_has_no_order_cannot_be_sorted_by(company: Place) -> None:
    for field in ("blob", "nonsense"):
        for option in ("--sort", "--count-by"):
            assert company.refused(2, "customer", "list", option, field)
    assert company.refused(2, "customer", "list", "--count-by", "version")
    assert company.refused(2, "customer", "list", "--count", "--sort", "tier")
    assert company.refused(2, "customer", "list", "--count", "--count-by", "tier")
    assert company.refused(2, "customer", "list", "--count-by", "tier", "--after", "x")


def test_blanks_at_an_end_and_case_count(migrated: Place) -> None:
    migrated.ok("customer", "add", *options({"email": "a@example.com", "first_name": "F", "last_name": "L"}))
    migrated.sql("UPDATE customer SET city = 'Graz '")
    for where, count in (("city=Graz", 0), ("city!=Graz", 1), ("city>Graz", 1), ("city<=Graz", 0), ("city>=Graz", 1)):
        assert migrated.json("customer", "list", "--count", "--where", where) == {"count": count}, where


def test_a_slow_list_names_what_no_index_serves(migrated: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_SLOW", 0.0)
    for condition, scanned in (
        ("city=Bonn", True),
        ("company~labs", True),
        ("email~example", True),
        ("email!=a@example.com", True),
        ("id?", True),
        ("email=a@example.com", False),
        ("id>5", False),
    ):
        told = migrated.ok("customer", "list", "--where", condition).err
        assert ("no index serves the condition on" in told) == scanned, condition
    assert "no index" not in migrated.ok("customer", "list", "--where", "city=Bonn", "--status", "active").err
    assert "no index" not in migrated.ok("customer", "list", "--where", "city=Bonn", "--where", "id<9").err
    assert "no index" not in migrated.ok("customer", "list").err
