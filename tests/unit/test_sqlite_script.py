"""The splitter for SQLite: it must agree with SQLite's own shell, statement for statement."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from custctl.engines.scripts import ScriptSyntaxError, Statement
from custctl.engines.sqlite.script import needs_autocommit, restores_session, split, transaction_control
from custctl.engines.sqlite.tokens import first_word, tokenise

TRIGGER = """CREATE TRIGGER t_version AFTER UPDATE ON t
BEGIN
  UPDATE t SET a = CASE WHEN new.a > 1 THEN CASE old.a WHEN 2 THEN 3 END ELSE 4 END;
  SELECT 1; -- END;
END"""


def texts(script: str) -> list[str]:
    return [statement.text for statement in split(script)]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        (" \n\t;;; ;\n", []),
        ("-- only a comment", []),
        ("/* only\n a comment */ ; -- and another", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT 'a;b''; c';", ["SELECT 'a;b''; c'"]),
        ('SELECT "a;""b";', ['SELECT "a;""b"']),
        ("SELECT `a;``b`;", ["SELECT `a;``b`"]),
        ("SELECT [a;'b] ; SELECT 2", ["SELECT [a;'b]", "SELECT 2"]),
        # A bracket cannot be doubled in SQLite: the name ends at the first one.
        ("SELECT [a]];SELECT 2", ["SELECT [a]]", "SELECT 2"]),
        ("SELECT '-- no', '/* no' ; SELECT 2", ["SELECT '-- no', '/* no'", "SELECT 2"]),
        ("SELECT 1 -- a ; ' b\n, 2; SELECT 3", ["SELECT 1 -- a ; ' b\n, 2", "SELECT 3"]),
        ("SELECT 1 /* ; ' \" [ */ + 2;", ["SELECT 1 /* ; ' \" [ */ + 2"]),
        # Block comments do not nest, and one that is never closed is legal.
        ("SELECT 1 /* a /* b */ + 2;", ["SELECT 1 /* a /* b */ + 2"]),
        ("/**/SELECT 1;/*/ ; */SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("-- before\n/* and */ SELECT 1 -- behind\n;", ["SELECT 1"]),
        ("SELECT 1 - -1 / 2 - 3;", ["SELECT 1 - -1 / 2 - 3"]),
        ('SELECT \'{"a": "$${x}"}\';', ['SELECT \'{"a": "$${x}"}\'']),
        (f"{TRIGGER}\n-- behind\n", [TRIGGER]),
        # A no-break space belongs to a name; only ASCII blanks are blanks.
        ("SELECT 1 AS\u00a0x\u00a0;", ["SELECT 1 AS\u00a0x\u00a0"]),
    ],
)
def test_splits(script: str, expected: list[str]) -> None:
    assert texts(script) == expected


@pytest.mark.parametrize(
    "statement",
    [
        TRIGGER,
        TRIGGER.replace("CREATE TRIGGER", "create temp trigger"),
        TRIGGER.replace("CREATE TRIGGER", "CREATE /* ; */ TEMPORARY -- x;\n TRIGGER IF NOT EXISTS"),
        TRIGGER.replace("t_version", "end"),
        TRIGGER.replace("t_version", '"begin; end;"'),
        TRIGGER.replace("UPDATE ON", "UPDATE OF end ON"),
        TRIGGER.replace("END;\nEND", "END;\n;; /* x */ END"),
        TRIGGER.replace("SELECT 1;", "SELECT CASE WHEN 1 THEN 2 END; x;"),
        "EXPLAIN " + TRIGGER,
        "EXPLAIN QUERY PLAN " + TRIGGER,
        'CREATE TABLE "trigger" (begin INTEGER, "end" TEXT)',
        "CREATE TABLE trigger_log (begin_at TEXT, end_at TEXT, backend TEXT)",
        "CREATE TABLE create_trigger (a)",
        'CREATE TABLE t ("create trigger" TEXT, [begin] TEXT, `end;` TEXT)',
        "CREATE INDEX trigger_begin ON t (a)",
        "CREATE VIEW v AS SELECT CASE WHEN 1 THEN 2 END",
        "SELECT CASE a WHEN 1 THEN 2 END",
        "DROP TRIGGER t_version",
        "INSERT INTO t VALUES ('CREATE TRIGGER x BEGIN')",
        "CREATE TABLE t (a TEXT DEFAULT 'BEGIN')",
        "SELECT 1 AS create_trigger_begin",
    ],
)
def test_statement_stays_whole_and_ends_where_it_ends(statement: str) -> None:
    assert texts(f"SELECT 0; {statement};\nSELECT 1;") == ["SELECT 0", statement, "SELECT 1"]
    assert texts(statement) == [statement]
    assert sqlite3.complete_statement(statement + ";")


def test_lines_are_those_of_the_first_token() -> None:
    script = "-- header\n\nSELECT 1;\n/* two\nlines */ SELECT\n2;\n\n" + TRIGGER + ";\nSELECT 'a\nb'; SELECT 3"
    assert [(s.line, s.text.split()[0]) for s in split(script)] == [
        (3, "SELECT"),
        (5, "SELECT"),
        (8, "CREATE"),
        (13, "SELECT"),
        (14, "SELECT"),
    ]


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_line_endings_and_bom_make_no_difference(newline: str) -> None:
    script = f"-- a note; here\nSELECT 1;\n\n{TRIGGER};\nSELECT 'a\nb'"
    assert split("\ufeff" + script.replace("\n", newline)) == split(script)


@pytest.mark.parametrize(
    ("script", "line", "word"),
    [
        ("SELECT 1;\nSELECT 'abc;\n", 2, "string"),
        ("SELECT 1,\n'it''s; -- x\n/*", 2, "string"),
        ('SELECT\n\n"abc', 3, "quoted name"),
        ("SELECT `abc;", 1, "quoted name"),
        ("SELECT 'a]', [abc';", 1, "quoted name"),
        ("SELECT 1;\nCREATE TRIGGER x AFTER INSERT ON t BEGIN\n SELECT 1;\n", 2, "trigger"),
        ("CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END\nCREATE TABLE u (a);", 1, "trigger"),
        ("CREATE TRIGGER x AFTER INSERT ON t BEGIN\nSELECT 'a; END;", 2, "string"),
        ("SELECT 1;\nSELECT '\0';", 2, "NUL"),
    ],
)
def test_what_is_not_closed_is_an_error_where_it_opens(script: str, line: int, word: str) -> None:
    with pytest.raises(ScriptSyntaxError) as caught:
        split(script)
    assert caught.value.line == line
    assert word in caught.value.message


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("BEGIN IMMEDIATE", "BEGIN"),
        ("commit", "COMMIT"),
        ("End Transaction", "END"),
        ("/* x */ -- y\n rollback", "ROLLBACK"),
        ("USE customers", "USE"),
        ("SAVEPOINT a", None),
        ("RELEASE a", None),
        ("ROLLBACK TO a", None),
        ("rollback transaction /* x */ to savepoint a", None),
        ("ROLLBACK TRANSACTION", "ROLLBACK"),
        ('"begin"', None),
        ("BEGINNING", None),
        ("SELECT 'COMMIT'", None),
        (TRIGGER, None),
        ("BEG\u0131N", None),
        ("", None),
    ],
)
def test_transaction_control(text: str, keyword: str | None) -> None:
    assert transaction_control(Statement(text, 1)) == keyword


def test_transaction_control_inside_a_trigger_is_none() -> None:
    assert [transaction_control(s) for s in split(f"{TRIGGER}; COMMIT;")] == [None, "COMMIT"]


@pytest.mark.parametrize(
    ("text", "alone", "restores"),
    [
        ("VACUUM", True, False),
        ("vacuum INTO 'x.db'", True, False),
        ("PRAGMA foreign_keys = OFF", True, True),
        ("/* x */ attach 'x.db' AS x", True, True),
        ("DETACH x", True, True),
        ("SELECT 'VACUUM'", False, False),
        ('"vacuum"', False, False),
        ("", False, False),
    ],
)
def test_what_runs_outside_a_transaction_or_again_on_a_new_connection(text: str, alone: bool, restores: bool) -> None:
    assert needs_autocommit(Statement(text, 1)) is alone
    assert restores_session(Statement(text, 1)) is restores


FRAGMENTS = [
    *("'", '"', "`", "[", "]", ";", ";\n", "--", "/*", "*/", "-", "/", "*", "\n", " ", "''", "a", "1", "(", ",", "é"),
    *("CREATE", "create", "TEMP", "TEMPORARY", "TRIGGER", "EXPLAIN", "BEGIN", "END", "end", "; END ;", "CASE", "x'00'"),
]


def shell_split(script: str) -> list[str] | None:
    """What the `sqlite3` shell does: cut at the first semicolon at which `sqlite3_complete()` is content.

    None where it is never content with the rest.
    """
    chunks, start = [], 0
    for match in re.finditer(";", script):
        if sqlite3.complete_statement(script[start : match.end()]):
            chunks.append(script[start : match.end()])
            start = match.end()
    rest = script[start:]
    if not any(True for _ in tokenise(rest)):
        return chunks
    return [*chunks, rest] if sqlite3.complete_statement(rest + "\n;") else None


@settings(max_examples=5 * settings().max_examples)
@given(
    st.lists(st.sampled_from(FRAGMENTS), max_size=25).map(" ".join) | st.lists(st.sampled_from(FRAGMENTS)).map("".join)
)
@example("CREATE TRIGGER a ; END ; END;")
@example("CREATE TRIGGER TEMP ; ; END ; a")
def test_agrees_with_sqlite3_complete(script: str) -> None:
    chunks = shell_split(script)
    try:
        statements = split(script)
    except ScriptSyntaxError as error:
        # Blanks and comments behind the last statement are nothing to the shell, closed or not.
        assert chunks is None or "comment" in error.message
        return
    for statement in statements:
        assert sqlite3.complete_statement(statement.text + ";")
        assert statement.text.split("\n")[0] in script.split("\n")[statement.line - 1]
    # EXPLAIN before rubbish is content enough for SQLite's parser, though not for sqlite3_complete().
    if chunks is None or "EXPLAIN" in script:
        return
    expected = [" ".join(token.text for token in tokenise(chunk)).strip("; ") for chunk in chunks]
    assert [" ".join(token.text for token in tokenise(s.text)) for s in statements] == [e for e in expected if e]


NAMES = st.sampled_from(["t1", '"semi;colon"', "[brack'et;]", "`tick;`", '"begin"', '"trigger"', '"a""b;"', "énd"])
VALUES = st.one_of(
    st.integers(-9, 9).map(str),
    st.text("ab;'\"-/*[]`\n$é", max_size=8).map(lambda text: "'" + text.replace("'", "''") + "'"),
    st.just("CASE WHEN 1 THEN 'x;' ELSE NULL END"),
    st.just("x'00ff'"),
)
BLANKS = st.sampled_from([" ", "\n", "\r\n", "\t ", " -- c; '\n", ' /* c; " */ ', "\n--\n"])
BETWEEN = st.lists(
    st.sampled_from([";", "\n", " ", "-- note; don't\n", "/* ; [ */", "/* END; */\r\n"]), max_size=4
).map("".join)


@st.composite
def statements(draw: st.DrawFn) -> list[str]:
    """A script that runs: tables, rows and triggers with awkward names, values and comments."""
    parts = []
    for index, name in enumerate(draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))):
        blank = draw(BLANKS)
        parts.append(f"CREATE TABLE{blank}{name}{blank}(a, [b;c]{blank}DEFAULT 'd;')")
        parts.append(f"CREATE TABLE log{index} (a)")
        ending = draw(st.sampled_from(["END", "end", "/* ; */ END", "-- END;\nEND"]))
        body = f"INSERT INTO log{index}{blank}VALUES ({draw(VALUES)});"
        kind = draw(st.sampled_from(["TRIGGER", "TEMP TRIGGER", f"/* ; */{blank}TRIGGER IF NOT EXISTS"]))
        where = "main." if "TEMP" in kind else ""
        table = f"{where}{name}" if where else name
        parts.append(
            f"CREATE {kind} end{index} AFTER INSERT ON {table}{blank}BEGIN {body * draw(st.integers(1, 3))}{ending}"
        )
        parts.extend(
            f"INSERT INTO {name}{blank}VALUES ({draw(VALUES)},{draw(VALUES)})" for _ in range(draw(st.integers(0, 3)))
        )
    return parts


def dump(connection: sqlite3.Connection) -> list[object]:
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    quoted = ['"' + table.replace('"', '""') + '"' for table in tables]
    schema = connection.execute("SELECT * FROM sqlite_schema UNION ALL SELECT * FROM sqlite_temp_schema ORDER BY 1, 2")
    rows = [connection.execute(f"SELECT * FROM {table}").fetchall() for table in quoted]
    return [[(*row[:3], *row[4:]) for row in schema], rows]


@settings(max_examples=150)
@given(statements(), st.lists(BETWEEN, min_size=60, max_size=60), st.booleans())
def test_one_by_one_is_the_same_as_the_whole(parts: list[str], gaps: list[str], last_semicolon: bool) -> None:
    script = "".join(f"{gap}{part};" for gap, part in zip(gaps, parts, strict=False))
    script = script if last_semicolon else script[:-1]
    found = split(script)
    normal = script.replace("\r\n", "\n")
    assert [statement.text for statement in found] == [part.replace("\r\n", "\n") for part in parts]
    assert all(normal.split("\n")[s.line - 1].find(s.text.split("\n")[0]) >= 0 for s in found)
    # Joined again they split again.
    assert texts(";\n".join(s.text for s in found)) == [s.text for s in found]

    whole = sqlite3.connect(":memory:", isolation_level=None)
    whole.executescript(normal)
    single = sqlite3.connect(":memory:", isolation_level=None)
    for statement in found:
        assert sqlite3.complete_statement(statement.text + ";")
        single.execute(statement.text)
    assert dump(single) == dump(whole)
    whole.close()
    single.close()


@settings(max_examples=3 * settings().max_examples)
@given(st.text())
def test_any_text_is_split_or_refused(script: str) -> None:
    try:
        found = split(script)
    except ScriptSyntaxError:
        return
    assert all(statement.text for statement in found)


@pytest.mark.parametrize(
    "script",
    [
        "INSERT INTO t VALUES ('ada@example.com', 'O''Brien', 'a; b -- c');\n" * 70_000,
        "INSERT INTO t VALUES " + "('a;b', 'c''d', 12),\n" * 200_000 + "(1, 2, 3);",
        "SELECT 1" + " - 1 / 2" * 500_000,
        "SELECT 1; '" + "''" * 2_000_000,
        "/" + "*" * 4_000_000,
        "SELECT" + " " * 4_000_000 + "1",
    ],
    ids=["inserts", "one insert", "operators", "open string", "stars", "blanks"],
)
def test_large_scripts_take_linear_time(script: str) -> None:
    started = time.process_time()
    with contextlib.suppress(ScriptSyntaxError):
        split(script)
    # It takes 0.02 to 0.2 s; anything quadratic would take hours.
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("vacuum", "VACUUM"),
        ("ATTACH'x' AS y", "ATTACH"),
        ("pragma/**/foreign_keys", "PRAGMA"),
        ("DETACH--x\n y", "DETACH"),
        ("-- a\n/* b */ Select 1", "SELECT"),
        ("VACUUM;", "VACUUM"),
        ("p\u0131agma x", "P\u0131AGMA"),
        ("(1)", ""),
        ("", ""),
    ],
)
def test_the_first_word_ends_where_sqlite_s_does(text: str, word: str) -> None:
    assert first_word(text) == word


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("/* a", 1),
        ("SELECT 1;\n/* a\nSELECT 2;\n", 2),
        ("SELECT 1;\n/*/\n", 2),
        ("SELECT 1\n  /* a; SELECT 2;", 2),
        ("SELECT 1;\n-- b\n\n/* a *", 4),
        ("CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END\n/* a\n;", 2),
    ],
)
def test_a_comment_that_is_never_closed(text: str, line: int) -> None:
    with pytest.raises(ScriptSyntaxError, match="the comment that starts here is never closed") as caught:
        split(text)
    assert caught.value.line == line


@pytest.mark.parametrize(
    "text", ["SELECT 1; /* a */", "SELECT 1 /**/", "-- /* a", "SELECT 1 -- /*\n", "/* a *//* b */ SELECT 1"]
)
def test_a_comment_that_is_closed_at_the_end(text: str) -> None:
    split(text)


@pytest.mark.parametrize(("script", "line"), [("\0SELECT 1;", 1), ("SELECT 1;\n\0", 2)])
def test_a_nul_is_refused_wherever_it_is(script: str, line: int) -> None:
    with pytest.raises(ScriptSyntaxError, match="NUL") as caught:
        split(script)
    assert caught.value.line == line
