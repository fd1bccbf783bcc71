"""A writer or reader that stands still or is killed at any step: the next reader does not see the old row as current."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cache.conftest import Shop
from tests.faults.conftest import wait_until
from tests.inside import Inside
from tests.servers.processes import _look as process_state

WRITING = [("before", "begin"), ("after", "begin"), ("before", "put"), ("after", "put")]
DELETING = [("after", "begin"), ("before", "bury"), ("after", "bury")]
READING = [("after", "look"), ("before", "fill"), ("after", "fill")]


@contextmanager
def stopped(operator: Inside, point: tuple[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command that stands still at a point during the block; it is killed at the end unless it has ended."""
    command = [sys.executable, "-m", "tests.cache.stopping", *point, *arguments]
    with subprocess.Popen(
        command, cwd=operator.path, env=operator.environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            wait_until(lambda: (process_state(process.pid) or (0, "Z"))[1] in "TZ")
            assert process.poll() is None, process.stderr and process.stderr.read()
            yield process
        finally:
            process.kill()


def go_on(process: subprocess.Popen[bytes]) -> None:
    """Let a command go on, which ends well."""
    os.kill(process.pid, signal.SIGCONT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


def check(shop: Shop) -> None:
    """Let both operators read, by id and by email, and what that has left in the cache."""
    for operator, who in (
        (shop.bob, "1"),
        (shop.bob, "ada@example.com"),
        (shop.ada, "1"),
        (shop.ada, "ada@example.com"),
    ):
        found = shop.get(who, by=operator)
        assert (found["phone"], found["stale"]) == (shop.phone, False), found


@pytest.mark.parametrize("killed", [False, True], ids=["goes on", "killed"])
@pytest.mark.parametrize("point", WRITING, ids=" ".join)
def test_a_writer_stands_still(shop: Shop, point: tuple[str, str], killed: bool) -> None:
    with stopped(shop.ada, point, "customer", "update", "1", "--phone", "new") as writer:
        assert shop.phone == ("new" if "put" in point else "0")
        check(shop)
        if not killed:
            go_on(writer)
    check(shop)
    shop.update("newer")
    check(shop)


@pytest.mark.parametrize("killed", [False, True], ids=["goes on", "killed"])
@pytest.mark.parametrize("point", DELETING, ids=" ".join)
def test_a_deleter_stands_still(shop: Shop, point: tuple[str, str], killed: bool) -> None:
    gone = point != ("after", "begin")
    with stopped(shop.ada, point, "customer", "delete", "1", "--yes") as writer:
        for _ in range(2):
            assert shop.bob.run("customer", "get", "1").code == (6 if gone else 0)
        if not killed:
            go_on(writer)
            gone = True
    for who in ("1", "ada@example.com"):
        assert shop.bob.run("customer", "get", who).code == (6 if gone else 0)


@pytest.mark.parametrize("point", READING, ids=" ".join)
def test_a_reader_stands_still_while_others_write(shop: Shop, point: tuple[str, str]) -> None:
    shop.server.call("FLUSHALL")
    with stopped(shop.bob, point, "customer", "get", "1") as reader:
        shop.update("new")
        check(shop)
        go_on(reader)
    check(shop)


@pytest.mark.parametrize("point", READING, ids=" ".join)
def test_a_reader_stands_still_while_many_are_written(shop: Shop, point: tuple[str, str]) -> None:
    shop.server.call("FLUSHALL")
    with stopped(shop.bob, point, "customer", "get", "1") as reader:
        rows = "email,first_name,last_name,phone\nada@example.com,Ada,Lovelace,imported\n"
        shop.ada.ok("customer", "import", "-", "--format", "csv", "--on-conflict", "update", stdin=rows)
        assert shop.phone == "imported"
        go_on(reader)
    check(shop)


def test_a_writer_stands_still_while_many_are_written(shop: Shop) -> None:
    with stopped(shop.ada, ("before", "put"), "customer", "update", "1", "--phone", "new") as writer:
        rows = "email,first_name,last_name,phone\nada@example.com,Ada,Lovelace,imported\n"
        shop.bob.ok("customer", "import", "-", "--format", "csv", "--on-conflict", "update", stdin=rows)
        go_on(writer)
    assert shop.phone == "imported"
    check(shop)


def test_a_writer_stands_still_while_the_cache_comes_up_empty_and_others_write(shop: Shop) -> None:
    with stopped(shop.ada, ("before", "put"), "customer", "update", "1", "--phone", "new") as writer:
        shop.server.stop()
        shop.server.start()
        shop.bob.ok("customer", "update", "1", "--phone", "newer")
        shop.server.call("FLUSHALL")
        go_on(writer)
    assert shop.phone == "newer"
    check(shop)


def test_an_import_killed_midway_leaves_nothing_trusted(shop: Shop) -> None:
    rows = shop.ada.path / "rows.csv"
    rows.write_text("email,first_name,last_name,phone\nada@example.com,Ada,Lovelace,imported\n")
    arguments = ("customer", "import", str(rows), "--on-conflict", "update")
    for point in (("after", "begin_many"), ("before", "turn"), ("after", "turn")):
        with stopped(shop.ada, point, *arguments):
            check(shop)
        check(shop)
    assert shop.phone == "imported"
