"""What synchronous replication proves, against a model that writes and loses nodes at random."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custctl.replication.quorum import Synchronous, holders, parse_synchronous, silent_members


@pytest.mark.parametrize(
    ("text", "count", "names", "by_priority"),
    [
        ("a", 1, ("a",), True),
        ("a, b", 1, ("a", "b"), True),
        ("*", 1, ("*",), True),
        ("2 (a, b, c)", 2, ("a", "b", "c"), True),
        ("FIRST 2 (a,b,c)", 2, ("a", "b", "c"), True),
        ("any 1 (a, b)", 1, ("a", "b"), False),
        ('ANY 2 ("Node 1", "with ""quotes""", c_3)', 2, ("node 1", 'with "quotes"', "c_3"), False),
        ("  ANY 1(*) ", 1, ("*",), False),
        # A standby may be called as the keywords are.
        ("first", 1, ("first",), True),
        ("any, b", 1, ("any", "b"), True),
        ("2", 1, ("2",), True),
        ("2, b", 1, ("2", "b"), True),
    ],
)
def test_a_setting_is_read(text: str, count: int, names: tuple[str, ...], by_priority: bool) -> None:
    assert parse_synchronous(text) == Synchronous(count, names, by_priority)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "ANY 1 (a",
        "ANY 1 a)",
        "2 (a, b",
        "2 (a b)",
        "(a)",
        "a b",
        "MOST 1 (a)",
        "a,",
        "ANY 1 (a,)",
        "2 ()",
        ",",
        ", , a",
        "ANY 0 (a)",
        "a; b",
        '"open',
        "ANY (a)",
    ],
)
def test_what_is_not_understood_proves_nothing(text: str) -> None:
    assert parse_synchronous(text) is None


@pytest.mark.parametrize(
    ("names", "name", "counts"),
    [
        (("b",), "b", True),
        (("b",), "B", True),
        (("b",), "c", False),
        (("b",), None, False),
        (("*",), "c", True),
        (("*",), None, True),
    ],
)
def test_a_standby_counts_by_its_name(names: tuple[str, ...], name: str | None, counts: bool) -> None:
    assert Synchronous(1, names, by_priority=False).lists(name) is counts


NODES = ("a", "b", "c", "d")


@st.composite
def histories(draw: st.DrawFn) -> tuple[Synchronous, list[int], set[str]]:
    """A rule, what each node but the primary `a` has received of writes 1, 2, 3 …, and which of them are silent.

    Each write goes to the standbys in order, so that a standby has all up to some number; it is acknowledged when as
    many as the rule counts have it.
    """
    listed = draw(st.sets(st.sampled_from(NODES), min_size=1))
    standbys = NODES[1:]
    count = draw(st.integers(1, 3))
    names = draw(st.sampled_from([tuple(sorted(listed)), ("*",)]))
    received = [draw(st.integers(0, 9)) for _ in standbys]
    silent = draw(st.sets(st.sampled_from(standbys)))
    return Synchronous(count, names, by_priority=draw(st.booleans())), received, silent


@settings(max_examples=10 * settings().max_examples)
@given(histories())
def test_what_is_said_to_be_proven_is_true_of_every_history(
    history: tuple[Synchronous, list[int], set[str]],
) -> None:
    rule, received, silent = history
    position = dict(zip(NODES[1:], received, strict=True))
    counting = sorted((position[name] for name in position if rule.lists(name)), reverse=True)
    # The last write that was acknowledged: as many standbys as it takes have it.
    acknowledged = counting[rule.count - 1] if len(counting) >= rule.count else 0
    reachable = [name for name in position if name not in silent]
    possibly_silent = silent_members(rule, reachable, ["a", *sorted(silent)])
    if holders(rule, reachable, possibly_silent):
        best = max(position[name] for name in reachable if rule.lists(name))
        assert best >= acknowledged


@given(histories())
def test_with_all_standbys_there_a_rule_that_could_be_met_is_a_proof(
    history: tuple[Synchronous, list[int], set[str]],
) -> None:
    rule, _, _ = history
    standbys = list(NODES[1:])
    counting = [name for name in standbys if rule.lists(name)]
    if len(counting) >= rule.count:
        assert holders(rule, standbys, silent_members(rule, standbys, ["a"]))


@pytest.mark.parametrize(
    ("names", "reachable", "silent_nodes", "silent"),
    [
        (("a", "b", "c"), ["b", "c"], ["a"], 0),
        (("a", "b", "c"), ["B"], ["A", "C"], 1),
        # `d` may have been the primary: `a` and `c` then are both standbys.
        (("a", "b", "c"), ["b"], ["a", "d"], 2),
        (("b", "c"), ["b"], ["a", "c"], 1),
        (("b", "c"), ["b"], [], 1),
        (("*",), ["b"], ["a"], 0),
        (("*",), ["b"], ["a", "c"], 1),
        (("*",), ["b"], [], 0),
    ],
)
def test_the_standbys_that_may_be_silent(
    names: tuple[str, ...], reachable: list[str], silent_nodes: list[str], silent: int
) -> None:
    assert silent_members(Synchronous(1, names, by_priority=False), reachable, silent_nodes) == silent


def test_an_old_primary_of_another_name_counts_as_a_silent_standby() -> None:
    rule = Synchronous(1, ("pg1", "b", "c"), by_priority=False)
    assert silent_members(rule, ["b", "c"], ["a"]) == 1
    assert not holders(rule, ["b", "c"], 1)


@pytest.mark.parametrize("names", [("walreceiver",), ("b",)])
def test_a_silent_standby_may_share_the_name_of_one_that_answers(names: tuple[str, ...]) -> None:
    rule = Synchronous(1, names, by_priority=False)
    reachable = ["walreceiver"] if names == ("walreceiver",) else ["b", "b"]
    assert silent_members(rule, reachable, ["a", "c"]) == 1
