"""Failovers of an availability group, and what follows them, against stand-ins."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replicas.availability.conftest import Make
from tests.replicas.availability.group_stand_in import ASYNCHRONOUS, Killed, counted, fail_over, switch

FORCED = ("--primary-is-stopped", "--allow-data-loss")

# -- failover --------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["SECONDARY", "RESOLVING"])
def test_a_synchronized_stand_in_of_a_windows_cluster_takes_over_without_loss(make: Make, role: str) -> None:
    project, group = make("WSFC")
    group.replicas["sql1"].down = True
    for name in ("sql2", "sql3"):
        group.replicas[name].role = role
    code, told = fail_over(project)
    assert code == 0, told
    assert "no acknowledged write is lost" in told
    assert group.altered[0] == ("sql2", "FAILOVER")


def test_every_database_of_the_stand_in_s_group_is_resumed_and_counts(make: Make) -> None:
    project, group = make()
    group.databases = ["shop", "stock"]
    group.required = 1
    group.replicas["sql1"].down = True
    code, told = fail_over(project, "--to", "sql2", *FORCED)
    assert code == 0, told
    assert group.altered[1:] == [
        ("sql3", "ALTER DATABASE [shop] SET HADR RESUME"),
        ("sql3", "ALTER DATABASE [stock] SET HADR RESUME"),
    ]


def test_a_failover_that_may_lose_says_how_much_and_is_refused_by_the_stand_in_s_states(make: Make) -> None:
    project, group = make("WSFC")
    group.replicas["sql1"].down = True
    for name in ("sql2", "sql3"):
        group.replicas[name].ready = False
    code, told = fail_over(project, "--to", "sql2")
    assert code == 7
    assert "--primary-is-stopped" in told
    code, told = fail_over(project, "--to", "sql2", "--primary-is-stopped")
    assert code == 7
    assert "up to 3.0 s of them" in told
    assert not group.altered
    code, told = fail_over(project, "--to", "sql2", "--primary-is-stopped", "--allow-data-loss")
    assert code == 0, told
    assert group.altered[0] == ("sql2", "FORCE_FAILOVER_ALLOW_DATA_LOSS")


def test_without_a_quorum_the_stand_in_is_never_told_to_take_over(make: Make) -> None:
    project, group = make("WSFC")
    group.replicas["sql1"].down, group.quorum = True, "UNKNOWN_QUORUM"
    code, told = fail_over(project, "--primary-is-stopped", "--allow-data-loss")
    assert code == 7
    assert "no quorum" in told
    assert not group.altered


@pytest.mark.parametrize("state", ["REVERTING", "INITIALIZING"])
@pytest.mark.parametrize("cluster_type", ["NONE", "WSFC"])
def test_no_stand_in_is_made_the_primary_in_a_state_it_could_not_start_from(
    make: Make, state: str, cluster_type: str
) -> None:
    project, group = make(cluster_type)
    group.replicas["sql1"].down = True
    group.replicas["sql2"].state = state
    code, told = fail_over(project, "--to", "sql2", "--primary-is-stopped", "--allow-data-loss")
    assert code == 7
    assert state in told
    assert not group.altered
    group.replicas["sql3"].state = state
    assert fail_over(project, "--primary-is-stopped", "--allow-data-loss")[0] == 3
    assert not group.altered


def test_an_answering_primary_of_the_stand_in_is_not_failed_over(make: Make) -> None:
    project, group = make()
    code, told = fail_over(project, "--to", "sql2", "--primary-is-stopped", "--allow-data-loss")
    assert code == 7
    assert "`sql1` answers, and is the primary" in told
    assert not group.altered


@pytest.mark.parametrize("required", [0, 1, 2])
def test_without_a_cluster_no_stand_in_can_tell_what_a_silent_primary_has_acknowledged(
    make: Make, required: int
) -> None:
    """Who was disconnected does not hear that commits need not wait for him any more."""
    project, group = make()
    group.required = required
    group.replicas["sql1"].down = True
    code, told = fail_over(project, "--to", "sql2", "--primary-is-stopped")
    assert code == 7
    assert "nobody but `sql1`, which is silent, knows what it has acknowledged" in told
    assert "up to 3.0 s of them" in told
    assert not group.altered
    assert fail_over(project, "--to", "sql2", *FORCED)[0] == 0
    assert group.primaries == ["sql2"]


def test_a_failover_loses_nothing_where_every_stand_in_answers_and_none_has_more(make: Make) -> None:
    project, group = make()
    assert project.run("replica", "fence", "sql1", "--yes").code == 0
    code, told = fail_over(project, "--to", "sql2")
    assert code == 0, told
    assert "no acknowledged write is lost" in told
    assert group.primaries == ["sql2"]
    assert not group.replicas["sql1"].suspended


def test_an_asynchronous_old_primary_of_the_stand_in_that_answers_offline_is_no_proof_of_anything(make: Make) -> None:
    project, group = make()
    group.required = 1
    old = group.replicas["sql1"]
    old.role, old.mode, old.hardened = "RESOLVING", ASYNCHRONOUS, 36_000_000_425_600_002
    group.replicas["sql3"].down = True
    code, told = fail_over(project, "--to", "sql2", "--primary-is-stopped")
    assert code == 7
    assert "`sql1` has received more than `sql2`" in told
    assert not group.altered


@pytest.mark.parametrize("name", ["sql2", "sql3"])
def test_a_position_that_the_stand_in_does_not_tell_proves_nothing(make: Make, name: str) -> None:
    project, group = make()
    group.required = 1
    group.replicas["sql1"].down = True
    group.replicas[name].hardened = None
    code, told = fail_over(project, "--to", "sql2", "--primary-is-stopped")
    assert code == 7
    assert not group.altered
    assert "no acknowledged write is lost" not in told


def test_the_stand_in_with_the_most_is_chosen_and_the_other_needs_a_word(make: Make) -> None:
    project, group = make()
    group.required = 1
    group.replicas["sql1"].down = True
    group.replicas["sql3"].hardened = 36_000_000_425_600_101
    code, told = fail_over(project, "--to", "sql2", "--primary-is-stopped")
    assert code == 7
    assert "`sql3` has received more" in told
    code, told = fail_over(project, *FORCED)
    assert code == 0, told
    assert group.primaries == ["sql3"]


def test_after_a_failover_commits_wait_for_no_more_secondaries_than_the_stand_in_has(make: Make) -> None:
    project, group = make()
    group.required = 2
    group.replicas["sql1"].down = True
    code, told = fail_over(project, "--to", "sql2", *FORCED)
    assert code == 0, told
    assert group.required == 1
    assert "REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT is 2, and will be 1" in told


def test_an_old_primary_that_returns_as_one_is_fenced_and_rejoined_by_the_stand_in(make: Make) -> None:
    project, group = make()
    group.required = 1
    group.replicas["sql1"].down = True
    assert fail_over(project, "--to", "sql2", *FORCED)[0] == 0
    group.replicas["sql1"].down = False
    assert project.run("replica", "status", "--check").code == 14
    assert project.run("replica", "rejoin", "sql1", "--yes").code == 14
    group.altered.clear()
    done = project.run("replica", "fence", "sql1", "--yes")
    assert done.code == 0, done.err
    done = project.run("replica", "rejoin", "sql1", "--yes")
    assert done.code == 0, done.err
    assert group.altered == [("sql1", "SET (ROLE = SECONDARY)"), ("sql1", "ALTER DATABASE [shop] SET HADR RESUME")]
    assert project.run("replica", "status", "--check").code == 0


def test_the_statements_for_a_stand_in_that_does_not_answer_are_printed(make: Make) -> None:
    project, group = make()
    group.replicas["sql3"].down = True
    done = project.run("replica", "rejoin", "sql3", "--yes")
    assert "ALTER DATABASE [shop] SET HADR RESUME" in done.out + done.err


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(3))
def test_a_failover_killed_at_any_statement_to_the_stand_in_comes_to_its_end_when_run_again(
    make: Make, at: int, after: bool
) -> None:
    project, group = make()
    group.required = 2
    group.replicas["sql1"].down = True

    def kill(number: int, done: bool) -> None:
        if (number, done) == (at, after):
            group.on_alter = lambda number, done: None
            raise Killed

    group.on_alter = kill
    with pytest.raises(Killed):
        fail_over(project, *FORCED)
    code, told = fail_over(project, *FORCED)
    assert code == 0, told
    assert [statement for _, statement in group.altered].count("FORCE_FAILOVER_ALLOW_DATA_LOSS") == 1
    assert group.primaries == ["sql2"]
    assert group.required == 1
    assert not group.replicas["sql3"].suspended
    # What is lost is as little known to the run that ends it: no number that was lost may come again.
    assert int(counted(group)["epoch"]) > 1_000_000_000
    assert len(group.altered) == 3


def test_settings_that_a_killed_switchover_left_are_put_back_by_a_failover_of_the_stand_in(make: Make) -> None:
    project, group = make()

    def kill(number: int, done: bool) -> None:
        if done and group.altered[-1][1].startswith("SET (REQUIRED"):
            group.on_alter = lambda number, done: None
            raise Killed

    group.on_alter = kill
    with pytest.raises(Killed):
        switch(project)
    assert group.required == 2
    group.replicas["sql1"].down = True
    code, told = fail_over(project, "--to", "sql3", *FORCED)
    assert code == 0, told
    assert (group.primaries, group.required) == (["sql3"], 0)


def test_a_primary_of_the_stand_in_that_is_still_connected_to_a_secondary_is_not_taken_for_dead(make: Make) -> None:
    project, group = make()
    group.unreachable.add("sql1")
    code, told = fail_over(project, "--to", "sql2", "--allow-data-loss")
    assert code == 7
    assert "still connected to it" in told
    assert not group.altered


def test_a_hook_that_fails_keeps_the_stand_in_from_being_failed_over_to(make: Make) -> None:
    project, group = make(hooks='fence: ["false"]')
    group.replicas["sql1"].down = True
    code, told = fail_over(project, "--to", "sql2", "--allow-data-loss")
    assert code == 3, told
    assert not group.altered


def test_a_hook_that_stops_the_old_primary_is_enough_of_a_word_for_the_stand_in(make: Make) -> None:
    project, group = make(hooks='fence: ["true"]')
    group.replicas["sql1"].down = True
    code, told = fail_over(project, "--to", "sql2", "--allow-data-loss")
    assert code == 0, told
    assert group.primaries == ["sql2"]


@pytest.mark.parametrize("cluster_type", ["WSFC", "EXTERNAL"])
def test_what_a_cluster_owns_of_the_stand_in_is_not_fenced_by_sql(make: Make, cluster_type: str) -> None:
    project, group = make(cluster_type)
    done = project.run("replica", "fence", "sql1", "--yes")
    assert done.code == 7
    assert "T-SQL cannot stop its primary from accepting writes" in done.err
    assert not group.altered


def test_a_stand_in_is_fenced_and_given_back_by_sql_where_no_cluster_is(make: Make) -> None:
    project, group = make()
    done = project.run("replica", "fence", "sql1", "--yes")
    assert done.code == 0, done.err
    assert not group.primaries
    assert project.run("replica", "status", "--check").code == 3
    assert project.run("replica", "unfence", "sql2", "--yes").code == 7  # a secondary
    done = project.run("replica", "unfence", "sql1", "--yes")
    assert done.code == 0, done.err
    assert group.primaries == ["sql1"]
    assert project.run("replica", "status", "--check").code == 0


def test_a_stand_in_is_not_given_back_while_another_may_be_the_primary(make: Make) -> None:
    project, group = make()
    assert project.run("replica", "fence", "sql1", "--yes").code == 0
    group.replicas["sql3"].down = True
    done = project.run("replica", "unfence", "sql1", "--yes")
    assert done.code == 7
    assert "`sql3` does not answer: it may be the primary" in done.err
    assert not group.primaries


@pytest.mark.parametrize(
    ("primary", "down", "message"),
    [("sql2", "", "`sql2` is the primary"), ("", "sql3", "`sql3` does not answer: it may be the primary")],
)
def test_a_hook_that_gives_a_stand_in_back_is_run_only_where_no_other_may_be_the_primary(
    make: Make, tmp_path: Path, primary: str, down: str, message: str
) -> None:
    called = tmp_path / "called"
    project, group = make(hooks=f'unfence: ["touch", "{called}"]')
    group.replicas["sql1"].role = "RESOLVING"
    for name, replica in group.replicas.items():
        replica.role = "PRIMARY" if name == primary else replica.role
        replica.down = name == down
    done = project.run("replica", "unfence", "sql1", "--yes")
    assert done.code == 7
    assert message in done.err
    assert not called.exists()
    assert not group.altered


def test_a_hook_that_starts_a_stand_in_is_run_before_it_is_asked_for_anything(make: Make, tmp_path: Path) -> None:
    called = tmp_path / "called"
    project, group = make(hooks=f'unfence: ["touch", "{called}"]')
    group.replicas["sql1"].role = "RESOLVING"
    done = project.run("replica", "unfence", "sql1", "--yes")
    assert done.code == 0, done.err
    assert called.exists()
    assert group.primaries == ["sql1"]
