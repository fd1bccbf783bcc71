"""What a machine remembers of a cache between two commands."""

from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path

import pytest

from custctl.cache import memory
from custctl.cache.memory import ALL, Memory
from custctl.support import state


class Clock:
    """A clock that is put forward by hand."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dev" / "cache.json"


def test_what_came_into_doubt_again_is_not_settled_by_who_saw_it_before(path: Path, clock: Clock) -> None:
    Memory(path, clock).doubt([1, 2])
    other = Memory(path, clock)
    seen = other.in_doubt
    Memory(path, clock).doubt([1])
    other.settle(seen)
    assert Memory(path, clock).in_doubt.keys() == {1}


def test_an_entry_stays_in_doubt_while_it_may_yet_be_written(path: Path, clock: Clock) -> None:
    Memory(path, clock).doubt([1], 60)
    for moment, left in ((0, {1}), (59, {1}), (61, set())):
        clock.now = Clock.now + moment
        held = Memory(path, clock)
        held.settle(held.in_doubt)
        assert Memory(path, clock).in_doubt.keys() == left


def test_a_clock_that_was_put_back_lets_no_doubt_last(path: Path, clock: Clock) -> None:
    Memory(path, clock).doubt([1], 60)
    clock.now -= 10 * 24 * 3600
    held = Memory(path, clock)
    held.settle(held.in_doubt)
    assert not Memory(path, clock).in_doubt


def test_the_end_of_a_write_takes_the_place_of_its_beginning(path: Path, clock: Clock) -> None:
    held = Memory(path, clock)
    held.doubt([1], 60)
    held.doubt([1])
    held.settle(held.in_doubt)
    assert not Memory(path, clock).in_doubt


def test_of_many_one_tries_again_after_half_a_minute(path: Path, clock: Clock) -> None:
    Memory(path, clock).failed("no answer")
    assert not Memory(path, clock).may_try()
    clock.now += 31
    *waiting, late = [Memory(path, clock) for _ in range(4)]
    assert [each.database_id for each in (*waiting, late)] == [None] * 4  # all have read it before one of them tries
    assert [each.may_try() for each in waiting] == [True, False, False]
    waiting[0].answered()
    assert Memory(path, clock).may_try()
    assert late.may_try()
    assert late.failure is None


def test_what_was_written_is_the_highest_version_and_another_databases_is_forgotten(path: Path, clock: Clock) -> None:
    held = Memory(path, clock)
    held.learn("one")
    for version in ("2", "3", "1"):
        Memory(path, clock).wrote(7, version)
    held = Memory(path, clock)
    held.learn("one")
    held.met({8: "5"})
    held = Memory(path, clock)
    assert held.database_id == "one"
    assert [(held.known(each), held.is_sure(each)) for each in (7, 8, 9)] == [("3", True), ("5", True), ("", False)]
    held.saw(there=False)
    held.doubt([7])
    held.learn("two")
    for each in (held, Memory(path, clock)):
        assert (each.database_id, each.known(7), each.in_doubt, each.seen) == ("two", "", {}, (math.inf, True))


def test_a_memory_knows_all_writes_since_it_began(path: Path, clock: Clock) -> None:
    assert Memory(path, clock).reach == 0
    clock.now += 10
    assert Memory(path, clock).reach == 0  # nothing was recorded
    Memory(path, clock).answered()
    clock.now += 10
    held = Memory(path, clock)
    held.answered()
    assert held.reach == 10
    assert not held.is_sure(7)
    held.wrote(7, "2")
    assert held.is_sure(7)
    held.learn("one")
    assert held.reach == 0
    assert not held.is_sure(7)


def test_a_memory_of_the_future_begins_anew(path: Path, clock: Clock) -> None:
    held = Memory(path, clock)
    held.learn("one")
    held.wrote(7, "2")
    clock.now -= 1
    held = Memory(path, clock)
    assert (held.known(7), held.is_sure(7), held.reach) == ("2", False, 0)


def test_a_record_that_was_put_back_may_lack_the_last_write(path: Path, clock: Clock) -> None:
    held = Memory(path, clock)
    held.learn("one")
    held.wrote(7, "2")
    text = path.read_bytes()
    held.wrote(7, "3")
    path.write_bytes(text)
    clock.now += 10
    held = Memory(path, clock)
    assert (held.known(7), held.is_sure(7), held.reach) == ("2", False, 0)


def test_who_has_read_a_record_that_is_lost_proves_nothing_by_it(path: Path, clock: Clock) -> None:
    Memory(path, clock).answered()
    reader, writer = Memory(path, clock), Memory(path, clock)
    assert (reader.known(7), writer.known(7)) == ("", "")
    path.unlink()
    Memory(path, clock).answered()
    clock.now += 10
    reader.met({7: "2"})
    held = Memory(path, clock)
    assert (held.known(7), held.reach) == ("", 10)
    writer.wrote(7, "2")
    held = Memory(path, clock)
    assert (held.known(7), held.reach) == ("", 0)


def test_of_too_many_writes_the_oldest_is_forgotten(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_KEPT", 2)
    held = Memory(path, clock)
    for customer_id in (1, 2, 1, 3):
        held.wrote(customer_id, "2")
        clock.now += 10
    assert [held.known(each) for each in (1, 2, 3)] == ["2", "", "2"]
    # Whatever was written after the forgotten one is known.
    assert held.reach == 30


def test_a_write_from_before_a_loss_is_no_beginning(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_KEPT", 1)
    held = Memory(path, clock)
    held.learn("one")
    held.wrote(1, "2")
    path.write_bytes(path.read_bytes())  # as a restore does
    held = Memory(path, clock)
    held.answered()
    held.wrote(2, "2")
    clock.now += 10
    assert (held.known(1), held.is_sure(2), held.reach) == ("", True, 10)


def test_of_too_many_doubts_all_are_left(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_KEPT", 2)
    held = Memory(path, clock)
    held.doubt([1, 2])
    assert held.in_doubt.keys() == {1, 2}
    held.doubt([3], 60)
    for moment, left in ((59, {ALL}), (61, set())):
        clock.now = Clock.now + moment
        held.settle(held.in_doubt)
        assert held.in_doubt.keys() == left


def test_a_write_that_cannot_be_stored_is_missed(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def stand_in(*_: object) -> None:
        """A disk that is full."""
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    held = Memory(path, clock)
    held.learn("one")
    held.wrote(7, "2")
    held.failed("no answer")
    clock.now += 40
    with monkeypatch.context() as full:
        full.setattr(state, "write_whole", stand_in)
        assert held.may_try()
        held.met({8: "2"})
        assert (held.known(8), held.is_sure(7), held.reach) == ("", True, 40)
        held.wrote(7, "3")
        assert held.problem == f"cannot write `{path}` (no space left on device)"
        assert (held.known(7), held.is_sure(7), held.reach) == ("2", False, 0)
    assert not Memory(path, clock).is_sure(7)
    held.answered()
    assert held.problem is None
    clock.now += 10
    held = Memory(path, clock)
    assert (held.known(7), held.is_sure(7), held.reach) == ("2", False, 10)


def test_a_file_that_cannot_be_read_is_told(path: Path, clock: Clock) -> None:
    path.mkdir(parents=True)
    held = Memory(path, clock)
    assert held.reach == 0
    assert held.problem == f"cannot write `{path}` (is a directory)"


def test_a_user_without_a_home_folder_remembers_nothing(clock: Clock) -> None:
    held = Memory(None, clock)
    held.learn("one")
    held.wrote(7, "2")
    held.doubt([7])
    assert (held.database_id, held.known(7), held.reach, held.in_doubt, held.may_try()) == (None, "", 0, {}, True)
    assert held.problem == "this user has no home folder"


def test_a_failure_counts_for_half_a_minute(path: Path, clock: Clock) -> None:
    Memory(path, clock).failed("no answer")
    for moment, failure in ((0, "no answer"), (29, "no answer"), (31, None), (-1, None)):
        clock.now = Clock.now + moment
        assert Memory(path, clock).failure == failure


def test_how_long_ago_the_database_was_looked_for(path: Path, clock: Clock) -> None:
    assert Memory(path, clock).seen == (math.inf, True)
    for there in (False, True):
        Memory(path, clock).saw(there)
        clock.now += 3
        assert Memory(path, clock).seen == (3, there)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"written": [7], "doubt": 5, "seen": [1], "failed": [1], "database_id": 1}',
        '{"written": {"7": 1, "x": "2"}, "doubt": {"1": null, "-2": "x"}, "seen": ["x", true], "failed": ["x", "y"]}',
    ],
)
def test_a_file_of_another_form_holds_nothing(path: Path, clock: Clock, text: str) -> None:
    Memory(path, clock).answered()
    path.write_text(text)
    held = Memory(path, clock)
    assert (held.known(7), held.in_doubt, held.failure, held.seen) == ("", {}, None, (math.inf, True))
    assert (held.database_id, held.may_try(), held.reach) == (None, True, 0)


@pytest.mark.parametrize("since", ["x", None, math.nan, math.inf, 0, -5])
def test_a_beginning_that_is_no_time_is_now(path: Path, clock: Clock, since: object) -> None:
    held = Memory(path, clock)
    held.answered()
    # In its place, so that the seal is whole.
    text = json.dumps({**json.loads(path.read_text()), "since": since})
    held._file.change(lambda *_: text, 1)  # type: ignore[union-attr]
    clock.now += 10
    assert Memory(path, clock).reach == 0
