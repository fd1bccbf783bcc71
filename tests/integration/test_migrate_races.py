"""`custctl migrate` from several processes at once, and killed at any moment."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.integration.conftest import SLOW, Workshop

KILLS = int(os.environ.get("CUSTCTL_TEST_KILLS", "8"))
"""How many runs are killed; 200 for a soak."""
SCRIPTS = 50


def test_race_of_eight_on_an_empty_database(shop: Workshop) -> None:
    shutil.copytree(REPOSITORY / "sql", shop.folder.parent, dirs_exist_ok=True)
    for number in range(10, 30):
        shop.write(f"{number:04d}_t", f"CREATE TABLE t{number} (x INTEGER);\nINSERT INTO t{number} VALUES (1);\n")
    # Long enough for all to meet.
    shop.write("0009_slow", SLOW.format(turns=8_000_000))
    shop.project.profile("dev", "development", path="new/folder/dev.db")
    scripts = len(list(shop.folder.glob("migrations/*.sql"))) + len(list(shop.folder.glob("repeatable/*.sql")))
    processes = [shop.project.start("migrate", "-o", "json") for _ in range(8)]
    outcomes = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, [error for _, error in outcomes]
    documents = [json.loads(out) for out, _ in outcomes]
    applied = [row["script"] for document in documents for row in document["applied"]]
    assert len(applied) == len(set(applied)) == scripts
    # Who came late says what it found, not what it had seen before it waited.
    for document in documents:
        assert document["to"] == 29
        assert document["applied"] or document["from"] == 29
    shop.project.profile("dev", "development", path="new/folder/dev.db")
    path = shop.project.path / "new/folder"
    (path / "dev.db").rename(shop.project.path / "dev.db")
    assert shop.query("SELECT state, count(*), count(DISTINCT name) FROM schema_migration") == [
        ("applied", scripts, scripts)
    ]
    assert shop.query("SELECT count(*) FROM custctl_metadata WHERE name = 'database_id'") == [(1,)]
    for number in range(10, 30):
        assert shop.query(f"SELECT count(*) FROM t{number}") == [(1,)]
    assert sum(b"stamped" in error for _, error in outcomes) == 1
    assert sum(b"waiting for another migration" in error for _, error in outcomes) >= 3


def test_race_over_two_names_of_one_database(shop: Workshop) -> None:
    shop.tables("a")
    shop.write("0002_slow", SLOW.format(turns=2_000_000))
    (shop.project.path / "link").mkdir()
    (shop.project.path / "link/other.db").symlink_to(shop.project.path / "dev.db")
    shop.project.profile("other", "development", path="link/other.db")
    first = shop.project.start("migrate")
    shop.wait_for(lambda: "0001_a" in shop.journal(), first)
    first.send_signal(signal.SIGSTOP)
    error = shop.refused("--lock-timeout", "0s", env="other", code=3)
    assert f"another migration holds the lock: process {first.pid} of " in error
    first.send_signal(signal.SIGCONT)
    shop.ok(env="other")
    assert first.wait(timeout=60) == 0
    first.communicate()
    assert shop.query("SELECT count(*) FROM slow") == [(1,)]


@pytest.mark.parametrize("header", ["", "-- custctl: transaction=off\n"])
def test_a_run_that_is_stopped_and_killed_frees_the_lock(shop: Workshop, header: str) -> None:
    shop.tables("a")
    shop.write("0002_slow", header + SLOW.format(turns=2_000_000))
    first = shop.project.start("migrate")
    shop.wait_for(lambda: "0001_a" in shop.journal(), first)
    first.send_signal(signal.SIGSTOP)
    # The holder is named by its process, after the time that was given.
    error = shop.refused("--lock-timeout", "300ms", code=3)
    assert f"error: another migration holds the lock: process {first.pid} of " in error
    assert "--lock-timeout" in error
    second = shop.project.start("migrate", "-o", "json")
    assert second.stderr is not None
    seen = b""
    while b"waiting for another migration" not in seen:
        line = second.stderr.readline()
        assert line, seen
        seen += line
    assert b"process %d of " % first.pid in seen
    assert second.poll() is None
    first.kill()
    out, error_2 = second.communicate(timeout=60)
    assert second.returncode == 0, error_2
    first.communicate()
    assert [row["script"] for row in json.loads(out)["applied"]] == ["migrations/0002_slow.sql"]
    assert shop.query("SELECT count(*) FROM slow") == [(1,)]
    assert shop.query("SELECT count(*) FROM a") == [(1,)]


def test_a_lost_lock_is_noticed_before_the_next_script(shop: Workshop) -> None:
    shop.tables("a")
    shop.write("0002_slow", SLOW.format(turns=2_000_000))
    shop.write("0003_c", "CREATE TABLE c (x);\n")
    first = shop.project.start("migrate")
    shop.wait_for(lambda: "0001_a" in shop.journal(), first)
    first.send_signal(signal.SIGSTOP)
    # An operator who removes the file has taken the lock away; the stopped run holds SQLite's own lock still.
    (shop.project.path / "dev.db.lock").unlink()
    second = shop.project.start("migrate")
    time.sleep(1)
    first.send_signal(signal.SIGCONT)
    outcomes = [process.communicate(timeout=60) for process in (first, second)]
    codes = sorted(process.returncode for process in (first, second))
    assert codes == [0, 3], outcomes
    told = b"".join(error for _, error in outcomes)
    assert b"another run has started or applied `migrations/" in told
    for table in ("a", "slow"):
        assert shop.query(f"SELECT count(*) FROM {table}") == [(1,)]
    assert shop.query("SELECT count(*) FROM schema_migration") == [(3,)]


# -- killed at any moment --------------------------------------------------------------------------

OFF_STEPS = (2, 4, 6, 7, 10)
"""The statements of `_off` that insert their own number."""


def _in_transaction(number: int) -> str:
    rows = "".join(f"INSERT INTO t{number} VALUES ({row});\n" for row in range(5))
    return f"CREATE TABLE t{number} (x INTEGER);\n{rows}INSERT INTO log VALUES ({number});\n"


def _off(number: int) -> str:
    table = f"off{number}"
    return f"""-- custctl: transaction=off
CREATE TABLE {table} (step INTEGER);
INSERT INTO {table} VALUES (2);
PRAGMA user_version = {number};
INSERT INTO {table} VALUES (4);
BEGIN;
INSERT INTO {table} VALUES (6);
INSERT INTO {table} VALUES (7);
COMMIT;
VACUUM;
INSERT INTO {table} VALUES (10);
"""


def _is_off(number: int) -> bool:
    return number % 3 == 0


def _check(shop: Workshop, database: Path) -> int:
    """Make sure that nothing is half applied, in a database that a killed run has left; return how many are applied."""
    if not database.exists():
        return 0
    tables = shop.names()
    if not tables and shop.query("SELECT count(*) FROM sqlite_master") == [(0,)]:
        return 0
    journal = shop.journal()
    for number in range(1, SCRIPTS + 1):
        name = f"{number:04d}_s"
        state, applied = journal.get(name, ("pending", 0))
        if _is_off(number):
            assert state in ("pending", "running", "applied")
            there = [row for (row,) in shop.query(f"SELECT step FROM off{number}")] if f"off{number}" in tables else []
            assert there == [step for step in OFF_STEPS if step <= applied], f"{name} {state} {applied}"
            assert (f"off{number}" in tables) == (applied >= 1)
        elif number > 1:
            assert state in ("pending", "applied")
            assert (f"t{number}" in tables) == (state == "applied"), name
            if state == "applied":
                assert shop.query(f"SELECT x FROM t{number}") == [(row,) for row in range(5)]
                assert shop.query(f"SELECT count(*) FROM log WHERE script = {number}") == [(1,)]
    assert shop.query("PRAGMA integrity_check") == [("ok",)]
    return sum(state == "applied" for state, _ in journal.values())


def _wait_for_a_script(process: subprocess.Popen[bytes]) -> None:
    """Wait until a run has applied its first script, or has ended."""
    assert process.stderr is not None
    while line := process.stderr.readline():
        if line.startswith(b"applied"):
            return


def test_killed_at_a_random_moment_and_run_again(shop: Workshop) -> None:
    shop.write("0001_s", "CREATE TABLE log (script INTEGER);\n")
    for number in range(2, SCRIPTS + 1):
        shop.write(f"{number:04d}_s", _off(number) if _is_off(number) else _in_transaction(number))
    database = shop.project.path / "dev.db"
    begun = time.monotonic()
    shop.ok()
    whole = time.monotonic() - begun
    begun = time.monotonic()
    shop.ok()
    idle = time.monotonic() - begun
    assert _check(shop, database) == SCRIPTS

    luck = random.Random(20261)
    kills, halfway = 0, 0
    # How often a run is killed in the midst of its work is luck.
    while kills < KILLS or (halfway < KILLS // 5 and kills < 10 * KILLS):
        for path in shop.project.path.glob("dev.db*"):
            path.unlink()
        # One database, killed again and again until a run comes through; the lock is never left.
        while True:
            process = shop.project.start("migrate", "--lock-timeout", "0s")
            if luck.random() < 0.25:
                time.sleep(luck.uniform(0, idle))
            else:
                # However busy the machine is now.
                _wait_for_a_script(process)
                time.sleep(luck.uniform(0, whole - idle))
            process.kill()
            _, error = process.communicate()
            assert process.returncode in (-signal.SIGKILL, 0), error
            applied = _check(shop, database)
            if process.returncode == 0:
                break
            kills += 1
            halfway += 0 < applied < SCRIPTS
            if kills % KILLS == 0:
                break
        shop.ok("--lock-timeout", "0s")
        assert _check(shop, database) == SCRIPTS
        assert shop.query("SELECT count(*), count(DISTINCT name) FROM schema_migration") == [(SCRIPTS, SCRIPTS)]
        assert shop.query("SELECT count(*) FROM log") == [(sum(not _is_off(n) for n in range(2, SCRIPTS + 1)),)]
        assert "nothing to do" in shop.ok("--lock-timeout", "0s").err
    assert halfway >= KILLS // 5, "too few of the kills hit the midst of the work"
