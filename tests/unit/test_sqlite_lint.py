"""The linter for SQLite: what it reports, and what it must leave alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custctl.engines.scripts import ScriptSyntaxError
from custctl.engines.sqlite.lint import lint
from custctl.engines.sqlite.rules import HINTS
from custctl.engines.sqlite.script import split
from custctl.migrations.scripts import discover, seed_sets

SQL = Path(__file__).parents[2] / "sql"


def rules(script: str, *, transaction: bool = True) -> list[str]:
    return [finding.rule for finding in lint(split(script), transaction=transaction)]


# One script and the rules that it breaks, in the order of its lines.
FINDINGS: list[tuple[str, list[str]]] = [
    ("DROP TABLE customer", ["drop-table"]),
    ('drop table if exists main."customer"', ["drop-table"]),
    ("DROP TABLE 'customer'", ["drop-table"]),
    ("DROP /* x */ TABLE -- y\n [customer]", ["drop-table"]),
    ("ALTER TABLE customer DROP COLUMN phone", ["drop-column"]),
    ("ALTER TABLE customer DROP phone", ["drop-column"]),
    ("DROP INDEX customer_email", ["drop-index"]),
    ("DROP TRIGGER IF EXISTS customer_version", ["drop-trigger"]),
    ("ALTER TABLE customer RENAME TO client", ["rename-table"]),
    ("ALTER TABLE main.customer RENAME COLUMN phone TO telephone", ["rename-column"]),
    ("ALTER TABLE customer RENAME phone TO telephone", ["rename-column"]),
    ("ALTER TABLE customer ADD COLUMN a TEXT NOT NULL", ["not-null-without-default"]),
    ("ALTER TABLE customer ADD a NOT NULL DEFAULT NULL", ["not-null-without-default"]),
    ("ALTER TABLE customer ADD a NOT NULL DEFAULT (null)", ["not-null-without-default"]),
    ("ALTER TABLE customer ADD a TEXT CHECK (a IN ('DEFAULT')) NOT NULL", ["not-null-without-default"]),
    ("ALTER TABLE customer ADD a TEXT UNIQUE", ["add-column-refused"]),
    ("ALTER TABLE customer ADD a INTEGER PRIMARY KEY", ["add-column-refused"]),
    ("ALTER TABLE customer ADD a DEFAULT CURRENT_TIMESTAMP", ["add-column-refused"]),
    ("ALTER TABLE customer ADD a NOT NULL DEFAULT (datetime('now'))", ["add-column-refused"]),
    ("ALTER TABLE customer ADD a DEFAULT (1 + 1)", ["add-column-refused"]),
    ("ALTER TABLE customer ADD a AS (b) STORED", ["add-column-refused"]),
    ("CREATE INDEX i ON customer (phone)", ["create-index-locks"]),
    ("CREATE UNIQUE INDEX IF NOT EXISTS main.i ON customer (phone) WHERE phone > ''", ["create-index-locks"]),
    ("REINDEX customer", ["create-index-locks"]),
    ("REINDEX", ["create-index-locks"]),
    ("UPDATE customer SET a = 1", ["update-without-where"]),
    ("UPDATE OR IGNORE main.customer AS c SET a = (SELECT b FROM x WHERE x.id = c.id)", ["update-without-where"]),
    ("UPDATE customer SET a = 'x WHERE y' -- WHERE z", ["update-without-where"]),
    ('UPDATE customer SET a = "where"', ["update-without-where"]),
    (
        "WITH x (a) AS (SELECT 1 WHERE 1), y AS NOT MATERIALIZED (SELECT 2) UPDATE customer SET a = 1",
        ["update-without-where"],
    ),
    ("DELETE FROM customer", ["delete-without-where"]),
    ("WITH RECURSIVE x AS (SELECT 1 WHERE 1) DELETE FROM customer RETURNING id", ["delete-without-where"]),
    ("INSERT OR REPLACE INTO customer (id) VALUES (1)", ["replace-into"]),
    ("REPLACE INTO customer (id) VALUES (1)", ["replace-into"]),
    ("UPDATE OR REPLACE customer SET id = 1 WHERE id = 2", ["replace-into"]),
    ("WITH x AS (SELECT 1) REPLACE INTO customer SELECT * FROM x", ["replace-into"]),
    ("WITH x AS (SELECT 1) INSERT OR REPLACE INTO customer SELECT * FROM x", ["replace-into"]),
    ("PRAGMA foreign_keys = OFF", ["pragma-in-transaction"]),
    ("pragma main.journal_mode(wal)", ["pragma-in-transaction"]),
    ("PRAGMA wal_checkpoint", ["pragma-in-transaction"]),
    *((f"PRAGMA {name} = 1", ["pragma-in-transaction"]) for name in ("synchronous", "page_size", "auto_vacuum")),
    ("VACUUM", ["vacuum-in-transaction"]),
    ("VACUUM INTO 'copy.db'", ["vacuum-in-transaction"]),
    ("PRAGMA writable_schema = ON", ["writable-schema"]),
    ("PRAGMA main.writable_schema(1)", ["writable-schema"]),
    ("PRAGMA writable_schema", []),
    ("ATTACH 'other.db' AS other", ["attach-database"]),
    ("DETACH DATABASE other", ["attach-database"]),
    # The rebuild that SQLite's manual describes still takes the old table away.
    (
        (
            "CREATE TABLE new_customer (id); INSERT INTO new_customer SELECT id FROM customer;"
            "DROP TABLE customer; ALTER TABLE new_customer RENAME TO customer; CREATE INDEX i ON customer (id);"
        ),
        ["drop-table"],
    ),
    # IF NOT EXISTS proves nothing about what the table holds.
    ("CREATE TABLE IF NOT EXISTS t (a); DROP TABLE t", ["drop-table"]),
    ("CREATE TABLE IF NOT EXISTS t (a); CREATE TABLE IF NOT EXISTS t (a); DELETE FROM t", ["delete-without-where"]),
    # A temporary table hides the one in the file, until it is named with its schema.
    ("CREATE TEMP TABLE customer (a); DELETE FROM customer; DELETE FROM main.customer", ["delete-without-where"]),
    ("CREATE TEMP TABLE customer (a); DROP TABLE customer; DROP TABLE customer", ["drop-table"]),
    ("CREATE TEMPORARY TABLE customer (a); CREATE INDEX main.i ON customer (a)", ["create-index-locks"]),
    ("ALTER TABLE customer RENAME TO client; CREATE INDEX i ON client (a)", ["rename-table", "create-index-locks"]),
    ("DROP TRIGGER a; DROP TRIGGER b; CREATE TRIGGER a AFTER DELETE ON t BEGIN SELECT 1; END;", ["drop-trigger"]),
    ("DROP INDEX i; CREATE TRIGGER i AFTER DELETE ON t BEGIN SELECT 1; END;", ["drop-index"]),
]

CLEAN = [
    "SELECT 'DROP TABLE customer', \"DROP TABLE customer\" -- DROP TABLE customer",
    "/* DROP TABLE customer; */ SELECT 1",
    "INSERT INTO customer (note) VALUES ('; DELETE FROM customer;')",
    "INSERT INTO customer (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2",
    "INSERT INTO customer SELECT replace(a, 'b', 'c') FROM customer",
    "CREATE TRIGGER t AFTER INSERT ON c BEGIN UPDATE c SET a = 1; DELETE FROM b; REPLACE INTO c SELECT 1; END",
    "CREATE TABLE t (a); CREATE INDEX i ON t (a); UPDATE t SET a = 1; ALTER TABLE t DROP a; DELETE FROM T; DROP TABLE T",
    "CREATE TABLE t (a); ALTER TABLE t RENAME COLUMN a TO b; ALTER TABLE t RENAME TO u; DROP TABLE u",
    "CREATE TABLE IF NOT EXISTS t (a); CREATE INDEX IF NOT EXISTS i ON t (a)",
    "CREATE VIRTUAL TABLE s USING fts5 (a); REPLACE INTO s VALUES (1)",
    "CREATE TEMP TABLE IF NOT EXISTS t (a); DELETE FROM t; DROP TABLE temp.t",
    "CREATE TABLE t (a); REINDEX t",
    "CREATE TABLE IF NOT EXISTS t (a); CREATE INDEX i ON t (a); REINDEX i; REINDEX main.I",
    "CREATE TABLE other.t (a); DELETE FROM other.t; DELETE FROM temp.u",
    *(
        f"CREATE TABLE t (a); UPDATE OR {deed} t SET a = 1"
        for deed in ("ABORT", "FAIL", "IGNORE", "REPLACE", "ROLLBACK")
    ),
    "INSERT OR IGNORE INTO customer (a) VALUES (1)",
    "DROP VIEW IF EXISTS v; CREATE VIEW v AS SELECT 1",
    'DROP TRIGGER IF EXISTS "T"; CREATE TRIGGER t AFTER DELETE ON x BEGIN SELECT 1; END;',
    "CREATE TABLE t (a); CREATE INDEX i ON t (a); DROP INDEX i",
    "ALTER TABLE customer ADD COLUMN a TEXT",
    "ALTER TABLE customer ADD a TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE customer ADD a VARCHAR(10) DEFAULT -1.5 NOT NULL",
    "ALTER TABLE customer ADD a NOT NULL DEFAULT (-1)",
    "ALTER TABLE customer ADD a DEFAULT x'00' CHECK (a IS NOT NULL)",
    "ALTER TABLE customer ADD a NOT NULL DEFAULT (cast(1 AS TEXT))",
    "ALTER TABLE customer ADD a NOT NULL AS (b || 'UNIQUE') VIRTUAL",
    "ALTER TABLE customer ADD \"unique\" TEXT DEFAULT 'PRIMARY KEY'",
    "UPDATE customer SET a = 1 WHERE id = 1",
    "WITH x AS (SELECT 1) UPDATE customer SET a = 1 FROM x WHERE x.id = customer.id",
    "DELETE FROM customer WHERE id IN (SELECT 1)",
    "WITH x AS (SELECT 1) SELECT * FROM x",
    "EXPLAIN DELETE FROM customer",
    "PRAGMA foreign_keys",
    "PRAGMA defer_foreign_keys = ON",
    "PRAGMA recursive_triggers(1)",
    "",
    "DROP",
    "DROP TABLE",
    *("CREATE TABLE", "CREATE TABLE t (a); ALTER TABLE t RENAME TO", "PRAGMA", "ALTER TABLE customer"),
    "CREATE",
    "WITH",
    "DELETE",
    "UPDATE",
]


@pytest.mark.parametrize(("script", "expected"), FINDINGS)
def test_reports(script: str, expected: list[str]) -> None:
    assert rules(script) == expected


@pytest.mark.parametrize("script", CLEAN)
def test_leaves_alone(script: str) -> None:
    assert lint(split(script)) == []


def test_every_rule_is_described_has_a_hint_and_an_example() -> None:
    found = [finding for script, _ in FINDINGS for finding in lint(split(script))]
    assert {finding.rule for finding in found} == set(HINTS)
    for finding in found:
        assert finding.hint
        assert not finding.hint.endswith(".")
        assert not finding.message.endswith(".")
        assert finding.message[0].islower() or finding.message[0] == "`"


def test_a_finding_names_its_line_and_the_object_as_written() -> None:
    [first, second] = lint(split("-- x\nDROP INDEX b;\n\n  ALTER TABLE main.[Customer]\n DROP phone;"))
    assert (first.rule, first.line) == ("drop-index", 2)
    assert (second.rule, second.line) == ("drop-column", 4)
    assert "`main.[Customer].phone`" in second.message
    [added] = lint(split("ALTER TABLE Customer ADD COLUMN [a b] TEXT NOT NULL"))
    assert "`Customer.[a b]`" in added.message


def test_outside_a_transaction_pragmas_and_vacuum_are_fine() -> None:
    script = "PRAGMA foreign_keys = OFF; VACUUM;"
    assert rules(script, transaction=False) == []
    # The script's own BEGIN counts; going back to a savepoint ends nothing.
    script = "BEGIN; PRAGMA foreign_keys = 0; SAVEPOINT a; ROLLBACK TO a; VACUUM; COMMIT; VACUUM;"
    assert rules(script, transaction=False) == ["pragma-in-transaction", "vacuum-in-transaction"]
    for end in ("END", "ROLLBACK", "COMMIT TRANSACTION"):
        script = f"BEGIN;\nROLLBACK TRANSACTION TO SAVEPOINT a;\nVACUUM;\n{end};\nVACUUM;"
        assert [finding.line for finding in lint(split(script), transaction=False)] == [3]


COLUMNS = [
    *(
        "a NOT NULL",
        "a UNIQUE",
        "a PRIMARY KEY",
        "a DEFAULT (1)",
        "a DEFAULT (1+1)",
        "a DEFAULT CURRENT_DATE",
        "a DEFAULT -1",
    ),
    *(
        "a DEFAULT +1.5",
        "a DEFAULT .5",
        "a DEFAULT 1e3",
        "a DEFAULT x'00'",
        "a DEFAULT true",
        "a DEFAULT 'a'",
        'a DEFAULT "a"',
    ),
    *("a DEFAULT abc", "a DEFAULT (cast(1 AS text))", "a DEFAULT (-1)", "a DEFAULT (null)", "a NOT NULL DEFAULT null"),
    *(
        "a NOT NULL DEFAULT (null)",
        "a NOT NULL DEFAULT 1",
        "a DEFAULT 1 NOT NULL",
        "a AS (id) STORED",
        "a AS (id) VIRTUAL",
    ),
    *(
        "a NOT NULL AS (id)",
        "a CONSTRAINT c UNIQUE",
        "a CHECK (a IS NOT NULL OR 1)",
        "a DEFAULT (datetime('now'))",
        "a DEFAULT ('x')",
    ),
]


@pytest.mark.parametrize("column", COLUMNS)
def test_columns_are_judged_as_sqlite_does(column: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript("CREATE TABLE t (id); INSERT INTO t VALUES (1)")
    statement = f"ALTER TABLE t ADD COLUMN {column}"
    try:
        connection.execute(statement)
        fails = False
    except sqlite3.OperationalError:
        fails = True
    connection.close()
    assert bool(rules(statement)) == fails


WORDS = (
    "ADD ALTER AS COLUMN CREATE DEFAULT DELETE DROP EXISTS FROM IF INDEX INSERT INTO NOT NULL ON OR PRAGMA REINDEX RENAME "
    "REPLACE SET TABLE TEMP TO TRIGGER UPDATE WHERE WITH WRITABLE_SCHEMA ( ) , . ; = t main.t \"a\" 'x' [b] 1"
)


@settings(max_examples=3 * settings().max_examples)
@given(st.lists(st.sampled_from(WORDS.split()), max_size=12).map(" ".join) | st.text())
def test_any_script_that_splits_can_be_read(script: str) -> None:
    try:
        statements = split(script)
    except ScriptSyntaxError:
        return
    findings = lint(statements)
    assert {finding.line for finding in findings} <= {statement.line for statement in statements}


def test_the_bundled_scripts_are_clean() -> None:
    found = discover(SQL, "sqlite")
    seeds = [script for scripts in seed_sets(SQL, "sqlite").values() for script in scripts]
    assert found.versioned
    for script in [*found.versioned, *found.repeatable, *seeds]:
        findings = lint(split(script.text), transaction=script.directives.transaction)
        assert [finding for finding in findings if finding.rule not in script.directives.allow] == [], script.name
        assert set(script.directives.allow) <= {finding.rule for finding in findings} <= set(HINTS), script.name
