"""The splitter for SQL Server: batches as sqlcmd makes them, and what a batch does to its transaction."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from custctl.engines.mssql.reader import statements
from custctl.engines.mssql.script import needs_autocommit, restores_session, split, transaction_control
from custctl.engines.mssql.tokens import tokenise
from custctl.engines.scripts import ScriptSyntaxError, Statement
from custctl.engines.tokens import Kind

PROCEDURE = """CREATE PROCEDURE dbo.p AS
BEGIN
  BEGIN TRAN; -- don't
  /* GO's "way
GO
  */
  UPDATE t SET a = 1; COMMIT;
END"""


def texts(script: str) -> list[str]:
    return [statement.text for statement in split(script)]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        (" \n\t\n", []),
        ("-- only a comment", []),
        ("GO", []),
        ("go\nGo\n\n GO \n", []),
        ("/* only\n a comment */ -- and another\nGO\n", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;\nSELECT 2;", ["SELECT 1;\nSELECT 2;"]),
        ("SELECT 1\nGO\nSELECT 2\nGO", ["SELECT 1", "SELECT 2"]),
        ("SELECT 1\ngo\nSELECT 2\ngO\n", ["SELECT 1", "SELECT 2"]),
        ("GO\nSELECT 1\nGO\nGO\n\nGO\nSELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT 1\n \t GO \t \nSELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT 1\nGO -- GO 'x\nSELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT 1\nGO--x\nSELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT 1\nGO /* x */ /* y */ -- z\nSELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT 1\nGO 2 /* x\n' */ SELECT 2", ["SELECT 1", "SELECT 1", "SELECT 2"]),
        ("SELECT 1\n/* x */ GO\nSELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT 1 /* x\n ' */ /* y */ GO\nSELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT 1 /* x */ GO\nSELECT 2", ["SELECT 1 /* x */ GO\nSELECT 2"]),
        ("SELECT 1 /* x */ /* y */ GO\nSELECT 2", ["SELECT 1 /* x */ /* y */ GO\nSELECT 2"]),
        ("SELECT\n1/* x */GO\n, 2", ["SELECT\n1/* x */GO\n, 2"]),
        ("SELECT 'a\nb' GO\nSELECT 2", ["SELECT 'a\nb' GO\nSELECT 2"]),
        ("GO /*\n*/ GO\nSELECT 1", ["SELECT 1"]),
        # Comments around a batch go, those inside stay.
        ("-- a\nSELECT 1 -- b\n, 2 /* c */\n-- d\nGO", ["SELECT 1 -- b\n, 2"]),
        ("SELECT 1 - -1 / 2 - 3\nGO", ["SELECT 1 - -1 / 2 - 3"]),
        ("SELECT '$(x)', $(y)\nGO", ["SELECT '$(x)', $(y)"]),
        ("SELECT N'\u2028GO\u2028'\nGO\n", ["SELECT N'\u2028GO\u2028'"]),
    ],
)
def test_splits(script: str, expected: list[str]) -> None:
    assert texts(script) == expected


@pytest.mark.parametrize(
    "script",
    [
        "-- Owner: billing team\nCREATE VIEW v AS\nSELECT 1 AS n\n-- end",
        "/* a /* b */ GO */\n\n  CREATE VIEW v AS SELECT 1 AS n -- end\n  /* more */\n\n-- last",
        "SELECT 1",
        "\n\nSELECT 1\n\n",
    ],
)
def test_a_batch_is_kept_as_it_was_written(script: str) -> None:
    """What stands around its tokens is part of the definition of a view or a procedure."""
    for text in (f"{script}\nGO\n{script}\nGO 2\n", f"GO -- x\n{script}\nGO"):
        for statement in split(text):
            assert statement.before + statement.text + statement.behind == script
            assert text.split("\n")[statement.line - 1].lstrip().startswith(statement.text.split("\n")[0][:6])


def test_the_last_batch_is_kept_but_for_the_end_of_its_last_line() -> None:
    (statement,) = split("-- a\nSELECT 1 -- b\n-- c\n")
    assert (statement.before, statement.text, statement.behind) == ("-- a\n", "SELECT 1", " -- b\n-- c")
    _, later = split("SELECT 1\nGO\n-- c\nSELECT 2\n")
    assert (later.before, later.text, later.behind, later.line) == ("-- c\n", "SELECT 2", "", 4)
    assert statement.line == 2


# What other tools have taken for a separator, or have lost one by: DbUp#44, #51, #548, Flyway#2060, #2414, #3110,
# liquibase#6164, go-mssqldb#247, efcore#37494.
@pytest.mark.parametrize(
    "batch",
    [
        pytest.param("SELECT 1 AS LOGO\n, 2", id="Flyway#3110 LOGO at the end of a line"),
        pytest.param("SELECT\nLOGO \nFROM t", id="Flyway#3110 LOGO and a blank"),
        pytest.param("DECLARE @DoNotGO INT\nSET\n@DoNotGO = 1", id="Flyway#2414 @DoNotGO"),
        pytest.param("DECLARE\n@GO\nINT", id="a variable @GO alone"),
        pytest.param("SELECT\ngone_ts\nFROM t", id="go-mssqldb#247 gone_ts"),
        pytest.param("GOTO done\nSELECT 1\ndone:\nSELECT 2", id="go-mssqldb#247 GOTO"),
        pytest.param("GOTO\ndone\ndone:", id="GOTO alone"),
        pytest.param("DECLARE @begin INT\nSELECT @begin", id="liquibase#6164 @begin"),
        pytest.param("SELECT 1 /* it's\nGO\n*/ + 2", id="efcore#37494 a quote in a block comment"),
        pytest.param("SELECT 1 -- it's\n, 2", id="a quote in a line comment"),
        pytest.param("SELECT 1 -- GO\n, 2 --\n, 3", id="GO in a line comment"),
        pytest.param("SELECT 1 /* /* */\nGO\n*/ + 2", id="nested comments"),
        pytest.param("SELECT 1 /* -- */ + 2", id="a line comment in a block comment"),
        pytest.param("SELECT 1 -- /*\n, 2", id="a block comment in a line comment"),
        pytest.param("SELECT '\nGO\n', 'it''s\nGO\n'", id="DbUp#548 GO in a string"),
        pytest.param("SELECT '/*', '--', '[', '\"'", id="openings in strings"),
        pytest.param('SELECT 1 AS "\nGO\n""\nGO\n"', id="GO in a quoted name"),
        pytest.param("SELECT 1 AS [\nGO\n]]\nGO\n'\"]", id="GO in a bracketed name"),
        pytest.param("SELECT\n[GO]\nFROM [GO]", id="a name [GO]"),
        pytest.param('SELECT\n"GO"', id="a name in quotes"),
        pytest.param("SELECT a\n, GO\n, go.b, b go", id="a column go behind a comma"),
        pytest.param("SELECT\ngo, b,\ngo.c,\ngo+1,\ngo=1", id="a column go before a mark"),
        pytest.param("SELECT 1\nGO5\nGO_1\nGOé\n#GO", id="longer words"),
        pytest.param("SELECT ':r x', 1\n::r", id="colons"),
        pytest.param("SELECT 1 a, EXIT_CODE\nFROM t", id="a name that begins like EXIT"),
        pytest.param(
            "SELECT '\n:r file\n!!dir\nEXIT\n' /*\n:setvar\n*/ + 1", id="sqlcmd's commands in a string or comment"
        ),
        pytest.param(PROCEDURE, id="Flyway#2060 a procedure"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_batch_stays_whole_and_ends_where_it_ends(batch: str, newline: str) -> None:
    script = f"SELECT 0\nGO\n{batch}\nGO\nSELECT 1".replace("\n", newline)
    assert texts(script) == ["SELECT 0", batch, "SELECT 1"]
    assert texts(batch) == [batch]


def test_lines_are_those_of_the_first_token() -> None:
    script = (
        "-- header\n\nSELECT 1;\nGO\n/* two\nlines */ SELECT\n2\nGO\n\n"
        + PROCEDURE
        + "\nGO 2\nSELECT 'a\nb'\ngo\n\n [x]"
    )
    assert [(s.line, s.text.split()[0]) for s in split(script)] == [
        (3, "SELECT"),
        (6, "SELECT"),
        (10, "CREATE"),
        (10, "CREATE"),
        (19, "SELECT"),
        (23, "[x]"),
    ]


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_line_endings_and_bom_make_no_difference(newline: str) -> None:
    script = f"-- a note\nSELECT 1\nGO\n\n{PROCEDURE}\nGO 3\nSELECT 'a\nb'"
    assert split("\ufeff" + script.replace("\n", newline)) == split(script)
    assert texts(f"\ufeffGO{newline}SELECT 1{newline}GO") == ["SELECT 1"]


def test_a_count_repeats_the_very_same_batch() -> None:
    first, *rest, last = split("SELECT 1\nGO 05\nSELECT 2\nGO 1\n")
    assert [batch is first for batch in rest] == [True] * 4
    assert last == Statement("SELECT 2", 3)
    assert len(split("SELECT 1\nGO 10000 -- most")) == 10_000
    assert split("-- nothing\nGO 5") == []


@pytest.mark.parametrize(
    ("script", "line", "word"),
    [
        ("SELECT 1\nGO;\n", 2, "`GO;`"),
        ("go ;", 1, "semicolon"),
        ("SELECT 1\n\n  Go 5;", 3, "`Go 5;`"),
        ("GO 0", 1, "from 1 to 10,000"),
        ("\nGO 10001", 2, "from 1 to 10,000"),
        ("GO " + "9" * 10_000, 1, "from 1 to 10,000"),
        ("GO -1", 1, "`GO -1`"),
        ("GO five", 1, "`GO five`"),
        ("GO 5x", 1, "`GO 5x`"),
        ("GO 5 6", 1, "`GO 5 6`"),
        ("GO $(n)", 1, "`GO $(n)`"),
        ("SELECT 1\nGO SELECT 2", 2, "[GO]"),
        ("SELECT 1\nGO /* x */ SELECT 2", 2, "`GO /* x */ SELECT 2`"),
        ("GO " + "x" * 50, 1, "…`"),
        ("GO /* x\n", 1, "never closed"),
        ("CREATE TABLE t (\n  go INT\n)", 2, "[GO]"),
        (":r other.sql", 1, "`:r`"),
        ("SELECT 1\n  :setvar Name 'x\n", 2, "substitute"),
        ("SELECT 1\nGO\n:on error exit\n", 3, "`:on`"),
        ("SELECT 1\n:CONNECT server -P secret", 2, "`:CONNECT`"),
        ("!!del x", 1, "`!!`"),
        ("/* a */ :!!del", 1, "`:!!`"),
        ("SELECT 1\nGO\nQUIT -- now\n", 3, "`QUIT`"),
        ("EXIT", 1, "`EXIT`"),
    ],
)
def test_what_sqlcmd_does_not_run_or_custctl_does_not_is_an_error(script: str, line: int, word: str) -> None:
    with pytest.raises(ScriptSyntaxError) as caught:
        split(script)
    assert caught.value.line == line
    assert word in caught.value.message
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("script", "line", "word"),
    [
        ("SELECT 1\nGO\nSELECT 'abc\nGO\n", 3, "string"),
        ("SELECT 'a\nb''c\n", 1, "string"),
        ("SELECT 1,\n'it''s -- x\n/*", 2, "string"),
        ('SELECT\n\n"abc""', 3, "quoted name"),
        ("SELECT 'a]', [abc]]'", 1, "quoted name"),
        ("SELECT 1 /* a\n/* b */\nGO\n", 1, "comment"),
        ("GO\n/*/\nGO\n", 2, "comment"),
        ("SELECT 1\nGO\nSELECT '\0'", 3, "NUL"),
    ],
)
def test_what_is_not_closed_is_an_error_where_it_opens(script: str, line: int, word: str) -> None:
    with pytest.raises(ScriptSyntaxError) as caught:
        split(script)
    assert caught.value.line == line
    assert word in caught.value.message


CONTROL = [
    ("BEGIN TRAN", "BEGIN TRANSACTION"),
    ("begin transaction t1 WITH MARK 'x'", "BEGIN TRANSACTION"),
    ("BEGIN DISTRIBUTED TRAN", "BEGIN TRANSACTION"),
    ("COMMIT", "COMMIT"),
    ("commit work", "COMMIT"),
    ("INSERT INTO t VALUES (1) COMMIT TRANSACTION", "COMMIT"),
    ("SELECT a FROM t COMMIT", "COMMIT"),
    ("SELECT 1COMMIT", "COMMIT"),
    ("SELECT 1e5COMMIT", "COMMIT"),
    ("/* x */ -- y\n rollback", "ROLLBACK"),
    ("ROLLBACK TRAN t1", "ROLLBACK"),
    ("SAVE TRAN a; ROLLBACK TRAN b", "ROLLBACK"),
    ("SAVE TRAN a; ROLLBACK", "ROLLBACK"),
    ("USE customers", "USE"),
    ("SELECT 1; USE [a b]", "USE"),
    ("SET NOCOUNT ON USE customers", "USE"),
    ("SET IMPLICIT_TRANSACTIONS ON", "SET IMPLICIT_TRANSACTIONS"),
    ("SET QUOTED_IDENTIFIER, IMPLICIT_TRANSACTIONS ON SELECT 1", "SET IMPLICIT_TRANSACTIONS"),
    ("SET ANSI_DEFAULTS ON", "SET IMPLICIT_TRANSACTIONS"),
    ("SET XACT_ABORT ON BEGIN TRAN", "BEGIN TRANSACTION"),
    ("IF @@TRANCOUNT > 0 COMMIT", "COMMIT"),
    ("IF 1 = 1 BEGIN SELECT 1 COMMIT END", "COMMIT"),
    ("IF EXISTS (SELECT 1) SELECT 2 ELSE ROLLBACK", "ROLLBACK"),
    ("WHILE 1 = 1 BEGIN BEGIN TRAN END", "BEGIN TRANSACTION"),
    ("BEGIN TRY SELECT 1 END TRY BEGIN CATCH ROLLBACK; THROW END CATCH", "ROLLBACK"),
    ("UPDATE t SET a = CASE WHEN b = 1 THEN 2 ELSE 3 END COMMIT", "COMMIT"),
    ("UPDATE t SET a = 1 SET @x = 2 COMMIT", "COMMIT"),
    ("EXEC p @a = 1, @b = 'x' COMMIT", "COMMIT"),
    ("EXEC p 'a' COMMIT", "COMMIT"),
    ("done: COMMIT", "COMMIT"),
    ("DECLARE @t TABLE (a INT) COMMIT", "COMMIT"),
    ("ALTER TABLE t ADD a INT COMMIT", "COMMIT"),
    ("ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES b (c) ON DELETE SET NULL COMMIT", "COMMIT"),
    ("GRANT SELECT ON t TO r COMMIT", "COMMIT"),
    ("CREATE TABLE t (a INT) COMMIT", "COMMIT"),
    ("MERGE t USING s ON t.a = s.a WHEN MATCHED THEN DELETE; COMMIT", "COMMIT"),
    ("SELECT a FROM t WHERE b IN (SELECT b FROM s) ORDER BY c OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY COMMIT", "COMMIT"),
]

NO_CONTROL = [
    "SAVE TRAN a; ROLLBACK TRAN a",
    "SAVE TRANSACTION @point; IF 1 = 1 ROLLBACK TRANSACTION @point",
    "BEGIN SELECT 1 END",
    "BEGIN TRY SELECT 1 END TRY BEGIN CATCH THROW; END CATCH",
    "BEGIN DIALOG CONVERSATION @h FROM SERVICE a TO SERVICE 'b'",
    'SELECT [commit], "use", t.[rollback] FROM [use]',
    "SELECT t.commit, @commit, #use.a, @@rollback, commit_at, used, user FROM committed",
    "SELECT 1 AS commit, commit = 2",
    "SELECT 1 commit, 2",
    "SELECT t.commit FROM t WHERE a = commit",
    "CREATE TABLE t ([use] INT, [commit] BIT DEFAULT ('COMMIT'))",
    "SELECT 'COMMIT', N'ROLLBACK', 'BEGIN TRAN' -- COMMIT\n/* USE x */",
    "EXEC ('COMMIT'); EXEC sp_executesql N'BEGIN TRAN'",
    "SELECT * FROM t OPTION (USE HINT ('FORCE_ORDER'), USE PLAN N'<x/>')",
    "SELECT a FROM t FOR XML PATH ('commit'), TYPE",
    "DBCC OPENTRAN WITH NO_INFOMSGS",
    "DBCC USEROPTIONS",
    "GRANT CREATE TABLE, EXECUTE, UPDATE, DELETE ON SCHEMA::dbo TO r WITH GRANT OPTION",
    "DENY BACKUP DATABASE TO r; REVOKE GRANT OPTION FOR SELECT ON t FROM r CASCADE",
    "ALTER DATABASE d SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE",
    "KILL 'D5499C66-E398-45CA-BF7E-DC9C194B48CF' WITH COMMIT",
    "ALTER DATABASE d SET DELAYED_DURABILITY = FORCED",
    "ALTER AVAILABILITY GROUP g MODIFY REPLICA ON 'a' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)",
    "SET IMPLICIT_TRANSACTIONS OFF",
    "SET CURSOR_CLOSE_ON_COMMIT ON",
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "SELECT XACT_STATE(), @@TRANCOUNT",
    "INSERT INTO t VALUES ('use the house', 'commit')",
    PROCEDURE,
    "-- x\n;CREATE /* y */ OR ALTER\nTRIGGER t ON s AFTER UPDATE AS ROLLBACK",
    "ALTER FUNCTION f () RETURNS INT AS BEGIN COMMIT RETURN 1 END",
    "create view v as select 1 a commit",
    "CREATE PROC p AS USE x",
    "COMM\u0131T",
    "SELECT 0xC0 t1commit",
    "",
]


@pytest.mark.parametrize(("text", "keyword"), CONTROL)
def test_transaction_control(text: str, keyword: str) -> None:
    assert transaction_control(Statement(text, 1)) == keyword


@pytest.mark.parametrize("text", NO_CONTROL)
def test_no_transaction_control(text: str) -> None:
    assert transaction_control(Statement(text, 1)) is None


@pytest.mark.parametrize(
    "text",
    [
        "CREATE DATABASE a",
        "alter database current SET RECOVERY SIMPLE",
        "ALTER DATABASE [scoped] SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE",
        "SELECT 1; DROP DATABASE IF EXISTS a",
        "IF DB_ID('a') IS NULL CREATE DATABASE a",
        "CREATE FULLTEXT CATALOG c",
        "ALTER FULLTEXT INDEX ON t START FULL POPULATION",
        "DROP FULLTEXT INDEX ON t",
        "BACKUP DATABASE a TO DISK = 'x'",
        "BACKUP LOG a TO DISK = 'x'",
        "RESTORE VERIFYONLY FROM DISK = 'x'",
        "EXEC sp_configure 'show advanced options', 1 RECONFIGURE WITH OVERRIDE",
        "ALTER RESOURCE GOVERNOR RECONFIGURE",
        "ALTER RESOURCE GOVERNOR DISABLE",
        "CREATE EVENT SESSION s ON SERVER ADD EVENT a.b",
        "DROP EVENT SESSION s ON SERVER",
        "ALTER ENDPOINT e STATE = STARTED",
        "KILL 53",
        "DBCC SHRINKFILE (1, 10)",
        "DBCC SHRINKDATABASE (a)",
        "DBCC INDEXDEFRAG (a, t)",
        "CREATE INDEX i ON t (a) WITH (ONLINE = ON, RESUMABLE = ON, MAX_DURATION = 240)",
        "CREATE TABLE t (a INT) WITH (MEMORY_OPTIMIZED = ON)",
        "EXEC sp_fulltext_database 'enable'",
        "exec sys.sp_fulltext_service 'load_os_resources', 1",
        "EXECUTE @result = sys.sp_fulltext_database 'enable'",
    ],
)
def test_needs_autocommit(text: str) -> None:
    assert needs_autocommit(Statement(text, 1))


@pytest.mark.parametrize(
    "text",
    [
        "ALTER DATABASE SCOPED CONFIGURATION SET MAXDOP = 4",
        "CREATE DATABASE SCOPED CREDENTIAL c WITH IDENTITY = 'x'",
        "CREATE DATABASE AUDIT SPECIFICATION a FOR SERVER AUDIT b ADD (SELECT, UPDATE ON t BY r)",
        "CREATE DATABASE ENCRYPTION KEY WITH ALGORITHM = AES_256 ENCRYPTION BY SERVER CERTIFICATE c",
        "GRANT CREATE DATABASE, BACKUP DATABASE, ALTER ANY DATABASE TO r",
        "BACKUP CERTIFICATE c TO FILE = 'x'",
        "CREATE INDEX i ON t (a) WITH (ONLINE = ON, RESUMABLE = OFF)",
        "DBCC CHECKIDENT ('t', RESEED, 0)",
        "CREATE EVENT NOTIFICATION n ON DATABASE FOR CREATE_TABLE TO SERVICE 's', 'x'",
        "SELECT 'CREATE DATABASE a', [BACKUP DATABASE] FROM [ALTER DATABASE]",
        "CREATE PROCEDURE p AS BACKUP DATABASE a TO DISK = 'x'",
        "EXEC ('ALTER DATABASE a SET ONLINE')",
        "UPDATE STATISTICS t WITH FULLSCAN",
        "CREATE TABLE kill_list (a INT); TRUNCATE TABLE t; ALTER TABLE t ADD [kill] INT",
        "",
    ],
)
def test_runs_inside_a_transaction(text: str) -> None:
    assert not needs_autocommit(Statement(text, 1))


@pytest.mark.parametrize(
    ("text", "restores"),
    [
        ("SET ANSI_NULLS ON", True),
        ("SET ANSI_NULLS, QUOTED_IDENTIFIER ON SET XACT_ABORT ON;\nset nocount off;", True),
        ("SET IDENTITY_INSERT [dbo].[t] ON", True),
        ("SET LOCK_TIMEOUT -1 SET DATEFIRST 1 SET LANGUAGE N'Deutsch' SET CONTEXT_INFO 0x01", True),
        ("SET TRANSACTION ISOLATION LEVEL READ COMMITTED -- x", True),
        ("SET", False),
        ("SET @x = 1", False),
        ("SET ANSI_NULLS ON; SET @x = 1", False),
        ("SET NOCOUNT ON INSERT INTO t VALUES (1)", False),
        ("SET NOCOUNT ON UPDATE t SET a = 1", False),
        ("SET XACT_ABORT ON EXEC p", False),
        ("DECLARE @a INT; SET NOCOUNT ON", False),
        ("ALTER DATABASE d SET RECOVERY SIMPLE", False),
        ("SELECT 1", False),
        ("'SET'", False),
        (";", False),
        ("", False),
    ],
)
def test_restores_session(text: str, restores: bool) -> None:
    assert restores_session(Statement(text, 1)) == restores


def test_statements_are_told_apart_without_semicolons() -> None:
    batch = """IF OBJECT_ID('a') IS NULL BEGIN
      CREATE TABLE a (b INT) UPDATE a SET b = CASE b WHEN 1 THEN 2 ELSE 3 END FROM a WHERE b = 1 SET NOCOUNT ON
      DELETE FROM a OUTPUT deleted.b INTO c SELECT 1 UNION SELECT 2 END ELSE DROP TABLE IF EXISTS d
    ALTER TABLE a ALTER COLUMN b INT ALTER TABLE a DROP COLUMN b ALTER DATABASE x SET ONLINE
    ALTER TABLE a SET (LOCK_ESCALATION = AUTO)
    ;WITH w AS (SELECT 1 b) INSERT a SELECT b FROM w
    MERGE a USING w ON a.b = w.b WHEN MATCHED THEN UPDATE SET b = 1 WHEN NOT MATCHED THEN INSERT VALUES (1); PRINT 'x'"""
    found = list(statements(batch))
    assert [(code.keyword, code.conditional) for code in found] == [
        *(("IF", False), ("BEGIN", True), ("CREATE", True), ("UPDATE", True), ("SET", True), ("DELETE", True)),
        *(("SELECT", True), ("SELECT", True), ("END", True), ("ELSE", False), ("DROP", True)),
        *(("ALTER", False), ("ALTER", False), ("ALTER", False), ("ALTER", False)),
        *(("WITH", False), ("INSERT", False), ("SELECT", False)),
        *(("MERGE", False), ("PRINT", False)),
    ]


def flat(text: str) -> list[str]:
    return [token.text for token in tokenise(text, flat=True)]


def inside_out(text: str) -> list[str]:
    """The tokens of a text, each group taken apart."""
    found = []
    for token in tokenise(text):
        if token.kind is Kind.GROUP:
            found += ["(", *inside_out(token.inside), *([")"] if token.text.endswith(")") else [])]
        else:
            found.append(token.text)
    return found


# Each is whole in itself; none of their lines is a GO.
PIECES = [
    *("'", '"', "[", "/*"),
    *(
        "GOTO x",
        "LOGO",
        "@GO",
        "[GO]",
        "go.x",
        "SELECT 1",
        "N'it''s\nGO\n'",
        "'--'",
        "'/*'",
        '"\nGO\n"""',
        "[\nGO\n]]']",
    ),
    *(
        "/* it's */",
        '/*\nGO\n/* " */ [ */',
        "-- don't [ /*\n",
        "-- GO\n",
        "\n",
        ";",
        "(",
        ")",
        "-",
        "/",
        "*",
        ",",
        "é",
        "$(x)",
    ),
]
batches = st.lists(st.sampled_from(PIECES[4:]), max_size=12).map(" ".join)
SEPARATORS = ["GO", "go", " Go\t", "GO -- don't", 'GO/* " */', "GO 1", "/* [ */ GO"]


@settings(max_examples=4 * settings().max_examples)
@given(st.lists(st.tuples(batches, st.sampled_from(SEPARATORS)), max_size=6), st.sampled_from(["\n", "\r\n", "\r"]))
@example([("-- GO\n", "GO"), ("SELECT 1", "go")], "\r")
def test_joined_batches_come_apart_again(parts: list[tuple[str, str]], newline: str) -> None:
    script = "".join(f"{batch}\n{separator}\n" for batch, separator in parts).replace("\n", newline)
    found = split(script)
    assert [flat(batch.text) for batch in found] == [flat(batch) for batch, _ in parts if flat(batch)]
    lines = script.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for batch in found:
        first, *_, last = [*tokenise(batch.text, flat=True)] * 2
        assert (first.start, last.end) == (0, len(batch.text))
        assert batch.text.split("\n")[0] in lines[batch.line - 1]
        assert texts(batch.text) == [batch.text]


@settings(max_examples=5 * settings().max_examples)
@given(
    st.lists(st.sampled_from([*PIECES, *SEPARATORS, "*/", "]", "GO;", "GO 2", ":r x", "\nGO\n", "COMMIT", "CASE"])).map(
        " ".join
    )
    | st.lists(st.sampled_from(["\n", "\r", "GO", "\n", *PIECES]), max_size=30).map("".join)
    | st.text()
)
def test_any_text_is_split_or_refused(script: str) -> None:
    try:
        found = split(script)
    except ScriptSyntaxError as error:
        assert 1 <= error.line <= script.count("\n") + script.count("\r") + 1
        return
    normal = script.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    kept = [text for batch in found for text in flat(batch.text)]
    # Nothing is lost but lines of GO, and what GO repeats.
    if "2" not in normal:
        lost = [text for text in flat(normal) if text.upper() not in ("GO", "1")]
        assert [text for text in kept if text.upper() not in ("GO", "1")] == lost
    for batch in found:
        assert batch.text == batch.text.strip()
        assert inside_out(batch.text) == flat(batch.text)
        read = [token.text for code in statements(batch.text) for token in code.tokens]
        if not batch.text.upper().lstrip("; \n").startswith(("CREATE", "ALTER")):
            assert read == [token.text for token in tokenise(batch.text) if token.text != ";"]
        transaction_control(batch)
        needs_autocommit(batch)
        restores_session(batch)


@pytest.mark.parametrize(
    "script",
    [
        "INSERT INTO [dbo].[t] VALUES (N'ada@example.com', N'O''Brien', N'a; b -- c')\nGO\n" * 70_000,
        "INSERT INTO t VALUES " + "(N'a;b', 'c''d', 12),\n" * 200_000 + "(1, 2, 3);",
        "SELECT 1" + " - 1 / 2" * 500_000,
        "SELECT 1; '" + "''" * 2_000_000,
        "/" + "*" * 4_000_000,
        "/*" * 500_000,
        "SELECT" + " " * 4_000_000 + "1",
        "\n" * 4_000_000 + "GO 1",
        "-- x\n" * 200_000,
    ],
    ids=["batches", "one insert", "operators", "open string", "stars", "open comments", "blanks", "lines", "comments"],
)
def test_large_scripts_take_linear_time(script: str) -> None:
    started = time.process_time()
    with contextlib.suppress(ScriptSyntaxError):
        split(script)
    # It takes 0.02 to 0.3 s; anything quadratic would take hours.
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    "text", ["(" * 200_000, "(" * 100_000 + ")" * 100_000 + " COMMIT", "CASE " * 100_000 + "COMMIT"]
)
def test_deep_nesting_takes_linear_time(text: str) -> None:
    started = time.process_time()
    transaction_control(Statement("SELECT " + text, 1))
    needs_autocommit(Statement("BACKUP " + text, 1))
    assert time.process_time() - started < 10
