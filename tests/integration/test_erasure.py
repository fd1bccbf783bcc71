"""What is left of a deleted customer in any file: nothing, neither whole values nor parts of them in the search's index."""

from __future__ import annotations

import shlex
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Project, Result
from tests.inside import inside

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
def filled(project: Project) -> Iterator[Project]:
    """A database with other customers, in which this one was added and changed."""
    migrated = inside(project)
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


# -- erase -----------------------------------------------------------------------------------------


def _erase(project: Project, who: str, *, code: int = 0) -> Result:
    result = project.run("customer", "erase", who, "--request", "DSR 1", "--yes", "-o", "json")
    assert result.code == code, result.err
    return result


def test_an_erased_customer_leaves_no_byte_in_any_file(filled: Project) -> None:
    """Whatever other programs did to it before: they leave old values in free space, and SQLite samples of an index."""
    connection = filled.database()
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute("UPDATE customer SET city = 'Vwqjkzx', company = 'elsewhere' WHERE email = ?", (ZOE["email"],))
    connection.execute("UPDATE customer SET city = 'elsewhere' WHERE email = ?", (ZOE["email"],))
    connection.execute("ANALYZE")
    connection.close()
    home = Path(filled.environ["HOME"], ".local/state/custctl")
    filled.environ["EDITOR"] = f"{sys.executable} {_typist(filled, ZOE['company'])}"
    assert filled.run("customer", "edit", ZOE["email"]).code == 9
    assert any(b"Wqzkxjv" in path.read_bytes() for path in (home / "edits").iterdir())
    report = _erase(filled, ZOE["email"]).json
    assert report["erased"]["kept_edits"] == 1
    assert _left(filled) == {}
    filled.ok("audit", "verify")
    assert filled.ok("customer", "search", "--contains", "ater@", "-o", "json").json["items"]


def _typist(project: Project, company: str) -> Path:
    """Write an editor that types something that cannot be written."""
    script = project.path.parent / "typist.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\npath = Path(sys.argv[1])\n"
        f"path.write_text(path.read_text().replace('status: active', 'status: none') + '# {company}\\n')\n"
    )
    return script


def test_what_another_program_deleted_goes_with_the_erasure(filled: Project) -> None:
    connection = filled.database()
    connection.execute("PRAGMA secure_delete = OFF")
    [number] = connection.execute("SELECT id FROM customer WHERE email = ?", (ZOE["email"],)).fetchone()
    connection.execute("DELETE FROM customer WHERE id = ?", (number,))
    connection.close()
    assert _left(filled)
    assert _erase(filled, str(number)).json["erased"]["audit_values"] == 3
    assert _left(filled) == {}


def test_a_reader_in_the_midst_of_it_makes_the_erasure_incomplete(filled: Project) -> None:
    """Its view of the log keeps old pages; run again after it has gone, the same command ends the work."""
    reader = filled.database()
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM customer").fetchall()
    result = _erase(filled, ZOE["email"], code=12)
    assert result.json["complete"] is False
    assert [each["what"] for each in result.json["kept"] if each["failed"]] == ["write_ahead_log"]
    reader.execute("COMMIT")
    reader.close()
    hint = shlex.split(result.error["hint"].split("`")[1])[1:]
    again = filled.ok(*hint, "--yes", "-o", "json").json
    assert (again["complete"], again["replayed"]) == (True, True)
    assert _left(filled) == {}


def test_a_script_that_names_the_customer_is_reported(project: Project) -> None:
    migrated = inside(project)
    migrated.ok("seed")
    [found] = migrated.ok("customer", "list", "--limit", "1", "-o", "json").json["items"]
    scripts = [each["why"] for each in _erase(migrated, found["email"]).json["kept"] if each["what"] == "script"]
    assert len(scripts) == 1
    assert "seed/demo/customers.sql" in scripts[0]
