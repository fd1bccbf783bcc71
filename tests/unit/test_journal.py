"""The journal of switchovers and failovers on a disk that fills up."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from custctl.replication.journal import Journal
from custctl.replication.plan import NO_LOSS, Plan, Step
from custctl.support.errors import UnavailableError

STEP = Step("fence", "a", "fence `a`")
PLAN = Plan("switchover", "8c1f6e0a-0000-4000-8000-000000000000", "a", "b", (STEP,), NO_LOSS, (), {})


@contextmanager
def _room_for(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size during the block; Python ignores SIGXFSZ."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_line_of_which_only_a_part_fits_is_not_taken_for_written(tmp_path: Path) -> None:
    path = tmp_path / "replica.jsonl"
    journal = Journal(path)
    journal.begin(PLAN, "ada")
    with _room_for(path.stat().st_size + 10), pytest.raises(UnavailableError, match="cannot be written"):
        journal.step(PLAN, STEP, "begun")
    [found] = journal.operations()
    assert found.began == ()
    journal.step(PLAN, STEP, "begun")
    [found] = journal.operations()
    assert found.began == ("fence",)
