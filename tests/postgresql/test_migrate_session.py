"""The session on which scripts run: its lock, its settings, and what a script may not take away."""

from __future__ import annotations

import signal
import time

import pytest

from tests.postgresql.conftest import GATE, OFF, OURS, Workshop, end
from tests.servers.postgresql import PostgresqlServer

# -- the lock --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["SELECT pg_advisory_unlock_all();\n", f"{OFF}DISCARD ALL;\n"])
def test_a_script_that_gives_up_the_lock_is_noticed_before_the_next(each_shop: Workshop, text: str) -> None:
    shop = each_shop
    shop.tables("a")
    shop.write("0002_unlock", text)
    shop.write("0003_c", "CREATE TABLE c (x integer);\n")
    error = shop.refused(code=3)
    assert "the migration lock was lost before `migrations/0003_c.sql`; this run applied 2 scripts" in error
    assert "a script that releases its session's locks" in error
    assert shop.names() == {"a"}
    shop.ok()
    assert shop.names() == {"a", "c"}


def test_a_session_that_is_ended_between_scripts(shop: Workshop) -> None:
    shop.tables("a")
    shop.write("0002_gate", f"CREATE TABLE b (x integer);\n{GATE}")
    shop.write("0003_c", "CREATE TABLE c (x integer);\n")
    with shop.gate():
        process = shop.start()
        shop.wait_for(shop.at_gate, process)
        process.send_signal(signal.SIGSTOP)
    # The second script is run to its last statement, and its client stands still: nothing of it is committed.
    shop.wait_for(lambda: shop.sessions("state = 'idle in transaction'"))
    shop.query(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {OURS}")
    process.send_signal(signal.SIGCONT)
    result = end(process)
    assert result.code == 3, result.err
    assert "lost" in result.err
    assert shop.names() == {"a"}
    shop.ok()
    assert shop.names() == {"a", "b", "c"}
    assert shop.query("SELECT x FROM a") == [(1,)]


def test_a_lock_that_somebody_else_has_taken_meanwhile(shop: Workshop) -> None:
    # A pooler may give the next transaction another server's session: what the journal holds decides.
    shop.tables("a")
    shop.write("0002_gate", f"SELECT pg_advisory_unlock_all();\nCREATE TABLE b (x integer);\n{GATE}")
    shop.write("0003_c", "CREATE TABLE c (x integer);\n")
    with shop.gate():
        first = shop.start()
        shop.wait_for(shop.at_gate, first)
        second = shop.start()
        shop.wait_for(lambda: len(shop.sessions()) == 2, second)
        time.sleep(0.5)
    outcomes = [end(first), end(second)]
    assert sorted(outcome.code for outcome in outcomes) == [3, 11]
    shop.ok()
    assert shop.names() == {"a", "b", "c"}
    assert shop.query("SELECT count(*), count(DISTINCT name) FROM schema_migration") == [(3, 3)]


def test_a_time_out_names_the_holder(shop: Workshop) -> None:
    shop.write("0001_gate", GATE)
    with shop.gate():
        holder = shop.start()
        shop.wait_for(shop.at_gate, holder)
        (pid,) = shop.sessions()
        began = time.monotonic()
        error = shop.refused("--lock-timeout", "1s", code=3)
        assert 1 <= time.monotonic() - began < 20
    assert f"another migration holds the lock: session {pid} of custctl from 127.0.0.1 (custctl " in error
    assert "--lock-timeout" in error
    assert end(holder).code == 0


# -- settings --------------------------------------------------------------------------------------

SETTINGS = """SELECT ARRAY[
  current_setting('search_path'), current_setting('TimeZone'), current_setting('statement_timeout'),
  current_setting('lock_timeout'), current_setting('DateStyle'), current_user::text, session_user::text,
  current_setting('standard_conforming_strings'), current_setting('client_encoding'),
  current_setting('check_function_bodies'), current_setting('default_transaction_isolation'),
  (SELECT count(*) FROM pg_prepared_statements WHERE from_sql)::text, (SELECT count(*) FROM pg_cursors)::text,
  (SELECT count(*) FROM pg_listening_channels())::text, (to_regclass('pg_temp.held') IS NULL)::text
] AS held"""
WILD = """
SELECT pg_catalog.set_config('search_path', '', false);
SET TIME ZONE 'Pacific/Auckland';
SET statement_timeout = '10s';
SET lock_timeout = '7s';
SET DateStyle = 'German';
SET check_function_bodies = off;
SET default_transaction_isolation = 'serializable';
PREPARE held AS SELECT 1;
DECLARE held CURSOR WITH HOLD FOR SELECT 1;
LISTEN held;
CREATE TEMPORARY TABLE held (x integer);
CREATE TABLE public.wild (at timestamptz DEFAULT now());
INSERT INTO public.wild DEFAULT VALUES;
SET ROLE {role};
SET standard_conforming_strings = off;
SET client_encoding = 'LATIN1';
"""


@pytest.mark.parametrize("header", ["", OFF])
def test_what_a_script_sets_does_not_reach_the_next_nor_the_journal(each_shop: Workshop, header: str) -> None:
    shop = each_shop
    shop.database.create_role(f"{shop.database.name}_app")
    shop.query(f"GRANT {shop.database.name}_app TO custctl")
    shop.write("0001_before", f"CREATE TABLE before AS {SETTINGS};\n")
    wild = WILD.format(role=f"{shop.database.name}_app")
    if header:
        # The next one begins in a transaction of its own, which the journal shares.
        wild = wild.replace("DECLARE held CURSOR WITH HOLD FOR SELECT 1;\n", "")
    shop.write("0002_wild", header + wild)
    shop.write("0003_after", f"CREATE TABLE after AS {SETTINGS};\n")
    shop.ok()
    assert [state for state, _ in shop.journal().values()] == ["applied"] * 3
    ((before,),) = shop.query("SELECT held FROM before")
    assert shop.query("SELECT held FROM after") == [(before,)]
    assert before[0] == "public"
    assert before[5:7] == ["custctl", "custctl"]
    rows = shop.query("SELECT finished_at - started_at < interval '1 minute' FROM schema_migration")
    assert rows == [(True,)] * 3
    shop.query(f"DROP OWNED BY {shop.database.name}_app")


def test_a_session_that_has_no_search_path_finds_its_journal(shop: Workshop) -> None:
    shop.tables("a")
    shop.query(f"ALTER ROLE custctl IN DATABASE {shop.database.name} SET search_path = ''")
    shop.ok()
    assert shop.names() == {"a"}
    assert "nothing to do" in shop.ok().err


def test_the_statement_that_failed_is_named_however_many_are_sent_at_once(shop: Workshop) -> None:
    good = "".join(f"CREATE TABLE t{number} (x integer);\n" for number in range(5))
    cases = {
        "INSERT INTO t0 VALUES (1 / 0);": "division by zero",
        "SELEKT 1;": "syntax error at or near",
        "INSERT INTO nowhere VALUES ('ä€😀');": "does not exist",
        "DO $$ BEGIN RAISE EXCEPTION 'on purpose'; END $$;": "on purpose",
        "SELECT 'ä€😀' AS a, 1 AS b, nothing;": 'column "nothing" does not exist',
    }
    for statement, reason in cases.items():
        shop.write("0001_t", f"-- 😀\n{good}SELECT 'ä€😀';\n{statement}\n{good.replace('t', 'u')}")
        error = shop.refused()
        assert "migrations/0001_t.sql:8: statement 7 of 12 failed: " in error, error
        assert reason in error
        assert "none of it was kept" in error
        assert shop.names() == set()


@pytest.mark.parametrize(
    "statement",
    [
        "DO $$ BEGIN INSERT INTO a VALUES (2); COMMIT; END $$",
        "CALL commits()",
        "DO $$ BEGIN ROLLBACK; END $$",
    ],
)
def test_a_block_that_would_end_the_transaction(shop: Workshop, statement: str) -> None:
    shop.tables("a")
    shop.ok()
    shop.write("0002_t", f"CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;\n{statement};\n")
    error = shop.refused()
    assert "statement 2 of 2 failed: invalid transaction termination" in error
    assert shop.query("SELECT x FROM a") == [(1,)]
    assert shop.journal().keys() == {"0001_a"}
    # Where nothing is open it may.
    shop.write("0002_t", f"{OFF}CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;\nVACUUM a;\n")
    shop.ok()


@pytest.mark.parametrize(
    "setting", ["TRANSACTION ISOLATION LEVEL SERIALIZABLE", "LOCAL transaction_isolation = 'repeatable read'"]
)
def test_a_script_that_wants_another_kind_of_transaction_is_told_how(shop: Workshop, setting: str) -> None:
    shop.tables("a")
    shop.ok()
    shop.write("0002_t", f"SET {setting};\nINSERT INTO a VALUES (2);\n")
    error = shop.refused()
    assert "0002_t.sql:1: statement 1 of 2 failed: " in error
    assert "must be called before any query" in error
    assert "put `-- custctl: transaction=off` at the top of the script, and write its transaction there" in error
    shop.write(
        "0002_t",
        f"{OFF}BEGIN ISOLATION LEVEL SERIALIZABLE;\nSET {setting};\n"
        "INSERT INTO a SELECT 2 WHERE current_setting('transaction_isolation') <> 'read committed';\nCOMMIT;\n",
    )
    shop.ok()
    assert shop.query("SELECT x FROM a ORDER BY x") == [(1,), (2,)]


def test_a_script_that_makes_its_transaction_read_only(shop: Workshop) -> None:
    shop.write("0001_a", "SET TRANSACTION READ ONLY;\nSELECT 1;\n")
    error = shop.refused()
    assert "migrations/0001_a.sql:2: after statement 2 of 2: the journal cannot be written: " in error
    assert "do not make the transaction read-only" in error
    assert "LOCATION" not in error


@pytest.mark.parametrize("options", ["", OFF])
def test_a_trigger_that_drops_rows_of_the_journal_undoes_the_script(shop: Workshop, options: str) -> None:
    shop.tables("a")
    shop.write(
        "0002_trigger",
        "CREATE FUNCTION dropped() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF new.name LIKE '%0003%' THEN RETURN NULL; END IF; RETURN new; END $$;\n"
        "CREATE TRIGGER kept BEFORE INSERT ON schema_migration FOR EACH ROW EXECUTE FUNCTION dropped();\n",
    )
    shop.write("0003_b", f"{options}CREATE TABLE b (x bigint);\n")
    error = shop.refused()
    assert "0003_b.sql" in error and "a trigger drops the row on its way into `schema_migration`" in error
    assert shop.names() == {"a"}
    assert shop.journal().keys() == {"0001_a", "0002_trigger"}


# -- what the server says --------------------------------------------------------------------------


def test_warnings_of_a_script_are_shown(shop: Workshop) -> None:
    shop.tables("a")
    shop.write(
        "0002_w",
        "DO $$ BEGIN RAISE WARNING 'mind \x1b[31mthis' USING HINT = 'or that'; RAISE NOTICE 'not this'; END $$;\n"
        "SELECT 1;\nSELECT 2;\n",
    )
    shop.write("0003_u", "-- custctl: substitute\nDO $$ BEGIN RAISE WARNING 'it is ${SECRET_WORD}'; END $$;\n")
    shop.project.environ["SECRET_WORD"] = "sesame-open"
    told = shop.ok().err
    assert "warning: migrations/0002_w.sql: mind \\x1b[31mthis\nhint: or that\n" in told.replace("\\u001b", "\\x1b")
    assert "not this" not in told
    assert "warning: migrations/0003_u.sql: it is " in told
    assert "sesame" not in told


# -- nodes that take no writes ---------------------------------------------------------------------


def test_a_database_that_is_read_only_by_default_is_refused(shop: Workshop) -> None:
    shop.tables("a")
    shop.ok()
    shop.tables("a", "b")
    shop.query(f"ALTER DATABASE {shop.database.name} SET default_transaction_read_only = on")
    error = shop.refused(code=7)
    assert "`default_transaction_read_only` is on for this login or database" in error
    assert f"ALTER DATABASE {shop.database.name} RESET default_transaction_read_only" in error.replace('"', "")
    assert shop.names() == {"a"}


def test_a_standby_is_refused(shop: Workshop, own_postgresql: PostgresqlServer) -> None:
    primary, dev = own_postgresql, shop.project.databases["dev"]
    database = primary.create_database()
    shop.project.databases["dev"] = database
    shop.project.names["dev"] = database.name
    standby = PostgresqlServer.create(primary.installation, primary.workplace)
    standby.remove_data()
    source = ["-h", str(primary.folder), "-p", str(primary.port), "-U", "postgres", "-c", "fast"]
    standby.tool("pg_basebackup", "-D", standby.data, "-R", *source)
    standby.start()
    nodes = [{"name": name, "host": node.host, "port": node.port} for name, node in (("b", standby), ("a", primary))]
    try:
        shop.tables("a")
        shop.project.profile("dev", "development", nodes=nodes[:1])
        assert "is a read-only standby" in shop.refused(code=7)
        # Where the primary is among the nodes, it is the one.
        shop.project.profile("dev", "development", nodes=nodes)
        shop.ok()
        assert shop.names() == {"a"}
        shop.wait_for(lambda: standby.sql("SELECT 1 FROM pg_tables WHERE tablename = 'a'", dbname=database.name))
        shop.project.profile("dev", "development", nodes=nodes[:1])
        shop.tables("a", "b")
        assert "is a read-only standby" in shop.refused(code=7)
        assert "is a read-only standby" in shop.refused("repair", "--yes", code=7)
    finally:
        standby.close()
        shop.project.databases["dev"] = dev


def test_race_for_a_lock_that_a_killed_waiter_leaves(shop: Workshop) -> None:
    shop.write("0001_gate", f"CREATE TABLE a (x integer);\n{GATE}")
    with shop.gate():
        first = shop.start()
        shop.wait_for(shop.at_gate, first)
        waiter = shop.start()
        shop.wait_for(lambda: len(shop.sessions()) == 2, waiter)
        waiter.kill()
        end(waiter)
        shop.wait_for(lambda: len(shop.sessions()) == 1)
    assert end(first).code == 0
    assert "nothing to do" in shop.ok("--lock-timeout", "0s").err


def test_a_foreign_lock_of_another_database_is_none_of_ours(shop: Workshop) -> None:
    shop.write("0001_gate", GATE)
    other = shop.database.server.create_database()
    try:
        with shop.gate():
            first = shop.start()
            shop.wait_for(shop.at_gate, first)
            shop.project.names["other"] = other.name
            shop.project.profile("other", "development")
            beside = end(shop.start("--env", "other"))
            assert beside.code == 0, beside.err
        assert end(first).code == 0
    finally:
        other.drop()
