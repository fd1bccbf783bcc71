"""Expand and contract on every engine: what may run before the switch to a new release, and what must wait."""

from __future__ import annotations

import pytest

from tests.behaviours.support import Place


@pytest.fixture
def place(empty: Place) -> Place:
    """A project with two tables of its own."""
    empty.write_tables("a", "b")
    empty.ok("migrate")
    return empty


def applied(place: Place, *arguments: str) -> list[str]:
    """Migrate, and return the numbers and names of what was applied."""
    return [step["script"].split("/")[1].removesuffix(".sql") for step in place.json("migrate", *arguments)["applied"]]


def test_expand_alone_then_the_rest(place: Place) -> None:
    place.write("0003_add", "CREATE TABLE c (x INTEGER)")
    place.write("0004_drop", "DROP TABLE b")
    place.write("0005_late", "-- custctl: phase=contract\nCREATE TABLE d (x INTEGER)")

    planned = place.json("migrate", "--dry-run")["planned"]
    assert [step["phase"] for step in planned] == ["expand", "contract", "contract"]
    found = place.json("migrate", "validate")["items"]
    assert [(item["rule"], item["phase"]) for item in found] == [("drop-table", "contract")]

    result = place.ok("migrate", "--phase", "expand", "-o", "json")
    assert [step["script"] for step in result.json["applied"]] == ["migrations/0003_add.sql"]
    assert result.json["to"] == 3
    (left,) = [told for told in result.told if "contract release" in told]
    assert "`migrations/0004_drop.sql`, `migrations/0005_late.sql`" in left
    assert place.tables("b", "c", "d") == {"b", "c"}
    # What waits is pending still, and is nothing to do for the release before the switch.
    place.refused(8, "migrate", "status", "--check")
    assert applied(place, "--phase", "expand") == []
    # It is not late: after the switch a bare run applies it.
    assert applied(place) == ["0004_drop", "0005_late"]
    place.ok("migrate", "status", "--check")


def test_a_directive_decides_and_an_allowed_finding_still_counts(place: Place) -> None:
    place.write("0003_said", "-- custctl: phase=expand\n-- custctl: allow=drop-table never used\nDROP TABLE a")
    place.write("0004_allowed", "-- custctl: allow=drop-table nobody reads it\nDROP TABLE b")
    assert applied(place, "--phase", "expand") == ["0003_said"]
    assert place.tables("a", "b") == {"b"}


def test_no_script_passes_one_that_waits(place: Place) -> None:
    place.write("0003_drop", "DROP TABLE b")
    place.write("0004_add", "CREATE TABLE c (x INTEGER)")
    error = place.refused(11, "migrate", "--phase", "expand")
    assert error["details"] == {"expand": "migrations/0004_add.sql", "contract": ["migrations/0003_drop.sql"]}
    assert place.tables("b", "c") == {"b"}
    assert applied(place, "--phase", "expand", "--allow-out-of-order") == ["0004_add"]
    # From then on it is late, as any other script that was passed.
    assert place.refused(11, "migrate")["details"]["late"] == ["migrations/0003_drop.sql"]
    assert applied(place, "--allow-out-of-order") == ["0003_drop"]


def test_the_products_own_scripts_expand(empty: Place) -> None:
    empty.ok("migrate", "--phase", "expand")
    empty.ok("migrate", "status", "--check")


def test_an_unknown_phase_is_refused(empty: Place) -> None:
    assert "without `--phase`" in empty.refused(2, "migrate", "--phase", "contract")["hint"]
    empty.write("0001_a", "-- custctl: phase=soon\nCREATE TABLE a (x INTEGER)")
    assert empty.refused(11, "migrate", "validate")["message"] == "migrations/0001_a.sql:1: unknown phase `soon`"
