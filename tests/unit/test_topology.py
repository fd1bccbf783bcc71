"""What is said of a cluster, by what its nodes report: values alone, no server."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custctl.engines.members import Attached, GroupState, Observation, Role
from custctl.engines.model import Node
from custctl.replication.topology import (
    Health,
    Seen,
    Topology,
    check_health,
    is_to_count,
    is_to_record,
    lsn_text,
    missing_confirmations,
    position_text,
)
from custctl.support.errors import CredentialError, CustctlError, ExitCode, UnavailableError

NODES = tuple(Node(name, f"{name}.internal", 5432) for name in "abc")
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)
PRIMARY = Observation(Role.PRIMARY, writable=True, cluster_id="1", timeline=2, fork="2", epoch=1, position=300)
STANDBY = replace(
    PRIMARY, role=Role.STANDBY, writable=False, position=200, replayed=100, lag=1.2344, receiving=True, name="b"
)
GONE = UnavailableError("connection refused")
RECORD = "run `custctl replica switchover --to a` to record it"
UNTIL = "until then a failover cannot prove that nothing is lost"
GROUP = GroupState("ag", "NONE", "SQL1", "PRIMARY", required_synchronized=2)


def topology(**seen: Observation | CustctlError) -> Topology:
    """Return three nodes: `a` is the primary, and the others follow it, unless it is told otherwise."""
    found = {"a": PRIMARY, "b": STANDBY, "c": replace(STANDBY, name="c")} | seen
    return Topology(
        tuple(
            Seen(node, None, told) if isinstance(told := found[node.name], CustctlError) else Seen(node, told)
            for node in NODES
        ),
        max_lag=5.0,
    )


@pytest.mark.parametrize(
    ("seen", "health", "reasons"),
    [
        ({}, Health.HEALTHY, []),
        ({"b": replace(STANDBY, lag=5.0)}, Health.HEALTHY, []),
        ({"c": GONE}, Health.DEGRADED, ["`c` does not answer: connection refused"]),
        (
            {"a": GONE},
            Health.NO_PRIMARY,
            ["`a` does not answer: connection refused", "no node that answers is the primary"],
        ),
        (
            {"a": replace(PRIMARY, writable=False)},
            Health.NO_PRIMARY,
            ["`a` is fenced: it is not a standby and does not accept writes"],
        ),
        ({"b": PRIMARY}, Health.SPLIT_BRAIN, ["`a` and `b` accept writes independently"]),
        ({"b": PRIMARY, "c": PRIMARY}, Health.SPLIT_BRAIN, ["`a`, `b` and `c` accept writes independently"]),
        (
            {"b": replace(STANDBY, cluster_id="2"), "c": replace(STANDBY, cluster_id=None)},
            Health.DEGRADED,
            ["the nodes do not belong to one cluster: their system identifiers differ"],
        ),
        ({"b": replace(STANDBY, receiving=False)}, Health.DEGRADED, ["`b` does not receive from any node"]),
        (
            {"b": replace(STANDBY, receiving=False, timeline=1)},
            Health.DEGRADED,
            ["`b` is on timeline 1, and the primary on 2"],
        ),
        (
            {"b": replace(STANDBY, receiving=False, timeline=None)},
            Health.DEGRADED,
            ["`b` does not receive from any node"],
        ),
        ({"b": replace(STANDBY, replay_paused=True)}, Health.DEGRADED, ["the replay of `b` is paused"]),
        ({"b": replace(STANDBY, lag=None)}, Health.DEGRADED, ["it is unknown how far `b` is behind"]),
        ({"b": replace(STANDBY, lag=5.06)}, Health.DEGRADED, ["`b` is 5.1 s behind, more than 5 s"]),
        # A standby that is delayed on purpose is behind while it receives.
        ({"b": replace(STANDBY, apply_delay=60.0, lag=60.0)}, Health.HEALTHY, []),
        (
            {"b": replace(STANDBY, apply_delay=60.0, lag=60.0, receiving=False)},
            Health.DEGRADED,
            ["`b` does not receive from any node", "`b` is 60.0 s behind, more than 5 s"],
        ),
        # Patroni writes the setting on the primary alone.
        ({"b": replace(STANDBY, synchronous="c", manager="patroni")}, Health.HEALTHY, []),
        (
            {"b": replace(STANDBY, synchronous="c")},
            Health.DEGRADED,
            [
                "`b` and the primary differ in `synchronous_standby_names`: a failover could not prove that nothing is lost"
            ],
        ),
        (
            {"a": replace(PRIMARY, fork="1")},
            Health.DEGRADED,
            [f"the history has forked since epoch 1, at timeline 1: {RECORD}"],
        ),
        (
            {"a": replace(PRIMARY, fork="1", branch="b7")},
            Health.DEGRADED,
            [f"the history has forked since epoch 1, at recovery fork 1: {RECORD}"],
        ),
        (
            {"a": replace(PRIMARY, group=GROUP, attached=(Attached("b", "sync"), Attached("c", "async")))},
            Health.DEGRADED,
            ["`a` waits for 2 secondaries, and 1 is synchronized: commits there never finish"],
        ),
        (
            {"a": replace(PRIMARY, recorded_synchronous="b", synchronous="b")},
            Health.DEGRADED,
            [
                *(
                    f"`{name}` and the primary differ in `synchronous_standby_names`: a failover could not prove that"
                    " nothing is lost"
                    for name in "bc"
                ),
                f"`a` waits for other standbys than recorded: an administrator's `custctl replica status` records it; {UNTIL}",
            ],
        ),
    ],
)
def test_the_health_of_a_cluster_and_its_reasons(seen: dict[str, Any], health: Health, reasons: list[str]) -> None:
    found = topology(**seen)
    assert (found.health, found.reasons()) == (health, reasons)


def test_what_a_cluster_manager_reports_makes_it_degraded_and_its_notes_do_not() -> None:
    noted = replace(topology(), notes=("a note",))
    assert (noted.health, noted.remarks()) == (Health.HEALTHY, ["a note"])
    troubled = replace(topology(), troubles=("a trouble",))
    assert (troubled.health, troubled.reasons(), troubled.remarks()) == (Health.DEGRADED, ["a trouble"], [])


@pytest.mark.parametrize(
    ("told", "waits", "reason"),
    [
        ("ANY 2 (b, c)", (), "wait for 2 standbys of `ANY 2 (b, c)`, and none is attached: they never finish"),
        ("ANY 2 (b, c)", ("b",), "wait for 2 standbys of `ANY 2 (b, c)`, and 1 is attached: they never finish"),
        ("ANY 3 (b, c, d)", ("b", "c"), "and 2 are attached: they never finish"),
        ("b", ("c",), "wait for 1 standby of `b`, and none is attached: they never finish"),
        ("ANY 2 (b, c)", ("b", "c"), None),
        ("", (), None),
    ],
)
def test_commits_that_wait_for_standbys_that_are_not_there(
    told: str, waits: tuple[str, ...], reason: str | None
) -> None:
    attached = (*(Attached(name, "sync") for name in waits), Attached("b", None, streaming=False))
    found = replace(PRIMARY, synchronous=told, waits_for_standbys=True, attached=attached)
    missing = missing_confirmations(NODES[0], found)
    assert missing is None if reason is None else missing is not None and missing.endswith(reason)
    assert missing_confirmations(NODES[0], replace(found, waits_for_standbys=False)) is None
    assert missing_confirmations(NODES[0], replace(found, role=Role.STANDBY)) is None


@pytest.mark.parametrize(
    ("told", "states", "delays", "waits"),
    [
        ("b", ("sync", "potential"), {"b": 60.0}, "1m"),
        ("FIRST 1 (b, c)", ("sync", "potential"), {"b": 60.0}, "1m"),
        ("FIRST 1 (b, c)", ("sync", "potential"), {"c": 60.0}, None),
        ("ANY 1 (b, c)", ("quorum", "quorum"), {"b": 60.0}, None),
        ("ANY 1 (b, c)", ("quorum", "quorum"), {"b": 60.0, "c": 5.0}, "5s"),
        ("ANY 2 (b, c)", ("quorum", "quorum"), {"b": 60.0}, "1m"),
        ("ANY 2 (b, c)", ("quorum", "quorum"), {"b": 60.0, "c": 5.0}, "1m"),
        # Another trouble is told then.
        ("ANY 2 (b, c)", ("quorum", "async"), {"b": 60.0}, None),
        # This login may not see who confirms.
        ("b", (None, None), {"b": 60.0}, None),
        ("", ("async", "async"), {"b": 60.0}, None),
    ],
)
def test_commits_that_wait_for_a_delayed_standby(
    told: str, states: tuple[str | None, ...], delays: dict[str, float], waits: str | None
) -> None:
    attached = tuple(Attached(name, state) for name, state in zip("bc", states, strict=True))
    primary = replace(
        PRIMARY, synchronous=told, waits_for_standbys=True, waits_for_replay=True, attached=attached, environment=None
    )
    standbys = {name: replace(STANDBY, name=name, synchronous=told, apply_delay=delays.get(name, 0.0)) for name in "bc"}
    found = topology(a=primary, **standbys)
    if waits is None:
        assert (found.health, found.reasons()) == (Health.HEALTHY, [])
    else:
        [reason] = found.reasons()
        assert reason.startswith(f"commits on `a` wait {waits}: `synchronous_commit` is `remote_apply`, and too few")
    # Otherwise a commit is confirmed as soon as it is on the standby's disk.
    assert topology(a=replace(primary, waits_for_replay=False), **standbys).reasons() == []
    assert topology(a=replace(primary, waits_for_standbys=False), **standbys).reasons() == []


def test_a_password_in_a_standbys_settings_is_remarked_on() -> None:
    found = topology(b=replace(STANDBY, keeps_password=True))
    [remark] = found.remarks()
    assert remark.startswith("`b` keeps a password in `primary_conninfo`")
    assert found.health is Health.HEALTHY


def test_a_row_for_each_node() -> None:
    leading = replace(PRIMARY, attached=(Attached("b", "sync"), Attached("c", "async"), Attached("c", "sync")))
    delayed = replace(STANDBY, name="c", lag=None, replayed=400, apply_delay=60.0, source="a:5432")
    first, second, third = topology(a=leading, c=delayed).records()
    assert [
        first[name] for name in ("node", "role", "received", "replayed", "behind_bytes", "sync_state", "lag_s")
    ] == [
        *("a", "primary", "0/12C", "0/12C"),
        *(None, None, None),
    ]
    assert [second[name] for name in ("received", "replayed", "behind_bytes", "sync_state", "lag_s")] == [
        *("0/C8", "0/64", 200, "sync", 1.234),
    ]
    # Two that share a name cannot be told apart; and the nodes are read one after the other.
    assert [third[name] for name in ("behind_bytes", "sync_state", "lag_s", "delay_s", "source")] == [
        *(0, None, None, 60.0, "a:5432"),
    ]
    for other in (replace(STANDBY, timeline=1), replace(STANDBY, replayed=None)):
        assert topology(b=other).records()[1]["behind_bytes"] is None
    [_, silent, _] = topology(b=GONE).records()
    assert silent == {
        "node": "b",
        "host": "b.internal",
        "port": 5432,
        "reachable": False,
        "fault": "connection refused",
    }


def test_the_record_of_what_commits_wait_for_is_the_primarys_or_else_a_standbys() -> None:
    recorded: dict[str, Any] = {
        "recorded_synchronous": "b",
        "recorded_at": MOMENT,
        "now": MOMENT + timedelta(seconds=90),
    }
    told = topology(a=replace(PRIMARY, **recorded))
    assert told.recorded() == {"synchronous": "b", "at": "2026-01-02T03:04:05.678Z", "age_s": 90.0}
    assert told.remarks() == ["recorded 90 s ago: commits wait for `b`"]
    assert topology(b=replace(STANDBY, **recorded)).recorded() is None
    left = topology(a=GONE, b=replace(STANDBY, recorded_synchronous=""))
    assert left.recorded() == {"synchronous": "", "at": None, "age_s": None}
    assert left.remarks() == ["recorded at an unknown time: commits wait for `no standby`"]
    early = topology(a=replace(PRIMARY, recorded_synchronous="b", recorded_at=MOMENT, now=MOMENT - timedelta(1)))
    assert (early.recorded() or {})["age_s"] == 0


def test_a_node_that_follows_receives_on_the_primarys_timeline() -> None:
    assert [topology().follows(name) for name in "abcd"] == [False, True, True, False]
    for other in (replace(STANDBY, receiving=False), replace(STANDBY, timeline=1), GONE):
        assert not topology(b=other).follows("b")
    assert not topology(a=GONE).follows("b")


@pytest.mark.parametrize(
    ("changes", "record"),
    [
        ({}, False),
        ({"synchronous": "c"}, True),
        ({"waits_for_standbys": False}, True),
        ({"recorded_synchronous": None}, True),
        ({"recorded_at": None}, True),
        ({"configured": None}, True),
        ({"configured": MOMENT + timedelta(seconds=1)}, True),
        ({"configured": None, "environment": None}, False),
    ],
)
def test_a_record_is_renewed_where_the_setting_is_or_may_have_been_another(changes: Any, record: bool) -> None:
    recorded = replace(
        PRIMARY,
        environment="production",
        synchronous="b",
        waits_for_standbys=True,
        recorded_synchronous="b",
        recorded_at=MOMENT,
        configured=MOMENT,
    )
    assert is_to_record(replace(recorded, **changes)) is record


@pytest.mark.parametrize(
    ("timeline", "fork", "branch", "count"),
    [
        (2, "2", None, False),
        (3, "2", None, True),
        (1, None, None, False),
        (2, None, None, True),
        (None, "b7", "b7", False),
        (None, "b7", "b8", True),
        (None, "b7", None, False),
    ],
)
def test_a_branch_of_the_history_is_counted_once(
    timeline: int | None, fork: str | None, branch: str | None, count: bool
) -> None:
    assert is_to_count(replace(PRIMARY, timeline=timeline, fork=fork, branch=branch)) is count


def test_without_any_answer_a_check_raises_what_is_not_about_reaching_them() -> None:
    refused = CredentialError("wrong password")
    for seen, told in (({"b": refused}, refused), ({}, GONE)):
        with pytest.raises(CustctlError) as caught:
            check_health(topology(**{"a": GONE, "b": GONE, "c": GONE, **seen}), None, strictly=False)
        assert caught.value is told


def test_a_strict_check_has_the_exit_code_of_the_health() -> None:
    check_health(topology(), None, strictly=True)
    check_health(topology(a=GONE), None, strictly=False)
    for seen, code in (({"c": GONE}, ExitCode.INCOMPLETE), ({"a": GONE}, ExitCode.UNAVAILABLE)):
        with pytest.raises(CustctlError) as caught:
            check_health(topology(**seen), "the way out", strictly=True)
        assert (caught.value.exit_code, caught.value.hint) == (code, "the way out")


def test_positions_are_written_as_each_server_writes_them() -> None:
    assert (position_text(0x16_B374D848), position_text(None)) == ("16/B374D848", None)
    assert (lsn_text(36_0000000424_00001), lsn_text(None)) == ("00000024:000001a8:0001", None)
