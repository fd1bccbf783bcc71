"""What is done CONCURRENTLY: it never stays half-done, and no run takes another one's work away."""

from __future__ import annotations

import threading

import pytest

from tests.postgresql.conftest import OFF, Workshop, end

BUILDING = "query LIKE 'CREATE%INDEX%' AND wait_event_type = 'Lock'"


def filled(shop: Workshop, *, schema: str = "public") -> None:
    """Apply a script that makes a table with a value that stands twice."""
    shop.write(
        "0001_t",
        f"CREATE SCHEMA IF NOT EXISTS {schema};\nCREATE TABLE {schema}.t (id integer, x integer);\n"
        f"INSERT INTO {schema}.t SELECT n, n FROM generate_series(1, 1000) n;\nINSERT INTO {schema}.t VALUES (0, 7);\n",
    )
    shop.ok()


def test_an_invalid_leftover_is_built_anew_once_the_data_is_mended(each_shop: Workshop) -> None:
    shop = each_shop
    filled(shop)
    shop.write("0002_u", f"{OFF}CREATE TABLE before (x integer);\nCREATE UNIQUE INDEX CONCURRENTLY t_x ON t (x);\n")
    error = shop.refused()
    assert "migrations/0002_u.sql:3: statement 2 of 2 failed: could not create unique index" in error
    assert shop.indexes(valid=False) == {"t_x"}
    # Run again as it is, it fails in the same way, and does not trip over what it left.
    assert "could not create unique index" in shop.refused()
    shop.query("DELETE FROM t WHERE id = 0")
    shop.ok()
    assert shop.indexes("t_x") == {"t_x"}
    assert shop.indexes(valid=False) == set()
    assert shop.journal()["0002_u"] == ("applied", 2)


def test_if_not_exists_does_not_take_an_invalid_index_for_one_that_is_there(shop: Workshop) -> None:
    filled(shop)
    text = f"{OFF}CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_x ON t (x);\n"
    shop.write("0002_u", text)
    assert "could not create unique index" in shop.refused()
    assert shop.indexes(valid=False) == {"t_x"}
    shop.query("DELETE FROM t WHERE id = 0")
    shop.ok()
    assert shop.indexes("t_x") == {"t_x"}
    # One that is valid is left as it is.
    before = shop.query("SELECT oid FROM pg_class WHERE relname = 't_x'")
    shop.write("0003_u", text)
    shop.ok()
    assert shop.query("SELECT oid FROM pg_class WHERE relname = 't_x'") == before


@pytest.mark.parametrize("table", ["odd.t", '"odd" . "t"'])
def test_an_index_lies_in_the_schema_of_its_table(shop: Workshop, table: str) -> None:
    filled(shop, schema="odd")
    # One of the same name elsewhere is another index.
    shop.query("CREATE TABLE public.other (x integer); CREATE INDEX t_x ON public.other (x)")
    shop.write("0002_u", f"{OFF}CREATE UNIQUE INDEX CONCURRENTLY t_x ON {table} (x);\n")
    shop.refused()
    assert shop.indexes("t_x", valid=False) == {"t_x"}
    shop.query("DELETE FROM odd.t WHERE id = 0")
    shop.ok()
    assert shop.query("SELECT count(*) FROM pg_indexes WHERE indexname = 't_x'") == [(2,)]
    assert shop.indexes(valid=False) == set()


def test_an_index_that_another_session_builds_is_not_dropped(shop: Workshop) -> None:
    filled(shop)
    shop.write("0002_i", f"{OFF}CREATE INDEX CONCURRENTLY t_id ON t (id);\n")
    with shop.database.connect() as writer, shop.database.connect(application_name="dba") as builder:
        writer.execute("BEGIN")
        writer.execute("INSERT INTO t VALUES (-1, -1)")
        thread = threading.Thread(target=builder.execute, args=("CREATE INDEX CONCURRENTLY t_id ON t (id)",))
        thread.start()
        shop.wait_for(lambda: shop.query("SELECT 1 FROM pg_stat_progress_create_index"))
        error = shop.refused(code=3)
        assert "another session is building the index `t_id`" in error
        assert "hint: wait until it ends, and run it again" in error
        writer.execute("COMMIT")
        thread.join(20)
    assert shop.indexes("t_id") == {"t_id"}, "the other session's work"
    # It is not this script's: a name that is taken is for a person to settle.
    assert "already exists" in shop.refused()


def test_a_long_transaction_delays_a_build_and_no_time_limit_ends_it(shop: Workshop) -> None:
    filled(shop)
    shop.project.profile("dev", "development", statement_timeout="200ms")
    shop.write(
        "0002_i",
        f"{OFF}SET lock_timeout = '150ms';\nCREATE INDEX CONCURRENTLY t_id ON t (id);\n"
        "CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS held;\n",
    )
    with shop.database.connect() as writer:
        writer.execute("BEGIN")
        writer.execute("INSERT INTO t VALUES (-1, -1)")
        process = shop.start()
        shop.wait_for(
            lambda: shop.sessions(f"{BUILDING} AND query_start < clock_timestamp() - interval '1 s'"), process
        )
        writer.execute("COMMIT")
    assert end(process).code == 0
    assert shop.indexes("t_id") == {"t_id"}
    assert shop.query("SELECT held FROM seen") == [("150ms",)], "what the script had set is put back"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX CONCURRENTLY t_id ON t (id)",
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_id ON t (id)",
        "DROP INDEX CONCURRENTLY t_id",
        "REINDEX TABLE CONCURRENTLY t",
        "VACUUM t",
        "DISCARD ALL",
        "CREATE DATABASE other",
        "ALTER SYSTEM SET work_mem = '5MB'",
    ],
)
def test_what_needs_no_transaction_is_refused_before_anything_runs(shop: Workshop, statement: str) -> None:
    shop.tables("a")
    shop.write("0002_i", f"CREATE TABLE t (id integer);\n{statement};\n")
    error = shop.refused()
    first = " ".join(statement.split()[:2])
    assert f"migrations/0002_i.sql:2: `{first}" in error
    assert "-- custctl: transaction=off" in error
    assert shop.names() == set(), "0001 neither"
    found = shop.migrate("validate", "-o", "json").json["items"]
    unfit = next(row for row in found if row["script"] == "migrations/0002_i.sql")
    assert (unfit["severity"], unfit["rule"], unfit["line"]) == ("error", "unfit", 2)


# -- cut off in the midst --------------------------------------------------------------------------


def cut_off(shop: Workshop, statement: str, *, finish: bool) -> None:
    """Apply a script whose second statement is cut off: its session is ended in the midst, or the program alone.

    Args:
        finish: whether the server comes to the end of the statement, of which the program does not learn.
    """
    shop.write("0002_s", f"{OFF}INSERT INTO t VALUES (-5, -5);\n{statement};\nINSERT INTO t VALUES (-6, -6);\n")
    with shop.database.connect() as writer:
        writer.execute("BEGIN")
        writer.execute("INSERT INTO t VALUES (-1, -1)")
        process = shop.start()
        shop.wait_for(lambda: shop.sessions("query LIKE '%CONCURRENTLY%' AND wait_event_type = 'Lock'"), process)
        (session,) = shop.sessions()
        process.kill()
        end(process)
        if not finish:
            shop.query("SELECT pg_terminate_backend(%s, 5000)", session)
        writer.execute("COMMIT")
    shop.wait_for(lambda: not shop.sessions())
    assert shop.journal()["0002_s"] == ("running", 1)


STATEMENTS = [
    "CREATE INDEX CONCURRENTLY t_id ON t (id)",
    "DROP INDEX CONCURRENTLY t_x",
    "DROP INDEX CONCURRENTLY IF EXISTS public.t_x",
    "REINDEX INDEX CONCURRENTLY t_x",
    "REINDEX (VERBOSE) TABLE CONCURRENTLY public.t",
    "REINDEX (CONCURRENTLY) TABLE t",
]


@pytest.mark.parametrize("how", ["rerun", "repair"])
@pytest.mark.parametrize("finish", [True, False])
@pytest.mark.parametrize("statement", STATEMENTS)
def test_what_was_cut_off_is_settled_by_looking(shop: Workshop, statement: str, finish: bool, how: str) -> None:
    filled(shop)
    shop.query("CREATE INDEX t_x ON t (x); ALTER INDEX t_x OWNER TO custctl")
    cut_off(shop, statement, finish=finish)
    if how == "repair":
        shop.ok("repair")
        assert shop.journal()["0002_s"][0] == "failed"
    shop.ok()
    expected = {"t_id", "t_x"} if statement.startswith("CREATE") else set() if "DROP" in statement else {"t_x"}
    assert shop.indexes("t%") == expected
    assert shop.indexes(valid=False) == set(), "nothing half-done, nor a `_ccnew` or `_ccold`, is left behind"
    assert shop.query("SELECT id FROM t WHERE id < -4 ORDER BY id") == [(-6,), (-5,)]
    assert shop.journal()["0002_s"] == ("applied", 3)
