"""A database without the schema, or with too old a one: every command says what to do, and none crashes."""

from __future__ import annotations

from tests.behaviours.support import Place
from tests.conftest import ADA

COMMANDS = (
    ("customer", "get", "1"),
    ("customer", "get", "ada@example.com"),
    ("customer", "list"),
    ("customer", "search", "a"),
    ("customer", "search", "--contains", "a"),
    ("customer", "add", *ADA),
    ("customer", "update", "1", "--city", "X"),
    ("customer", "delete", "1", "--yes"),
    ("customer", "history", "1"),
    ("customer", "export"),
    ("customer", "import", "more.csv"),
    ("customer", "import", "more.csv", "--dry-run"),
    ("customer", "set-password", "1", "--stdin"),
    ("customer", "verify-password", "1", "--stdin"),
    ("audit", "list"),
    ("audit", "verify"),
    ("seed",),
)


def check(place: Place) -> None:
    (place.path / "more.csv").write_text("email,first_name,last_name\nx@example.com,X,Y\n")
    for arguments in COMMANDS:
        error = place.refused(8, *arguments, stdin="copper lantern drifting\n")
        assert error["code"] == "pending", arguments
        assert "custctl migrate" in error["hint"], arguments


def test_a_database_without_the_schema(empty: Place) -> None:
    check(empty)
    assert empty.tables("customer", "schema_migration") == set()


def test_a_schema_that_is_too_old(empty: Place) -> None:
    empty.ok("migrate", "--target", "3")
    check(empty)
    assert empty.count("customer") == 0
