"""A block that fails leaves no transaction behind: no lock for others, and the next block begins anew."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from custctl.engines.base import EngineSettings
from custctl.engines.sqlite.database import SqliteDatabase
from custctl.support.errors import UnavailableError


@pytest.mark.parametrize("kind", ["reading", "writing"])
def test_a_failed_block_is_rolled_back_at_once(tmp_path: Path, kind: str) -> None:
    database = SqliteDatabase(EngineSettings(location="here", path=tmp_path / "x.db"))
    database.create()
    with database.writing() as connection:
        connection.send("CREATE TABLE t (x INTEGER)")
    with pytest.raises(KeyError), getattr(database, kind)() as connection:
        if kind == "writing":
            connection.send("INSERT INTO t VALUES (1)")
        raise KeyError
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None, timeout=0)
    other.execute("BEGIN IMMEDIATE")
    other.execute("COMMIT")
    other.close()
    with database.reading() as connection:
        assert connection.send("SELECT count(*) FROM t").scalar() == 0
    database.close()


def test_a_scripts_session_that_was_interrupted_in_a_statement_begins_anew(tmp_path: Path) -> None:
    database = SqliteDatabase(EngineSettings(location="here", path=tmp_path / "x.db"))
    database.create()
    with database.script_session() as session:
        session.begin()
        session.connection.send("CREATE TABLE t (x INTEGER)")
        # As where the driver gives a connection up.
        session.connection.close()
        session.rollback()
        assert not session.in_transaction()
        session.begin()
        session.connection.send("CREATE TABLE t (x INTEGER)")
        session.commit()
    with database.reading() as connection:
        assert database.table_names(connection) == {"t"}
    database.close()


def test_a_full_disk_is_told_as_one(tmp_path: Path) -> None:
    database = SqliteDatabase(EngineSettings(location="here", path=tmp_path / "x.db"))
    database.create()
    with database.writing() as connection:
        connection.send("CREATE TABLE t (x BLOB)")
    full = "here cannot be written: database or disk is full"
    with pytest.raises(UnavailableError, match=full) as caught, database.writing() as connection:
        connection.send("PRAGMA max_page_count = 3")
        connection.send("INSERT INTO t VALUES (zeroblob(100000))")
    assert "free some disk space" in (caught.value.hint or "")
    database.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not list a process's open files")
def test_a_file_that_is_no_database_is_not_held_open_by_the_error(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"nothing that SQLite reads" * 100)
    database = SqliteDatabase(EngineSettings(location="here", path=path))
    with pytest.raises(UnavailableError) as told, database.reading():
        pass
    held = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink() and link.resolve() == path]
    assert not held, told.value
    database.close()
