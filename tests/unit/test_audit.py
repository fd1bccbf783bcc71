"""The audit: what a chain holds, what can be erased from it, and that no tampering with it goes unseen."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custctl.customers import audit, verification
from custctl.customers.operations import new_operation_id
from custctl.customers.store import CustomerStore
from custctl.customers.verification import Report, read_checkpoint, verify
from custctl.engines.base import EngineSettings
from custctl.engines.sqlite.database import SqliteDatabase
from custctl.support.errors import ConflictError, InvalidError, RefusedError, UsageError

REPOSITORY = Path(__file__).resolve().parents[2]
VALUES: dict[str, str | None] = {"email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace"}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("template")
    (folder / "profiles").mkdir()
    (folder / "profiles" / "dev.yaml").write_text("environment: development\ndatabase: {engine: sqlite, path: x.db}\n")
    environ = {"HOME": str(folder), "PYTHONPATH": str(REPOSITORY), "CUSTCTL_SQL_DIR": str(REPOSITORY / "sql")}
    command = [sys.executable, "-m", "custctl", "migrate"]
    subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True)
    return folder / "x.db"


@pytest.fixture
def database(template: Path, tmp_path: Path) -> Iterator[SqliteDatabase]:
    path = tmp_path / "customers.db"
    shutil.copy(template, path)
    made = SqliteDatabase(EngineSettings(location="the test's database", path=path))
    yield made
    made.close()


@pytest.fixture
def store(database: SqliteDatabase) -> CustomerStore:
    return CustomerStore(database, "development", "tester@here")


@pytest.fixture
def sql(database: SqliteDatabase) -> Iterator[Callable[..., list[Any]]]:
    """Run SQL behind custctl's back."""
    connection = sqlite3.connect(database.path, isolation_level=None)
    yield lambda text, *values: connection.execute(text, values).fetchall()
    connection.close()


@pytest.fixture
def written(store: CustomerStore) -> CustomerStore:
    """Two customers: 1 with five entries, 2 with two."""
    store.add(VALUES, operation_id=new_operation_id())
    store.add({**VALUES, "email": "grace@example.com"}, operation_id=new_operation_id())
    for number in range(4):
        store.update("1", {"phone": f"+44 {number}"}, operation_id=new_operation_id())
    store.update("2", {"city": "Arlington"}, operation_id=new_operation_id())
    return store


def kinds(report: Report) -> set[str]:
    return {fault.kind for fault in report.faults}


def rehash(sql: Callable[..., list[Any]], customer_id: int) -> None:
    """Make a chain consistent again, as somebody would who knows how it is hashed."""
    names = [row[1] for row in sql("PRAGMA table_info(customer_audit)")]
    previous, rows = "", sql("SELECT * FROM customer_audit WHERE customer_id = ? ORDER BY sequence", customer_id)
    for sequence, values in enumerate(rows, start=1):
        row = {**dict(zip(names, values, strict=True)), "sequence": sequence, "previous_hash": previous}
        if row["held_values"] is not None:
            row["values_hash"] = audit.values_hash(row["salt"], row["held_values"])
        previous = audit.row_hash(row)
        sql(
            "UPDATE customer_audit SET sequence = ?, values_hash = ?, previous_hash = ?, row_hash = ? WHERE id = ?",
            *(sequence, row["values_hash"], row["previous_hash"], previous, row["id"]),
        )


# -- what is written -------------------------------------------------------------------------------


def test_every_write_leaves_one_entry_that_follows_the_one_before(
    written: CustomerStore, sql: Callable[..., list[Any]]
) -> None:
    rows = sql(
        "SELECT sequence, action, actor, version, fields, previous_hash, row_hash"
        " FROM customer_audit WHERE customer_id = 1 ORDER BY id"
    )
    assert [row[:5] for row in rows] == [
        (1, "add", "tester@here", "e1-1", "email,first_name,last_name,status"),
        *((n + 2, "update", "tester@here", f"e1-{n + 2}", "phone") for n in range(4)),
    ]
    assert [row[5] for row in rows] == ["", *(row[6] for row in rows[:-1])]
    assert len({row[6] for row in rows}) == 5


def test_the_same_values_hash_differently_each_time(written: CustomerStore, sql: Callable[..., list[Any]]) -> None:
    # Without a salt, whoever has an erased entry's hash could guess a phone number and check.
    written.update("1", {"phone": None}, operation_id=new_operation_id())
    written.update("1", {"phone": "+44 0"}, operation_id=new_operation_id())
    salts = [row[0] for row in sql("SELECT salt FROM customer_audit")]
    assert len(set(salts)) == len(salts) == 9
    assert all(len(salt) == 32 for salt in salts)
    assert audit.values_hash("a", "{}") != audit.values_hash("b", "{}")


def test_an_erased_chain_still_verifies_and_holds_no_value(
    database: SqliteDatabase, written: CustomerStore, sql: Callable[..., list[Any]]
) -> None:
    written.delete("1", operation_id=new_operation_id())
    assert sql("SELECT count(held_values), count(salt), count(*) FROM customer_audit WHERE customer_id = 1") == [
        (0, 0, 6)
    ]
    assert sql("SELECT count(held_values), count(*) FROM customer_audit WHERE customer_id = 2") == [(2, 2)]
    report = verify(database)
    assert (report.faults, report.rows, report.chains) == ([], 8, 2)


def test_a_snapshot_tells_what_a_version_held(database: SqliteDatabase, written: CustomerStore) -> None:
    with database.reading() as connection:
        found = {number: audit.snapshot(connection, 1, f"e1-{number}") for number in range(1, 7)}
    assert [(found[number] or {}).get("phone") for number in range(1, 6)] == [None, "+44 0", "+44 1", "+44 2", "+44 3"]
    assert [(found[number] or {}).get("version") for number in range(1, 6)] == [f"e1-{n}" for n in range(1, 6)]
    assert found[6] is None


def test_a_snapshot_of_a_version_that_an_update_replaced(
    database: SqliteDatabase, written: CustomerStore, sql: Callable[..., list[Any]]
) -> None:
    # Version 6 was made by another client and left no entry of its own; the next update saw it.
    sql("UPDATE customer SET city = 'London', phone = '5' WHERE id = 1")
    written.update("1", {"phone": "6"}, operation_id=new_operation_id())
    with database.reading() as connection:
        found = audit.snapshot(connection, 1, "e1-6")
    assert found is not None
    assert (found["city"], found["phone"], found["version"]) == ("London", "5", "e1-6")


# -- ranges ----------------------------------------------------------------------------------------


@given(st.sets(st.integers(1, 60)), st.integers(0, 62))
def test_ranges_hold_exactly_the_ids_that_were_written(ids: set[int], number: int) -> None:
    ranges = audit.id_ranges(ids)
    assert audit.in_ranges(ranges, number) == (number in ids)
    assert verification._ids(ranges) == ids


def test_ranges_are_short() -> None:
    assert audit.id_ranges([12, 4, 5, 6, 7, 8, 9]) == "4-9,12"
    assert audit.id_ranges([1, 3]) == "1,3"
    assert audit.id_ranges([]) == ""
    assert audit.id_ranges(range(1, 1_000_001)) == "1-1000000"


# -- tampering that the chain itself shows ---------------------------------------------------------


@pytest.mark.parametrize("column", [name for name in audit.HASHED if name not in ("customer_id", "sequence")])
def test_a_changed_column_is_found(
    database: SqliteDatabase, written: CustomerStore, sql: Callable[..., list[Any]], column: str
) -> None:
    value: object = 7 if column in ("part", "first_customer_id", "last_customer_id") else "tampered"
    sql(f"UPDATE customer_audit SET {column} = ? WHERE id = 4", value)
    report = verify(database)
    assert "changed" in kinds(report)
    assert {(fault.audit_id, fault.customer_id) for fault in report.faults} == {(4, 1)}


@pytest.mark.parametrize("column", audit.HASHED)
@pytest.mark.parametrize("value", ["x'ff00'", "'text'", "1e300", "-5"])
def test_a_value_of_any_type_is_found_and_does_not_stop_the_verification(
    database: SqliteDatabase, written: CustomerStore, sql: Callable[..., list[Any]], column: str, value: str
) -> None:
    sql(f"UPDATE customer_audit SET {column} = {value} WHERE id = 4")
    sql("UPDATE customer_audit SET actor = 'tampered' WHERE id = 7")
    report = verify(database)
    assert {4, 7} <= {fault.audit_id for fault in report.faults}


@pytest.mark.parametrize(
    "change", ["held_values = replace(held_values, '+44', '+49')", "salt = '00'", "salt = NULL", "values_hash = ''"]
)
def test_changed_values_are_found(
    database: SqliteDatabase, written: CustomerStore, sql: Callable[..., list[Any]], change: str
) -> None:
    sql(f"UPDATE customer_audit SET {change} WHERE id = 4")
    report = verify(database)
    assert "changed" in kinds(report)
    assert {fault.audit_id for fault in report.faults} == {4}


@pytest.mark.parametrize(("gone", "message"), [("3", "entry 2"), ("3, 4", "entries 2 to 3"), ("1", "entry 1")])
def test_what_is_taken_out_is_found(
    database: SqliteDatabase, written: CustomerStore, sql: Callable[..., list[Any]], gone: str, message: str
) -> None:
    sql(f"DELETE FROM customer_audit WHERE id IN ({gone})")
    report = verify(database)
    assert kinds(report) == {"removed"}
    assert message in report.faults[0].message
    assert report.faults[0].customer_id == 1


def test_an_entry_that_was_hashed_anew_without_its_successors_is_found(
    database: SqliteDatabase, written: CustomerStore, sql: Callable[..., list[Any]]
) -> None:
    names = [row[1] for row in sql("PRAGMA table_info(customer_audit)")]
    row = {**dict(zip(names, sql("SELECT * FROM customer_audit WHERE id = 4")[0], strict=True)), "actor": "nobody"}
    sql("UPDATE customer_audit SET actor = 'nobody', row_hash = ? WHERE id = 4", audit.row_hash(row))
    report = verify(database)
    assert [(fault.kind, fault.audit_id) for fault in report.faults] == [("changed", 5)]


def test_a_gap_that_was_closed_by_renumbering_is_found(
    database: SqliteDatabase, written: CustomerStore, sql: Callable[..., list[Any]]
) -> None:
    sql("DELETE FROM customer_audit WHERE id = 3")
    sql("UPDATE customer_audit SET sequence = sequence - 1 WHERE customer_id = 1 AND id = 4")
    sql("UPDATE customer_audit SET sequence = sequence - 1 WHERE customer_id = 1 AND id = 5")
    sql("UPDATE customer_audit SET sequence = sequence - 1 WHERE customer_id = 1 AND id = 6")
    assert kinds(verify(database)) == {"changed"}


def test_entries_that_changed_places_are_found(
    database: SqliteDatabase, written: CustomerStore, sql: Callable[..., list[Any]]
) -> None:
    for before, after in ((3, 99), (4, 3), (99, 4)):
        sql("UPDATE customer_audit SET sequence = ? WHERE customer_id = 1 AND sequence = ?", after, before)
    assert "changed" in kinds(verify(database))


def test_values_that_are_gone_while_the_customer_is_there_are_found(
    database: SqliteDatabase, written: CustomerStore, sql: Callable[..., list[Any]]
) -> None:
    sql("UPDATE customer_audit SET held_values = NULL, salt = NULL WHERE id IN (4, 7)")
    report = verify(database)
    assert [(fault.kind, fault.customer_id, fault.audit_id) for fault in report.faults] == [
        ("erased", 1, 4),
        ("erased", 2, 7),
    ]


def test_an_entry_that_was_added_is_found(
    database: SqliteDatabase, written: CustomerStore, sql: Callable[..., list[Any]]
) -> None:
    sql(
        "INSERT INTO customer_audit (operation_id, customer_id, sequence, action, actor, happened_at, values_hash,"
        " previous_hash, row_hash) VALUES ('forged', 1, 6, 'update', 'nobody', '2026-01-01', '', '', '')"
    )
    report = verify(database)
    assert kinds(report) == {"changed"}
    assert {fault.audit_id for fault in report.faults} == {8}


@pytest.mark.parametrize("command", ["history", "list"])
def test_whoever_reads_a_tampered_entry_is_told_to_verify(
    database: SqliteDatabase, written: CustomerStore, sql: Callable[..., list[Any]], command: str
) -> None:
    from custctl.customers.history import list_entries, read_history

    sql("UPDATE customer_audit SET detail = 'x', held_values = '[]' WHERE id = 4")
    with pytest.raises(InvalidError, match="entry 4 of the audit differs from what was written") as caught:
        if command == "history":
            read_history(database, "1")
        else:
            list_entries(database, operation_id=None, who=None, limit=0, before=None)
    assert "custctl audit verify" in (caught.value.hint or "")


# -- tampering that only a checkpoint shows --------------------------------------------------------


def test_a_tail_that_was_cut_off_shows_at_the_checkpoint_alone(
    database: SqliteDatabase, written: CustomerStore, sql: Callable[..., list[Any]]
) -> None:
    checkpoint = verify(database).checkpoint
    sql("DELETE FROM customer_audit WHERE id >= 6")
    assert verify(database).faults == []
    report = verify(database, checkpoint)
    assert [(fault.kind, fault.message) for fault in report.faults] == [
        ("truncated", "entries 6-7 of the checkpoint are missing")
    ]


def test_a_whole_chain_or_table_that_is_gone_shows_at_the_checkpoint(
    database: SqliteDatabase, written: CustomerStore, sql: Callable[..., list[Any]]
) -> None:
    checkpoint = verify(database).checkpoint
    sql("DELETE FROM customer_audit WHERE customer_id = 2")
    assert verify(database).faults == []
    assert [fault.message for fault in verify(database, checkpoint).faults] == [
        "entries 2,7 of the checkpoint are missing"
    ]
    sql("DELETE FROM customer_audit")
    assert verify(database).faults == []
    assert kinds(verify(database, checkpoint)) == {"truncated"}


def test_a_full_rewrite_shows_at_the_checkpoint(
    database: SqliteDatabase, written: CustomerStore, sql: Callable[..., list[Any]]
) -> None:
    checkpoint = verify(database).checkpoint
    sql("UPDATE customer_audit SET held_values = replace(held_values, '+44 1', '+49 9'), actor = 'x' WHERE id = 4")
    rehash(sql, 1)
    assert verify(database).faults == []
    report = verify(database, checkpoint)
    assert kinds(report) == {"changed"}
    assert "1-7" in report.faults[0].message


def test_a_cut_tail_that_was_written_anew_shows_at_the_checkpoint(
    database: SqliteDatabase, written: CustomerStore, sql: Callable[..., list[Any]]
) -> None:
    checkpoint = verify(database).checkpoint
    sql("DELETE FROM customer_audit WHERE id = 7")
    sql("UPDATE sqlite_sequence SET seq = 6 WHERE name = 'customer_audit'")
    written.update("2", {"city": "Boston"}, operation_id=new_operation_id())
    assert verify(database).faults == []
    assert kinds(verify(database, checkpoint)) == {"changed"}


def test_an_entry_that_came_in_among_those_of_the_checkpoint_is_found(
    database: SqliteDatabase, written: CustomerStore, sql: Callable[..., list[Any]]
) -> None:
    sql("UPDATE customer_audit SET id = id + 10 WHERE id >= 6")
    checkpoint = verify(database).checkpoint
    written.update("2", {"city": "Boston"}, operation_id=new_operation_id())
    sql("UPDATE customer_audit SET id = 9 WHERE id = (SELECT max(id) FROM customer_audit)")
    assert verify(database).faults == []
    report = verify(database, checkpoint)
    assert [(fault.kind, fault.message) for fault in report.faults] == [
        ("added", "entries 9 were not there at the checkpoint")
    ]


def test_a_checkpoint_in_the_middle_of_a_block_that_has_grown_is_fine(
    database: SqliteDatabase, written: CustomerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = verify(database).checkpoint
    written.update("2", {"city": "Boston"}, operation_id=new_operation_id())
    written.delete("1", operation_id=new_operation_id())
    assert verify(database, checkpoint).faults == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 100])
def test_blocks_of_any_size_are_compared_alike(
    database: SqliteDatabase,
    written: CustomerStore,
    sql: Callable[..., list[Any]],
    monkeypatch: pytest.MonkeyPatch,
    size: int,
) -> None:
    monkeypatch.setattr(verification, "_BLOCK", size)
    monkeypatch.setattr(verification, "_STREAM", 2)
    checkpoint = verify(database).checkpoint
    assert len(checkpoint["blocks"]) == -(-7 // size)
    for number in range(5):
        written.update("2", {"city": str(number)}, operation_id=new_operation_id())
    assert verify(database, checkpoint).faults == []
    sql("UPDATE customer_audit SET actor = 'x' WHERE id = 4")
    rehash(sql, 1)
    assert kinds(verify(database, checkpoint)) == {"changed"}
    sql("DELETE FROM customer_audit WHERE id >= 7")
    assert "truncated" in kinds(verify(database, checkpoint))


def test_a_checkpoint_of_an_empty_audit_is_fine_later(database: SqliteDatabase, store: CustomerStore) -> None:
    checkpoint = verify(database).checkpoint
    assert (checkpoint["blocks"], checkpoint["last_id"]) == ([], 0)
    store.add(VALUES, operation_id=new_operation_id())
    assert verify(database, checkpoint).faults == []


def test_a_checkpoint_of_another_database_is_refused(
    database: SqliteDatabase, written: CustomerStore, sql: Callable[..., list[Any]]
) -> None:
    checkpoint = verify(database).checkpoint
    sql("UPDATE custctl_metadata SET value = 'another' WHERE name = 'database_id'")
    with pytest.raises(RefusedError, match="to another database"):
        verify(database, checkpoint)


def test_a_checkpoint_survives_its_file_whole_or_alone(
    database: SqliteDatabase, written: CustomerStore, tmp_path: Path
) -> None:
    report = verify(database)
    path = tmp_path / "checkpoint.json"
    for document in (report.as_dict(), report.checkpoint):
        path.write_text(json.dumps(document))
        assert read_checkpoint(path) == report.checkpoint
        assert verify(database, read_checkpoint(path)).faults == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "{}",
        "\udcff",
        '{"blocks": [], "last_id": "1"}',
        '{"blocks": [], "last_id": 5}',
        '{"blocks": [1], "last_id": 1}',
        '{"blocks": [{"first": 1, "ids": "", "digest": ""}], "last_id": 1}',
        '{"blocks": [{"first": 1, "ids": "a-b", "digest": ""}], "last_id": 1}',
        '{"blocks": [{"first": 1, "ids": "1-2-3", "digest": ""}], "last_id": 3}',
        '{"blocks": [{"first": 1, "ids": "1-99999999999", "digest": ""}], "last_id": 99999999999}',
        '{"blocks": [{"first": true, "ids": "1", "digest": ""}], "last_id": 1}',
        "[" * 100_000,
    ],
)
def test_what_is_no_checkpoint_is_told_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "checkpoint.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InvalidError, match="is not a checkpoint"):
        read_checkpoint(path)


def test_a_checkpoint_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.json"):
        with pytest.raises(UsageError, match="cannot be read"):
            read_checkpoint(path)


def test_an_operation_stands_for_one_customer_however_that_one_is_named(written: CustomerStore) -> None:
    operation, changes = new_operation_id(), {"email": "augusta@example.com"}
    written.update("ada@example.com", changes, operation_id=operation)
    for same in ("1", "ada@example.com", "augusta@example.com"):
        assert written.update(same, changes, operation_id=operation).replayed
    for other in ("2", "grace@example.com"):
        with pytest.raises(ConflictError, match="already been applied as `update` of customer 1"):
            written.update(other, changes, operation_id=operation)
