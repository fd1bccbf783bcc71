"""Statements that need the wire as psql uses it: outside any transaction, with rows, with notices and notifications."""

from __future__ import annotations

import json
import logging
import shutil

import pytest

from tests.conftest import REPOSITORY
from tests.postgresql.conftest import OFF, Workshop, end

PROCEDURE = (
    "CREATE TABLE done (x integer);\nCREATE PROCEDURE fill(n integer) LANGUAGE plpgsql AS $$\nBEGIN\n"
    "  FOR i IN 1..n LOOP INSERT INTO done VALUES (i); COMMIT; END LOOP;\nEND $$;\n"
)


def test_a_script_without_a_transaction_runs_outside_of_any(each_shop: Workshop) -> None:
    shop = each_shop
    shop.query("ALTER ROLE custctl SUPERUSER")
    try:
        name = f"{shop.database.name}_new"
        shop.write(
            "0001_a",
            f"{OFF}{PROCEDURE}CALL fill(2);\nDO $$ BEGIN INSERT INTO done VALUES (3); COMMIT; END $$;\n"
            "DO $$ BEGIN CALL fill(1); ROLLBACK; END $$;\nDO $$ BEGIN INSERT INTO done VALUES (5); END $$;\n"
            "CREATE TABLE part (x integer) PARTITION BY RANGE (x);\n"
            "CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (1) TO (2);\nCREATE INDEX part_x ON part (x);\n"
            "REINDEX TABLE part;\nCLUSTER part USING part_x;\nVACUUM (ANALYZE) done;\n"
            f"CREATE DATABASE {name};\nDROP DATABASE {name};\n"
            "ALTER SYSTEM SET application_name = 'x';\nALTER SYSTEM RESET application_name;\n",
        )
        shop.ok()
    finally:
        shop.query("ALTER ROLE custctl NOSUPERUSER")
    assert shop.query("SELECT x FROM done ORDER BY x") == [(1,), (1,), (2,), (3,), (5,)]
    assert shop.journal() == {"0001_a": ("applied", 16)}


@pytest.mark.parametrize("statement", ["CALL fill(1)", "DO $$ BEGIN INSERT INTO done VALUES (1); COMMIT; END $$"])
def test_what_commits_fails_in_a_transaction_and_the_hint_tells_the_way(shop: Workshop, statement: str) -> None:
    shop.write("0001_a", f"{PROCEDURE}{statement};\n")
    told = shop.refused()
    assert "migrations/0001_a.sql:6: statement 3 of 3 failed: invalid transaction termination" in told
    assert "hint: put `-- custctl: transaction=off` at the top of the script" in told
    shop.write("0001_a", f"{OFF}{PROCEDURE}{statement};\n")
    shop.ok()
    assert shop.query("SELECT x FROM done") == [(1,)]


def test_a_call_that_is_killed_is_in_flight(shop: Workshop) -> None:
    wait = "SELECT pg_advisory_lock(42)"
    shop.write(
        "0001_a",
        f"{OFF}CREATE TABLE done (x integer);\nCREATE PROCEDURE fill() LANGUAGE plpgsql AS $$\nBEGIN\n"
        f"  INSERT INTO done VALUES (1); COMMIT; PERFORM pg_advisory_lock(42); PERFORM pg_advisory_unlock(42);\nEND $$;\n"
        f"CALL fill();\nINSERT INTO done VALUES (2);\n",
    )
    with shop.database.connect() as connection:
        connection.execute(wait)
        process = shop.start()
        shop.wait_for(lambda: shop.sessions("wait_event_type = 'Lock' AND query LIKE 'CALL%'"), process)
        process.kill()
        end(process)
        shop.query("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE 'CALL%'")
    told = shop.refused("-o", "json", code=13)
    error = json.loads(told.splitlines()[-1])["error"]
    assert error["message"] == "migrations/0001_a.sql:7: statement 3 of 4: whether it took effect is unknown"
    assert (error["details"]["line"], error["details"]["statement"]) == (7, 3)
    shop.query("DELETE FROM done")
    shop.ok("repair", "--yes")
    shop.ok()
    assert shop.query("SELECT x FROM done ORDER BY x") == [(1,), (2,)]


@pytest.mark.parametrize("arguments", [(), ("-o", "json"), ("--dry-run",), ("validate",)])
@pytest.mark.parametrize("header", ["", OFF])
@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("COPY a TO STDOUT;", "`COPY … TO STDOUT` writes rows to its client"),
        ("COPY (SELECT x FROM a) TO STDOUT (FORMAT csv);", "`COPY … TO STDOUT` writes rows to its client"),
        ("COPY a FROM stdin (FORMAT binary);\nabc\n\\.", "rows in the binary format cannot follow in a script"),
        ("COPY a FROM stdin;", "the rows of this COPY are not followed by a line `\\.`"),
        ("COPY a FROM stdin;\n1\n2", "the rows of this COPY are not followed by a line `\\.`"),
        ("\\copy a from 'file'", "`\\copy` is a psql command"),
        ("\\i other.sql", "`\\i` is a psql command"),
        ("\\connect other", "`\\connect` is a psql command"),
        ("\\set x 1", "`\\set` is a psql command"),
        ("SELECT 'DROP TABLE a' \\gexec", "`\\gexec` is a psql command"),
        ("SELECT 1 AS one \\gset", "`\\gset` is a psql command"),
        ("SELECT 1\\; SELECT 2;", "`\\` is a psql command"),
    ],
)
def test_what_a_script_has_no_place_for(
    shop: Workshop, statement: str, reason: str, header: str, arguments: tuple[str, ...]
) -> None:
    shop.write("0001_a", f"{header}CREATE TABLE a (x integer);\n{statement}\n")
    result = shop.migrate(*arguments)
    assert result.code == 11
    assert "Traceback" not in result.err
    line = 3 if header else 2
    if arguments == ("validate",):
        assert f"migrations/0001_a.sql\t{line}\tunfit\t" in result.out
        assert reason in result.out
    else:
        assert f"migrations/0001_a.sql:{line}: " in result.err
        assert reason in result.err.replace("\\\\", "\\")
    assert shop.names() == set()


@pytest.mark.parametrize("header", ["", OFF])
@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("COPY a FROM '/nowhere/at/all'", "permission denied to COPY from a file"),
        ("DO $$ BEGIN COPY a TO STDOUT; END $$", "cannot COPY to/from client in PL/pgSQL"),
        ("SELECT :'variable'", "syntax error"),
        ("START_REPLICATION SLOT x LOGICAL 0/0", "syntax error"),
        ("COPY a FROM stdin;\n1\nno number\n\\.\n", "invalid input syntax for type integer"),
        ("COPY a FROM stdin;\n1\t2\n\\.\n", "extra data after last expected column"),
    ],
)
def test_what_the_server_refuses(
    shop: Workshop, statement: str, reason: str, header: str, caplog: pytest.LogCaptureFixture
) -> None:
    shop.write("0001_a", f"{header}CREATE TABLE a (x integer);\n{statement};\n")
    with caplog.at_level(logging.WARNING):
        result = shop.migrate()
    assert result.code in (4, 11)
    assert f"migrations/0001_a.sql:{3 if header else 2}: statement 2 of 2 failed: " in result.err
    assert reason in result.err
    assert "Traceback" not in result.err
    assert not caplog.records


_RAISE = "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$"


@pytest.mark.parametrize("header", ["", OFF])
@pytest.mark.parametrize(
    ("statement", "code", "hint"),
    [
        # What a statement names is not the session's own database, login or node.
        ("ALTER DATABASE nowhere SET work_mem = '4MB'", 11, "fix the script"),
        ("GRANT CONNECT ON DATABASE nowhere TO PUBLIC", 11, "fix the script"),
        (_RAISE.format(state="3D000"), 11, "fix the script"),
        (_RAISE.format(state="28000"), 11, "fix the script"),
        (_RAISE.format(state="28P01"), 11, "fix the script"),
        (_RAISE.format(state="25006"), 11, "fix the script"),
        # The profile's time limit is not a script's.
        ("SET statement_timeout = '50ms'; SELECT pg_sleep(9)", 3, "if the script sets `statement_timeout`"),
        ("SET transaction_timeout = '50ms'; SELECT pg_sleep(9)", 3, "if the script sets `transaction_timeout`"),
        ("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(9)", 3, "run it again"),
        (_RAISE.format(state="40P01"), 3, "run it again: another transaction was in the way"),
        # The server's own hint is about the statement.
        ("CREATE VIEW a AS SELECT 1 AS x; CREATE VIEW b AS SELECT * FROM a; DROP VIEW a", 11, "Use DROP ... CASCADE"),
        ("DO $$ BEGIN RAISE EXCEPTION 'no' USING HINT = 'ask Bob.'; END $$", 11, "hint: ask Bob"),
        ("DO $$ BEGIN RAISE 'no' USING ERRCODE = '53200', HINT = 'ask Bob'; END $$", 3, "hint: ask Bob"),
    ],
)
def test_an_error_with_a_special_meaning_is_the_script_s(
    shop: Workshop, statement: str, code: int, hint: str, header: str
) -> None:
    shop.write("0001_a", f"{header}{statement};\n")
    told = shop.refused(code=code)
    assert f"migrations/0001_a.sql:{2 if header else 1}: statement " in told
    assert "node `" not in told or "53200" in statement
    assert "nothing was written" not in told
    assert hint in told.splitlines()[-1]
    assert "profile" not in told.splitlines()[-1]


@pytest.mark.parametrize("header", ["", OFF])
def test_what_comes_back_besides_is_no_trouble(shop: Workshop, header: str) -> None:
    shop.write(
        "0001_a",
        f"{header}SET client_encoding = 'SQL_ASCII';\nLISTEN straße;\nNOTIFY straße, 'Zürich';\nSELECT 1;\nSELECT 2;\n"
        "SELECT pg_notify('straße', 'ß') FROM generate_series(1, 3);\n"
        "DO $$ BEGIN RAISE WARNING 'Zürich'; END $$;\nCREATE TABLE a (x integer);\nCOPY a FROM stdin;\n1\n\\.\n"
        "COPY a FROM stdin WITH (FORMAT csv);\n\\.\nSELECT * FROM a;\n",
    )
    shop.write("0002_b", "SELECT 'ß';\n")
    assert "Zürich" in shop.ok().err
    assert shop.query("SELECT x FROM a") == [(1,)]


def test_a_seed_is_run_in_the_same_way(shop: Workshop) -> None:
    shutil.copytree(REPOSITORY / "sql", shop.folder.parent, dirs_exist_ok=True)
    shop.ok()
    shop.write("seed/reference/a", "SET DateStyle = 'German';\nSET client_encoding = 'SQL_ASCII';\nSELECT 'ß';\n")
    shop.write("seed/reference/b", f"{OFF}SET DateStyle = 'German';\nDO $$ BEGIN COMMIT; END $$;\n")
    seeded = shop.run("seed", "--set", "reference")
    assert seeded.code == 0, seeded.err
    shop.write("seed/reference/c", "COPY customer TO STDOUT;\n")
    refused = shop.run("seed", "--set", "reference")
    assert refused.code == 11
    assert "error: seed/reference/c.sql:1: `COPY … TO STDOUT` writes rows" in refused.err
    assert "Traceback" not in refused.err
