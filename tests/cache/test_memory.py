"""What a machine remembers of a cache between two commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from custctl.cache.memory import Memory


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
    waiting = [Memory(path, clock) for _ in range(3)]
    assert [each.database_id for each in waiting] == [None] * 3  # all have read it before one of them tries
    assert [each.may_try() for each in waiting] == [True, False, False]
    waiting[0].answered()
    assert Memory(path, clock).may_try()


def test_what_was_written_is_the_highest_version_and_another_databases_is_forgotten(path: Path, clock: Clock) -> None:
    held = Memory(path, clock)
    held.learn("one")
    for version in ("2", "3", "1"):
        held.wrote(7, version)
    assert Memory(path, clock).known(7) == "3"
    held.learn("two")
    assert Memory(path, clock).known(7) == ""
