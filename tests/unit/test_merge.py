"""Three-way merges of fields."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from custctl.customers.merge import FieldConflict, merge
from custctl.customers.model import EDITABLE

FIELDS = st.fixed_dictionaries(dict.fromkeys(EDITABLE[:4], st.none() | st.sampled_from("abc")))


def test_each_side_keeps_what_it_alone_touched() -> None:
    base = {"phone": "1", "city": "Köln", "region": None, "company": "A"}
    theirs = {"phone": "2", "city": "Köln", "region": "NRW", "company": "A"}
    mine = {"phone": "1", "city": "Bonn", "region": "NRW", "company": "A"}
    result = merge(base, theirs, mine)
    assert result.changes == {"city": "Bonn"}
    assert result.conflicts == ()


def test_a_field_that_both_changed_is_shown_with_all_three_values() -> None:
    result = merge({"phone": "1"}, {"phone": "2"}, {"phone": None})
    assert result.changes == {}
    assert result.conflicts == (FieldConflict("phone", "1", "2", None),)


def test_an_absent_field_is_untouched() -> None:
    assert merge({"phone": "1", "city": "A"}, {"phone": "2", "city": "B"}, {}).changes == {}
    assert merge({"phone": "1"}, {}, {"phone": "3"}).changes == {"phone": "3"}


@given(FIELDS, FIELDS, FIELDS)
def test_conflicts_are_the_same_from_either_side(
    base: dict[str, str | None], theirs: dict[str, str | None], mine: dict[str, str | None]
) -> None:
    one, other = merge(base, theirs, mine), merge(base, mine, theirs)
    assert {(c.field, c.theirs, c.mine) for c in one.conflicts} == {
        (c.field, c.mine, c.theirs) for c in other.conflicts
    }
    in_conflict = {c.field for c in one.conflicts}
    left, right = {**theirs, **one.changes}, {**mine, **other.changes}
    assert {k: v for k, v in left.items() if k not in in_conflict} == {
        k: v for k, v in right.items() if k not in in_conflict
    }


@given(FIELDS, FIELDS, FIELDS)
def test_no_change_is_lost(
    base: dict[str, str | None], theirs: dict[str, str | None], mine: dict[str, str | None]
) -> None:
    result = merge(base, theirs, mine)
    merged = {**theirs, **result.changes}
    decided = {conflict.field for conflict in result.conflicts}
    for name in EDITABLE[:4]:
        if name in decided:
            assert len({base[name], theirs[name], mine[name]}) == 3
        elif mine[name] != base[name]:
            assert merged[name] == mine[name]
        else:
            assert merged[name] == theirs[name]


@given(FIELDS, FIELDS)
def test_an_edit_nobody_crossed_is_taken_whole(base: dict[str, str | None], mine: dict[str, str | None]) -> None:
    assert {**base, **merge(base, base, mine).changes} == mine
    assert merge(base, mine, mine) == merge(base, mine, base)
    assert not merge(base, mine, mine).changes
