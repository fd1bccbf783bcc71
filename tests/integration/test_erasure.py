"""What is left of a deleted customer in any file: nothing, neither whole values nor parts of them in the search's index."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Project

# Letters that stand in no other value, so that each trigram is this customer's alone.
ZOE = {
    "email": "zqxwy.vkjzq@qjxzk.example",
    "first-name": "Zqjxwvk",
    "last-name": "Xkqzjvw",
    "phone": "+998877665544",
    "company": "Wqzkxjv Jqkzx",
    "city": "Vwqjkzx",
}
MARKED = [value for name, value in ZOE.items() if name != "phone"]


def _parts() -> set[bytes]:
    words = {word for value in MARKED for word in value.lower().removesuffix(".example").split()}
    return {word[at : at + 3].encode() for word in words for at in range(len(word) - 2)}


@pytest.fixture
def filled(migrated: Project) -> Iterator[Project]:
    """A database with other customers, in which this one was added, changed, and given a password."""
    migrated.ok("seed", "--customers", "200", "--random-seed", "1")
    options = [part for name, value in ZOE.items() for part in (f"--{name}", value)]
    migrated.ok("customer", "add", *options)
    migrated.ok("customer", "update", ZOE["email"], "--city", "Berlin")
    migrated.ok("customer", "update", ZOE["email"], "--company", "Jwzxqkv")
    migrated.ok("customer", "add", "--email", "later@example.com", "--first-name", "L", "--last-name", "M")
    yield migrated


def _files(project: Project) -> dict[str, bytes]:
    files = [*project.path.rglob("*"), *Path(project.environ["HOME"]).rglob("*")]
    return {path.name: path.read_bytes() for path in files if path.is_file()}


def _left(project: Project) -> dict[str, set[bytes]]:
    """Return what is found of the customer, by file."""
    whole = {value.encode() for value in (*ZOE.values(), "Jwzxqkv")}
    found: dict[str, set[bytes]] = {}
    for name, data in _files(project).items():
        folded = data.lower()
        hits = {value for value in whole if value.lower() in folded}
        if name.startswith("dev.db"):
            hits |= {part for part in _parts() if part in folded}
        if hits:
            found[name] = hits
    return found


def test_a_deleted_customer_leaves_no_byte_in_any_file(filled: Project) -> None:
    before = _left(filled)
    assert set(before) >= {"dev.db"}
    filled.ok("customer", "delete", ZOE["email"], "--yes")
    assert _left(filled) == {}
    assert filled.ok("customer", "search", "--contains", "ater@", "-o", "json").json["items"]


def test_it_leaves_none_while_another_process_has_the_file_open(filled: Project) -> None:
    """As long as a connection is there, closing the last one does not take the log away."""
    other = filled.database()
    other.execute("SELECT count(*) FROM customer").fetchall()
    filled.ok("customer", "delete", ZOE["email"], "--yes")
    assert (filled.path / "dev.db-wal").exists()
    assert _left(filled) == {}
    other.close()


def test_without_a_log(filled: Project) -> None:
    with filled.database() as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    filled.ok("customer", "delete", ZOE["email"], "--yes")
    assert _left(filled) == {}


def test_what_an_earlier_delete_left_goes_with_the_next(filled: Project) -> None:
    connection = filled.database()
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("DELETE FROM customer WHERE email = ?", (ZOE["email"],))
    connection.execute("UPDATE customer_audit SET held_values = NULL, salt = NULL")
    connection.close()
    assert _left(filled)
    filled.ok("customer", "delete", "later@example.com", "--yes")
    assert _left(filled) == {}


def test_the_index_is_whole_after_a_delete(filled: Project) -> None:
    filled.ok("customer", "delete", ZOE["email"], "--yes")
    connection = filled.database()
    connection.execute("INSERT INTO customer_search (customer_search) VALUES ('integrity-check')")
    with pytest.raises(sqlite3.Error):
        connection.execute("INSERT INTO customer_search (customer_search) VALUES ('no such command')")
    connection.close()
