"""`cache status`, `warm` and `clear`, and what `doctor` tells of the cache, on a real Valkey."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.conftest import ADA, REPOSITORY, Project, make_project
from tests.servers.ports import garbage, refused
from tests.servers.valkey import ValkeyServer

MANY = int(os.environ.get("CUSTCTL_TEST_CACHE_WARM", "3000"))
BATCH = 500
STATUS = ["url", "state", "hits", "misses", "stale", "hit_ratio", "entries", "memory_bytes", "latency_ms", "server"]


def with_cache(project: Project, url: str, *, name: str = "dev", more: str = "") -> None:
    """Give a profile a cache."""
    file = project.path / "profiles" / f"{name}.yaml"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("cache:")]
    file.write_text("\n".join([*lines, f"cache: {{url: '{url}'{more}}}"]) + "\n")


@pytest.fixture
def cached(migrated: Project, valkey: ValkeyServer) -> Project:
    """A migrated project whose `dev` has a cache, and one customer."""
    with_cache(migrated, valkey.url)
    migrated.ok("customer", "add", *ADA)
    return migrated


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer) -> Iterator[Project]:
    """A project with many customers and a cache."""
    project = make_project(tmp_path_factory.mktemp("crowd"))
    project.ok("migrate")
    project.ok("seed", "--customers", str(MANY))
    with_cache(project, valkey.url)
    yield project


def keys(valkey: ValkeyServer, pattern: str = "*") -> set[str]:
    return {key.decode() for key in valkey.call("KEYS", pattern)}


def rows(valkey: ValkeyServer) -> int:
    return len(keys(valkey, "custctl:*:row:*"))


# -- own fields ------------------------------------------------------------------------------------


def test_own_fields_are_cached_and_a_new_one_is_seen_at_once(cached: Project, valkey: ValkeyServer) -> None:
    folder = cached.path / "sql"
    shutil.copytree(REPOSITORY / "sql", folder)
    cached.environ["CUSTCTL_SQL_DIR"] = str(folder)
    for number, column in ((1000, "points INTEGER"), (1001, "vip BOOLEAN")):
        name = column.partition(" ")[0]
        cached.ok("customer", "get", "1")
        script = folder / "sqlite" / "migrations" / f"{number}_own.sql"
        script.write_text(f"ALTER TABLE customer ADD COLUMN {column};\n")
        cached.ok("migrate")
        assert cached.ok("customer", "get", "1", "-o", "json").json[name] is None
        cached.ok("customer", "update", "1", "--set", f"{name}=1")
    for source in ("primary", "cache"):
        if source == "primary":
            valkey.call("FLUSHALL")
        found = cached.ok("customer", "get", "1", "--with-source", "-o", "json").json
        assert (found["points"], found["vip"], found["source"]) == (1, True, source)


# -- status ----------------------------------------------------------------------------------------


def test_status_counts_hits_misses_and_entries(cached: Project, valkey: ValkeyServer) -> None:
    valkey.call("FLUSHALL")
    for _ in range(3):
        cached.ok("customer", "get", "1")
    told = cached.ok("cache", "status", "-o", "json").json
    assert list(told) == [*STATUS, "in_doubt"]
    assert (told["hits"], told["misses"], told["stale"], told["entries"]) == (2, 1, 0, 1)
    assert told["hit_ratio"] == pytest.approx(2 / 3, abs=1e-4)
    assert (told["url"], told["state"], told["in_doubt"]) == (valkey.url, "answers", 0)
    assert told["server"].startswith(("valkey ", "redis "))
    assert told["memory_bytes"] > 100_000
    assert 0 < told["latency_ms"] < 1000


def test_status_tells_of_a_failure_that_was(cached: Project, valkey: ValkeyServer) -> None:
    with refused() as port:
        with_cache(cached, f"redis://127.0.0.1:{port}")
        cached.ok("customer", "get", "1")
        assert cached.run("cache", "status").code == 3
    with_cache(cached, valkey.url)
    told = cached.ok("cache", "status", "-o", "json").json
    assert told["state"] == "available again after a recent failure: connection refused"
    assert cached.ok("cache", "status", "-o", "json").json["state"] == "answers"


@pytest.mark.parametrize("verb", ["status", "warm", "clear"])
def test_without_a_cache_the_commands_are_refused(migrated: Project, verb: str) -> None:
    result = migrated.run("cache", verb, "-o", "json")
    assert result.code == 7
    assert result.error["message"] == "profile `dev` has no cache"
    assert "cache: {url: " in result.error["hint"]


@pytest.mark.parametrize("verb", ["status", "warm", "clear"])
def test_a_cache_that_is_down_is_told(cached: Project, verb: str) -> None:
    for port_of, why in ((refused, "connection refused"), (garbage, "it does not speak Redis's protocol")):
        with port_of() as port:
            url = f"redis://127.0.0.1:{port}"
            with_cache(cached, url)
            result = cached.run("cache", verb, "-o", "json")
        assert result.code == 3
        # Asked each time, though it has failed just now.
        assert result.error["message"] == f"the cache at {url} cannot be used: {why}"
        assert "commands work without it" in result.error["hint"]
        assert result.out == ""


@pytest.mark.parametrize("verb", ["status", "warm", "clear"])
def test_a_busy_cache_is_waited_for_by_those_who_look_after_it(
    cached: Project, valkey: ValkeyServer, verb: str
) -> None:
    valkey.process.freeze()
    try:
        process = cached.start("cache", verb)
        # Far longer than a read would wait.
        time.sleep(1.5)
        assert process.poll() is None
    finally:
        valkey.process.thaw()
    _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told


@pytest.mark.parametrize("verb", ["status", "warm", "clear"])
def test_before_the_first_migration_there_is_nothing_to_look_after(
    project: Project, valkey: ValkeyServer, verb: str
) -> None:
    with_cache(project, valkey.url)
    result = project.run("cache", verb)
    assert result.code in (7, 8)
    assert "custctl migrate" in result.err


# -- warm ------------------------------------------------------------------------------------------


def test_warm_takes_those_that_were_touched_last(crowd: Project, valkey: ValkeyServer) -> None:
    valkey.call("FLUSHALL")
    crowd.ok("customer", "update", "7", "--phone", "1")
    told = crowd.ok("cache", "warm", "--limit", "50", "-o", "json").json
    # The write has put its row into the cache itself.
    assert told == {"looked_at": 50, "filled": 49, "held_already": 1}
    assert rows(valkey) == 50
    assert crowd.ok("cache", "warm", "--limit", "50", "-o", "json").json["held_already"] == 50
    # What was not asked for by a reader is neither hit nor miss.
    assert crowd.ok("cache", "status", "-o", "json").json["misses"] == 0
    shown = crowd.ok("customer", "get", "7", "--with-source", "-o", "json").json
    assert (shown["source"], shown["phone"]) == ("cache", "1")


def test_warm_fills_all_there_are(crowd: Project, valkey: ValkeyServer) -> None:
    valkey.call("FLUSHALL")
    told = crowd.ok("cache", "warm", "--limit", "1000000", "-o", "json").json
    assert told == {"looked_at": MANY, "filled": MANY, "held_already": 0}
    assert rows(valkey) == MANY


def test_warm_killed_and_run_again_adds_what_is_missing(crowd: Project, valkey: ValkeyServer) -> None:
    valkey.call("FLUSHALL")
    process = crowd.start("cache", "warm", "--limit", str(MANY))
    end = time.monotonic() + 60
    # The keys of the second batch are there, so that the first is filled.
    while rows(valkey) <= BATCH:
        assert time.monotonic() < end
        time.sleep(0.002)
    process.kill()
    process.communicate()
    # The leases of the batch that was cut off run out by themselves.
    told = crowd.ok("cache", "warm", "--limit", str(MANY), "-o", "json").json
    assert told["looked_at"] == MANY
    assert told["held_already"] >= BATCH
    assert told["filled"] >= MANY - told["held_already"] - BATCH


def test_warm_shows_its_progress_on_a_terminal_alone(crowd: Project, valkey: ValkeyServer) -> None:
    valkey.call("FLUSHALL")
    command = crowd.command("cache", "warm", "--limit", str(MANY))
    terminal = pexpect.spawn(
        command[0], command[1:], cwd=str(crowd.path), env=crowd.environ | {"TERM": "xterm"}, encoding="utf-8"
    )
    terminal.expect("warming", timeout=60)
    terminal.expect(pexpect.EOF, timeout=60)
    terminal.close()
    assert terminal.exitstatus == 0
    piped = crowd.ok("cache", "warm", "--limit", "10")
    assert "\x1b" not in piped.err + piped.out
    assert piped.out.splitlines()[0].split("\t") == ["looked_at", "filled", "held_already"]


def test_ctrl_c_ends_it_with_what_was_filled_kept(crowd: Project, valkey: ValkeyServer) -> None:
    valkey.call("FLUSHALL")
    process = crowd.start("cache", "warm", "--limit", str(MANY))
    end = time.monotonic() + 60
    while rows(valkey) <= BATCH and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode in (0, 130)
    assert b"Traceback" not in told
    assert crowd.ok("cache", "warm", "--limit", str(MANY), "-o", "json").json["held_already"] >= BATCH


# -- clear -----------------------------------------------------------------------------------------


def test_clear_leaves_alone_what_is_not_this_database_s(cached: Project, valkey: ValkeyServer, tmp_path: Path) -> None:
    valkey.call("FLUSHALL")
    (tmp_path / "other").mkdir()
    other = make_project(tmp_path / "other")
    other.ok("migrate")
    with_cache(other, valkey.url)
    for each in (cached, other):
        each.ok("customer", "add", *(word.replace("ada@", "eve@") for word in ADA))
        each.ok("customer", "get", "1")
    foreign = {"session:1", "custctl", "custctl:", "custctl:{x}:row:1", "xcustctl:{x}:row:1"}
    for key in foreign:
        valkey.call("SET", key, "x")
    before = keys(valkey)
    result = cached.ok("cache", "clear", "-o", "json")
    gone = before - keys(valkey)
    assert result.json == {"url": valkey.url, "removed": sum(":row:" in key for key in gone)}
    [prefix] = {key.rpartition("}")[0] for key in gone}
    assert {key.rpartition("}")[2].split(":")[1] for key in gone} == {"row", "email"}
    assert not keys(valkey, f"{prefix}*:row:*")
    assert foreign <= keys(valkey)
    assert other.ok("customer", "get", "1", "--with-source", "-o", "json").json["source"] == "cache"
    assert cached.ok("customer", "get", "1", "--with-source", "-o", "json").json["source"] == "primary"
    assert cached.ok("cache", "clear", "-o", "json").json["removed"] > 0


def test_clear_says_which_environment_it_is(cached: Project) -> None:
    assert "dev (development): sqlite " in cached.ok("cache", "clear").err


def test_clear_takes_away_many(crowd: Project, valkey: ValkeyServer) -> None:
    valkey.call("FLUSHALL")
    crowd.ok("cache", "warm", "--limit", str(MANY))
    assert crowd.ok("cache", "clear", "-o", "json").json["removed"] == MANY
    assert rows(valkey) == 0
    # Told apart from a failure by the counts, which stay.
    assert crowd.ok("cache", "status", "-o", "json").json["entries"] == 0


@pytest.mark.parametrize("command", [("status",), ("warm",), ("clear", "--yes")])
def test_an_output_that_cannot_be_written_is_told(cached: Project, command: tuple[str, ...]) -> None:
    from tests.cli.test_endings import end

    for sink in ("full", "both-full"):
        result = end(cached, ("cache", *command), sink)
        assert result.code == 3
    result = end(cached, ("cache", *command), "full")
    assert "cannot write the output: " in result.err
    assert ("hint: do not run it again: " in result.err) == (command != ("status",))
    assert end(cached, ("cache", *command, "--env", "test"), "full").code == 7


# -- doctor ----------------------------------------------------------------------------------------


def line(project: Project, code: int = 0) -> dict[str, str]:
    """Return what `doctor` tells of the cache."""
    result = project.run("doctor", "-o", "json")
    assert result.code == code, result.err
    return {each["check"]: each for each in json.loads(result.out)["items"]}["cache"]


def test_doctor_tells_how_the_cache_stands(cached: Project, valkey: ValkeyServer) -> None:
    told = line(cached)
    assert told["state"] == "ok"
    assert told["value"].startswith((f"{valkey.url}: valkey ", f"{valkey.url}: redis "))
    assert told["value"].endswith(" ms, not encrypted, without a login")


def test_doctor_tells_of_encryption_and_login(cached: Project, valkey: ValkeyServer) -> None:
    valkey.call("ACL", "SETUSER", "ada", "on", ">hunter2", "~*", "+@all")
    with_cache(cached, valkey.url.replace("//", "//ada@"), more=", encrypt: true")
    told = line(cached, 4)
    assert "no key for the entries of the cache" in told["value"]
    assert "credential check --for cache" in told["hint"]
    cached.environ["CUSTCTL_CACHE_KEY"] = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    assert "no password for user `ada`" in line(cached, 4)["value"]
    cached.environ["CUSTCTL_CACHE_PASSWORD"] = "hunter2, mistyped"
    assert "it rejects the login: WRONGPASS " in line(cached, 4)["value"]
    cached.environ["CUSTCTL_CACHE_PASSWORD"] = "hunter2"
    assert " ms, not encrypted, as `ada`, entries encrypted" in line(cached)["value"]


def test_doctor_tells_a_cache_that_is_down_as_a_fault(cached: Project, valkey: ValkeyServer) -> None:
    with refused() as port:
        with_cache(cached, f"redis://127.0.0.1:{port}")
        told = line(cached, 3)
    assert (told["state"], told["value"]) == ("fault", f"redis://127.0.0.1:{port}: connection refused")
    assert "commands work without it" in told["hint"]
    with_cache(cached, valkey.url)
    # An entry may be in doubt besides: on a busy machine the cache was not told in time of the customer.
    again = "available again after a recent failure: connection refused"
    assert again in line(cached)["value"]
    assert again not in line(cached)["value"]


def test_doctor_tells_what_is_wrong_with_a_cache_that_is_slow_for_a_moment(
    cached: Project, valkey: ValkeyServer
) -> None:
    # Longer than a read waits.
    valkey.call("ACL", "SETUSER", "bea", "on", ">hunter2", "~*", "+@all")
    valkey.call("CLIENT", "PAUSE", 2000, "ALL")
    assert line(cached)["state"] == "ok"
    with_cache(cached, valkey.url.replace("//", "//bea@"))
    cached.environ["CUSTCTL_CACHE_PASSWORD"] = "mistyped"
    valkey.call("CLIENT", "PAUSE", 2000, "ALL")
    assert "it rejects the login: WRONGPASS " in line(cached, 4)["value"]


def test_doctor_without_a_cache(migrated: Project) -> None:
    assert line(migrated)["value"] == "none"


def test_a_copy_that_is_not_restamped_does_not_share_the_cache_of_the_original(
    cached: Project, valkey: ValkeyServer, tmp_path: Path
) -> None:
    copy = Project(cached.path, {**cached.environ, "HOME": str(tmp_path / "elsewhere")})
    shutil.copy(cached.path / "dev.db", cached.path / "test.db")
    with_cache(cached, valkey.url, name="test")
    cached.ok("customer", "update", "1", "--city", "Paris")
    for _ in range(2):
        found = copy.ok("customer", "get", "1", "--env", "test", "--with-source", "-o", "json").json
        assert (found["city"], found["source"]) == (None, "primary")
    for verb in ("status", "warm"):
        refused = copy.run("cache", verb, "--env", "test", "-o", "json")
        assert refused.code == 7, refused.err
        assert "custctl doctor" in refused.error["hint"]
    copy.ok("migrate", "repair", "--environment", "test", "--env", "test", "--yes")
    for source in ("primary", "cache"):
        found = copy.ok("customer", "get", "1", "--env", "test", "--with-source", "-o", "json").json
        assert (found["city"], found["source"]) == (None, source)
