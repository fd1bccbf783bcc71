"""The splitter for PostgreSQL: what psql and the server make of a script, statement for statement."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from custctl.engines.postgresql.script import (
    ConcurrentIndex,
    changes_role,
    concurrent_index,
    may_commit,
    needs_autocommit,
    restores_session,
    split,
    transaction_control,
)
from custctl.engines.postgresql.tokens import first_word, tokenise
from custctl.engines.scripts import ScriptSyntaxError, Statement
from custctl.engines.tokens import Kind

FUNCTION = """CREATE OR REPLACE FUNCTION f(a int) RETURNS int
BEGIN ATOMIC
  SELECT CASE WHEN a > 1 THEN CASE a WHEN 2 THEN 3 END ELSE 4 END;
  SELECT 1; -- END;
END"""


def texts(script: str) -> list[str]:
    return [statement.text for statement in split(script)]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        (" \n\t\v;;; ;\n", []),
        ("-- only a comment", []),
        ("/* only\n a comment */ ; -- and another", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("CREATE TABLE t (a int); -- why;\nSELECT 1;", ["CREATE TABLE t (a int)", "SELECT 1"]),
        ("SELECT 'a;b''; c';", ["SELECT 'a;b''; c'"]),
        ('SELECT "a;""b";', ['SELECT "a;""b"']),
        # Brackets and backticks quote nothing here.
        ("SELECT a[1;2]; SELECT `;", ["SELECT a[1", "2]", "SELECT `"]),
        # A backslash escapes in E'…' alone, where the E stands alone.
        (r"SELECT 'a\';SELECT 'b';", [r"SELECT 'a\'", "SELECT 'b'"]),
        (r"SELECT E'a\';b''\\'; SELECT 1", [r"SELECT E'a\';b''\\'", "SELECT 1"]),
        (r"SELECT e'\'';SELECT 1", [r"SELECT e'\''", "SELECT 1"]),
        (r"SELECT date'a\';SELECT 1", [r"SELECT date'a\'", "SELECT 1"]),
        (r"SELECT 'e'E'\';';SELECT 1", [r"SELECT 'e'E'\';'", "SELECT 1"]),
        (r"SELECT U&'a\';SELECT U&'\0041;'", [r"SELECT U&'a\'", r"SELECT U&'\0041;'"]),
        (r"SELECT B'1', X'f', N'\';SELECT 2", [r"SELECT B'1', X'f', N'\'", "SELECT 2"]),
        (r'SELECT U&"a\";SELECT 2', [r'SELECT U&"a\"', "SELECT 2"]),
        # A string goes on behind a line break, in the kind that it began in.
        ("SELECT E'a' -- ; '\n\n -- x\n '\\';' ; SELECT 1", ["SELECT E'a' -- ; '\n\n -- x\n '\\';'", "SELECT 1"]),
        ("SELECT E'a' '\\';SELECT 1", ["SELECT E'a' '\\'", "SELECT 1"]),
        ("SELECT 'a'\n'\\';SELECT 1", ["SELECT 'a'\n'\\'", "SELECT 1"]),
        # Dollar quotes.
        ("SELECT $$a;'$a$;$$; SELECT 1", ["SELECT $$a;'$a$;$$", "SELECT 1"]),
        ("SELECT $a$;$$;$b$;$a$;SELECT 1", ["SELECT $a$;$$;$b$;$a$", "SELECT 1"]),
        ("SELECT $_é1$;$_é1$;SELECT 1", ["SELECT $_é1$;$_é1$", "SELECT 1"]),
        ("SELECT $a$;$A$;$a$;SELECT 1", ["SELECT $a$;$A$;$a$", "SELECT 1"]),
        ("SELECT $1;SELECT $2$$;$$", ["SELECT $1", "SELECT $2$$;$$"]),
        ("SELECT a$b$;SELECT c$b$", ["SELECT a$b$", "SELECT c$b$"]),
        ("SELECT é$b$;SELECT _$$;", ["SELECT é$b$", "SELECT _$$"]),
        ("SELECT 1$$;$$;SELECT 2", ["SELECT 1$$;$$", "SELECT 2"]),
        ("SELECT $a b$;SELECT $", ["SELECT $a b$", "SELECT $"]),
        ("SELECT '$$';SELECT \"$$\" /* $$ */ -- $$\n;SELECT 1", ["SELECT '$$'", 'SELECT "$$"', "SELECT 1"]),
        # Comments, which nest.
        ("SELECT '-- no', '/* no' ; SELECT 2", ["SELECT '-- no', '/* no'", "SELECT 2"]),
        ("SELECT 1 -- a ; ' b\n, 2; SELECT 3", ["SELECT 1 -- a ; ' b\n, 2", "SELECT 3"]),
        ("SELECT 1 /* ; ' \" $$ ( */ + 2;", ["SELECT 1 /* ; ' \" $$ ( */ + 2"]),
        ("SELECT 1 /* a /* ; */ ; */ + 2;", ["SELECT 1 /* a /* ; */ ; */ + 2"]),
        ("/* /* ; */ ; */SELECT 1;/*/* ; */*/SELECT 2;/***/", ["SELECT 1", "SELECT 2"]),
        ("-- before\n/* and */ SELECT 1 -- behind\n;", ["SELECT 1"]),
        ("SELECT 1 - -1 / 2 * /**/ 3 @-- ;\n 4;", ["SELECT 1 - -1 / 2 * /**/ 3 @-- ;\n 4"]),
        # One parenthesis too many is for the server to refuse.
        ("SELECT 1); SELECT (2)", ["SELECT 1)", "SELECT (2)"]),
        # A no-break space belongs to a name; only ASCII blanks are blanks.
        ("SELECT 1 AS\u00a0x\u00a0;", ["SELECT 1 AS\u00a0x\u00a0"]),
        # What pg_dump puts around a dump.
        ("\\restrict aB3\n\nSELECT 1;\n\\unrestrict aB3 \n", ["SELECT 1"]),
        ("-- x\n/* y */ \\restrict a\nSELECT 1; \\unrestrict \t a", ["SELECT 1"]),
    ],
)
def test_splits(script: str, expected: list[str]) -> None:
    assert texts(script) == expected


@pytest.mark.parametrize(
    "statement",
    [
        FUNCTION,
        FUNCTION.lower(),
        FUNCTION.replace("OR REPLACE FUNCTION", "/* ; */ FUNCTION -- BEGIN\n"),
        FUNCTION.replace("BEGIN ATOMIC", "begin/* /* ; */ */-- ;\natomic"),
        FUNCTION.replace(" f(a int)", " \"f;(\"(a int, b text DEFAULT ';')"),
        FUNCTION.replace("SELECT 1;", 'SELECT 1 AS end; SELECT 2 AS "end"; SELECT 3 end; SELECT t.end, t.case FROM t;'),
        FUNCTION.replace("SELECT 1;", "SELECT (CASE WHEN 1 = 1 THEN (SELECT 1) END), ';', $$; END;$$;"),
        FUNCTION.replace("SELECT 1;", "SELECT 1 case; SELECT 2 AS case;"),
        FUNCTION.replace("SELECT 1;", "SELECT CASE WHEN true THEN atomic END FROM t; SELECT atomic end FROM t;"),
        "CREATE FUNCTION begin(atomic int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END",
        "CREATE PROCEDURE p() BEGIN ATOMIC END",
        "create procedure p() begin atomic; insert into t values (1); end",
        "CREATE FUNCTION begin() RETURNS int LANGUAGE sql AS 'SELECT 1; END'",
        "CREATE FUNCTION f() RETURNS int RETURN 1",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $_$\nBEGIN\n  RETURN $$;$$;\nEND;\n$_$",
        "DO $$ BEGIN ATOMIC; $$",
        "DO LANGUAGE plpgsql 'BEGIN; END'",
        "CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; (SELECT 2;);)",
        "SELECT ')', \")\" /* ) */ (';' -- )\n; $$)$$ ;)",
        'CREATE TABLE "function" (begin int, atomic text)',
        'SELECT begin atomic FROM "create function"',
        "CREATE VIEW v AS SELECT CASE WHEN true THEN 2 END",
        "COPY (SELECT 1 FROM stdin) TO '/tmp/stdout'",
        "COPY t FROM '/tmp/stdin' (FORMAT binary)",
        "COPY t FROM PROGRAM 'cat stdin'",
        "SELECT copy FROM stdin",
    ],
)
def test_statement_stays_whole_and_ends_where_it_ends(statement: str) -> None:
    assert texts(f"SELECT 0; {statement};\nSELECT 1;") == ["SELECT 0", statement, "SELECT 1"]
    assert split(statement) == [Statement(statement, 1)]


@pytest.mark.parametrize(
    "statement",
    [
        "COPY t TO STDOUT",
        "copy t (a, b) to stdin with (format csv)",
        "COPY (SELECT 1 FROM stdin) TO STDOUT",
        "COPY t FROM stdin (FORMAT binary)",
        "COPY t FROM stdin WITH (DELIMITER ',', FORMAT 'binary')",
        "COPY BINARY t FROM stdin",
        "COPY t FROM STDIN WITH BINARY",
    ],
)
def test_rows_that_have_no_place_in_a_script(statement: str) -> None:
    with pytest.raises(ScriptSyntaxError) as caught:
        split(f"SELECT 1;\n\n{statement};\nabc\n\\.\n")
    assert caught.value.line == 3


@pytest.mark.parametrize(
    ("statement", "alone"),
    [
        ("CALL p()", True),
        ("call p()", True),
        ("DO $$ BEGIN COMMIT; END $$", True),
        ("do $$ begin call p(); end $$", True),
        ("DO $$ BEGIN EXECUTE 'VACUUM'; END $$", True),
        ("DO $$ BEGIN PERFORM committed(), recall(); END $$", False),
        ("REINDEX TABLE t", True),
        ("CLUSTER t USING i", True),
        ("SELECT 'COMMIT'", False),
        ("INSERT INTO t VALUES ('call')", False),
    ],
)
def test_what_may_commit_by_itself(statement: str, alone: bool) -> None:
    assert may_commit(Statement(statement, 1)) is alone


def test_lines_are_those_of_the_first_token() -> None:
    script = (
        "-- header\n\nSELECT 1;\n/* two\nlines */ SELECT\n2;\n\n" + FUNCTION + ";\nSELECT $$a\nb$$; SELECT E'\n'; "
        "COPY t FROM stdin;\n1\n2\n\\.\n\nSELECT 'end'"
    )
    assert [(s.line, s.text.split()[0]) for s in split(script)] == [
        (3, "SELECT"),
        (5, "SELECT"),
        (8, "CREATE"),
        (13, "SELECT"),
        (14, "SELECT"),
        (15, "COPY"),
        (20, "SELECT"),
    ]


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_line_endings_and_bom_make_no_difference(newline: str) -> None:
    script = f"-- a note; here\nSELECT 1;\n\n{FUNCTION};\nSELECT 'a\nb';\nCOPY t FROM stdin;\n1\n\\.\n\\restrict a\n"
    assert len(split(script)) == 4
    assert split("\ufeff" + script.replace("\n", newline)) == split(script)


@pytest.mark.parametrize(
    ("script", "data"),
    [
        ("COPY t (a, b) FROM stdin;\n1\ta;b\n2\t\\N\n\\.\nSELECT 1;", "1\ta;b\n2\t\\N\n"),
        ("copy public.t from STDIN with (format csv); -- why;\n;\n'\n\\.\n;SELECT 1", ";\n'\n"),
        ("COPY t FROM stdin; /* x */ \t\n\\.\nSELECT 1;", ""),
        ("COPY t FROM stdin;\n\n\\.\nSELECT 1;", "\n"),
        # Only the line `\.` ends them.
        ("COPY t FROM stdin;\n\\\\.\n\\.x\n \\.\n\\. \n\\.\nSELECT 1;", "\\\\.\n\\.x\n \\.\n\\. \n"),
        ("COPY /* FROM x */ t (\"from\", b) FROM -- '\n STDIN WHERE a > 1;\n/* ' $$\n\\.\nSELECT 1;", "/* ' $$\n"),
        # To PostgreSQL these two are one.
        ("COPY t FROM STDOUT;\n1\n\\.\nSELECT 1;", "1\n"),
    ],
)
def test_the_rows_of_copy_are_its_data(script: str, data: str) -> None:
    copy, after = split(script)
    assert copy.text == script[: script.index(";")].rstrip()
    assert copy.data == data
    assert after.text == "SELECT 1"
    assert after.data is None


def test_the_end_of_the_rows_may_be_the_end_of_the_script() -> None:
    assert split("COPY t FROM stdin;\n1\n\\.") == [Statement("COPY t FROM stdin", 1, "1\n")]
    assert split("COPY t FROM stdin;\n\\.") == [Statement("COPY t FROM stdin", 1, "")]


@pytest.mark.parametrize(
    ("script", "line", "words"),
    [
        ("SELECT 1;\nSELECT 'abc;\n", 2, "the string that starts"),
        ("SELECT 1,\n'it''s; -- x\n/*", 2, "the string that starts"),
        ("SELECT\nE'abc\\'", 2, "the string that starts"),
        ("SELECT\nE'abc'\n'\\'", 2, "the string that starts"),
        ('SELECT\n\n"abc', 3, "quoted name"),
        ("SELECT 1 /*\n/* */", 1, "comment"),
        ("SELECT 1;\n/*/ SELECT 2;", 2, "comment"),
        ("SELECT $$,\n$a$;$$;\nSELECT $a$ $A$ $b$ a", 3, "dollar-quoted"),
        ("SELECT (1,\n(2;\nSELECT 3)", 1, "parenthesis"),
        ("SELECT 1;\nCREATE FUNCTION f() RETURNS int\nBEGIN ATOMIC SELECT 1;\n", 3, "body"),
        ("CREATE FUNCTION f() RETURNS int\nBEGIN ATOMIC SELECT CASE WHEN true THEN 1 END\n", 2, "body"),
        ("CREATE FUNCTION f(a int\n) AS 'x', '", 2, "the string that starts"),
        ("CREATE FUNCTION f(\na int;", 1, "parenthesis"),
        ("CREATE FUNCTION f(\na numeric(9, 2);", 1, "parenthesis"),
        ("CREATE FUNCTION f() AS $_$ ;\n$$", 1, "dollar-quoted"),
        ("SELECT 1;\nSELECT '\0';", 2, "NUL"),
        ("SELECT 1;\nCOPY t FROM stdin;\n1\n\\. \n", 2, r"line `\.`"),
        ("COPY t FROM stdin;", 1, r"line `\.`"),
        ("COPY t FROM stdin", 1, r"line `\.`"),
        ("\nCOPY t FROM stdin; SELECT 1;\n\\.\n", 2, "line of their own"),
        ("COPY t FROM stdin; /* a\n*/\n\\.\n", 1, "line of their own"),
        ("SELECT 1;\n\\connect other\n", 2, r"`\connect`"),
        ("SELECT 1\n\\gexec", 2, r"`\gexec`"),
        ("\\i 'x.sql';", 1, r"`\i`"),
        ("SELECT 1\\;", 1, "`\\`"),
        ("\\restrict", 1, r"`\restrict`"),
        ("\\restrict a b", 1, r"`\restrict`"),
        ("\\restricted a", 1, r"`\restricted`"),
        ("SELECT 1\n\\restrict a", 2, r"`\restrict`"),
        ("CREATE FUNCTION f()\n\\g", 2, r"`\g`"),
        ("SELECT 1;\n\\.\n", 2, r"`\.`"),
    ],
)
def test_what_cannot_be_split_is_an_error_where_it_opens(script: str, line: int, words: str) -> None:
    with pytest.raises(ScriptSyntaxError) as caught:
        split(script)
    assert (caught.value.line, words in caught.value.message) == (line, True), caught.value.message


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("BEGIN", "BEGIN"),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE", "BEGIN"),
        ("START TRANSACTION READ ONLY", "START TRANSACTION"),
        ("commit", "COMMIT"),
        ("COMMIT AND CHAIN", "COMMIT"),
        ("End Transaction", "END"),
        ("/* x */ -- y\n rollback", "ROLLBACK"),
        ("/* /* x */ */ rollback work", "ROLLBACK"),
        ("ABORT", "ABORT"),
        ("PREPARE/**/TRANSACTION 'x'", "PREPARE TRANSACTION"),
        ("COMMIT PREPARED 'x'", "COMMIT PREPARED"),
        ("ROLLBACK PREPARED 'x'", "ROLLBACK PREPARED"),
        ("ROLLBACK TO a", None),
        ("ROLLBACK WORK TO SAVEPOINT a", None),
        ("rollback transaction to a", None),
        ("PREPARE transactions AS SELECT 1", None),
        ('PREPARE "transaction" AS SELECT 1', None),
        ("SAVEPOINT a", None),
        ("RELEASE a", None),
        ('"begin"', None),
        ("BEGINNING", None),
        ("SELECT 'COMMIT'", None),
        ("SET TRANSACTION READ ONLY", None),
        (FUNCTION, None),
        ("DO 'BEGIN COMMIT; END'", None),
        ("BEG\u0131N", None),
        ("", None),
    ],
)
def test_transaction_control(text: str, keyword: str | None) -> None:
    assert transaction_control(Statement(text, 1)) == keyword


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("SET ROLE owner", True),
        ("set session role none", True),
        ("RESET ROLE", True),
        ("SET SESSION AUTHORIZATION owner", True),
        ("RESET SESSION AUTHORIZATION", True),
        # Until the transaction ends.
        ("SET LOCAL ROLE owner", False),
        ("SET LOCAL SESSION AUTHORIZATION owner", False),
        ("SET work_mem = '4MB'", False),
        ("SET SESSION search_path = role", False),
        ('SET "role" = owner', False),
        ("ALTER ROLE owner SET work_mem = '4MB'", False),
        ("", False),
    ],
)
def test_what_changes_the_role_of_its_session(text: str, changes: bool) -> None:
    assert changes_role(Statement(text, 1)) is changes


# Each was run inside a transaction block of PostgreSQL 18, which said 25001 to these.
AUTOCOMMIT = [
    "CREATE INDEX CONCURRENTLY i ON t (b)",
    "create unique index/**/concurrently if not exists i on t (b)",
    "DROP INDEX CONCURRENTLY i",
    "REINDEX TABLE CONCURRENTLY t",
    "REINDEX (CONCURRENTLY) TABLE t",
    "REINDEX (VERBOSE, CONCURRENTLY on) INDEX i",
    "REINDEX DATABASE customers",
    "REINDEX SYSTEM customers",
    "REINDEX SCHEMA s",
    "REINDEX DATABASE",
    "REINDEX (VERBOSE) SCHEMA s",
    "VACUUM",
    "VACUUM (ANALYZE) t",
    "VACUUM FULL t",
    "CREATE DATABASE x",
    "DROP DATABASE IF EXISTS x",
    "CREATE TABLESPACE x LOCATION '/x'",
    "DROP TABLESPACE x",
    "ALTER SYSTEM SET work_mem = '4MB'",
    "ALTER DATABASE customers SET TABLESPACE pg_default",
    "ALTER TABLE s.p DETACH PARTITION s.p1 CONCURRENTLY",
    "ALTER TABLE IF EXISTS p DETACH PARTITION p1 CONCURRENTLY",
    "CLUSTER",
    "CLUSTER VERBOSE",
    "CLUSTER (VERBOSE)",
    "CREATE SUBSCRIPTION x CONNECTION 'host=/x' PUBLICATION y",
    "ALTER SUBSCRIPTION x REFRESH PUBLICATION",
    "DROP SUBSCRIPTION x",
    "DISCARD ALL",
    "COMMIT PREPARED 'x'",
    "ROLLBACK PREPARED 'x'",
]
IN_TRANSACTION = [
    "CREATE INDEX i ON t (concurrently)",
    "CREATE INDEX i ON t (b)",
    "CREATE TABLE concurrently_t (a int)",
    'CREATE INDEX "concurrently" ON t (b)',
    "DROP INDEX i",
    "REINDEX TABLE t",
    "REINDEX (VERBOSE) INDEX i",
    "REINDEX (CONCURRENTLY off) TABLE t",
    "REINDEX (CONCURRENTLY 'false', VERBOSE) TABLE t",
    "REINDEX (CONCURRENTLY 0) TABLE t",
    "ANALYZE t",
    "ALTER DATABASE customers SET work_mem = '4MB'",
    "ALTER TABLE p DETACH PARTITION p1",
    "ALTER TABLE p DETACH PARTITION p1 FINALIZE",
    "ALTER TABLE t SET TABLESPACE x",
    "CLUSTER t",
    "CLUSTER VERBOSE t",
    "CLUSTER (VERBOSE) t USING i",
    "DISCARD PLANS",
    "COMMIT",
    "ROLLBACK",
    "CREATE VIEW v AS SELECT 1",
    "SELECT 'VACUUM'",
    "",
]


@pytest.mark.parametrize("text", AUTOCOMMIT)
def test_what_postgresql_refuses_inside_a_transaction(text: str) -> None:
    assert needs_autocommit(Statement(text, 1))


@pytest.mark.parametrize("text", IN_TRANSACTION)
def test_what_runs_inside_a_transaction(text: str) -> None:
    assert not needs_autocommit(Statement(text, 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CREATE INDEX CONCURRENTLY i ON t (a)", (None, "i", None, "t")),
        ("create unique index concurrently IF NOT EXISTS Abc on Only Sch.Tab (a)", ("sch", "abc", "sch", "tab")),
        ("CREATE INDEX CONCURRENTLY ON s.t USING gin (a)", ("s", None, "s", "t")),
        ("CREATE INDEX CONCURRENTLY if ON t (a)", (None, "if", None, "t")),
        ('CREATE INDEX CONCURRENTLY "on" ON "S;1"."T""2" (a)', ("S;1", "on", "S;1", 'T"2')),
        ("CREATE /* x */ INDEX -- y\nCONCURRENTLY i ON t (a)", (None, "i", None, "t")),
        # Names as PostgreSQL 18 stored them, in UTF-8.
        ("CREATE INDEX CONCURRENTLY ÉCLAIR ON t (a)", (None, "Éclair", None, "t")),
        (f"CREATE INDEX CONCURRENTLY {'a' * 80} ON t (a)", (None, "a" * 63, None, "t")),
        (f"CREATE INDEX CONCURRENTLY {'é' * 40} ON t (a)", (None, "é" * 31, None, "t")),
        (f'CREATE INDEX CONCURRENTLY "{"a" * 62}é" ON t (a)', (None, "a" * 62, None, "t")),
        (r'CREATE INDEX CONCURRENTLY U&"d\0061t\+000061" ON t (a)', (None, "data", None, "t")),
        (r'CREATE INDEX CONCURRENTLY u&"d!0061t\!!" UESCAPE ' + "'!' ON t (a)", (None, "dat\\!", None, "t")),
        (r'CREATE INDEX CONCURRENTLY U&"\d83d\de00" ON t (a)', (None, "\U0001f600", None, "t")),
        ("CREATE INDEX i ON t (a)", None),
        ("CREATE INDEX CONCURRENTLY i", None),
        ("CREATE TABLE t (a int)", None),
        ("DROP INDEX CONCURRENTLY i", None),
        ("SELECT 'CREATE INDEX CONCURRENTLY i ON t (a)'", None),
    ],
)
def test_the_index_that_is_built_concurrently(text: str, expected: Any) -> None:
    assert concurrent_index(Statement(text, 1)) == (None if expected is None else ConcurrentIndex(*expected))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SET search_path = customers", True),
        ("SET SESSION lock_timeout TO '1s'", True),
        ("SET ROLE owner", True),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", True),
        ("RESET ALL", True),
        ("SELECT pg_catalog.set_config('search_path', '', false)", True),
        ("select set_config('work_mem', '4MB', False)", True),
        ("LISTEN changes", True),
        ("UNLISTEN *", True),
        ("PREPARE p AS SELECT 1", True),
        ("DEALLOCATE p", True),
        ("LOAD 'auto_explain'", True),
        ("SELECT set_config('search_path', '', true)", False),
        ("SET LOCAL lock_timeout = '1s'", False),
        ("SET CONSTRAINTS ALL DEFERRED", False),
        ("SET TRANSACTION READ ONLY", False),
        ("PREPARE TRANSACTION 'x'", False),
        ("SELECT set_configuration('a', 'b', false)", False),
        ("SELECT 'set_config'", False),
        ("SELECT set_config", False),
        ("DISCARD ALL", False),
        ("UPDATE t SET a = 1", False),
        ("", False),
    ],
)
def test_what_a_new_session_must_be_told_again(text: str, expected: bool) -> None:
    assert restores_session(Statement(text, 1)) is expected


FRAGMENTS = [
    *("'", "'", '"', "$$", "$a$", "$1", "$", ";", ";\n", "--", "/*", "*/", "-", "/", "*", "\n", " ", "''", "a", "1"),
    *("(", ")", ",", "é", "E'", "e'", "'\n'", "\t", "\v", "\u00a0", "_", "a$", "$a", "select", "[", "]", "::", "U&'"),
]


def is_name(text: str) -> bool:
    return all(c > "\x7f" or c in "_$" or (c.isascii() and c.isalnum()) for c in text) and not text[:1].isdigit()


def comment_length(text: str) -> int | None:
    """The length of the block comment that begins here, or None where it is never closed."""
    depth, position = 1, 2
    while depth:
        pair = text[position : position + 2]
        if not pair:
            return None
        depth += (pair == "/*") - (pair == "*/")
        position += 2 if pair in ("/*", "*/") else 1
    return position


def escaped_length(text: str) -> int | None:
    """The length of the E'…' string that begins here, with all its parts, or None where it is never closed."""
    position = 2
    while position < len(text):
        if text[position] == "\\" or text[position : position + 2] == "''":
            position += 2
        elif text[position] == "'":
            after = position + 1
            while text[after : after + 1] in set(" \t\n\v\f") or text.startswith("--", after):
                after = (text + "\n").index("\n", after) if text.startswith("--", after) else after + 1
            if text[after : after + 1] != "'" or "\n" not in text[position:after]:
                return position + 1
            position = after + 1
        else:
            position += 1
    return None


def token_length(text: str) -> int | None:
    """The length of the token or the comment that `text` begins with, or None where it is never closed."""
    first = text[0]
    if text.startswith("--"):
        return (text + "\n").index("\n")
    if text.startswith("/*"):
        return comment_length(text)
    if text.startswith(("e'", "E'")):
        return escaped_length(text)
    if first in "'\"":
        return text.find(first, 1) + 1 or None
    if first == "$":
        tag = text[: text.find("$", 1) + 1]
        if not tag or "$" in tag[1:-1] or not is_name(tag[1:-1]):
            return 1
        close = text.find(tag, len(tag))
        return None if close < 0 else close + len(tag)
    length = 1
    if first != "$" and is_name(first):
        while length < len(text) and is_name("_" + text[length]):
            length += 1
    return length


def read_slowly(script: str) -> list[str] | None:
    """Split as the manual's chapter on lexical structure says, a token at a time, and leave the comments out.

    None where something stays open.
    """
    statements = [""]
    depth = 0
    while script:
        length = token_length(script)
        if length is None:
            return None
        token, script = script[:length], script[length:]
        depth = max(depth + (token == "(") - (token == ")"), 0)
        if token == ";" and not depth:
            statements.append("")
        else:
            statements[-1] += " " if token.startswith(("--", "/*")) else token
    stripped = [statement.strip(" \t\n\v\f") for statement in statements]
    return None if depth else [statement for statement in stripped if statement]


@settings(max_examples=6 * settings().max_examples)
@given(
    st.lists(st.sampled_from(FRAGMENTS), max_size=25).map(" ".join) | st.lists(st.sampled_from(FRAGMENTS)).map("".join)
)
@example("E'a'\n'b;'")
@example("E'a'\n'\\';")
@example("a$$;$$;1$$;$$;")
@example("/*/**/;*/;(;)")
def test_agrees_with_a_slow_reading(script: str) -> None:
    slow = read_slowly(script)
    try:
        found = split(script)
    except ScriptSyntaxError:
        assert slow is None
        return
    assert slow is not None
    assert [read_slowly(statement.text) for statement in found] == [[statement] for statement in slow]
    for statement in found:
        assert statement.text.split("\n")[0] in script.split("\n")[statement.line - 1]


VALUES = st.one_of(
    st.integers(-9, 9).map(str),
    st.text("ab;'\"-/*()\\`\n$é", max_size=8).map(lambda text: "'" + text.replace("'", "''") + "'"),
    st.text("ab;'\"-/*()\\\n$é", max_size=8).map(
        lambda text: "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    ),
    st.text("ab;'\"-/*()\\\n", max_size=8).map(lambda text: f"$q${text}$q$"),
    st.sampled_from(["$$;$$", "CASE WHEN true THEN 'x;' ELSE NULL END", "E'a'\n'\\';'", "a$b$", "(';')", "$1", "é$$"]),
)
BLANKS = st.sampled_from([" ", "\n", "\t ", " -- c; '\n", ' /* c; " /* $$ */ ( */ ', "\n--\n", "\v"])
BETWEEN = st.lists(
    st.sampled_from([";", "\n", " ", "-- note; don't\n", "/* ; /* ( */ $$ */", "\n\\restrict a1\n", "\f"]), max_size=4
).map("".join)
ROWS = st.none() | st.lists(st.text("a;'\"$\\/*-(\t", max_size=6).filter(lambda row: row != "\\.")).map(
    lambda rows: "".join(f"{row}\n" for row in rows)
)


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    """A statement made of what is hard to split; its line is not yet known."""
    blank, value, other = draw(BLANKS), draw(VALUES), draw(VALUES)
    name = draw(st.sampled_from(["t1", '"semi;colon"', '"begin"', '"a""b;("', "énd", "a$b$c", "end", 'U&"\\003b"']))
    form = draw(st.integers(0, 5))
    if form == 0:
        return Statement(f"COPY{blank}{name}{blank}FROM stdin", 0, draw(ROWS) or "")
    if form == 1:
        body = f"SELECT{blank}{value};{blank}" * draw(st.integers(0, 3))
        return Statement(f"CREATE{blank}FUNCTION {name}(){blank}RETURNS int BEGIN{blank}ATOMIC {body}END", 0)
    if form == 2:
        return Statement(f"CREATE RULE {name} AS ON INSERT TO t DO{blank}(SELECT {value};{blank}SELECT {other};)", 0)
    if form == 3:
        return Statement(f"CREATE FUNCTION {name}() AS{blank}$f${value};{blank}$f$", 0)
    return Statement(f"INSERT{blank}INTO {name} VALUES{blank}({value},{blank}{other}){blank}RETURNING 1", 0)


@settings(max_examples=3 * settings().max_examples)
@given(st.lists(st.tuples(BETWEEN, statements()), max_size=6), BETWEEN)
def test_splitting_undoes_joining(parts: list[tuple[str, Statement]], last: str) -> None:
    script = ""
    expected = []
    for gap, statement in parts:
        script += gap
        line = script.count("\n") + 1
        expected.append(Statement(statement.text, line, statement.data))
        script += statement.text + ";" + ("" if statement.data is None else f" -- ;\n{statement.data}\\.\n")
    assert split(script + last) == expected


@settings(max_examples=3 * settings().max_examples)
@given(st.text() | st.text("CREATE FUNCTION()BEGIN ATOMIC;END'$\\\n-/*e\"é1.copyfromstdin"))
def test_any_text_is_split_or_refused(script: str) -> None:
    try:
        found = split(script)
    except ScriptSyntaxError as error:
        assert 1 <= error.line <= script.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
        return
    for statement in found:
        assert statement.text == statement.text.strip(" \t\n\v\f")
        assert statement.text
        # None of these may fail on whatever a statement is.
        transaction_control(statement)
        needs_autocommit(statement)
        concurrent_index(statement)
        restores_session(statement)


@pytest.mark.parametrize(
    "script",
    [
        "INSERT INTO t VALUES ('ada@example.com', 'O''Brien', 'a; b -- c');\n" * 70_000,
        "INSERT INTO t VALUES " + "('a;b', 'c''d', 12),\n" * 200_000 + "(1, 2, 3);",
        "COPY t FROM stdin;\n" + "1\tada@example.com\t\\N\n" * 500_000 + "\\.\n",
        "SELECT 1" + " - 1 / 2" * 500_000,
        "SELECT 1; '" + "''" * 2_000_000,
        "SELECT E'a'" + "\n'b\\'c'" * 500_000 + "\n'",
        "SELECT E'a' " + "-- x\n" * 500_000 + "'",
        "/" + "*" * 2_000_000,
        "/*" * 1_000_000,
        "(" * 1_000_000,
        "SELECT " + "a$" * 1_000_000,
        "SELECT " + "$a" * 1_000_000,
        "SELECT " + "$$;$$ " * 200_000,
        "SELECT" + " " * 4_000_000 + "1",
    ],
    ids=[
        *("inserts", "one insert", "copy", "operators", "open string", "parts", "comments", "stars", "nested"),
        *("parentheses", "names", "tags", "dollars", "blanks"),
    ],
)
def test_large_scripts_take_linear_time(script: str) -> None:
    started = time.process_time()
    with contextlib.suppress(ScriptSyntaxError):
        split(script)
    # It takes 0.01 to 0.5 s; anything quadratic would take hours.
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("vacuum", "VACUUM"),
        ("set/**/a = 1", "SET"),
        ("LISTEN--x\n y", "LISTEN"),
        ("-- a\n/* b /* c */ */ Select 1", "SELECT"),
        ("VACUUM;", "VACUUM"),
        ("select$$a$$", "SELECT$$A$$"),
        ("E'x'", ""),
        ("l\u0131sten x", "L\u0131STEN"),
        ("(1)", ""),
        ('"select"', ""),
        ("", ""),
    ],
)
def test_the_first_word_ends_where_postgresql_s_does(text: str, word: str) -> None:
    assert first_word(text) == word


def test_tokens_know_what_they_are() -> None:
    text = "a1 12 'x''y' E'\\'' \"N\"\"m\" $t$;$t$ ( 'open"
    assert [(token.kind, token.text) for token in tokenise(text)] == [
        (Kind.WORD, "a1"),
        (Kind.NUMBER, "12"),
        (Kind.STRING, "'x''y'"),
        (Kind.STRING, "E'\\''"),
        (Kind.NAME, '"N""m"'),
        (Kind.STRING, "$t$;$t$"),
        (Kind.MARK, "("),
        (Kind.OPEN, "'"),
        (Kind.WORD, "open"),
    ]
