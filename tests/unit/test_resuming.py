"""What a script that resumes on a new session sets again, and what it lacks there."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from custctl.engines.postgresql import resuming as postgresql
from custctl.engines.postgresql import script as postgresql_script
from custctl.engines.sqlite import resuming as sqlite
from custctl.engines.sqlite import script as sqlite_script


def kept(language: ModuleType, resuming: ModuleType, text: str) -> list[str]:
    statements = language.split(text)
    return [statements[number].text for number in resuming.settings(statements)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PRAGMA a = 1; CREATE TABLE t (x); ATTACH 'f' AS f; PRAGMA f.b = 2;", ["PRAGMA a = 1", "ATTACH 'f' AS f", "PRAGMA f.b = 2"]),
        ("ATTACH 'f' AS f; PRAGMA f.b = 2; PRAGMA c; DETACH DATABASE F;", ["PRAGMA c"]),
        ("ATTACH 'f' AS f; DETACH f; ATTACH 'g' AS f;", ["ATTACH 'g' AS f"]),
        ("BEGIN; PRAGMA foreign_keys = ON; PRAGMA a = 1; COMMIT; PRAGMA recursive_triggers = 1;", ["PRAGMA a = 1", "PRAGMA recursive_triggers = 1"]),
        ("BEGIN; ROLLBACK TO s; PRAGMA foreign_keys = ON; END; PRAGMA foreign_keys = OFF;", ["PRAGMA foreign_keys = OFF"]),
        ("PRAGMA defer_foreign_keys = ON; PRAGMA user_version = 3; PRAGMA main.schema_version = 9;", []),
    ],
)  # fmt: skip
def test_settings_of_sqlite(text: str, expected: list[str]) -> None:
    assert kept(sqlite_script, sqlite, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SET a = 1; CREATE TABLE t (x int); SET LOCAL b = 1;", ["SET a = 1"]),
        ("BEGIN; SET a = 1; COMMIT; BEGIN; SET b = 1; ROLLBACK; SET c = 1;", ["SET a = 1", "SET c = 1"]),
        ("BEGIN; SET a = 1; COMMIT AND CHAIN; SET b = 1; ABORT;", ["SET a = 1"]),
        ("BEGIN; SET a = 1; SAVEPOINT s; SET b = 1; SAVEPOINT u; SET c = 1; ROLLBACK TO SAVEPOINT s; SET d = 1; END;", ["SET a = 1", "SET d = 1"]),
        ("START TRANSACTION; SET ROLE x; PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p';", ["SET ROLE x"]),
    ],
)  # fmt: skip
def test_settings_of_postgresql(text: str, expected: list[str]) -> None:
    assert kept(postgresql_script, postgresql, text) == expected


@pytest.mark.parametrize(
    ("applied", "rest", "number", "what"),
    [
        ("CREATE TEMP TABLE t (x int);", "SELECT 1; INSERT INTO t VALUES (1);", 1, "the temporary table `t`"),
        ("CREATE LOCAL TEMPORARY VIEW v AS SELECT 1;", "DO $$ BEGIN PERFORM * FROM v; END $$;", 0, "the temporary view `v`"),
        ("CREATE TABLE IF NOT EXISTS pg_temp.t (x int);", "DROP TABLE T;", 0, "the temporary table `pg_temp.t`"),
        ("SELECT 1 AS x INTO TEMPORARY TABLE t;", "TABLE t;", 0, "the temporary table `t`"),
        ("WITH a AS (SELECT 1) SELECT * INTO TEMP t FROM a;", "TABLE t;", 0, "the temporary table `t`"),
        ("CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1';", "SELECT pg_temp.f();", 0, "the temporary function `pg_temp.f`"),
        ("CREATE OR REPLACE TEMP VIEW v AS SELECT 1;", "CREATE TEMP VIEW v AS SELECT 2; TABLE v;", None, ""),
        ("CREATE TEMP TABLE t (x int); DROP TABLE t;", "CREATE TABLE t (x int);", None, ""),
        ("CREATE TEMP TABLE t (x int); DISCARD TEMP;", "TABLE t;", None, ""),
        ("CREATE TEMP TABLE t (x int) ON COMMIT DROP;", "TABLE t;", None, ""),
        ("CREATE TABLE t (x int); SELECT 1;", "TABLE t;", None, ""),
        ("CREATE TEMP TABLE t (x int);", "TABLE tt; SELECT t_1 FROM x;", None, ""),
    ],
)  # fmt: skip
def test_what_postgresql_lacks(applied: str, rest: str, number: int | None, what: str) -> None:
    found = postgresql.lost(postgresql_script.split(applied), postgresql_script.split(rest))
    assert (None if found is None else (found.number, found.what)) == (None if number is None else (number, what))


def test_a_file_that_is_named_by_an_expression_is_left_to_sqlite() -> None:
    applied = sqlite_script.split("ATTACH 'no' || 'where' AS f; CREATE TABLE f.t (x);")
    assert sqlite.lost(applied, sqlite_script.split("SELECT * FROM f.t;")) is None
    applied = sqlite_script.split("ATTACH DATABASE 'file:no''where?mode=rw' AS f; CREATE TABLE f.t (x);")
    found = sqlite.lost(applied, sqlite_script.split("SELECT 1;"))
    assert found is not None
    assert found.what == "the attached file `file:no'where?mode=rw`, which is missing"


@pytest.mark.parametrize("address", ["{}", "file:{}", "file://localhost{}?mode=rw", "file:{}#top"])
def test_an_attached_file_is_found_by_any_address(tmp_path: Path, address: str) -> None:
    file = tmp_path / "a b.db"
    named = address.format(str(file).replace(" ", "%20") if address.startswith("file:") else file)
    *applied, rest = sqlite_script.split(f"ATTACH '{named}' AS other; CREATE TABLE other.t (x); SELECT 1;")
    assert sqlite.lost(applied, [rest]) is not None
    file.touch()
    assert sqlite.lost(applied, [rest]) is None
