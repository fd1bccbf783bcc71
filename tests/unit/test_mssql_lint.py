"""The linter for SQL Server: what it reports, and what it must leave alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custctl.engines.mssql.lint import lint
from custctl.engines.mssql.rules import HINTS
from custctl.engines.mssql.script import split
from custctl.engines.scripts import ScriptSyntaxError


def rules(script: str, *, transaction: bool = True) -> list[str]:
    return [finding.rule for finding in lint(split(script), transaction=transaction)]


# One script and the rules that it breaks, in the order of its lines.
FINDINGS: list[tuple[str, list[str]]] = [
    ("DROP TABLE customer", ["drop-table"]),
    ('drop table if exists [dbo]."customer"', ["drop-table"]),
    ("DROP TABLE a, dbo.b", ["drop-table", "drop-table"]),
    ("DROP /* x */ TABLE -- y\n [customer]", ["drop-table"]),
    ("IF OBJECT_ID(N'dbo.customer') IS NOT NULL DROP TABLE dbo.customer", ["drop-table"]),
    ("IF EXISTS (SELECT * FROM sys.tables WHERE name = 'a')\nBEGIN\nDROP TABLE a\nEND", ["drop-table"]),
    ("ALTER TABLE customer DROP COLUMN phone", ["drop-column"]),
    (
        "ALTER TABLE customer DROP COLUMN IF EXISTS a, b, CONSTRAINT c",
        ["drop-column", "drop-column", "drop-constraint"],
    ),
    ("ALTER TABLE dbo.customer DROP CONSTRAINT IF EXISTS a, COLUMN b", ["drop-column", "drop-constraint"]),
    ("ALTER TABLE customer DROP pk WITH (ONLINE = ON)", ["drop-constraint"]),
    ("DROP INDEX customer_email ON customer", ["drop-index"]),
    ("DROP INDEX IF EXISTS a ON dbo.t WITH (ONLINE = ON), b ON t", ["drop-index", "drop-index"]),
    ("DROP INDEX dbo.customer.customer_email", ["drop-index"]),
    ("ALTER INDEX customer_email ON customer DISABLE", ["drop-index"]),
    ("DROP TRIGGER IF EXISTS customer_version", ["drop-trigger"]),
    ("DROP TRIGGER a, b ON DATABASE", ["drop-trigger", "drop-trigger"]),
    ("EXEC sp_rename 'dbo.customer', 'client'", ["rename-table"]),
    ("sp_rename 'customer', 'client'", ["rename-table"]),
    (
        "EXECUTE @rc = sys.sp_rename @objname = N'[dbo].[customer]', @newname = N'client', @objtype = 'OBJECT'",
        ["rename-table"],
    ),
    ("SELECT 1 EXEC sp_rename customer, client", ["rename-table"]),
    ("EXEC sp_rename 'dbo.customer.phone', 'telephone', 'COLUMN'", ["rename-column"]),
    ("exec sp_rename @newname = 'x', @objtype = N'column', @objname = 't.c'", ["rename-column"]),
    ("sys.sp_rename 'dbo.customer.phone', 'telephone', 'COLUMN'", ["rename-column"]),
    ("ALTER TABLE customer ALTER COLUMN phone NVARCHAR(50)", ["alter-column-type"]),
    ("ALTER TABLE customer ALTER COLUMN phone NVARCHAR(50) NULL WITH (ONLINE = OFF)", ["alter-column-type"]),
    ("ALTER TABLE customer ALTER COLUMN phone NVARCHAR(50) NOT NULL", ["alter-column-type", "set-not-null"]),
    ("ALTER TABLE customer ALTER COLUMN phone NVARCHAR(50) NOT NULL WITH (ONLINE = ON)", ["set-not-null"]),
    ("ALTER TABLE customer ADD a INT NOT NULL", ["not-null-without-default"]),
    ("ALTER TABLE customer ADD a INT NULL, b DECIMAL(9, 2) NOT NULL, c INT", ["not-null-without-default"]),
    ("ALTER TABLE customer ADD a INT NOT NULL DEFAULT NULL", ["not-null-without-default"]),
    ("ALTER TABLE customer ADD a INT NOT NULL CONSTRAINT d DEFAULT ((NULL))", ["not-null-without-default"]),
    ("ALTER TABLE customer ADD a INT NOT NULL CHECK (a IN ('DEFAULT'))", ["not-null-without-default"]),
    (
        "ALTER TABLE customer ADD a INT NOT NULL REFERENCES b (c) ON DELETE SET DEFAULT ON UPDATE CASCADE",
        ["not-null-without-default"],
    ),
    (
        "ALTER TABLE t WITH NOCHECK ADD FOREIGN KEY (a) REFERENCES b (c) ON DELETE SET NULL, d INT NOT NULL",
        ["not-null-without-default"],
    ),
    ("ALTER TABLE customer ADD a INT PRIMARY KEY", ["not-null-without-default", "constraint-validated"]),
    ("ALTER TABLE customer ADD a UNIQUEIDENTIFIER NOT NULL DEFAULT NEWID()", ["add-column-rewrites"]),
    ("ALTER TABLE customer ADD a INT CONSTRAINT d DEFAULT (NEXT VALUE FOR s) WITH VALUES", ["add-column-rewrites"]),
    ("ALTER TABLE customer ADD a INT IDENTITY (1, 1) NOT NULL", ["add-column-rewrites"]),
    ("ALTER TABLE customer ADD row_version ROWVERSION", ["add-column-rewrites"]),
    ("ALTER TABLE customer ADD a AS (LOWER(email)) PERSISTED NOT NULL", ["add-column-rewrites"]),
    ("CREATE INDEX i ON customer (phone)", ["create-index-locks"]),
    (
        "CREATE UNIQUE NONCLUSTERED INDEX i ON dbo.customer (phone DESC) INCLUDE (a) WHERE phone > ''",
        ["create-index-locks"],
    ),
    ("CREATE INDEX i ON customer (phone) WITH (FILLFACTOR = 80, ONLINE = OFF)", ["create-index-locks"]),
    ("CREATE CLUSTERED COLUMNSTORE INDEX i ON customer", ["create-index-locks"]),
    ("CREATE SPATIAL INDEX i ON customer (place)", ["create-index-locks"]),
    ("ALTER INDEX i ON customer REBUILD", ["rebuild-locks"]),
    ("ALTER INDEX ALL ON customer REBUILD PARTITION = ALL WITH (ONLINE = OFF)", ["rebuild-locks"]),
    ("ALTER TABLE customer REBUILD WITH (DATA_COMPRESSION = PAGE)", ["rebuild-locks"]),
    ("ALTER TABLE customer ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES b (c)", ["constraint-validated"]),
    ("ALTER TABLE [dbo].[customer]  WITH CHECK ADD  CONSTRAINT [c] CHECK  (([a]>(0)))", ["constraint-validated"]),
    ("ALTER TABLE customer ADD CHECK (a > 0)", ["constraint-validated"]),
    ("ALTER TABLE customer WITH CHECK CHECK CONSTRAINT ALL", ["constraint-validated"]),
    ("ALTER TABLE customer WITH NOCHECK ADD CONSTRAINT u UNIQUE (a)", ["constraint-validated"]),
    ("ALTER TABLE customer ADD PRIMARY KEY CLUSTERED (id) WITH (ONLINE = OFF)", ["constraint-validated"]),
    ("ALTER TABLE customer ADD a INT UNIQUE", ["constraint-validated"]),
    ("UPDATE customer SET a = 1", ["update-without-where"]),
    ("UPDATE TOP (10) PERCENT customer SET a = 1", ["update-without-where"]),
    ("UPDATE dbo.customer WITH (ROWLOCK) SET a = (SELECT b FROM x WHERE x.id = 1)", ["update-without-where"]),
    ("UPDATE customer SET a = 'x WHERE y' -- WHERE z", ["update-without-where"]),
    ('UPDATE customer SET a = "where", b = [where]', ["update-without-where"]),
    ("UPDATE c SET a = 1 FROM customer AS c", ["update-without-where"]),
    ("UPDATE c SET a = 1 FROM customer c LEFT OUTER JOIN b ON b.id = c.id", ["update-without-where"]),
    ("UPDATE c SET a = 1 FROM customer c LEFT LOOP JOIN b ON b.id = c.id", ["update-without-where"]),
    ("UPDATE c SET a = 1 FROM customer c CROSS JOIN b", ["update-without-where"]),
    ("UPDATE c SET a = 1 FROM (SELECT * FROM customer) c", ["update-without-where"]),
    (
        "UPDATE customer SET a = CASE WHEN b = 1 THEN 2 ELSE 3 END SET @x = 1 DELETE FROM b WHERE c = 1",
        ["update-without-where"],
    ),
    ("SET NOCOUNT ON UPDATE customer SET a = 1", ["update-without-where"]),
    ("IF UPDATE(a) UPDATE customer SET a = 1", ["update-without-where"]),
    ("WITH x (a) AS (SELECT 1 WHERE 1 = 1), y AS (SELECT 2 b) UPDATE customer SET a = 1", ["update-without-where"]),
    ("WITH x AS (SELECT * FROM customer) UPDATE x SET a = 1", ["update-without-where"]),
    ("WITH x AS (SELECT TOP (5) * FROM customer) DELETE x", ["delete-without-where"]),
    ("DELETE customer", ["delete-without-where"]),
    ("DELETE FROM [customer] OUTPUT deleted.id INTO b", ["delete-without-where"]),
    ("DELETE TOP (1000) FROM customer", ["delete-without-where"]),
    ("WHILE @@ROWCOUNT > 0 DELETE TOP (1000) FROM customer", ["delete-without-where"]),
    ("DELETE c FROM customer c", ["delete-without-where"]),
    ("BEGIN TRY DELETE FROM a END TRY BEGIN CATCH SELECT 1 WHERE 1 = 1 END CATCH", ["delete-without-where"]),
    ("DELETE FROM a SELECT 1 FROM b WHERE c = 1", ["delete-without-where"]),
    (
        "WITH customer AS (SELECT 1 a WHERE 1 = 1) SELECT * FROM customer; DELETE FROM customer",
        ["delete-without-where"],
    ),
    ("UPDATE dbo.c SET a = 1 FROM #t c", ["update-without-where"]),
    ("TRUNCATE TABLE customer", ["truncate"]),
    ("TRUNCATE TABLE dbo.customer WITH (PARTITIONS (1))", ["truncate"]),
    ("ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON", ["autocommit-in-transaction"]),
    ("SELECT 1\nIF 1 = 1 BACKUP DATABASE a TO DISK = 'x'", ["autocommit-in-transaction"]),
    *(
        (script, ["autocommit-in-transaction"])
        for script in (
            *("BACKUP LOG a TO DISK = 'x'", "RESTORE DATABASE a", "RECONFIGURE", "KILL 53", "DBCC SHRINKDATABASE (a)"),
            "EXEC sp_fulltext_database 'enable'",
        )
    ),
    ("INSERT INTO a SELECT * FROM customer with (nolock)", ["nolock"]),
    (
        "INSERT INTO a SELECT * FROM (SELECT b FROM c (nolock)) d JOIN e WITH (INDEX (i), READUNCOMMITTED) ON 1 = 1",
        ["nolock"],
    ),
    ("SELECT * FROM a JOIN b WITH (INDEX (i), READUNCOMMITTED) ON 1 = 1", ["nolock"]),
    ("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", ["nolock"]),
    # The rebuild of a table takes the old one away.
    (
        (
            "CREATE TABLE dbo.t_new (id INT)\nINSERT INTO t_new SELECT id FROM t\nDROP TABLE t\n"
            "EXEC sp_rename 'dbo.t_new', 't'\nCREATE INDEX i ON t (id)\nTRUNCATE TABLE dbo.t"
        ),
        ["drop-table"],
    ),
    # A condition proves nothing about what the table holds.
    ("IF OBJECT_ID('t') IS NULL CREATE TABLE t (a INT)\nGO\nDELETE FROM t", ["delete-without-where"]),
    ("IF 1 = 0 BEGIN SELECT 1 CREATE TABLE t (a INT) END DROP TABLE t", ["drop-table"]),
    ("IF 1 = 0 WITH c AS (SELECT 1 a) SELECT a INTO t FROM c; DROP TABLE t", ["drop-table"]),
    ("IF 1 = 0 BEGIN END CONVERSATION @h CREATE TABLE t (a INT) END DROP TABLE t", ["drop-table"]),
    ("BEGIN TRY SELECT 1 END TRY BEGIN CATCH CREATE TABLE t (a INT) END CATCH DROP TABLE t", ["drop-table"]),
    ("IF 1 = 0 SELECT 1 ELSE SELECT * INTO t FROM s; TRUNCATE TABLE t", ["truncate"]),
    ("CREATE TABLE a.t (a INT); DROP TABLE b.t; DROP TABLE other.a.t", ["drop-table", "drop-table"]),
    ("CREATE TABLE t (a INT) DROP TABLE t DROP TABLE t", ["drop-table"]),
    ("EXEC sp_rename 'customer', 'client'; CREATE INDEX i ON client (a)", ["rename-table", "create-index-locks"]),
    ("DROP INDEX i ON a\nGO\nCREATE INDEX i ON b (c) WITH (ONLINE = ON)", ["drop-index"]),
    ("DROP TRIGGER a, b\nGO\nCREATE TRIGGER a ON t AFTER DELETE AS DELETE FROM c", ["drop-trigger"]),
    ("ALTER TABLE a DROP CONSTRAINT c; ALTER TABLE b WITH NOCHECK ADD CONSTRAINT c CHECK (d = 1)", ["drop-constraint"]),
    ("GO\nDELETE FROM t\nGO 5", ["delete-without-where"]),
]

CLEAN = [
    "SELECT 'DROP TABLE customer', \"DROP TABLE customer\", [DROP TABLE customer] -- DROP TABLE customer",
    "/* DROP TABLE customer; /* */ DELETE FROM a */ SELECT 1",
    "INSERT INTO customer (note) VALUES (N'; DELETE FROM customer;')",
    "EXEC ('DROP TABLE customer'); EXEC sp_executesql N'DELETE FROM customer'",
    # The bodies of modules.
    "CREATE PROCEDURE p AS BEGIN UPDATE c SET a = 1; DELETE FROM b; DROP TABLE d END",
    "CREATE OR ALTER TRIGGER t ON c AFTER UPDATE, DELETE AS IF UPDATE(a) DELETE FROM b",
    "ALTER FUNCTION f () RETURNS @r TABLE (a INT) AS BEGIN DELETE FROM @r RETURN END",
    "CREATE VIEW v AS SELECT * FROM customer WITH (NOLOCK)",
    # Tables of the script's own.
    "CREATE TABLE t (a INT); CREATE INDEX i ON T (a); UPDATE dbo.t SET a = 1; ALTER TABLE t DROP COLUMN a; DROP TABLE [t]",
    "CREATE TABLE t (a INT)\nGO\nALTER TABLE t ADD b INT NOT NULL, CONSTRAINT u UNIQUE (b)\nGO\nTRUNCATE TABLE t",
    "CREATE TABLE t (a INT)\nGO\nEXEC sp_rename 't.a', 'b', 'COLUMN'\nEXEC sp_rename 't', 'u'\nDROP TABLE u",
    "CREATE TABLE t (a INT) ALTER TABLE t ALTER COLUMN a BIGINT NOT NULL ALTER INDEX ALL ON t REBUILD",
    "CREATE TABLE #t (a INT); CREATE INDEX i ON #t (a); DELETE FROM #t; TRUNCATE TABLE #t; DROP TABLE IF EXISTS #t",
    "DROP TABLE IF EXISTS tempdb..#t, ##u",
    "UPDATE TOP (10) PERCENT #t SET a = 1",
    'CREATE TABLE [a]]b] (c INT); DROP TABLE "a]b"',
    "CREATE TABLE [it's] (a INT); EXEC sp_rename '[it''s]', 'x'; DROP TABLE x",
    "IF 1 = 0 BEGIN TRAN CREATE TABLE t (a INT) DROP TABLE t",
    "BEGIN TRY CREATE TABLE t (a INT) END TRY BEGIN CATCH THROW; END CATCH DROP TABLE t",
    "DECLARE @t TABLE (a INT) DELETE FROM @t UPDATE x SET a = 1 FROM @t x",
    "SELECT a INTO t FROM customer WHERE a > 1 UPDATE t SET a = 2",
    "WITH c AS (SELECT 1 a) SELECT a INTO t FROM c; DELETE t",
    "CREATE TABLE t (a INT); WITH c AS (SELECT * FROM t) DELETE FROM c",
    "UPDATE x SET a = 1 FROM #t AS x LEFT JOIN customer c ON c.id = x.id",
    "IF OBJECT_ID('t') IS NULL BEGIN CREATE TABLE t (a INT) CREATE INDEX i ON t (a) ALTER TABLE t ADD CHECK (a > 0) END",
    # Put back in the same script.
    "DROP INDEX i ON t; CREATE INDEX i ON dbo.t (a, b) WITH (ONLINE = ON)",
    "CREATE INDEX i ON t (a) WITH (DROP_EXISTING = ON, ONLINE = ON (WAIT_AT_LOW_PRIORITY (MAX_DURATION = 1 MINUTES)))",
    "ALTER INDEX i ON t DISABLE; ALTER INDEX ALL ON t REBUILD WITH (ONLINE = ON)",
    "DROP TRIGGER IF EXISTS dbo.[T]\nGO\nCREATE TRIGGER t ON c AFTER DELETE AS SELECT 1",
    "DROP TRIGGER t\nGO\nCREATE OR ALTER TRIGGER t ON c AFTER DELETE AS SELECT 1",
    "ALTER TABLE t DROP CONSTRAINT c; ALTER TABLE t WITH NOCHECK ADD CONSTRAINT c CHECK (a > 0)",
    "DROP VIEW IF EXISTS v; DROP PROCEDURE p; DROP FUNCTION f",
    # Columns and constraints that lock for an instant.
    "ALTER TABLE customer ADD a NVARCHAR(10)",
    "ALTER TABLE customer ADD a NVARCHAR(10) NOT NULL CONSTRAINT d DEFAULT (N''), b DATETIME2(3) NOT NULL DEFAULT SYSUTCDATETIME()",
    "ALTER TABLE customer ADD a INT NOT NULL DEFAULT -1 WITH VALUES",
    "ALTER TABLE customer ADD a UNIQUEIDENTIFIER NULL DEFAULT NEWID()",
    "ALTER TABLE customer ADD a AS (LOWER(b)), [unique] NVARCHAR(20) DEFAULT 'PRIMARY KEY'",
    "ALTER TABLE customer ADD CONSTRAINT d DEFAULT ('x') FOR a",
    "ALTER TABLE customer WITH NOCHECK ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES b (c) ON DELETE CASCADE ON UPDATE SET NULL",
    "ALTER TABLE customer CHECK CONSTRAINT f; ALTER TABLE customer NOCHECK CONSTRAINT ALL",
    "ALTER TABLE customer ADD CONSTRAINT u UNIQUE (a) WITH (ONLINE = ON)",
    "ALTER TABLE customer ALTER COLUMN phone ADD SPARSE; ALTER TABLE customer ALTER COLUMN a DROP MASKED",
    "ALTER TABLE customer ALTER COLUMN a INT NULL WITH (ONLINE = ON)",
    "ALTER TABLE customer REBUILD WITH (ONLINE = ON); ALTER INDEX i ON customer REORGANIZE",
    "ALTER TABLE customer SET (LOCK_ESCALATION = AUTO); ALTER TABLE a SWITCH TO b; ALTER TABLE a DISABLE TRIGGER t",
    "EXEC sp_rename 'dbo.t.i', 'j', 'INDEX'; EXEC sp_help 'sp_rename'",
    # Changes that name their rows.
    "UPDATE customer SET a = 1 WHERE id = 1",
    "UPDATE customer SET a=1WHERE id=0x1F",
    "UPDATE TOP (10) customer SET a = 1 OUTPUT inserted.id WHERE a IS NULL OPTION (MAXDOP 1)",
    "UPDATE c SET a = 1 FROM customer AS c JOIN b ON b.id = c.id",
    "UPDATE c SET a = 1 FROM customer c INNER HASH JOIN b ON b.id = c.id",
    "UPDATE c SET a = 1 FROM customer c INNER MERGE JOIN b ON b.id = c.id",
    "DELETE c FROM customer c LEFT JOIN b ON b.id = c.id WHERE b.id IS NULL",
    "DELETE FROM customer WHERE CURRENT OF cursor_name",
    "WHILE 1 = 1 BEGIN DELETE TOP (1000) FROM customer WHERE a < 1 IF @@ROWCOUNT = 0 BREAK END",
    "WITH x AS (SELECT 1 b) UPDATE c SET a = 1 FROM customer c WHERE c.id IN (SELECT b FROM x)",
    "WITH x AS (SELECT TOP (5) * FROM customer ORDER BY id) DELETE FROM x",
    "WITH x (a) AS (SELECT a FROM customer WHERE a > 1) DELETE FROM x",
    "DELETE d FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) n FROM customer) d WHERE n > 1",
    "UPDATE d SET a = 1 FROM (SELECT a FROM customer WHERE b = 1) AS d",
    # What only looks like a change.
    "UPDATE STATISTICS customer WITH FULLSCAN",
    "MERGE t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET a = 1 WHEN NOT MATCHED BY SOURCE THEN DELETE;",
    "GRANT SELECT, UPDATE, DELETE ON customer TO r; DENY DELETE ON SCHEMA::dbo TO r; REVOKE UPDATE ON t FROM r",
    "DECLARE c CURSOR FOR SELECT a FROM t FOR UPDATE OF a",
    "CREATE TABLE t (a INT REFERENCES s (a) ON DELETE CASCADE ON UPDATE NO ACTION)",
    "CREATE SECURITY POLICY p ADD BLOCK PREDICATE dbo.f(a) ON dbo.t AFTER UPDATE, ADD BLOCK PREDICATE dbo.f(a) ON t BEFORE DELETE",
    "ALTER SECURITY POLICY p ADD BLOCK PREDICATE dbo.f(a) ON dbo.t AFTER UPDATE WITH (STATE = ON)",
    "SELECT a.[delete], @update, update_at FROM truncate_log a INNER MERGE JOIN b ON a.id = b.id",
    "SELECT * FROM customer WITH (READPAST), [nolock] WHERE a = 'NOLOCK' OPTION (MAXDOP 1)",
    "CREATE TABLE t (nolock BIT); INSERT INTO t (nolock) VALUES (1); SELECT COALESCE(nolock, 0) FROM t",
    "DBCC CHECKIDENT ('customer', RESEED, 1)",
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "",
    *(
        "DROP",
        "DROP TABLE",
        "DROP INDEX",
        "ALTER TABLE customer",
        "ALTER TABLE",
        "ALTER TABLE t ADD",
        "ALTER TABLE t DROP",
    ),
    *(
        "CREATE",
        "CREATE INDEX i ON",
        "WITH",
        "WITH a AS",
        "DELETE",
        "UPDATE",
        "EXEC",
        "EXEC sp_help",
        "TRUNCATE TABLE",
        "END END",
    ),
]


@pytest.mark.parametrize(("script", "expected"), FINDINGS)
def test_reports(script: str, expected: list[str]) -> None:
    assert sorted(rules(script)) == sorted(expected)


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
    script = "-- x\nSELECT 1\nDROP INDEX b ON c\nGO\n\n  SELECT 'a\nb' ALTER TABLE dbo . [Customer]\n DROP COLUMN phone"
    [first, second] = lint(split(script))
    assert (first.rule, first.line) == ("drop-index", 3)
    assert (second.rule, second.line) == ("drop-column", 7)
    assert "`dbo.[Customer].phone`" in second.message


def test_messages_name_both_table_and_index() -> None:
    [created, rebuilt] = lint(split("CREATE INDEX [i x] ON dbo.t (a)\nALTER INDEX ALL ON t REBUILD"))
    assert created.message == "all writers wait while the index `[i x]` is built on `dbo.t`"
    assert rebuilt.message == "all writers wait while all indexes of `t` are rebuilt"


def test_outside_a_transaction_everything_may_run() -> None:
    script = "ALTER DATABASE a SET ONLINE\nGO\nKILL 53"
    assert rules(script, transaction=False) == []
    # The script's own BEGIN TRAN counts; going back to a save point ends nothing.
    script = "BEGIN TRAN; KILL 1; SAVE TRAN a; ROLLBACK TRAN a; KILL 2; COMMIT; KILL 3"
    assert rules(script, transaction=False) == ["autocommit-in-transaction"] * 2


FRAGMENTS = [
    *(
        "CREATE",
        "ALTER",
        "DROP",
        "TABLE",
        "INDEX",
        "COLUMN",
        "CONSTRAINT",
        "ADD",
        "UPDATE",
        "DELETE",
        "FROM",
        "SET",
        "WHERE",
    ),
    *(
        "WITH",
        "AS",
        "(",
        ")",
        ",",
        ".",
        "=",
        ";",
        "ON",
        "IF",
        "EXISTS",
        "BEGIN",
        "END",
        "CASE",
        "ELSE",
        "t",
        "[a b]",
        "#t",
        "@v",
    ),
    *(
        "'t.c'",
        "EXEC",
        "sp_rename",
        "TOP",
        "JOIN",
        "SELECT",
        "INTO",
        "NOT",
        "NULL",
        "DEFAULT",
        "NOLOCK",
        "TRIGGER",
        "REBUILD",
    ),
]


@settings(max_examples=5 * settings().max_examples)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25).map(" ".join), st.booleans())
def test_nonsense_is_read_without_an_error(script: str, transaction: bool) -> None:
    try:
        found = split(script)
    except ScriptSyntaxError:
        return
    for finding in lint(found, transaction=transaction):
        assert finding.rule in HINTS
        assert 1 <= finding.line <= script.count("\n") + 1


def test_large_batches_take_linear_time() -> None:
    rows = "INSERT INTO t VALUES (N'to update or delete', (1), 'it''s')\n" * 20_000
    started = time.process_time()
    assert rules(f"{rows}DELETE FROM t") == ["delete-without-where"]
    assert rules("DELETE FROM t WHERE a IN " + "(" * 50_000 + "NOLOCK" + ")" * 50_000) == ["nolock"]
    # It takes 0.5 s; anything quadratic would take minutes.
    assert time.process_time() - started < 10
