"""Exports: what is read back is what was there, whatever text looks like to a format or to a database."""

from __future__ import annotations

import json
from typing import Any

import pytest

from custctl.customers.model import FIELDS
from custctl.support.text import visible
from tests.behaviours.support import Place, editable
from tests.integration.rows import read_csv

# Each means something to COPY, to CSV, to a spreadsheet, to SQL or to JSON.
VALUES = [
    "\\N", "\\.", "\\", "\\\\", "\\n", "a\\", "\\x41", "NULL", "null", "None", "''", '""', "'", '"', 'a"b', '"a"', ",",
    "a,b", ";", "=1+1", "+44 20", "-1", "@a", "'=1", "''=1", "'a", "#", "%s", "{}", "[]", "0", "007", "1e5", "true",
    "é", "🦊", "漢字", "\u202eabc", "a\u200db", "x'); --", "<b>", "&amp;", "$$", "{0}", "ÿ", "\ufeffa", "N'a'",
]  # fmt: skip


@pytest.fixture(scope="module")
def everyone(shared: Place) -> list[dict[str, Any]]:
    """Customers with each value in turn, in a field that is required and in those that may be empty."""
    rows = []
    for number, value in enumerate(VALUES):
        others = {name: VALUES[(number + at) % len(VALUES)] for at, name in enumerate(("company", "city", "region"))}
        rows.append(
            {
                "email": f"v{number:02d}@example.com",
                "first_name": value,
                "last_name": "L",
                **{name: other if number % 3 else None for name, other in others.items()},
                "status": "closed" if number % 5 == 0 else "active",
            }
        )
    shared.insert(rows)
    listed = shared.items("customer", "list", "--limit", "0")
    assert [row["first_name"] for row in listed] == VALUES
    return listed


def kept(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as a CSV that shows every character holds it."""
    return {name: visible(value) if value is not None else None for name, value in editable(row).items()}


def test_an_export_imported_into_an_empty_database_gives_the_same_rows(
    shared: Place, everyone: list[dict[str, Any]]
) -> None:
    shared.create("test")
    shared.ok("migrate", "--env", "test")
    for name, flags, form in (
        ("out.csv", (), kept),
        ("raw.csv", ("--raw",), editable),
        ("out.jsonl", (), editable),
    ):
        exported = shared.ok("customer", "export", "--output-file", name, *flags)
        assert ("an import does not restore them" in exported.err) == (form is kept)
        done = shared.json("customer", "import", name, *flags, "--env", "test")
        assert (done["rows"], done["inserted"], done["rejected"]) == (len(VALUES), len(VALUES), 0), name
        found = shared.items("customer", "list", "--limit", "0", "--env", "test")
        assert [editable(row) for row in found] == [form(row) for row in everyone], name
        shared.sql("DELETE FROM customer", name="test")


def test_an_export_is_the_list_in_the_format_that_is_asked_for(shared: Place, everyone: list[dict[str, Any]]) -> None:
    raw = read_csv(shared.ok("customer", "export", "--raw").out)
    assert raw == [{name: "" if value is None else str(value) for name, value in row.items()} for row in everyone]
    objects = shared.ok("customer", "export", "-o", "jsonl").out.splitlines()
    assert [json.loads(line) for line in objects] == everyone
    assert shared.ok("customer", "list", "--limit", "0", "-o", "jsonl").out.splitlines() == objects
    # A spreadsheet runs none of it.
    guarded = read_csv(shared.ok("customer", "export").out)
    assert list(guarded[0]) == list(FIELDS)
    begins = {row["first_name"][0] for row in guarded}
    assert not begins.intersection("=+-@")
    assert shared.ok("customer", "list", "--limit", "0", "-o", "csv").out == shared.ok("customer", "export").out


def test_an_empty_database_exports_a_header(migrated: Place) -> None:
    assert migrated.ok("customer", "export").out == ",".join(FIELDS) + "\n"
    assert migrated.ok("customer", "export", "-o", "jsonl").out == ""


def test_an_export_of_plain_text_is_joined_by_the_engine_and_says_nothing_of_it(migrated: Place) -> None:
    # PostgreSQL writes a backslash twice.
    name = ("--first-name", "Ada", "--last-name", r"Byron \ King")
    migrated.ok("customer", "add", "--email", "ada@example.com", *name)
    done = migrated.ok("customer", "export")
    assert done.err == ""
    [row] = read_csv(done.out)
    assert row["last_name"] == r"Byron \ King"
    assert row["version"] == migrated.items("customer", "list")[0]["version"]
