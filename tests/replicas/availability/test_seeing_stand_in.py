"""What of an availability group is shown, and what without the rights or the views to see it, against stand-ins."""

from __future__ import annotations

import json

import pytest

from tests.replicas.availability.conftest import Make
from tests.replicas.availability.group_stand_in import ASYNCHRONOUS, SYNCHRONOUS, switch

# -- what is asked, and what cannot be seen --------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "statement"),
    [
        ("VIEW SERVER STATE", "GRANT VIEW SERVER STATE TO [clerk]"),
        ("AVAILABILITY GROUP", "GRANT ALTER ON AVAILABILITY GROUP::[ag] TO [clerk]"),
    ],
)
def test_a_right_that_the_stand_in_does_not_give_is_told_before_anything_is_changed(
    make: Make, right: str, statement: str
) -> None:
    project, group = make()
    group.replicas["sql2"].rights[right] = 0
    code, told = switch(project)
    assert (code, statement in told) == (4, True), told
    assert not group.altered


def test_a_compatible_stand_in_without_the_views_is_shown_and_not_steered(make: Make) -> None:
    project, group = make()
    group.missing |= {"sys.availability_databases_cluster", "sys.database_recovery_status", "sys.dm_hadr_cluster"}
    done = project.run("replica", "status", "-o", "json")
    assert done.code == 0, done.err
    nodes = {node["node"]: node for node in json.loads(done.out)["items"]}
    assert [nodes[name]["role"] for name in ("sql1", "sql2", "sql3")] == ["primary", "standby", "standby"]
    assert nodes["sql2"]["lag_s"] is None
    code, told = switch(project)
    assert code == 7
    assert "reports no availability group" in told


def test_the_status_of_the_stand_in_has_its_own_words(make: Make) -> None:
    project, group = make()
    group.replicas["sql3"].mode = ASYNCHRONOUS
    done = project.run("replica", "status", "-o", "json")
    nodes = {node["node"]: node for node in json.loads(done.out)["items"]}
    assert nodes["sql2"]["sync_state"] == "SYNCHRONIZED"
    assert nodes["sql3"]["sync_state"] == "SYNCHRONIZING"
    assert nodes["sql2"]["received"] == "00000024:000010a0:0001"
    assert nodes["sql2"]["lag_s"] == 0
    assert nodes["sql2"]["behind_bytes"] is None


def test_a_suspended_stand_in_is_as_far_behind_as_its_last_commit_is_old(make: Make) -> None:
    project, group = make()
    group.replicas["sql2"].suspended = True
    done = project.run("replica", "status", "-o", "json")
    nodes = {node["node"]: node for node in json.loads(done.out)["items"]}
    assert (nodes["sql2"]["lag_s"], nodes["sql2"]["sync_state"]) == (3, "NOT SYNCHRONIZING")
    assert "data movement of `shop` on `sql2` is suspended" in done.err


def test_what_is_not_as_it_should_be_is_told_of_the_stand_in(make: Make) -> None:
    project, group = make()
    group.required = 2
    group.replicas["sql2"].ready = False
    group.replicas["sql3"].role = "RESOLVING"
    done = project.run("replica", "status", "--check")
    assert done.code == 12
    assert "`sql1` waits for 2 secondaries, and none is synchronized: commits there never finish" in done.err
    assert "`sql3` is RESOLVING" in done.err
    group.replicas["sql1"].role = "RESOLVING"
    done = project.run("replica", "status", "--check")
    assert done.code == 3
    assert "no node that answers is the primary" in done.err


def test_another_group_than_the_profile_s_is_refused_by_the_stand_in_s_name(make: Make) -> None:
    project, group = make(group="other")
    code, told = switch(project)
    assert code == 7
    assert "in the group `ag`" in told
    assert not group.altered


def test_a_plan_for_the_stand_in_changes_nothing(make: Make) -> None:
    project, group = make()
    assert switch(project, "--dry-run")[0] == 0
    assert not group.altered
    assert group.replicas["sql2"].mode == SYNCHRONOUS
