"""What is planned for a cluster that Patroni keeps, by what the nodes and Patroni say: all of it values, no server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from custctl.engines.members import Observation, Role
from custctl.engines.model import Node
from custctl.profiles import Environment, Profile, model
from custctl.replication.journal import Intent
from custctl.replication.nodes import Means
from custctl.replication.patroni.driver import PatroniDriver
from custctl.replication.patroni.plan import candidate, plan_failover, plan_switchover
from custctl.replication.patroni.view import Status, View, read_status
from custctl.replication.plan import Accepted
from custctl.replication.topology import Health, Seen, Topology
from custctl.support.errors import CustctlError, RefusedError, UnavailableError

NODES = tuple(Node(name, f"{name}.internal", 5432) for name in "abc")
PRIMARY = Observation(Role.PRIMARY, writable=True, cluster_id="1", timeline=2, fork="2", epoch=1, position=100)
STANDBY = replace(
    PRIMARY, role=Role.STANDBY, writable=False, fork="2", position=100, replayed=100, lag=0.0, receiving=True
)
GONE = UnavailableError("connection refused")
ALL = Accepted(primary_is_stopped=True, data_loss=True)


def topology(**seen: Observation | None) -> Topology:
    """Return three nodes; `a` is the primary unless it is told otherwise, and None is one that does not answer."""
    found = {"a": PRIMARY, "b": STANDBY, "c": STANDBY} | seen
    return Topology(tuple(Seen(node, found[node.name], None if found[node.name] else GONE) for node in NODES), 5.0)


def view(
    *, name: str = "pg-{}", silent: str = "", leader: str | None = "a", scheduled: Any = None, **members: dict[str, Any]
) -> View:
    """Return what Patroni says: of members that are told, the rest is as it should be.

    Args:
        name: Patroni's name for a node.
        silent: the nodes whose API does not answer.
        leader: who has the leader's key.
        scheduled: a switchover that is to come, as Patroni tells it.
        members: what differs from a member that is well; None is one that Patroni does not know.
    """
    documents = []
    for node in NODES:
        given = members.get(node.name, {})
        role, state = ("leader", "running") if node.name == leader else ("replica", "streaming")
        documents.append(
            {
                "name": name.format(node.name),
                "role": role,
                "state": state,
                "host": node.host,
                "port": node.port,
                **given,
            }
        )
    told: dict[str, Status | CustctlError] = {
        node.name: GONE
        if node.name in silent
        else read_status(
            {"patroni": {"name": name.format(node.name), "scope": "crm"}},
            {"members": documents, "scheduled_switchover": scheduled},
        )
        for node in NODES
    }
    return View(told, NODES)


def intent(kind: str, target: str, *began: str) -> Intent:
    return Intent("op", kind, "a", target, "2026-01-02T03:04:05Z", "ada", began=began)


def steps(plan: Any) -> list[str]:
    return [step.name for step in plan.steps]


# -- the view --------------------------------------------------------------------------------------


def test_members_are_known_by_the_names_of_the_profile() -> None:
    assert {name: member.name for name, member in view().members.items()} == {"a": "pg-a", "b": "pg-b", "c": "pg-c"}
    # One whose own API is silent, or does not tell its name, by its address.
    unnamed = read_status({"patroni": {"scope": "crm"}}, {"members": [{"name": "x", "role": "replica", "state": ""}]})
    assert unnamed.name == ""
    assert view(silent="b").members["b"].name == "pg-b"
    moved = view(silent="b", b={"host": "elsewhere"})
    assert set(moved.members) == {"a", "pg-b", "c"}
    assert "Patroni knows `pg-b`, which is not a node in the profile" in list(moved.notes())


@pytest.mark.parametrize(
    ("seen", "told", "trouble"),
    [
        ({}, {}, []),
        ({}, {"leader": None}, ["Patroni has no leader"]),
        ({}, {"leader": "b"}, ["Patroni says that `b` leads, but `a` accepts writes"]),
        ({"a": STANDBY}, {}, ["Patroni says that `a` leads, but it does not accept writes"]),
        # Nobody contradicts anybody: `a` is unreachable from here.
        ({"a": None}, {}, []),
        ({}, {"c": {"state": "start failed"}}, ["Patroni says that `c` is start failed"]),
        ({}, {"c": {"state": "\x1b[31m"}}, ["Patroni says that `c` is \\x1b[31m"]),
    ],
)
def test_contradictions_are_told(seen: dict[str, Any], told: dict[str, Any], trouble: list[str]) -> None:
    assert list(view(**told).troubles(topology(**seen), "crm")) == trouble


def test_a_contradiction_makes_the_cluster_degraded_and_a_note_does_not() -> None:
    assert topology().health is Health.HEALTHY
    assert replace(topology(), notes=("Patroni is paused",)).health is Health.HEALTHY
    assert replace(topology(), troubles=("Patroni has no leader",)).health is Health.DEGRADED


def test_another_scope_is_refused_whether_the_profile_names_one_or_not() -> None:
    view().require("crm")
    view().require(None)
    with pytest.raises(RefusedError, match="keeps the cluster `crm`, but the profile is for `erp`"):
        view().require("erp")
    mixed = view()
    foreign = read_status({"patroni": {"name": "x", "scope": "erp"}}, {"members": []})
    with pytest.raises(RefusedError, match="on `c` keeps the cluster `erp`"):
        View({**mixed.answers, "c": foreign}, NODES).require(None)
    with pytest.raises(UnavailableError, match="`a`: connection refused; `b`: "):
        view(silent="abc").require("crm")


@pytest.mark.parametrize(
    ("about", "cluster"),
    [
        ([], {}),
        ({}, {"members": []}),
        ({"patroni": {"name": "a"}}, {"members": []}),
        ({"patroni": {"name": "a", "scope": "crm"}}, []),
        ({"patroni": {"name": "a", "scope": "crm"}}, {"members": [1]}),
        ({"patroni": {"name": "a", "scope": "crm"}}, {"members": [{"name": "a"}]}),
        ({"patroni": {"name": "a", "scope": "crm"}}, {"members": [], "scheduled_switchover": 1}),
        (None, None),
    ],
)
def test_what_is_no_answer_of_patroni_is_told_as_that(about: Any, cluster: Any) -> None:
    with pytest.raises(UnavailableError, match="not Patroni"):
        read_status(about, cluster)


@pytest.mark.parametrize("environment", Environment)
def test_a_password_is_not_sent_in_the_clear_in_production_with_a_stand_in_database(environment: Environment) -> None:
    database = model.Database(
        "postgresql",
        nodes=tuple(model.Node(node.name, node.host, node.port) for node in NODES),
        replication=model.Replication(model.Driver.PATRONI, "crm"),
    )
    profile = Profile("p", environment, database, None, (), Path("p.yaml"), bundled=False, origins={})
    login = {"PATRONI_RESTAPI_USERNAME": "ada", "PATRONI_RESTAPI_PASSWORD": "hunter2"}
    stamped = topology(**{node.name: replace(STANDBY, environment=environment) for node in NODES[1:]})

    def plan(environ: dict[str, str]) -> Any:
        stand_in: Any = SimpleNamespace(nodes=NODES)
        driver = PatroniDriver(Means(profile, stand_in, environ, "ada", lambda _: None))
        driver._view = view()
        return driver.plan_switchover(stamped, "b", None)

    assert steps(plan(login | {"PATRONI_CTL_CACERT": "/ca.pem"}))[1] == "request"
    assert steps(plan({}))[1] == "request"
    if environment is not Environment.PRODUCTION:
        assert steps(plan(login))[1] == "request"
        return
    with pytest.raises(RefusedError, match="unencrypted") as told:
        plan(login)
    assert "hunter2" not in f"{told.value.message} {told.value.hint}"


# -- switchover ------------------------------------------------------------------------------------


def test_a_switchover_is_asked_for_checked_recorded_and_waited_for() -> None:
    plan = plan_switchover(topology(), view(), "b", "op", None)
    assert steps(plan) == ["check", "request", "record", "verify", "follow"]
    assert (plan.old, plan.target, plan.loss.none) == ("a", "b", True)


def test_a_switchover_that_is_scheduled_is_told_and_replaced() -> None:
    told = view(scheduled={"at": "2027-01-01T00:00:00+00:00", "from": "pg-a", "to": "pg-c"})
    assert list(told.notes()) == ["a switchover to `pg-c` is scheduled at 2027-01-01T00:00:00+00:00"]
    assert plan_switchover(topology(), told, "b", "op", None).warnings == (
        f"{told.scheduled[0]}, which this one replaces",
    )


@pytest.mark.parametrize(
    ("seen", "told", "message"),
    [
        ({"a": None}, {}, "no primary answers"),
        ({"b": None}, {}, "`b` does not answer: connection refused"),
        ({}, {"leader": "c"}, "Patroni says that `c` leads, but `a` accepts writes"),
        ({}, {"leader": None}, "Patroni says that nobody leads"),
        ({}, {"b": {"tags": {"nofailover": True}}}, "must never lead"),
        ({}, {"b": {"tags": {"failover_priority": 0}}}, "must never lead"),
        ({}, {"b": {"name": "x", "host": "y"}, "silent": "b"}, "Patroni does not know `b`"),
        ({}, {"c": {"role": "sync_standby"}}, "`b` is not a synchronous standby"),
        ({"b": replace(STANDBY, receiving=False)}, {}, "does not receive from `a`"),
        ({"b": replace(STANDBY, timeline=1)}, {}, "does not receive from `a`"),
        ({"b": replace(STANDBY, cluster_id="2")}, {}, "to a different cluster"),
        ({"b": replace(STANDBY, lag=5.1)}, {}, "5.1 s behind"),
        ({"b": replace(STANDBY, lag=None)}, {}, "by an unknown time"),
    ],
)
def test_a_switchover_is_refused(seen: dict[str, Any], told: dict[str, Any], message: str) -> None:
    with pytest.raises((RefusedError, UnavailableError), match=message):
        plan_switchover(topology(**seen), view(**told), "b", "op", None)


def test_a_quorum_standby_and_a_tag_that_says_no_are_taken() -> None:
    told = view(b={"role": "quorum_standby", "tags": {"nofailover": False, "failover_priority": 1}})
    assert steps(plan_switchover(topology(), told, "b", "op", None))[1] == "request"


def test_where_the_target_leads_already_only_what_is_missing_is_done() -> None:
    switched = {"a": STANDBY, "b": PRIMARY}
    told = view(leader="b")
    assert plan_switchover(topology(**switched), told, "b", "op", None).is_empty
    # Killed after Patroni was asked: it is ours, and nothing was lost.
    ours = plan_switchover(topology(**switched), told, "b", "op", intent("switchover", "b", "check", "request"))
    assert steps(ours) == ["record", "verify", "follow"]
    assert (ours.old, ours.loss.none, ours.warnings) == ("a", True, ())
    # Not killed, and a new branch all the same: somebody else's.
    forked = {"a": STANDBY, "b": replace(PRIMARY, timeline=3)}
    other = plan_switchover(topology(**forked), told, "b", "new", None)
    assert steps(other) == ["record", "verify"]
    assert (other.old, other.loss.none, len(other.warnings)) == (None, False, 1)


# -- failover --------------------------------------------------------------------------------------


def fail_over(seen: dict[str, Any], told: dict[str, Any], accepted: Accepted = ALL, target: str = "b") -> Any:
    return plan_failover(topology(**seen), view(**told), target, accepted, "op", None)


LEADERLESS = {"leader": None}


@pytest.mark.parametrize(
    ("seen", "told", "message"),
    [
        ({}, {}, "`a` answers, and is the primary"),
        # Its fence does not make it another's standby.
        ({"a": replace(PRIMARY, writable=False)}, LEADERLESS, "`a` answers, and is the primary"),
        ({"a": None}, {}, "Patroni still has `a` as its leader"),
        ({"a": None}, {"leader": "c"}, "Patroni is making `c` the primary"),
        ({"a": None, "b": None}, LEADERLESS, "`b` does not answer"),
        ({"a": None}, LEADERLESS | {"b": {"tags": {"nofailover": True}}}, "must never lead"),
    ],
)
def test_a_failover_is_refused_whatever_is_accepted(seen: dict[str, Any], told: dict[str, Any], message: str) -> None:
    with pytest.raises((RefusedError, UnavailableError), match=message):
        fail_over(seen, told)


def test_a_failover_takes_what_cannot_be_known_by_the_operators_word() -> None:
    gone = {"a": None}
    with pytest.raises(RefusedError, match="`a` does not answer, which does not mean"):
        fail_over(gone, LEADERLESS, Accepted(data_loss=True))
    with pytest.raises(RefusedError, match="asynchronous"):
        fail_over(gone, LEADERLESS, Accepted(primary_is_stopped=True))
    plan = fail_over(gone, LEADERLESS)
    assert steps(plan) == ["check", "request", "record", "verify"]
    assert (plan.old, plan.loss.none) == ("a", False)


def test_patronis_key_proves_that_nothing_is_lost_and_a_standbys_own_setting_does_not() -> None:
    gone, stopped = {"a": None}, Accepted(primary_is_stopped=True)
    named = LEADERLESS | {"b": {"role": "sync_standby"}}
    assert fail_over(gone, named, stopped).loss.none
    with pytest.raises(RefusedError, match="does not name it"):
        fail_over(gone, named, stopped, target="c")
    # A former leader's setting is still there.
    stale = replace(STANDBY, synchronous="ANY 1 (a, b, c)", waits_for_standbys=True, name="b")
    with pytest.raises(RefusedError, match="asynchronous"):
        fail_over(gone | {"b": stale, "c": replace(stale, name="c")}, LEADERLESS, stopped)


def test_the_best_candidate() -> None:
    further = replace(STANDBY, position=200)
    gone = {"a": None}
    assert candidate(topology(), view()) == "a"
    assert candidate(topology(**gone, b=further), view(leader=None)) == "b"
    assert candidate(topology(**gone, c=further), view(leader=None)) == "c"
    # What has every acknowledged write comes first, and who may not lead not at all.
    synchronous = view(leader=None, c={"role": "sync_standby"})
    assert candidate(topology(**gone, b=further), synchronous) == "c"
    barred = view(leader=None, b={"tags": {"nofailover": True}})
    assert candidate(topology(**gone, b=further), barred) == "c"
    with pytest.raises(UnavailableError, match="no node to fail over to"):
        candidate(topology(a=None, b=None, c=None), view())
