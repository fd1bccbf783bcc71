"""`custctl migrate` from several processes at once on PostgreSQL, indexes built CONCURRENTLY among the scripts."""

from __future__ import annotations

import json
import shutil
import signal
import time

from tests.conftest import REPOSITORY
from tests.postgresql.conftest import GATE, OFF, OURS, Workshop, end

WAITING = "state = 'idle' AND query LIKE '%pg_try_advisory_lock%'"
FILLED = "CREATE TABLE filled (id integer, x integer);\nINSERT INTO filled SELECT n, n % 100 FROM generate_series(1, 20000) n;\n"


def test_race_of_eight_on_an_empty_database(each_shop: Workshop) -> None:
    shop = each_shop
    shutil.copytree(REPOSITORY / "sql", shop.folder.parent, dirs_exist_ok=True)
    # Where all of them meet.
    shop.write("0010_gate", f"{FILLED}{GATE}")
    for number in range(11, 21):
        shop.write(f"{number:04d}_t", f"CREATE TABLE t{number} (x INTEGER);\nINSERT INTO t{number} VALUES (1);\n")
    for number in range(21, 25):
        lines = f"CREATE INDEX CONCURRENTLY filled_{number} ON filled (x);\nCREATE INDEX CONCURRENTLY ON filled (id);\n"
        shop.write(f"{number:04d}_i", OFF + lines)
    scripts = len(list(shop.folder.glob("migrations/*.sql"))) + len(list(shop.folder.glob("repeatable/*.sql")))
    with shop.gate():
        processes = [shop.start("-o", "json") for _ in range(8)]
        shop.wait_for(lambda: shop.at_gate() and len(shop.sessions()) == 8)
        shop.wait_for(lambda: len(shop.sessions(WAITING)) == 7)
    outcomes = [end(process) for process in processes]
    assert [outcome.code for outcome in outcomes] == [0] * 8, [outcome.err for outcome in outcomes]
    applied = [row["script"] for outcome in outcomes for row in outcome.json["applied"]]
    left_out = scripts - len(applied)
    assert left_out in (0, 1), "what needs an extension may be left out"
    assert len(applied) == len(set(applied))
    # Who came late says what it found, not what it had seen before it waited.
    for outcome in outcomes:
        assert outcome.json["to"] == 24
        assert outcome.json["applied"] or outcome.json["from"] == 24
    assert shop.query("SELECT state, count(*), count(DISTINCT name) FROM schema_migration GROUP BY state") == [
        ("applied", len(applied), len(applied))
    ]
    assert shop.query("SELECT count(*) FROM custctl_metadata WHERE name = 'database_id'") == [(1,)]
    for number in range(11, 21):
        assert shop.query(f"SELECT count(*) FROM t{number}") == [(1,)]
    assert shop.query("SELECT count(*) FROM filled") == [(20000,)]
    assert len(shop.indexes("filled%")) == 8
    assert shop.indexes(valid=False) == set()
    assert sum("stamped" in outcome.err for outcome in outcomes) == 1
    assert sum("waiting for another migration: session " in outcome.err for outcome in outcomes) == 7


def test_who_waits_holds_no_snapshot_that_an_index_would_wait_for(shop: Workshop) -> None:
    shop.write("0001_t", FILLED)
    shop.ok()
    shop.write("0002_i", f"{OFF}{GATE}CREATE INDEX CONCURRENTLY filled_x ON filled (x);\n")
    with shop.gate():
        first = shop.start()
        shop.wait_for(shop.at_gate, first)
        others = [shop.start() for _ in range(2)]
        shop.wait_for(lambda: len(shop.sessions(WAITING)) == 2)
        for _ in range(20):
            rows = shop.query(f"SELECT backend_xmin, backend_xid FROM pg_stat_activity WHERE {OURS} AND {WAITING}")
            # One of them may be asking who holds the lock at this moment.
            assert set(rows) <= {(None, None)}
            time.sleep(0.01)
    for process in (first, *others):
        assert end(process).code == 0
    assert shop.indexes("filled%") == {"filled_x"}


def test_where_nothing_is_pending_no_lock_is_taken(shop: Workshop) -> None:
    shop.tables("a")
    shop.ok()
    pending = shop.write("0002_gate", GATE)
    with shop.gate():
        holder = shop.start()
        shop.wait_for(shop.at_gate, holder)
        assert "another migration holds the lock" in shop.refused("--lock-timeout", "0s", code=3)
        pending.unlink()
        assert "nothing to do" in shop.ok("--lock-timeout", "0s").err
        holder.send_signal(signal.SIGINT)
        assert end(holder).code == 130
    assert not shop.sessions()
    assert json.loads(shop.ok("-o", "json").out)["applied"] == []
