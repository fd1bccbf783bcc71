"""Switchovers of an availability group, against stand-ins that keep to Microsoft's documentation.

No SQL Server can be had here: what is tested is which statements are sent, where, in which order, and when none is.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from custctl.replication.availability_group.driver import AvailabilityDriver
from custctl.replication.execution import Run
from tests.replicas.availability.conftest import Make
from tests.replicas.availability.group_stand_in import ASYNCHRONOUS, Group, Killed, counted, fail_over, switch

# -- switchover ------------------------------------------------------------------------------------


def test_the_stand_in_without_a_cluster_is_switched_over_by_the_documented_sequence(make: Make) -> None:
    project, group = make()
    group.replicas["sql2"].mode = ASYNCHRONOUS
    group.replicas["sql3"].mode = ASYNCHRONOUS
    code, told = switch(project)
    assert code == 0, told
    assert group.altered == [
        ("sql1", "MODIFY REPLICA ON N'sql2' WITH (AVAILABILITY_MODE = SYNCHRONOUS_COMMIT)"),
        ("sql1", "SET (REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = 1)"),
        ("sql1", "OFFLINE"),
        ("sql2", "FORCE_FAILOVER_ALLOW_DATA_LOSS"),
        ("sql2", "SET (REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = 0)"),
        ("sql1", "SET (ROLE = SECONDARY)"),
        ("sql1", "ALTER DATABASE [shop] SET HADR RESUME"),
        ("sql3", "ALTER DATABASE [shop] SET HADR RESUME"),
        ("sql2", "MODIFY REPLICA ON N'sql2' WITH (AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT)"),
    ]
    assert group.primaries == ["sql2"]


def test_in_a_windows_cluster_the_stand_in_is_told_to_fail_over_and_polled_until_it_is_writable(make: Make) -> None:
    project, group = make("WSFC")
    group.replicas["sql2"].recovering = 5
    code, told = switch(project)
    assert code == 0, told
    assert group.altered == [("sql2", "FAILOVER")]
    assert group.replicas["sql2"].recovering == 0


def test_commits_wait_for_every_synchronous_secondary_before_the_stand_in_goes_offline(make: Make) -> None:
    project, group = make()
    assert switch(project)[0] == 0
    at = [statement for _, statement in group.altered]
    assert at.index("SET (REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = 2)") < at.index("OFFLINE")


def test_each_change_of_the_primary_is_counted_in_the_stand_in_s_epoch(make: Make) -> None:
    project, group = make("WSFC")
    assert switch(project)[0] == 0
    assert counted(group)["epoch"] == "2"
    assert counted(group)["fork"].startswith("F-1 ")  # no new recovery fork, and counted all the same
    actions = [row["action"] for row in group.tables.rows["customer_audit"]]
    assert actions == ["switchover"]


@pytest.mark.parametrize("required", [0, 1])
def test_the_stand_in_s_fork_is_counted_before_the_others_follow_unless_its_commit_waits_for_one(
    make: Make, required: int
) -> None:
    project, group = make()
    group.required = required
    done = project.run("replica", "switchover", "--to", "sql2", "--dry-run", "-o", "json")
    steps = [step["step"] for step in json.loads(done.out)["steps"]]
    assert steps.index("restore") < steps.index("record")
    assert (steps.index("record") < steps.index("follow")) is (required == 0)


def test_an_external_cluster_s_stand_in_is_left_to_its_manager(make: Make) -> None:
    project, group = make("EXTERNAL")
    for code, told in (switch(project),):
        assert code == 7
        assert "pcs resource move RESOURCE-master sql2 --master" in told
    group.replicas["sql1"].down = True
    code, told = fail_over(project, "--to", "sql2", "--primary-is-stopped", "--allow-data-loss")
    assert code == 7, told
    assert "pcs resource move" in told
    assert not group.altered


def unready(group: Group) -> None:
    group.replicas["sql2"].ready = False


def suspended(group: Group) -> None:
    group.replicas["sql2"].suspended = True


def reverting(group: Group) -> None:
    group.replicas["sql2"].state = "REVERTING"


def another_lags(group: Group) -> None:
    group.replicas["sql3"].ready = False


def no_quorum(group: Group) -> None:
    group.quorum = "UNKNOWN_QUORUM"


@pytest.mark.parametrize(
    ("cluster_type", "spoil", "told"),
    [
        ("WSFC", unready, "not ready for a failover"),
        ("WSFC", no_quorum, "no normal quorum"),
        ("WSFC", reverting, "REVERTING"),
        ("NONE", suspended, "does not receive"),
        ("NONE", reverting, "REVERTING"),
        ("NONE", another_lags, "`sql3` is set to synchronous commit"),
    ],
)
def test_a_switchover_is_refused_and_the_stand_in_left_alone(
    make: Make, cluster_type: str, spoil: Callable[[Group], None], told: str
) -> None:
    project, group = make(cluster_type)
    spoil(group)
    code, err = switch(project)
    assert (code, told in err) == (7, True), err
    assert not group.altered


@pytest.mark.usefixtures("impatient")
def test_a_switchover_that_stops_gives_the_stand_in_s_primary_its_role_and_settings_back(make: Make) -> None:
    project, group = make()
    group.required = 1
    group.replicas["sql2"].mode = ASYNCHRONOUS

    def spoil(number: int, done: bool) -> None:
        if group.altered and group.altered[-1] == ("sql1", "OFFLINE"):
            group.replicas["sql2"].state = "INITIALIZING"  # the server refuses the failover

    group.on_alter = spoil
    code, told = switch(project)
    assert code == 7, told
    assert group.primaries == ["sql1"]
    assert (group.required, group.replicas["sql2"].mode) == (1, ASYNCHRONOUS)
    assert "accepts writes again" in told


def test_another_secondary_of_the_stand_in_with_more_than_the_target_stops_the_switchover(make: Make) -> None:
    project, group = make()
    group.replicas["sql3"].hardened = 36_000_000_425_600_002
    code, told = switch(project)
    assert code == 7
    assert "`sql3` has received more" in told
    assert group.primaries == ["sql1"]


# -- killed at every statement ---------------------------------------------------------------------

FORCED = 4  # the number of the statement from which there is no way back
STATEMENTS = 11  # of a switchover where every setting has to be changed, and put back


def asynchronous(group: Group) -> None:
    """Let every setting be such that a switchover has to change it."""
    for replica in group.replicas.values():
        replica.mode = ASYNCHRONOUS


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(STATEMENTS))
def test_a_switchover_killed_at_any_statement_to_the_stand_in_comes_to_its_end_when_run_again(
    make: Make, at: int, after: bool
) -> None:
    project, group = make()
    asynchronous(group)

    def kill(number: int, done: bool) -> None:
        if (number, done) == (at, after):
            group.on_alter = lambda number, done: None
            raise Killed

    group.on_alter = kill
    with pytest.raises(Killed):
        switch(project)
    assert len(group.primaries) <= 1
    code, told = switch(project)
    assert code == 0, told
    assert group.primaries == ["sql2"]
    assert group.required == 0
    assert {replica.mode for replica in group.replicas.values()} == {ASYNCHRONOUS}
    assert not any(replica.suspended or replica.role == "RESOLVING" for replica in group.replicas.values())
    assert counted(group)["epoch"] == "2"


def test_that_many_statements_are_sent_to_the_stand_in_as_are_killed_at(make: Make) -> None:
    project, group = make()
    asynchronous(group)
    assert switch(project)[0] == 0
    assert len(group.altered) == STATEMENTS
    assert group.altered[FORCED] == ("sql2", "FORCE_FAILOVER_ALLOW_DATA_LOSS")


def test_a_failover_whose_answer_the_stand_in_loses_is_looked_for(make: Make) -> None:
    project, group = make()
    group.lost.add("ALTER AVAILABILITY GROUP [ag] FORCE_FAILOVER_ALLOW_DATA_LOSS")
    code, told = switch(project)
    assert code == 0, told
    assert group.primaries == ["sql2"]


def test_a_primary_of_the_stand_in_that_was_taken_offline_by_a_killed_run_is_unfenced(make: Make) -> None:
    project, group = make()

    def kill(number: int, done: bool) -> None:
        if group.altered and group.altered[-1][1] == "OFFLINE":
            group.on_alter = lambda number, done: None
            raise Killed

    group.on_alter = kill
    with pytest.raises(Killed):
        switch(project)
    done = project.run("replica", "unfence", "sql1", "--yes")
    assert done.code == 0, done.err
    assert group.primaries == ["sql1"]
    assert group.required == 0
    assert not any(replica.suspended for replica in group.replicas.values())


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(STATEMENTS))
def test_a_switchover_interrupted_at_any_statement_to_the_stand_in_is_undone_or_can_be_gone_on_with(
    make: Make, at: int, after: bool
) -> None:
    project, group = make()
    asynchronous(group)

    def interrupt(number: int, done: bool) -> None:
        if (number, done) == (at, after):
            group.on_alter = lambda number, done: None
            raise KeyboardInterrupt

    group.on_alter = interrupt
    code, told = switch(project)
    assert code == 130, told
    forced = [statement for _, statement in group.altered].count("FORCE_FAILOVER_ALLOW_DATA_LOSS")
    if at < FORCED:
        assert group.primaries == ["sql1"]
        assert forced == (1 if (at, after) == (FORCED - 1, True) else 0)  # given back where it was offline
        assert group.required == 0
        assert {replica.mode for replica in group.replicas.values()} == {ASYNCHRONOUS}
    assert switch(project)[0] == 0
    assert group.primaries == ["sql2"]
    assert group.required == 0


@pytest.mark.usefixtures("impatient")
def test_a_target_of_the_stand_in_that_still_recovers_is_waited_for_by_the_next_run(make: Make) -> None:
    project, group = make()
    group.replicas["sql2"].recovering = 10_000
    code, told = switch(project)
    assert code == 13, told
    assert not any(group.replicas[name].role == "PRIMARY" for name in ("sql1", "sql3"))
    group.replicas["sql2"].recovering = 3
    code, told = switch(project)
    assert code == 0, told
    assert [statement for _, statement in group.altered].count("FORCE_FAILOVER_ALLOW_DATA_LOSS") == 1
    assert counted(group)["epoch"] == "2"


@pytest.mark.parametrize("cluster_type", ["NONE", "WSFC"])
def test_a_plan_is_not_carried_out_on_stand_ins_of_which_another_has_become_the_primary(
    make: Make, monkeypatch: pytest.MonkeyPatch, cluster_type: str
) -> None:
    project, group = make(cluster_type)
    execute = Run.execute

    def late(self: Run) -> None:
        group.replicas["sql1"].role, group.replicas["sql3"].role = "SECONDARY", "PRIMARY"
        execute(self)

    monkeypatch.setattr(Run, "execute", late)
    code, told = switch(project)
    assert (code, "`sql3` is the primary now" in told) == (7, True), told
    assert not group.altered


def test_a_failover_is_not_forced_on_the_stand_in_while_another_primary_answers(make: Make) -> None:
    project, group = make()

    def promote_another(number: int, done: bool) -> None:
        if done and group.altered[-1][1] == "OFFLINE":
            group.replicas["sql3"].role = "PRIMARY"

    group.on_alter = promote_another
    code, told = switch(project)
    assert code == 12, told
    assert group.primaries == ["sql3"]


@pytest.mark.usefixtures("impatient")
def test_an_error_behind_which_the_stand_in_has_begun_to_take_over_undoes_nothing(make: Make) -> None:
    project, group = make()
    group.replicas["sql2"].recovering = 10_000
    group.lost_by = 41131
    group.lost.add("ALTER AVAILABILITY GROUP [ag] FORCE_FAILOVER_ALLOW_DATA_LOSS")
    code, told = switch(project)
    assert code == 13, told
    assert not any(group.replicas[name].role == "PRIMARY" for name in ("sql1", "sql3"))


def test_a_stand_in_s_primary_that_another_has_taken_offline_is_not_switched_over_from(make: Make) -> None:
    project, group = make()
    for replica in group.replicas.values():
        replica.mode = ASYNCHRONOUS

    def kill(number: int, done: bool) -> None:
        group.on_alter = lambda number, done: None
        raise Killed

    group.on_alter = kill
    with pytest.raises(Killed):
        switch(project)
    assert not group.altered
    assert project.run("replica", "fence", "sql1", "--yes").code == 0
    code, told = switch(project)
    assert code == 7, told
    assert "no primary answers, so no switchover" in told
    assert not group.primaries


def test_not_even_where_commits_on_the_stand_in_wait_for_all_but_no_run_has_seen_to_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, group = make()
    group.required = 2

    def kill(*_: object) -> str:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(AvailabilityDriver, "_synchronize", kill)
        with pytest.raises(Killed):
            switch(project)
    assert project.run("replica", "fence", "sql1", "--yes").code == 0
    code, told = switch(project)
    assert (code, group.primaries) == (7, []), told


def test_a_login_that_the_stand_in_refuses_while_it_takes_over_is_tried_again(make: Make) -> None:
    project, group = make()

    def refuse(number: int, done: bool) -> None:
        if done and group.altered[-1][1] == "FORCE_FAILOVER_ALLOW_DATA_LOSS":
            group.replicas["sql2"].refusing = 3

    group.on_alter = refuse
    code, told = switch(project)
    assert code == 0, told
    assert group.replicas["sql2"].refusing == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("switchover", "--to", "sql2", "--yes"),
        ("failover", "--to", "sql2", "--yes", "--primary-is-stopped"),
        ("fence", "sql1", "--yes"),
        ("unfence", "sql1"),
        ("rejoin", "sql2", "--yes"),
    ],
)
def test_without_the_profiles_word_it_changes_nothing(arguments: tuple[str, ...], make: Make) -> None:
    site, group = make(experimental=False)
    refused = site.run("replica", *arguments)
    assert refused.code == 7, refused.err
    assert "has never run on a real cluster" in refused.err
    assert "`replication: {driver: availability-group, experimental: true}`" in refused.err
    assert not group.altered


def test_without_the_profiles_word_it_shows_and_plans(make: Make) -> None:
    site, _ = make(experimental=False)
    assert site.ok("replica", "status", "-o", "json").json["primary"] == "sql1"
    planned = site.ok("replica", "switchover", "--to", "sql2", "--dry-run", "-o", "json").json
    assert [step["step"] for step in planned["steps"]][-1] == "verify"
