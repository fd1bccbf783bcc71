"""`custctl migrate` killed at any moment on PostgreSQL, and run again."""

from __future__ import annotations

import logging
import os
import random
import signal
import time

from tests.postgresql.conftest import GATE, OFF, OURS, Workshop, end

KILLS = int(os.environ.get("CUSTCTL_TEST_KILLS", "8"))
"""How many runs are killed; 200 for a soak."""
SCRIPTS = 15
ROWS = 60_000

OFF_STEPS = (2, 4, 6, 7, 10)
"""The statements of `_off` that insert their own number; 3 and 9 build indexes, 5 and 8 are BEGIN and COMMIT."""


def _in_transaction(number: int) -> str:
    rows = "".join(f"INSERT INTO t{number} VALUES ({row});\n" for row in range(5))
    return f"CREATE TABLE t{number} (x INTEGER);\n{rows}INSERT INTO log VALUES ({number});\n"


def _off(number: int) -> str:
    table = f"off{number}"
    return f"""{OFF}CREATE TABLE {table} (step INTEGER);
INSERT INTO {table} VALUES (2);
CREATE INDEX CONCURRENTLY filled_{number}_x ON filled (x);
INSERT INTO {table} VALUES (4);
BEGIN;
INSERT INTO {table} VALUES (6);
INSERT INTO {table} VALUES (7);
COMMIT;
CREATE UNIQUE INDEX CONCURRENTLY filled_{number}_u ON filled (id, x);
INSERT INTO {table} VALUES (10);
"""


LEFT = (
    f"SELECT 1 FROM pg_stat_activity WHERE {OURS}",
    f"SELECT 1 FROM pg_stat_activity WHERE {OURS} AND pg_terminate_backend(pid)",
)


def _is_off(number: int) -> bool:
    return number > 2 and number % 3 == 0


def _check(shop: Workshop) -> int:
    """Make sure that nothing is half applied in a database that nobody works in; return how many are applied."""
    if not shop.query("SELECT to_regclass('public.schema_migration')")[0][0]:
        assert shop.names() == set()
        return 0
    tables, journal, valid = shop.names(), shop.journal(), shop.indexes("filled_%")
    for number in range(1, SCRIPTS + 1):
        name = f"{number:04d}_s"
        state, applied = journal.get(name, ("pending", 0))
        if _is_off(number):
            assert state in ("pending", "running", "applied", "failed")
            rows = shop.query(f"SELECT step FROM off{number} ORDER BY ctid") if f"off{number}" in tables else []
            assert [row for (row,) in rows] == [step for step in OFF_STEPS if step <= applied], f"{name} {applied}"
            assert (f"off{number}" in tables) == (applied >= 1)
            # One that is in flight may be built already.
            assert f"filled_{number}_x" in valid or applied < 3
            assert f"filled_{number}_u" in valid or applied < 9
            assert applied >= 2 or f"filled_{number}_x" not in valid
        elif number > 1:
            assert state in ("pending", "applied")
            assert (f"t{number}" in tables) == (state == "applied"), name
            if state == "applied":
                assert shop.query(f"SELECT x FROM t{number}") == [(row,) for row in range(5)]
                assert shop.query(f"SELECT count(*) FROM log WHERE script = {number}") == [(1,)]
    return sum(state == "applied" for state, _ in journal.values())


def test_killed_at_a_random_moment_and_run_again(shop: Workshop) -> None:
    shop.write(
        "0001_s",
        "CREATE TABLE log (script INTEGER);\nCREATE TABLE filled (id INTEGER, x INTEGER);\n"
        f"INSERT INTO filled SELECT n, n % 100 FROM generate_series(1, {ROWS}) n;\n",
    )
    for number in range(2, SCRIPTS + 1):
        shop.write(f"{number:04d}_s", _off(number) if _is_off(number) else _in_transaction(number))
    begun = time.monotonic()
    shop.ok()
    whole = time.monotonic() - begun
    assert _check(shop) == SCRIPTS

    luck = random.Random(20261)
    kills, halfway, orphans, invalid = 0, 0, 0, 0
    watch = shop.database.connect()
    # How often a run is killed in the midst of its work is luck.
    while kills < KILLS or (halfway < KILLS // 4 and kills < 10 * KILLS):
        shop.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION custctl")
        # One database, killed again and again until a run comes through.
        while True:
            process = shop.start()
            while not shop.sessions() and process.poll() is None:
                time.sleep(0.01)
            # The server's own process goes too, in the midst of what it does; or works on and ends; or still works
            # while the next run begins.
            what = luck.choice(["terminated", "left alone", "in the way"])
            time.sleep(luck.uniform(0, whole))
            process.kill()
            orphans += bool(watch.execute(LEFT[what == "terminated"]).fetchall())
            killed = end(process)
            assert killed.code in (-signal.SIGKILL, 0), killed.err
            if what != "in the way":
                shop.wait_for(lambda: not shop.sessions())
                halfway += 0 < _check(shop) < SCRIPTS
                invalid += bool(shop.indexes(valid=False))
            kills += killed.code != 0
            if killed.code == 0 or kills % KILLS == 0:
                break
        last = end(shop.start())
        assert last.code == 0, last.err
        assert _check(shop) == SCRIPTS
        offs = sum(_is_off(n) for n in range(1, SCRIPTS + 1))
        assert shop.query("SELECT count(*), count(DISTINCT name) FROM schema_migration") == [(SCRIPTS, SCRIPTS)]
        assert shop.query("SELECT count(*) FROM log") == [(SCRIPTS - 1 - offs,)]
        assert shop.query("SELECT count(*), sum(x) FROM filled") == [(ROWS, 99 * ROWS // 2)]
        assert len(shop.indexes("filled_%")) == 2 * offs
        assert shop.indexes(valid=False) == set()
        assert "nothing to do" in shop.ok("--lock-timeout", "0s").err
    watch.close()
    told = f"{kills} kills: {halfway} in the midst of the work, {orphans} left a session, {invalid} an INVALID index"
    logging.getLogger(__name__).info(told)
    assert halfway >= KILLS // 4, told


def test_an_orphan_that_still_works_holds_the_lock(shop: Workshop) -> None:
    shop.tables("a")
    shop.write("0002_gate", f"{OFF}CREATE TABLE b (x INTEGER);\n{GATE}INSERT INTO b VALUES (1);\n")
    with shop.gate():
        first = shop.start()
        shop.wait_for(shop.at_gate, first)
        (orphan,) = shop.sessions()
        first.kill()
        end(first)
        error = shop.refused("--lock-timeout", "300ms", code=3)
        assert f"another migration holds the lock: session {orphan} of custctl" in error
        assert shop.journal()["0002_gate"] == ("running", 1)
        second = shop.start("-o", "json")
        shop.wait_for(lambda: len(shop.sessions()) == 2, second)
    assert end(second).code == 0
    assert shop.journal() == {"0001_a": ("applied", 1 + 1), "0002_gate": ("applied", 4)}
    assert shop.query("SELECT * FROM b") == [(1,)]
    assert not shop.sessions()


def test_a_build_that_an_orphan_finishes_is_not_done_again(shop: Workshop) -> None:
    shop.write("0001_t", "CREATE TABLE t (x INTEGER);\nINSERT INTO t SELECT generate_series(1, 1000);\n")
    shop.ok()
    shop.write("0002_i", f"{OFF}CREATE INDEX CONCURRENTLY t_x ON t (x);\nINSERT INTO t VALUES (0);\n")
    with shop.database.connect() as writer:
        # Every CONCURRENTLY waits for the transactions that were there before it.
        writer.execute("BEGIN")
        writer.execute("INSERT INTO t VALUES (-1)")
        first = shop.start()
        shop.wait_for(lambda: shop.sessions("query LIKE 'CREATE INDEX%' AND wait_event_type = 'Lock'"), first)
        first.kill()
        end(first)
        second = shop.start("-o", "json")
        shop.wait_for(lambda: len(shop.sessions()) == 2, second)
        built = shop.query("SELECT oid FROM pg_class WHERE relname = 't_x'")
        writer.execute("COMMIT")
    assert end(second).code == 0
    assert shop.query("SELECT oid FROM pg_class WHERE relname = 't_x'") == built
    assert shop.indexes("t_x") == {"t_x"}
    assert shop.query("SELECT count(*) FROM t") == [(1002,)]
