"""A file that is read twice is the same both times, or is refused."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custctl.customers import steady
from custctl.customers.steady import Steady
from custctl.support.errors import InvalidError, UnavailableError

BLOCK = 8


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "_BLOCK", BLOCK)


@given(st.binary(max_size=40), st.lists(st.integers(1, 20), max_size=10))
def test_it_hands_on_what_the_file_holds_however_it_is_read(data: bytes, sizes: list[int]) -> None:
    steady._BLOCK = BLOCK
    file = io.BufferedReader(Steady(io.BytesIO(data)), 4)
    for size in sizes:
        file.read(size)
        file.seek(0)
    assert [file.read(), file.seek(0), file.read()] == [data, 0, data]


@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(0, 40))
def test_no_byte_of_another_version_is_handed_on(before: bytes, after: bytes, read: int) -> None:
    steady._BLOCK = BLOCK
    held = io.BytesIO(before)
    file = Steady(held)
    assert b"".join(iter(lambda: file.read(3) or b"", b"")) == before
    file.seek(0)
    seen = b"".join(file.read(1) or b"" for _ in range(read))
    held.seek(0)
    held.truncate()
    held.write(after)
    try:
        while part := file.read(3):
            seen += part
    except InvalidError:
        assert before != after
    else:
        # A block that is held already is that of the first version.
        assert seen == before
    assert before.startswith(seen)


@pytest.mark.parametrize("change", ["grown", "cut", "altered", "emptied"])
def test_a_change_that_keeps_size_and_time_is_noticed_too(tmp_path: Path, change: str) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"x" * 20)
    times = path.stat()
    with path.open("rb") as opened:
        file = Steady(opened)
        while file.read(100):
            pass
        file.seek(0)
        after = {"grown": b"x" * 30, "cut": b"x" * 12, "altered": b"x" * 19 + b"y", "emptied": b""}[change]
        path.write_bytes(after)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        with pytest.raises(InvalidError, match="changed while it was being read"):
            while file.read(100):
                pass


def test_a_device_that_fails_is_no_change() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(UnavailableError, match="the file cannot be read: Input/output error"):
        Steady(Broken()).read(1)


def test_a_file_that_is_replaced_or_touched_is_read_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"x" * 20)
    with path.open("rb") as opened:
        file = Steady(opened)
        while file.read(100):
            pass
        file.seek(0)
        path.touch()
        (tmp_path / "other").write_bytes(b"y" * 20)
        (tmp_path / "other").replace(path)
        assert b"".join(iter(lambda: file.read(100) or b"", b"")) == b"x" * 20
