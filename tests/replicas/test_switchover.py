"""A switchover moves the primary and loses nothing, or leaves everything as it was."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from custctl.engines.members import Observation, Role
from custctl.engines.model import Node
from custctl.replication.streaming.plan import plan_switchover
from custctl.replication.topology import Seen, Topology
from custctl.support.errors import RefusedError
from tests.conftest import ADA, Project
from tests.inside import Inside
from tests.replicas import at_step
from tests.replicas.support import (
    SWITCHOVER,
    accepts_writes,
    add_customers,
    customers,
    epoch,
    journal_text,
    other_machine,
    recorded,
    use_slot,
    wait_until,
)
from tests.servers.cluster import DATABASES, NODES, OPERATOR_USER, REPLICATION_MARK, SUPPORT_USER, Cluster
from tests.servers.hooks import Hooks
from tests.servers.postgresql import USER
from tests.servers.writer import Writer

SWITCHOVERS = int(os.environ.get("CUSTCTL_TEST_SWITCHOVERS", "3"))
_SECONDS = 10.0  # without writes, at the most: what a loaded machine takes says nothing about the program

BEFORE = {"a": "primary", "b": "standby", "c": "standby"}
AFTER = {"a": "fenced", "b": "primary", "c": "standby"}


@pytest.fixture
def site(cluster: Cluster, project: Project) -> Inside:
    """The profiles `dev` and `prod` on the cluster in its first state, for commands inside the test's own process."""
    made = cluster.project(project)
    return Inside(made.path, made.environ)


# -- what it does ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["cluster", "synchronous_cluster"])
def test_no_acknowledged_write_is_lost_back_and_forth(
    kind: str, request: pytest.FixtureRequest, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster: Cluster = request.getfixturevalue(kind)
    gaps = []
    with Hooks(cluster) as hooks, Writer(cluster.nodes) as writer:
        cluster.profile(project, hooks=hooks.commands)
        for number in range(SWITCHOVERS):
            old, target = cluster.primary, NODES[(number + 1) % len(NODES)]
            began = writer.acknowledged[-1].moment
            done = project.ok(*SWITCHOVER, target, "-o", "json").json
            writer.wait_for_write()
            gaps.append(writer.longest_gap(since=began))
            assert (done["from"], done["to"], done["loss"]["none"]) == (old, target, True)
            assert cluster.roles()[old] == "fenced"
            assert epoch(cluster, target) == number + 2
            project.ok("replica", "rejoin", old, "--yes")
            project.ok("replica", "status", "--check")
            assert writer.lost(cluster.nodes[target]) == []
    assert writer.lost(cluster.nodes[cluster.primary]) == []
    with capsys.disabled():
        told = ", ".join(f"{gap:.2f}" for gap in gaps)
        sys.stderr.write(f"\n{kind}: seconds without writes in {SWITCHOVERS} switchovers: {told}\n")
    assert max(gaps) < _SECONDS


def test_it_fences_promotes_repoints_counts_and_tells(site: Inside, cluster: Cluster) -> None:
    done = site.ok(*SWITCHOVER, "b", "-o", "json").json
    assert [step["step"] for step in done["steps"]] == [
        *("lock", "fence", "catch-up", "promote", "follow", "record", "verify")
    ]
    assert {step["state"] for step in done["steps"]} == {"done"}
    assert cluster.roles() == AFTER
    cluster.wait_streaming("c")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        add_customers(cluster, node="a")
    assert recorded(cluster) == [("switchover", done["operation_id"])]
    [change] = site.ok("replica", "history", "-o", "json").json["items"]
    assert (change["from"], change["to"], change["outcome"], change["epoch"]) == ("a", "b", "done", 2)
    assert change["loss"].startswith("no acknowledged write is lost")
    site.ok("audit", "verify")


def test_versions_read_before_it_are_of_a_past_epoch(site: Inside) -> None:
    site.ok("customer", "add", *ADA)
    before = site.ok("customer", "get", "ada@example.com", "-o", "json").json["version"]
    site.ok(*SWITCHOVER, "b")
    after = site.ok("customer", "get", "ada@example.com", "-o", "json").json["version"]
    assert after != before
    late = ("customer", "update", "ada@example.com", "--phone", "1", "--if-version")
    assert site.run(*late, before).code == 5
    site.ok(*late, after)


def test_a_dry_run_changes_nothing_and_promises_nothing(site: Inside, cluster: Cluster) -> None:
    shown = site.ok("replica", "switchover", "--to", "b", "--dry-run", "-o", "json")
    assert [step["step"] for step in shown.json["steps"]][:2] == ["lock", "fence"]
    assert "a later run may differ" in shown.err
    assert cluster.roles() == BEFORE
    assert REPLICATION_MARK not in shown.out + shown.err


def test_switching_over_to_the_primary_does_nothing(site: Inside, cluster: Cluster) -> None:
    done = site.ok(*SWITCHOVER, "a")
    assert "is already the primary" in done.err
    assert cluster.roles() == BEFORE
    assert epoch(cluster) == 1


def test_a_transaction_that_is_open_is_ended_and_was_never_acknowledged(site: Inside, cluster: Cluster) -> None:
    options: dict[str, Any] = {"user": USER, "password": site.environ["CUSTCTL_DB_PASSWORD"]}
    server = cluster.nodes["a"]
    with psycopg.connect(host=server.host, port=server.port, dbname="customers", **options) as connection:
        connection.execute("INSERT INTO customer (email, first_name, last_name) VALUES ('open@example.com', 'A', 'B')")
        site.ok(*SWITCHOVER, "b")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert customers(cluster, "b") == 0
    assert accepts_writes(cluster, "b")


def test_a_superusers_idle_session_is_told_of(site: Inside, cluster: Cluster) -> None:
    with cluster.nodes["a"].connect(dbname="customers") as connection:
        done = site.ok(*SWITCHOVER, "b")
        assert "1 session of a superuser goes on" in done.err
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("CREATE TABLE mark ()")


def test_a_superusers_open_transaction_is_waited_for_and_then_left_alone(site: Inside, cluster: Cluster) -> None:
    """It began before the fence and may write yet, and this login may not end it."""
    with cluster.nodes["a"].connect(dbname="customers") as connection, connection.transaction():
        connection.execute("SELECT count(*) FROM customer")
        refused = site.run(*SWITCHOVER, "b")
        assert refused.code == 3, refused.err
        assert "`a` accepts writes again" in refused.err
        add_customers(cluster, node="a")
    assert cluster.roles() == BEFORE


@pytest.mark.parametrize("target", ["b", "c"])
def test_a_standby_that_another_standby_feeds(target: str, site: Inside, cluster: Cluster) -> None:
    cluster.attach("c", "b")
    wait_until(
        lambda: cluster.sql("SELECT application_name FROM pg_stat_replication", node="b") == [("c",)], "a cascade"
    )
    add_customers(cluster, 5)
    site.ok(*SWITCHOVER, target)
    assert customers(cluster, target) == 5
    cluster.wait_streaming()
    assert len(cluster.sql("SELECT pid FROM pg_stat_replication", node=target)) == 1


def test_the_slot_of_a_standby_is_made_anew_where_the_login_may(site: Inside, cluster: Cluster) -> None:
    use_slot(cluster, "c")
    cluster.sql(f"ALTER ROLE {USER} REPLICATION")
    cluster.wait_streaming()
    site.ok(*SWITCHOVER, "b")
    assert cluster.sql("SELECT slot_name, active FROM pg_replication_slots", node="b") == [("slot_c", True)]


def test_a_standby_does_without_its_slot_where_the_login_may_make_none(site: Inside, cluster: Cluster) -> None:
    use_slot(cluster, "c")
    done = site.ok(*SWITCHOVER, "b")
    assert "it does without its slot `slot_c`" in done.err
    cluster.wait_streaming("c")
    assert cluster.sql("SHOW primary_slot_name", node="c") == [("",)]


@pytest.mark.parametrize("names", ["ANY 2 (a, b, c)", "elsewhere", "ANY 1 (a, b)"])
def test_synchronous_standbys_that_it_will_not_have_do_not_hang_the_new_primary(
    names: str, site: Inside, cluster: Cluster
) -> None:
    cluster.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'", node="b")
    cluster.sql("SELECT pg_reload_conf()", node="b")
    done = site.ok(*SWITCHOVER, "b")
    assert f"would wait for `{names}`, which it will not have" in done.err
    assert cluster.sql("SHOW synchronous_standby_names", node="b") == [("",)]
    assert accepts_writes(cluster, "b")


def test_a_synchronous_cluster_goes_on_waiting_for_who_is_left(synchronous_cluster: Cluster, project: Project) -> None:
    synchronous_cluster.project(project).ok(*SWITCHOVER, "b")
    assert synchronous_cluster.sql("SHOW synchronous_standby_names", node="b") == [("ANY 1 (a, b, c)",)]
    assert accepts_writes(synchronous_cluster, "b")
    assert synchronous_cluster.sql("SELECT application_name, sync_state FROM pg_stat_replication", node="b") == [
        ("c", "quorum")
    ]


def test_a_synchronous_cluster_whose_other_standby_is_down_waits_for_none(
    synchronous_cluster: Cluster, project: Project
) -> None:
    synchronous_cluster.kill("c")
    done = synchronous_cluster.project(project).ok(*SWITCHOVER, "b")
    assert "`c` does not answer: it must follow later" in done.err
    assert accepts_writes(synchronous_cluster, "b")


def test_the_password_of_replication_reaches_no_output_and_no_file(site: Inside, cluster: Cluster) -> None:
    assert REPLICATION_MARK in str(cluster.sql("SHOW primary_conninfo", node="c"))
    told = []
    for arguments in (
        ("replica", "status", "-o", "json"),
        (*SWITCHOVER, "b", "-v", "--debug", "-o", "json"),
        ("replica", "rejoin", "a", "-v", "--debug", "-o", "json"),
        ("replica", "status", "-v", "--debug"),
        ("replica", "history", "-o", "json", "--debug"),
        ("doctor", "-v"),
    ):
        result = site.run(*arguments)
        told += [result.out, result.err]
    assert REPLICATION_MARK not in "".join([*told, journal_text(site)])
    assert REPLICATION_MARK in str(cluster.sql("SHOW primary_conninfo", node="c"))
    cluster.wait_streaming("c")


# -- what it refuses -------------------------------------------------------------------------------


def _refused(
    site: Inside, cluster: Cluster, code: int, *words: str, to: str = "b", options: tuple[str, ...] = ()
) -> str:
    """Expect that a switchover is refused, for a reason that is told, and that all is as it was."""
    result = site.run(*SWITCHOVER, to, *options)
    assert result.code == code, result.err
    for word in words:
        assert word in result.err
    assert "Traceback" not in result.err
    assert cluster.roles()["a"] == "primary"
    assert accepts_writes(cluster, "a")
    assert epoch(cluster, "a") == 1
    return result.err


def test_an_unknown_target(site: Inside, cluster: Cluster) -> None:
    _refused(site, cluster, 6, "no node `bb`", "did you mean `b`?", to="bb")


def test_a_dead_target(site: Inside, cluster: Cluster) -> None:
    cluster.kill("b")
    _refused(site, cluster, 3, "`b` does not answer")


def test_a_frozen_target(site: Inside, cluster: Cluster) -> None:
    cluster.profile(site, connect_timeout="1s")
    cluster.freeze("b")
    _refused(site, cluster, 3, "`b` does not answer")


def test_a_target_whose_replay_is_paused(site: Inside, cluster: Cluster) -> None:
    cluster.pause_replay("b")
    _refused(site, cluster, 7, "the replay of `b` is paused", "pg_wal_replay_resume")


def test_a_target_that_receives_from_nobody(site: Inside, cluster: Cluster) -> None:
    cluster.detach("b")
    _refused(site, cluster, 7, "`b` does not receive from `a`")


def test_a_target_that_is_behind() -> None:
    a, b = (Node(name, "localhost", port) for port, name in enumerate("ab", 1))
    common = {"cluster_id": "1", "timeline": 1}
    primary = Observation(Role.PRIMARY, True, **common)  # type: ignore[arg-type]
    standby = Observation(Role.STANDBY, False, **common, receiving=True, lag=7.0)  # type: ignore[arg-type]
    topology = Topology((Seen(a, primary), Seen(b, standby)), max_lag=5.0)
    with pytest.raises(RefusedError, match=r"`b` is 7.0 s behind, and `max_lag` is 5 s"):
        plan_switchover(topology, "b", "operation", None)


def test_a_target_that_is_a_fenced_former_primary(site: Inside, cluster: Cluster) -> None:
    site.ok(*SWITCHOVER, "b")
    refused = site.run(*SWITCHOVER, "a")
    assert refused.code == 7
    assert "`a` is a fenced former primary" in refused.err
    assert "`custctl replica rejoin a`" in refused.err
    assert cluster.roles() == AFTER


def test_prepared_transactions_which_no_fence_holds_off(site: Inside, cluster: Cluster) -> None:
    cluster.stop(*NODES)
    for server in cluster.nodes.values():
        with (server.data / "postgresql.conf").open("a") as settings:
            settings.write("max_prepared_transactions = 2\n")
    cluster.start(*NODES)
    cluster.wait_streaming()
    with cluster.nodes["a"].connect(dbname="customers") as connection:
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE mark ()")
        connection.execute("PREPARE TRANSACTION 'later'")
    _refused(site, cluster, 7, "1 prepared transaction", "pg_prepared_xacts")


def test_a_role_that_the_fence_would_not_hold_off(site: Inside, cluster: Cluster) -> None:
    cluster.sql(f"ALTER ROLE {OPERATOR_USER} SET default_transaction_read_only = off")
    _refused(site, cluster, 7, f"role {OPERATOR_USER}", "RESET default_transaction_read_only")


@pytest.mark.parametrize("setting", ["default_transaction_read_only = on", "session_replication_role = replica"])
def test_a_login_with_a_setting_that_a_change_of_the_primary_cannot_do_with(
    site: Inside, cluster: Cluster, setting: str
) -> None:
    cluster.sql(f"ALTER ROLE {USER} SET {setting}")
    cluster.wait_streaming()
    found = site.ok("replica", "status", "-o", "json")
    assert (found.json["health"], found.json["items"][0]["writable"]) == ("healthy", True)
    assert "could not be recorded" not in found.err
    reset = f"`ALTER ROLE {USER} RESET {setting.split(' ', maxsplit=1)[0]}`"
    _refused(site, cluster, 7, reset)
    if "read_only" in setting:
        for command in (["fence"], ["unfence", "a"]):
            refused = site.run("replica", *command, "--yes")
            assert (refused.code, reset in refused.err) == (7, True)
    assert cluster.roles() == BEFORE


def test_a_database_of_another_environment(site: Inside, cluster: Cluster) -> None:
    profile = site.path / "profiles" / "dev.yaml"
    profile.write_text(profile.read_text().replace("name: customers\n", f"name: {DATABASES['production']}\n"))
    _refused(site, cluster, 7, "is stamped `production`, but the profile is for `development`")


def test_production_asks_for_the_profiles_name(site: Inside, cluster: Cluster) -> None:
    _refused(site, cluster, 7, "--confirm prod", options=("--env", "prod"))
    _refused(site, cluster, 7, "--confirm", options=("--env", "prod", "--confirm", "dev"))
    site.ok(*SWITCHOVER, "b", "--env", "prod", "--confirm", "prod")
    assert cluster.roles() == AFTER


def test_where_nobody_is_there_to_ask(site: Inside, cluster: Cluster) -> None:
    refused = site.run("replica", "switchover", "--to", "b")
    assert (refused.code, "--yes" in refused.err) == (7, True)
    assert cluster.roles() == BEFORE


@pytest.mark.parametrize("user", [SUPPORT_USER, OPERATOR_USER])
def test_a_login_without_the_rights_is_told_the_grants(user: str, site: Inside, cluster: Cluster) -> None:
    cluster.profile(site, user=user)
    refused = site.run(*SWITCHOVER, "b", "-o", "json")
    assert refused.code == 4, refused.err
    statements = refused.error["details"]["statements"]
    assert f"GRANT EXECUTE ON FUNCTION pg_promote(boolean,integer) TO {user}" in statements
    assert cluster.roles() == BEFORE
    # What it asks for is all that it takes.
    for statement in statements:
        cluster.sql(statement)
    cluster.wait_streaming()
    site.ok(*SWITCHOVER, "b", "-o", "json")
    assert cluster.roles() == AFTER
    assert epoch(cluster) == 2


def test_a_cluster_that_a_manager_owns(site: Inside, cluster: Cluster) -> None:
    server = cluster.nodes["a"]
    with psycopg.connect(
        host=server.host,
        port=server.port,
        dbname="customers",
        user=USER,
        password=site.environ["CUSTCTL_DB_PASSWORD"],
        application_name="Patroni heartbeat",
    ):
        _refused(site, cluster, 7, "Patroni owns `a`", "`driver: patroni`")


# -- two at a time ---------------------------------------------------------------------------------


@pytest.mark.parametrize("machines", ["one machine", "two machines"])
def test_of_two_at_once_one_wins(machines: str, site: Inside, cluster: Cluster, tmp_path: Path) -> None:
    other = site if machines == "one machine" else other_machine(site, tmp_path / "elsewhere")
    processes = {"b": site.start(*SWITCHOVER, "b"), "c": other.start(*SWITCHOVER, "c")}
    told = {name: process.communicate(timeout=60)[1].decode() for name, process in processes.items()}
    codes = {name: process.returncode for name, process in processes.items()}
    winners = [name for name, code in codes.items() if code == 0]
    # Where the second begins late enough, it switches over from the first one's primary.
    assert winners, told
    assert set(codes.values()) <= {0, 3, 7}, told
    assert len([name for name, role in cluster.roles().items() if role == "primary"]) == 1
    assert cluster.primary in winners
    assert len(recorded(cluster)) == len(winners)


def test_one_that_was_planned_before_another_was_carried_out_is_refused(
    site: Inside, cluster: Cluster, tmp_path: Path
) -> None:
    """As where its question was answered late."""
    other = other_machine(site, tmp_path / "elsewhere")
    with at_step.held(other, "after:begin", *SWITCHOVER, "c") as late:
        site.ok(*SWITCHOVER, "b")
        refused = at_step.finish(late)
    assert refused.code == 7, refused.err
    assert cluster.roles() == AFTER
    cluster.wait_streaming("c")


def test_one_is_kept_out_while_another_goes_on(site: Inside, cluster: Cluster, tmp_path: Path) -> None:
    other = other_machine(site, tmp_path / "elsewhere")
    with at_step.held(site, "before:begun:promote", *SWITCHOVER, "b") as first:
        here, elsewhere = site.run(*SWITCHOVER, "c"), other.run(*SWITCHOVER, "c")
        assert (here.code, elsewhere.code) == (3, 3), here.err + elsewhere.err
        assert "another switchover or failover" in here.err
        assert "another switchover or failover" in elsewhere.err
        assert at_step.finish(first).code == 0
    assert cluster.roles() == AFTER


# -- what goes wrong on the way --------------------------------------------------------------------


def test_a_target_that_is_lost_after_the_fence_gives_the_old_primary_back(site: Inside, cluster: Cluster) -> None:
    cluster.profile(site, connect_timeout="1s")
    with at_step.held(site, "after:done:fence", *SWITCHOVER, "b") as held:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            add_customers(cluster, node="a")
        cluster.freeze("b")
        failed = at_step.finish(held)
    assert failed.code == 3, failed.err
    assert "`a` accepts writes again" in failed.err
    assert accepts_writes(cluster, "a")
    assert cluster.roles() == {**BEFORE, "b": "frozen"}
    [change] = site.ok("replica", "history", "-o", "json").json["items"]
    assert change["outcome"] == "aborted"


def test_one_thing_that_cannot_be_taken_back_keeps_nothing_from_the_others(site: Inside, cluster: Cluster) -> None:
    cluster.profile(site, connect_timeout="1s")
    cluster.sql("ALTER SYSTEM SET synchronous_standby_names = 'elsewhere'", node="b")
    cluster.sql("SELECT pg_reload_conf()", node="b")
    with at_step.held(site, "after:done:stop-waiting", *SWITCHOVER, "b") as held:
        cluster.freeze("b")
        failed = at_step.finish(held)
    assert failed.code == 12, failed.err
    assert "could not be undone" in failed.err
    assert accepts_writes(cluster, "a")
    cluster.thaw("b")
    site.ok(*SWITCHOVER, "b")


@pytest.mark.parametrize("what", ["kill", "freeze"])
def test_an_old_primary_that_is_lost_after_the_fence_stays_fenced_until_it_is_back(
    what: str, site: Inside, cluster: Cluster
) -> None:
    cluster.profile(site, connect_timeout="1s")
    with at_step.held(site, "after:done:fence", *SWITCHOVER, "b") as held:
        getattr(cluster, what)("a")
        failed = at_step.finish(held)
    assert failed.code == 12, failed.err
    assert "could not be undone" in failed.err
    assert "`custctl replica unfence a`" in failed.err
    assert cluster.standbys() == ["b", "c"]
    # Without it nothing can be measured.
    again = site.run(*SWITCHOVER, "b")
    assert again.code == 7, again.err
    cluster.start("a") if what == "kill" else cluster.thaw("a")
    assert cluster.roles() == {**BEFORE, "a": "fenced"}
    wait_until(lambda: site.ok("replica", "status", "-o", "json").json["items"][1]["source"], "`b` to follow again")
    done = site.ok(*SWITCHOVER, "b")
    assert "is not finished" in done.err
    assert cluster.roles() == AFTER
    assert len(recorded(cluster)) == 1


def test_a_fence_that_stayed_can_be_taken_away_instead(site: Inside, cluster: Cluster) -> None:
    at_step.run(site, "after:done:fence=kill", *SWITCHOVER, "b")
    assert cluster.roles() == {**BEFORE, "a": "fenced"}
    site.ok("replica", "unfence")
    assert accepts_writes(cluster, "a")
    site.ok("replica", "status", "--check")


@pytest.mark.parametrize(
    ("step", "signal", "code"),
    [("lock", "int", 130), ("fence", "term", 143), ("fence", "hup", 143), ("catch-up", "int", 130)],
)
def test_a_signal_before_the_promotion_gives_the_old_primary_back(
    step: str, signal: str, code: int, site: Inside, cluster: Cluster
) -> None:
    stopped = at_step.run(site, f"after:done:{step}={signal}", *SWITCHOVER, "b", "-o", "json")
    assert stopped.code == code, stopped.err
    undone = {"lock": "nothing was changed", "catch-up": "`c` receives as before, `a` accepts writes again"}
    assert stopped.error["message"] == f"interrupted; {undone.get(step, '`a` accepts writes again')}"
    assert cluster.roles() == BEFORE
    assert accepts_writes(cluster, "a")
    site.ok(*SWITCHOVER, "b")


@pytest.mark.parametrize(
    ("step", "signal", "code"), [("promote", "term", 143), ("follow", "int", 130), ("record", "term", 143)]
)
def test_a_signal_from_the_promotion_on_is_left_to_a_rerun(
    step: str, signal: str, code: int, site: Inside, cluster: Cluster
) -> None:
    stopped = at_step.run(site, f"after:done:{step}={signal}", *SWITCHOVER, "b", "-o", "json")
    assert stopped.code == code, stopped.err
    assert "after `b` was asked to become the primary" in stopped.error["message"]
    assert "run the same command again" in stopped.error["hint"]
    assert cluster.roles() == AFTER
    site.ok(*SWITCHOVER, "b")
    cluster.wait_streaming("c")
    assert epoch(cluster) == 2
    assert len(recorded(cluster)) == 1
    assert "is not finished" not in site.run(*SWITCHOVER, "b").err


def test_a_second_ctrl_c_does_not_keep_the_old_primary_from_being_given_back(site: Inside, cluster: Cluster) -> None:
    moments = "after:begun:catch-up=int,before:undone:fence=int"
    stopped = at_step.run(site, moments, *SWITCHOVER, "b")
    assert stopped.code == 130, stopped.err
    assert "`a` accepts writes again" in stopped.err
    assert accepts_writes(cluster, "a")


def test_a_signal_between_two_steps_gives_the_old_primary_back(site: Inside, cluster: Cluster) -> None:
    stopped = at_step.run(site, "before:begun:catch-up=term", *SWITCHOVER, "b")
    assert stopped.code == 143, stopped.err
    assert accepts_writes(cluster, "a")


@pytest.mark.parametrize(
    "moment", ["after:done:lock", "after:begun:fence", "before:done:fence", "after:begun:catch-up"]
)
def test_a_disk_that_is_full_on_the_way_gives_the_old_primary_back(moment: str, site: Inside, cluster: Cluster) -> None:
    failed = at_step.run(site, f"{moment}=full", *SWITCHOVER, "b", "-o", "json")
    assert failed.code == 3, failed.err
    assert "cannot be written" in failed.error["message"]
    assert cluster.roles() == BEFORE
    assert accepts_writes(cluster, "a")


def test_a_disk_that_is_full_after_the_promotion_keeps_nothing_from_its_end(site: Inside, cluster: Cluster) -> None:
    done = at_step.run(site, "after:begun:promote=full", *SWITCHOVER, "b", "-o", "json")
    assert done.code == 0, done.err
    assert "cannot be written" in done.err
    assert cluster.roles() == AFTER
    cluster.wait_streaming("c")
    site.ok(*SWITCHOVER, "b")
    assert epoch(cluster) == 2
    assert len(recorded(cluster)) == 1


def test_a_standby_that_is_lost_after_the_promotion_is_told_of(site: Inside, cluster: Cluster) -> None:
    cluster.profile(site, connect_timeout="1s")
    with at_step.held(site, "after:done:promote", *SWITCHOVER, "b", "-o", "json") as held:
        cluster.kill("c")
        done = at_step.finish(held)
    assert done.code == 12, done.err
    error = json.loads(done.err.splitlines()[-1])["error"]
    assert "`b` is the primary, but a later step failed" in error["message"]
    assert cluster.roles() == {**AFTER, "c": "down"}
    assert accepts_writes(cluster, "b")
    cluster.start("c")
    site.ok(*SWITCHOVER, "b")
    cluster.wait_streaming("c")
    assert epoch(cluster) == 2


def test_a_synchronous_standby_that_is_lost_after_the_promotion_does_not_hang_it(
    synchronous_cluster: Cluster, project: Project
) -> None:
    cluster = synchronous_cluster
    site = cluster.project(project)
    cluster.profile(site, connect_timeout="1s", statement_timeout="2s")
    with at_step.held(site, "after:done:promote", *SWITCHOVER, "b", "-o", "json") as held:
        cluster.kill("c")
        began = time.monotonic()
        done = at_step.finish(held)
    assert done.code == 12, done.err
    # Its commits wait for `c`, as they were told to; the program does not wait for ever.
    assert time.monotonic() - began < _SECONDS, done.err
    assert cluster.roles() == {**AFTER, "c": "down"}
    cluster.start("c")
    site.ok("replica", "rejoin", "c")
    site.ok(*SWITCHOVER, "b")
    assert epoch(cluster) == 2
