"""A company's own columns in import and export: read by type, compared by value, and the same after a round trip."""

from __future__ import annotations

import json
import re
import shutil
import signal
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from custctl.customers.model import FIELDS
from tests.behaviours.own_fields import SET, TYPES, add_columns, settings, write_script
from tests.behaviours.support import KEPT, Place
from tests.conftest import make_project
from tests.integration.rows import finish, small_batches, start
from tests.servers.fixtures import ENGINES, place
from tests.servers.projects import on_engine

HEAD = "email,first_name,last_name"


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


def imported(place: Place, text: str, *options: str, code: int = 0, name: str = "in.csv") -> dict[str, Any]:
    """Import a file and return the counts."""
    (place.path / name).write_text(text, encoding="utf-8")
    result = place.run("customer", "import", name, *options, "-o", "json")
    assert result.code == code, result.err
    found: dict[str, Any] = result.json
    return found


def counts(found: dict[str, Any]) -> dict[str, int]:
    """Return the counts that are not zero."""
    return {name: count for name, count in found.items() if isinstance(count, int) and count and name != "rows"}


def of_company(row: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a customer that a file can set."""
    return {name: row[name] for name in row if name not in KEPT}


def test_headers_match_and_cells_are_read_by_type(company: Place) -> None:
    headers = [name.replace("_", " ").title() for name in SET]
    cells = [text for text, _ in SET.values()]
    (company.path / "typed.csv").write_text(
        f"Email,FirstName,LastName,{','.join(headers)},Blob,nope\ntyped@example.com,F,L,{','.join(cells)},x,y\n"
    )
    done = company.ok("customer", "import", "typed.csv")
    assert "ignored, no field matches: `nope`" in done.err
    assert "ignored, an import does not set: `Blob`" in done.err
    row = company.json("customer", "get", "typed@example.com")
    assert {name: row[name] for name in SET} == {name: value for name, (_, value) in SET.items()}


def test_a_mapping_names_them(company: Place) -> None:
    text = f"{HEAD},Size,Level\nmapped@example.com,F,L,41,gold\n"
    imported(company, text, "--map", "shoe size=Size", "--map", "tier=Level")
    row = company.json("customer", "get", "mapped@example.com")
    assert (row["shoe size"], row["tier"]) == (41, "gold")
    (company.path / "in.csv").write_text(text)
    assert company.refused(2, "customer", "import", "in.csv", "--map", "teir=Level")["hint"] == "did you mean `tier`?"


def test_all_faults_of_a_row_are_its_reason(company: Place) -> None:
    bad = "not an address,F,L,much too long,many,32768,far,perhaps"
    text = f"{HEAD},tier,points,small,ratio,vip\n{bad}\nfaultless@example.com,F,L,gold,1,2,.5,no\n"
    found = imported(company, text, "--rejects", "rejects.csv", code=10)
    assert counts(found) == {"inserted": 1, "rejected": 1}
    told = (company.path / "rejects.csv").read_text()
    for name in ("email", "tier", "points", "small", "ratio", "vip"):
        assert f"`{name}`" in told


def test_json_lines_keep_types(company: Place) -> None:
    rows: list[dict[str, Any]] = [
        {"email": "l1@example.com", "points": 3, "vip": False, "credit": 2.5, "ratio": 1e-3, "tier": None},
        {"email": "l2@example.com", "points": "4", "vip": "true", "credit": "2.50", "born": "2001-01-01"},
        {"email": "l3@example.com", "points": True},
        {"email": "l4@example.com", "tier": 5},
        {"email": "l5@example.com", "blob": "x"},
    ]
    text = "".join(json.dumps({**row, "first_name": "F", "last_name": "L"}) + "\n" for row in rows)
    assert counts(imported(company, text, code=10, name="in.jsonl")) == {"inserted": 3, "rejected": 2}
    first, second = (company.json("customer", "get", f"l{number}@example.com") for number in (1, 2))
    assert (first["points"], first["vip"], first["credit"], first["ratio"]) == (3, False, "2.50", 0.001)
    assert (second["points"], second["vip"], second["credit"], second["born"]) == (4, True, "2.50", "2001-01-01")


def test_what_is_the_same_value_is_no_change(company: Place) -> None:
    cells = {name: text for name, (text, _) in SET.items()}
    header = f"{HEAD},{','.join(cells)}"
    line = f"same@example.com,F,L,{','.join(cells.values())}"
    imported(company, f"{header}\n{line}\n")
    again = f"{header}\n{line.replace('10.5', '10.500').replace('yes', 'TRUE')}\n"
    for dry in (["--dry-run"], []):
        assert counts(imported(company, again, "--on-conflict", "update", *dry)) == {"unchanged": 1}
    assert counts(imported(company, again, "--on-conflict", "skip")) == {"skipped": 1}
    assert counts(imported(company, again, code=10)) == {"rejected": 1}
    before = company.json("customer", "get", "same@example.com")
    other = f"{HEAD},tier,vip,credit\nsame@example.com,F,L,Gold,,10.49\n"
    assert counts(imported(company, other, "--on-conflict", "update", "--dry-run")) == {"updated": 1}
    assert counts(imported(company, other, "--on-conflict", "update")) == {"updated": 1}
    after = company.json("customer", "get", "same@example.com")
    assert {name: after[name] for name in SET if after[name] != before[name]} == {
        "tier": "Gold",
        "credit": "10.49",
        "vip": None,
    }


def test_a_value_that_another_program_wrote_in_its_own_form_is_no_change(company: Place) -> None:
    place = company
    header = f"{HEAD},seen,born,reference,extra"
    values = '2006-02-14T22:04:36Z,2006-02-14,6ba7b810-9dad-11d1-80b4-00c04fd430c8,"{""a"":1,""b"":2}"'
    text = f"{header}\nform@example.com,F,L,{values}\n"
    imported(place, text)
    if place.engine != "mssql":  # where JSON is text
        text = text.replace('""a"":1,""b"":2', '""b"":2, ""a"":1')
    if place.engine == "sqlite":  # the others keep one form
        place.sql(
            "UPDATE customer SET seen = '2006-02-14 22:04:36.000', born = '2006-02-14 00:00:00',"
            """ reference = upper(reference), extra = '{ "b" : 2, "a" : 1 }' WHERE email = 'form@example.com'"""
        )
    version = place.json("customer", "get", "form@example.com")["version"]
    for dry in (["--dry-run"], []):
        assert counts(imported(place, f"{text}\n", "--on-conflict", "update", *dry)) == {"unchanged": 1}
    assert place.json("customer", "get", "form@example.com")["version"] == version


def test_a_required_one_is_needed_by_new_rows_alone(empty: Place) -> None:
    kind = "NVARCHAR(9)" if empty.engine == "mssql" else "VARCHAR(9)"
    add = "ADD" if empty.engine == "mssql" else "ADD COLUMN"
    write_script(empty, 1000, f"ALTER TABLE customer {add} code {kind} NOT NULL DEFAULT 'x';\n")
    empty.ok("migrate")
    assert counts(imported(empty, f"{HEAD},code\na@example.com,F,L,\nb@example.com,F,L,y\n", code=10)) == {
        "inserted": 1,
        "rejected": 1,
    }
    assert counts(imported(empty, f"{HEAD}\nc@example.com,F,L\n")) == {"inserted": 1}
    assert empty.json("customer", "get", "c@example.com")["code"] == "x"


@pytest.mark.parametrize("engine_project", [name for name in ENGINES if name != "sqlite"], indirect=True)
def test_a_required_one_without_a_value_is_the_reason_why_a_row_is_rejected(empty: Place) -> None:
    kind = "NVARCHAR(9)" if empty.engine == "mssql" else "varchar(9)"
    add = "ADD" if empty.engine == "mssql" else "ADD COLUMN"
    write_script(empty, 1000, f"ALTER TABLE customer {add} code {kind} NOT NULL;\n")
    empty.ok("migrate")
    rows = "a@example.com,F,L,\nb@example.com,F,L,y\nwrong,F,L,\n"
    assert counts(imported(empty, f"{HEAD},code\n{rows}", "--rejects", "one.csv", code=10)) == {
        "inserted": 1,
        "rejected": 2,
    }
    reasons = [line.split(",", 5)[5] for line in (empty.path / "one.csv").read_text().splitlines()[1:]]
    assert reasons[0] == "`code` is required"
    assert "`email` is not a valid address" in reasons[1]
    assert "`code` is required" in reasons[1]
    assert counts(imported(empty, f"{HEAD}\nc@example.com,F,L\n", "--rejects", "two.csv", code=10)) == {"rejected": 1}
    assert (empty.path / "two.csv").read_text().splitlines()[1].endswith(",`code` is required")
    # A customer that is there has one.
    assert counts(imported(empty, f"{HEAD}\nb@example.com,G,L\n", "--on-conflict", "update")) == {"updated": 1}


def test_an_import_that_is_killed_goes_on_with_their_values(company: Place) -> None:
    names = ("tier", "points", "credit", "vip", "born", "seen", "reference", "extra")
    lines, kept = [], {}
    for number in range(60):
        email = f"killed{number}@example.com"
        bad = number % 9 == 4
        cells = ["much too long" if bad else f"t{number}", str(number), f"{number}.5", "yes" if number % 2 else "no"]
        cells += [
            f"2000-01-{number % 28 + 1:02}",
            f"2026-01-01T00:00:{number:02}.25Z",
            str(uuid.UUID(int=number)),
            "[1]",
        ]
        lines.append(f"{email},F,L,{','.join(cells)}\n")
        if not bad:
            kept[email] = cells
    (company.path / "killed.csv").write_text(f"{HEAD},{','.join(names)}\n{''.join(lines)}")
    command = ("customer", "import", "killed.csv", "--rejects", "killed_rejects.csv", "-o", "json")
    for batch in (2, 3):
        process = start(company, small_batches(company, 8, *command, signal=f"{batch} before SIGKILL"))
        assert finish(process)[0] == -signal.SIGKILL
        assert 0 < company.count("customer", "email LIKE 'killed%'") < len(kept)
    code, out, err = finish(start(company, small_batches(company, 8, *command)))
    assert code == 10, err
    assert counts(json.loads(out)) == {"inserted": len(kept), "rejected": 60 - len(kept)}
    found = {
        item["email"]: item for item in company.items("customer", "list", "--where", "email~killed", "--limit", "0")
    }
    assert found.keys() == kept.keys()
    for email, (tier, points, credit, vip, born, seen, reference, _) in kept.items():
        row = found[email]
        assert (row["tier"], row["points"], row["credit"], row["vip"]) == (
            tier,
            int(points),
            f"{credit}0",
            vip == "yes",
        )
        assert (row["born"], row["seen"], row["reference"]) == (born, seen.replace(".25Z", ".250Z"), reference)
    rejects = (company.path / "killed_rejects.csv").read_text().splitlines()
    assert len(rejects) == 1 + 60 - len(kept)
    assert all("`tier` has 13 characters, 8 are allowed" in line for line in rejects[1:])


TEXTS = {
    "plain": {"tier": "gold", "points": "-7", "small": "-5", "credit": "-10.50", "ratio": "-0.1", "vip": "true"},
    "formula": {"tier": "=1+1", "points": "0", "credit": "0", "vip": "false", "born": "1999-12-31"},
    "quotes": {"tier": 'a,"b"', "seen": "2026-01-01T00:00:00.123Z", "ratio": "1e300", "shoe size": "39"},
    "none": {},
}
LONG = json.dumps({"long": 'x"\\' * 3000}, separators=(",", ":"))
DOCUMENTS = [
    LONG,
    '{"a":[1,2.5,null,true],"b":"x, y"}',
    '["a","b"]',
    '"a text"',
    "5",
    "-5",
    "false",
    '"=1"',
    '""',
    "[]",
]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_export_and_an_import_into_an_empty_database_give_the_same(
    company: Place, form: str, tmp_path: Path
) -> None:
    for name, values in TEXTS.items():
        _put(company, f"trip-{name}@example.com", values)
    for number, document in enumerate(DOCUMENTS):
        _put(company, f"trip-json{number}@example.com", {"extra": document})
    before = company.items("customer", "list", "--limit", "0", "--sort", "email")
    company.ok("customer", "export", "--output-file", f"all.{form}")
    made = Place.of(on_engine(make_project(tmp_path), None))
    add_columns(made)
    places: list[tuple[Place, list[str]]] = [(made, []), (company, ["-e", "test"])]
    if "test" not in company.databases:
        company.create("test")
    company.ok("migrate", "-e", "test")
    try:
        for target, env in places:
            shutil.copy(company.path / f"all.{form}", target.path / f"from.{form}")
            target.ok("customer", "import", f"from.{form}", "--on-conflict", "update", *env)
            after = target.items("customer", "list", "--limit", "0", "--sort", "email", *env)
            pairs = [[of_company(row) for row in rows] for rows in (before, after)]
            if company.engine == "mssql" and target is made:
                for row in (row for rows in pairs for row in rows):
                    row.pop("extra")  # it is a text there
            assert pairs[0] == pairs[1]
    finally:
        made.drop()


NUMBERS = ("0.12345678901234567890123", "1E+400", "-123456789012345678901234567890.5", "-2.50000000000000000001E-30")


def test_a_number_in_json_keeps_all_its_digits(company: Place) -> None:
    text = f'{{"a":[{",".join(NUMBERS)},1.5]}}'
    _put(company, "digits@example.com", {"extra": text})
    _put(company, "sql@example.com", {})
    held = "CAST(extra AS text)" if company.engine == "postgresql" else "extra"
    company.sql(f"UPDATE customer SET extra = {company.literal(text)} WHERE email = 'sql@example.com'")
    rows = company.sql(f"SELECT {held} FROM customer WHERE email IN ('digits@example.com', 'sql@example.com')")
    assert digits(str(rows[0][0])) == digits(str(rows[1][0])) == digits(text)
    company.ok("customer", "update", "sql@example.com", "--city", "Ulm")
    company.ok("customer", "update", "digits@example.com", "--set", 'extra={"b":0.10000000000000000001}')
    told = [company.ok("customer", "history", "digits@example.com", "-o", "json").out]
    for form in ("json", "jsonl", "yaml", "csv", "tsv"):
        told.append(company.ok("customer", "get", "sql@example.com", "-o", form, "--fields", "extra").out)
    told.append(company.ok("customer", "export", "-o", "jsonl", "--where", "email=sql@example.com").out)
    for out in told:
        assert digits(out) >= digits(text), out
    (company.path / "digits.jsonl").write_text(told[-1].replace("sql@", "again@"))
    company.ok("customer", "import", "digits.jsonl")
    again = company.ok("customer", "export", "-o", "jsonl", "--where", "email=again@example.com").out
    assert digits(again) >= digits(text)


def digits(text: str) -> set[Decimal]:
    """Return the numbers with a fraction or many digits in a text."""
    found = re.findall(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", text)
    return {Decimal(each) for each in found if len(each) > 15 or "E" in each or "." in each}


def _put(place: Place, email: str, values: dict[str, str]) -> None:
    if place.run("customer", "get", email).code != 0:
        place.ok("customer", "add", "--email", email, "--first-name", "F", "--last-name", "L", *settings(**values))


def test_json_is_json_in_every_output(company: Place) -> None:
    if "JSON" not in TYPES[company.engine]["extra"].upper():
        return
    _put(company, "lists@example.com", {"extra": '["a","b"]'})
    for form in ("csv", "tsv"):
        told = company.ok("customer", "get", "lists@example.com", "-o", form, "--fields", "extra").out
        assert json.loads(told.splitlines()[1].strip('"').replace('""', '"')) == ["a", "b"]
    exported = company.ok("customer", "export", "-o", "csv").out
    assert ",true," not in exported.splitlines()[0]
    assert "True" not in exported
    assert "['a'" not in exported
    assert len(FIELDS) < len(exported.splitlines()[0].split(","))


def test_a_csv_file_is_the_same_whichever_way_its_rows_were_chosen(company: Place) -> None:
    for number, document in enumerate(['{"a":[1,null,true]}', '"a text"', '"5"', '"=1\\u202e"', "5", "false"]):
        _put(company, f"chosen-{number}@example.com", {"extra": document, "vip": "true", "ratio": "-0.5"})
    whole = company.ok("customer", "export").out
    head = whole.splitlines()[0].replace("shoe size", '"shoe size"')
    for chosen in (
        ("export", "--where", "email?"),
        ("export", "--fields", head),
        ("list", "--limit", "0", "--sort", "id", "-o", "csv"),
    ):
        assert company.ok("customer", *chosen).out == whole


def test_json_of_another_type_is_another_value(company: Place) -> None:
    if "JSON" not in TYPES[company.engine]["extra"].upper():
        return
    company.add(email="types@example.com")
    for text in ("1", "true", '"1"', "[1]", "[true]", '{"a":{"b":0}}', '{"a":{"b":false}}', '"text"', '"5"'):
        assert company.json("customer", "update", "types@example.com", *settings(extra=text))["extra"] == json.loads(
            text
        )
        told = company.json("customer", "get", "types@example.com")["extra"]
        assert json.dumps(told) == json.dumps(json.loads(text))
        found = company.items("customer", "list", "--where", f"extra={text}", "--where", "email=types@example.com")
        assert len(found) == 1
