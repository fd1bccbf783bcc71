"""Imports: what lands, what is rejected and why, and that nothing is lost or doubled, on every engine alike."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from custctl.customers import importing
from tests.behaviours.support import Place, editable
from tests.integration.rows import finish, numbered, small_batches, start, write_csv

HEADER = ("email", "first_name", "last_name")
# As other programs export them: other headers, foreign columns, blanks, quotes, an empty cell.
CRM = """\
CustomerId,FirstName,LastName,Company,Address,City,State,Country,PostalCode,Phone,Fax,Email,SupportRepId
1,Łukasz,Gonçalves,"Órbita, ""Sul"" S.A.","Av. do Café, 21",São Paulo,SP,Brazil,01007-010,+55 (11) 3033-5446,+55 1,lu@órbita.example.com,3
2,Leonie,Köhler,,Große Straße 34,Stuttgart,,Germany,70174,+49 0711 2842222,,Leonie@Example.com,5
3,Stanisław,Wójcik,,Ordynacka 10,Warsaw,,Poland,00-358,+48 22 828 37 39,,stanisław.wójcik@example.com,4
"""
CRM_MAP = ("--map", "address_line=Address", "--map", "region=State")
COUNTS = ("rows", "inserted", "updated", "unchanged", "skipped", "rejected")


def write(place: Place, text: str, name: str = "in.csv") -> Path:
    path = place.path / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def counts(done: dict[str, Any]) -> tuple[int, ...]:
    return tuple(done[name] for name in COUNTS)


def rejected(place: Place, *arguments: str | Path) -> tuple[int, ...]:
    """Import what is rejected in part and return the counts."""
    result = place.run("customer", "import", *arguments, "-o", "json")
    assert result.code == 10, result.err
    assert result.error["code"] == "partial"
    return counts(result.json)


def rows(place: Place) -> list[dict[str, Any]]:
    return [editable(row) for row in place.items("customer", "list", "--sort", "email", "--limit", "0")]


def names(place: Place) -> dict[str, str]:
    """Return the first name of each customer by email."""
    return {str(row["email"]): str(row["first_name"]) for row in rows(place)}


def test_a_foreign_file_with_its_columns_mapped(migrated: Place) -> None:
    place = migrated
    write(place, CRM)
    told = place.ok("customer", "import", "in.csv", *CRM_MAP, "--dry-run", "-o", "json")
    assert counts(told.json) == (3, 3, 0, 0, 0, 0)
    assert rows(place) == []
    done = place.ok("customer", "import", "in.csv", *CRM_MAP, "-o", "json")
    assert counts(done.json) == (3, 3, 0, 0, 0, 0)
    for column in ("Fax", "SupportRepId"):
        assert f"`{column}`" in done.err
    assert rows(place) == [
        {
            "email": "leonie@example.com", "first_name": "Leonie", "last_name": "Köhler", "phone": "+49 0711 2842222",
            "company": None, "address_line": "Große Straße 34", "city": "Stuttgart", "region": None,
            "postal_code": "70174", "country": "Germany", "status": "active",
        },
        {
            "email": "lu@órbita.example.com", "first_name": "Łukasz", "last_name": "Gonçalves",
            "phone": "+55 (11) 3033-5446", "company": 'Órbita, "Sul" S.A.', "address_line": "Av. do Café, 21",
            "city": "São Paulo", "region": "SP", "postal_code": "01007-010", "country": "Brazil", "status": "active",
        },
        {
            "email": "stanisław.wójcik@example.com", "first_name": "Stanisław", "last_name": "Wójcik",
            "phone": "+48 22 828 37 39", "company": None, "address_line": "Ordynacka 10", "city": "Warsaw",
            "region": None, "postal_code": "00-358", "country": "Poland", "status": "active",
        },
    ]  # fmt: skip


def test_taken_emails_fail_are_skipped_or_are_updated(migrated: Place) -> None:
    place = migrated
    ada = place.add(email="ada@example.com", first_name="Ada", phone="1", city="London")
    same = place.add(email="same@example.com", first_name="Same", city="")
    text = (
        "Email,first_name,last_name,phone\n"
        "ADA@example.com,Augusta,King,\n"
        "new@example.com,New,X,2\n"
        "same@example.com,Same,L,\n"
        "New@Example.com,Newer,X,3\n"
    )
    write(place, text)
    # A taken email is a row that cannot land; in the file itself, too.
    assert rejected(place, "in.csv", "--rejects", "out.csv") == (4, 1, 0, 0, 0, 3)
    found = list(csv.DictReader(io.StringIO((place.path / "out.csv").read_text(encoding="utf-8"))))
    assert [(row["Email"], row["_line"], row["_reason"]) for row in found] == [
        ("ADA@example.com", "2", "the email is already taken"),
        ("same@example.com", "4", "the email is already taken"),
        ("New@Example.com", "5", "the email is already taken, by line 3"),
    ]
    assert place.json("customer", "get", "ada@example.com") == ada
    assert counts(place.json("customer", "import", "in.csv", "--on-conflict", "skip")) == (4, 0, 0, 0, 4, 0)
    assert place.json("customer", "get", "ada@example.com") == ada
    # The last of a file's rows wins; what is as it was is not written, and an absent column stays.
    done = place.json("customer", "import", "in.csv", "--on-conflict", "update")
    assert counts(done) == (4, 0, 2, 2, 0, 0)
    changed = place.json("customer", "get", "ada@example.com")
    assert (changed["first_name"], changed["last_name"], changed["phone"], changed["city"]) == (
        "Augusta", "King", None, "London"
    )  # fmt: skip
    assert changed["version"] != ada["version"]
    assert changed["updated_at"] >= ada["updated_at"]
    assert changed["created_at"] == ada["created_at"]
    assert place.json("customer", "get", "same@example.com") == same
    assert names(place) == {"ada@example.com": "Augusta", "new@example.com": "Newer", "same@example.com": "Same"}
    # A column of one's own: no new customers can be made of it.
    write(place, "email,city\nnew@example.com,Łódź\nnobody@example.com,Rome\n")
    assert rejected(place, "in.csv", "--on-conflict", "update") == (2, 0, 1, 0, 0, 1)
    assert place.json("customer", "get", "new@example.com")["city"] == "Łódź"
    assert place.refused(6, "customer", "get", "nobody@example.com")["code"] == "not_found"
    place.ok("audit", "verify")


def test_bad_rows_are_kept_as_they_were_and_good_ones_land(migrated: Place) -> None:
    place = migrated
    objects: Sequence[object] = (
        {"email": "ok@example.com", "firstName": "A", "last_name": "B", "company": None, "unknown": 1},
        {"email": "nope", "firstName": "", "last_name": "B"},
        {"email": "long@example.com", "firstName": "A", "last_name": "x" * 101},
        {"email": "unit@example.com", "firstName": "A", "last_name": "a\x1fb"},
        {"email": "number@example.com", "firstName": 7, "last_name": "B"},
        ["no object"],
        {"email": "fox@example.com", "firstName": "🦊", "last_name": "漢字", "status": "CLOSED"},
    )
    write(place, "".join(json.dumps(held) + "\n" for held in objects) + "{\n", "in.jsonl")
    assert rejected(place, "in.jsonl", "--rejects", "out.jsonl") == (8, 2, 0, 0, 0, 6)
    found = [json.loads(line) for line in (place.path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["_line"] for row in found] == [2, 3, 4, 5, 6, 8]
    assert found[0]["_reason"].startswith("`email` is not a valid address")
    assert "`first_name` is required" in found[0]["_reason"]
    assert found[1]["_reason"] == "`last_name` has 101 characters, 100 are allowed"
    assert found[2]["_reason"] == "`last_name` contains the control character U+001F"
    assert {row["email"]: (row["first_name"], row["status"]) for row in rows(place)} == {
        "fox@example.com": ("🦊", "closed"), "ok@example.com": ("A", "active")
    }  # fmt: skip
    place.ok("audit", "verify")


def test_thousands_of_rows_in_several_batches(migrated: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place = migrated
    monkeypatch.setattr(importing, "BATCH", 1000)
    given = numbered(2500)
    path = write_csv(place.path / "many.csv", HEADER, given)
    operation = str(uuid.uuid4())
    done = place.json("customer", "import", "many.csv", "--operation-id", operation)
    assert counts(done) == (2500, 2500, 0, 0, 0, 0)
    assert place.count("customer") == 2500
    assert [entry["part"] for entry in place.items("audit", "list", "--operation", operation)] == [3, 2, 1]
    # Ids are in the order of the file.
    listed = place.items("customer", "list", "--limit", "0")
    assert [(row["email"], row["first_name"], row["last_name"]) for row in listed] == given
    # The same operation answers for what it did; another one finds them all taken.
    again = place.ok("customer", "import", "many.csv", "--operation-id", operation, "-o", "json")
    assert again.json == done
    assert "already applied" in again.err
    write_csv(path, HEADER, [*numbered(500, first=2001), *numbered(1500, first=2501)])
    assert counts(place.json("customer", "import", "many.csv", "--on-conflict", "skip")) == (2000, 1500, 0, 0, 500, 0)
    assert counts(place.json("customer", "import", "many.csv", "--on-conflict", "update")) == (2000, 0, 0, 2000, 0, 0)
    assert place.refused(5, "customer", "import", "many.csv", "--operation-id", operation)["code"] == "conflict"
    assert place.count("customer") == place.count("(SELECT DISTINCT email FROM customer) AS held") == 4000
    assert place.count("customer_import") == 0
    place.ok("audit", "verify")


@pytest.mark.parametrize("when", ["3 before SIGKILL", "3 after SIGKILL"])
def test_a_killed_import_goes_on_where_it_was(migrated: Place, when: str) -> None:
    place = migrated
    given: list[tuple[str, str, str]] = numbered(500)
    given[120] = ("nope", "X", "Y")
    write_csv(place.path / "in.csv", HEADER, given)
    command = small_batches(place, 100, "customer", "import", "in.csv", "--rejects", "out.csv", signal=when)
    assert finish(start(place, command))[0] == -9
    landed = 199 if "before" in when else 299
    assert place.count("customer") == landed
    again = small_batches(place, 100, "customer", "import", "in.csv", "--rejects", "out.csv", "-o", "json")
    code, out, error = finish(start(place, again))
    assert code == 10, error
    assert f"resumed after row {landed + 1}" in error
    assert counts(json.loads(out)) == (500, 499, 0, 0, 0, 1)
    assert place.emails() == sorted(email for email, _, _ in given if email != "nope")
    assert (place.path / "out.csv").read_text().splitlines()[1].startswith("nope,X,Y,122,")
    assert place.count("customer_import") == 0
    place.ok("audit", "verify")


def test_what_cannot_be_read_is_told_before_anything_is_written(shared: Place) -> None:
    write(shared, "first_name,last_name\nA,B\n")
    assert shared.refused(9, "customer", "import", "in.csv")["code"] == "invalid"
    write(shared, "email,Email\na@example.com,b@example.com\n")
    assert shared.refused(2, "customer", "import", "in.csv")["code"] == "usage"
    assert shared.refused(2, "customer", "import", "nowhere.csv")["code"] == "usage"
    assert shared.refused(2, "customer", "import", "in.csv", "--map", "nonsense=Email")["code"] == "usage"
    assert shared.count("customer") == 0


def test_an_empty_file_is_no_error(shared: Place) -> None:
    write(shared, "email,first_name,last_name\n")
    assert counts(shared.json("customer", "import", "in.csv")) == (0, 0, 0, 0, 0, 0)
    assert counts(shared.json("customer", "import", "-", "--format", "jsonl", stdin="")) == (0, 0, 0, 0, 0, 0)
