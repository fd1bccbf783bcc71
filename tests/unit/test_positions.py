"""What is kept of writes between two commands: never turned back, whoever writes it beside."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custctl.engines.reads import LogPosition
from custctl.replication import positions
from custctl.replication.positions import Memory, Positions, later
from custctl.support.filelocks import try_lock
from custctl.support.state import SealedFile, SealError

NUMBERS = st.integers(min_value=0, max_value=5)
MET = st.builds(LogPosition, st.just("x"), NUMBERS, NUMBERS)


@given(st.lists(MET, min_size=1), st.randoms())
def test_whatever_the_order_the_latest_is_kept(met: list[LogPosition], chance: object) -> None:
    kept: LogPosition | None = None
    for each in met:
        before, kept = kept, later(kept, each)
        assert before is None or (kept.epoch, kept.position) >= (before.epoch, before.position)
        assert later(kept, kept) == kept
    assert kept is not None
    assert (kept.epoch, kept.position) == max((each.epoch, each.position) for each in met)


def test_a_position_counts_only_within_its_epoch() -> None:
    old, new = LogPosition("x", 1, 900), LogPosition("x", 2, 5)
    assert later(old, new) == later(new, old) == new


def test_another_database_takes_the_place() -> None:
    old, new = LogPosition("x", 7, 900), LogPosition("y", 1, 5)
    assert later(old, new) == new


def test_what_is_remembered_is_read_again(tmp_path: Path) -> None:
    kept = Positions.of(tmp_path, "prod", ["postgresql", "shop", "public"])
    assert kept.read() == Memory(is_whole=False)
    kept.remember(LogPosition("x", 1, 5), "a")
    assert kept.remember(LogPosition("x", 1, 3), "b") == Memory(LogPosition("x", 1, 5), "b") == kept.read()
    assert kept.remember(LogPosition("x", 1, 7), "b") == Memory(LogPosition("x", 1, 7), "b") == kept.read()


def test_profiles_and_databases_are_kept_apart(tmp_path: Path) -> None:
    named = [("prod", "shop"), ("prod", "shop2"), ("dev", "shop"), ("../prod", "shop")]
    paths = {Positions.of(tmp_path, profile, ["postgresql", name]).path for profile, name in named}
    assert len(paths) == 4
    assert {path.parent for path in paths} == {tmp_path / "replicas"}


def test_writers_side_by_side_never_turn_it_back(tmp_path: Path) -> None:
    """Threads open the file each for itself, as processes do."""
    path = tmp_path / "x.json"
    seen: list[int] = []
    done = threading.Event()

    def write(offset: int) -> None:
        for number in range(60):
            Positions(path).remember(LogPosition("x", 1, number * 4 + offset), "a")

    def look() -> None:
        while not done.is_set():
            reached = Positions(path).read().reached
            seen.append(reached.position if reached else -1)

    reader = threading.Thread(target=look)
    writers = [threading.Thread(target=write, args=(offset,)) for offset in range(4)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert seen == sorted(seen)
    assert Positions(path).read().reached == LogPosition("x", 1, 59 * 4 + 3)
    assert {each.name for each in tmp_path.iterdir()} == {"x.json", "x.lock"}


def test_a_lock_that_is_held_for_too_long_is_an_error_and_no_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "_PATIENCE", 0.05)
    with (tmp_path / "x.lock").open("w") as held:
        assert try_lock(held.fileno())
        with pytest.raises(TimeoutError):
            Positions(tmp_path / "x.json").remember(LogPosition("x", 1, 5), "a")


def test_what_could_not_be_written_is_no_longer_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Positions(tmp_path / "x.json")
    assert kept.remember(LogPosition("x", 1, 5), "a").is_whole
    monkeypatch.setattr(positions, "_PATIENCE", 0.05)
    with (tmp_path / "x.lock").open("w") as held:
        assert try_lock(held.fileno())
        with pytest.raises(TimeoutError):
            kept.remember(LogPosition("x", 1, 6), "a")
    assert Positions(kept.path).read() == Memory(LogPosition("x", 1, 5), "a", is_whole=False)


def test_what_is_lost_after_it_was_read_stays_lost(tmp_path: Path) -> None:
    kept, other = Positions(tmp_path / "x.json"), SealedFile(tmp_path / "x.json")
    kept.remember(LogPosition("x", 1, 5), "a")
    assert kept.read().is_whole
    other.break_seal()
    lost = Memory(LogPosition("x", 1, 5), "a", is_whole=False)
    assert kept.remember(LogPosition("x", 1, 6), "a") == lost == kept.read()
    # It was read as lost: the position that is written now is the latest.
    assert kept.remember(LogPosition("x", 1, 6), "a") == Memory(LogPosition("x", 1, 6), "a") == kept.read()


def test_a_damaged_file_is_a_loss(tmp_path: Path) -> None:
    kept = Positions(tmp_path / "x.json")
    kept.remember(LogPosition("x", 1, 5), "a")
    kept.path.write_text('{"database_id": "x"}')
    assert kept.read() == Memory(is_whole=False)


def test_a_seal_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    file = SealedFile(tmp_path / "state" / "x.json", os.environ)
    (tmp_path / "state").mkdir()
    file.change(lambda *_: "{}", 5)
    (seal,) = (path for path in tmp_path.iterdir() if path.is_file())
    seal.unlink()
    seal.mkdir()
    with pytest.raises(SealError) as caught:
        file.change(lambda *_: "{}", 5)
    assert caught.value.filename == str(seal)
