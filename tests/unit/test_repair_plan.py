"""What a repair would change, as a value: its rows, its words, and whether it touches production's stamp."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from custctl.migrations.journal import Record
from custctl.migrations.plan import Drift
from custctl.migrations.repair import Change, Repair, Unsettled, check_stamp
from custctl.migrations.scripts import Script
from custctl.support.errors import UsageError

NAME = "migrations/0001_a.sql"
SCRIPT = Script("versioned", 1, "a", NAME, Path(NAME), "SELECT 2;\n", "v1:sha256:b")


def _record(in_flight: int | None = None) -> Record:
    was = ("v1:sha256:a", "SELECT 1;\n", "failed", 1, 3, in_flight)
    return Record(1, 1, NAME, "a", "versioned", *was, None, "", None, None, "ada", "1")


def _repair(
    accept: tuple[Drift, ...] = (),
    settle: tuple[Unsettled, ...] = (),
    restamp: tuple[str | None, str] | None = None,
) -> Repair:
    return Repair(Path("sql"), "staging", accept, settle, restamp, restamp is not None)


def test_a_repair_tells_its_changes_and_what_they_rest_on() -> None:
    planned = _repair((Drift(SCRIPT, _record()),), (Unsettled(SCRIPT, _record(1)),), (None, "staging"))
    assert list(planned.changes()) == [
        Change("accept", NAME, "v1:sha256:b"),
        Change("settle", NAME, "1 of 3 statements are applied"),
        Change("restamp", "", "no stamp -> staging"),
    ]
    words = list(planned.in_words())
    assert words[2] == "restamp no stamp -> staging"
    assert words[3].startswith(f"statement 2 of {NAME} was in flight")
    assert "  +SELECT 2;" in words
    assert not planned.is_empty


@pytest.mark.parametrize(
    ("restamp", "touched"),
    [(None, False), (("staging", "testing"), False), (("production", "staging"), True), ((None, "production"), True)],
)
def test_a_stamp_touches_production_from_either_side(restamp: tuple[str | None, str] | None, touched: bool) -> None:
    assert _repair(restamp=restamp).stamps_production is touched
    assert _repair(restamp=restamp).is_empty is (restamp is None)


@pytest.mark.parametrize(
    ("wanted", "told"), [("stagin", "there is no environment"), ("production", "does not match the")]
)
def test_a_stamp_that_the_profile_does_not_mean_is_refused(wanted: str, told: str) -> None:
    profile = SimpleNamespace(name="s", environment="staging")
    with pytest.raises(UsageError, match=told):
        check_stamp(wanted, profile)  # type: ignore[arg-type]  # all that is asked of one
