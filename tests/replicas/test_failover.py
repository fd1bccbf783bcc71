"""A failover loses nothing that it has not announced, and is refused where the old primary may be alive."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import Project, Result
from tests.inside import Inside
from tests.replicas import at_step
from tests.replicas.support import (
    FAILOVER,
    SWITCHOVER,
    accepts_writes,
    add_customers,
    epoch,
    journal_text,
    other_machine,
    recorded,
    wait_until,
)
from tests.servers.cluster import NODES, REPLICATION_MARK, Cluster
from tests.servers.hooks import Hooks
from tests.servers.writer import Writer

FAILOVERS = int(os.environ.get("CUSTCTL_TEST_SWITCHOVERS", "3"))
_SECONDS = 10.0  # without writes, at the most: what a loaded machine takes says nothing about the program

UNSAID = ("replica", "failover", "--yes")
"""Without the operator's word that the primary is stopped."""


@pytest.fixture
def site(cluster: Cluster, project: Project) -> Inside:
    """The profiles `dev` and `prod` on the asynchronous cluster in its first state, for commands inside this process."""
    made = cluster.project(project)
    return Inside(made.path, made.environ)


@pytest.fixture
def synchronous(synchronous_cluster: Cluster, project: Project) -> Inside:
    """The same on the synchronous one, whose primary is recorded to be so."""
    made = synchronous_cluster.project(project)
    operator = Inside(made.path, made.environ)
    _record(operator, synchronous_cluster)
    return operator


def _record(operator: Project, cluster: Cluster) -> None:
    """Let an administrator's look record what the primary's commits wait for."""
    assert operator.ok("replica", "status", "-o", "json").json["recorded"]["synchronous"]
    cluster.wait_streaming()


def _refused(result: Result, code: int, *words: str) -> None:
    assert result.code == code, result.err
    for word in words:
        assert word in result.err
    assert "Traceback" not in result.err


# -- nothing is lost, or what is lost was announced ------------------------------------------------


def test_no_acknowledged_write_is_lost_under_synchronous_replication(
    synchronous: Inside, synchronous_cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = synchronous_cluster
    gaps = []
    for number in range(FAILOVERS):
        # A cluster that begins anew is another one than this machine has met.
        operator = other_machine(synchronous, tmp_path / str(number))
        if number:
            cluster.reset()
            _record(operator, cluster)
        with Writer(cluster.nodes) as writer:
            cluster.kill("a")
            began = time.monotonic()
            done = operator.ok(*FAILOVER, "-o", "json").json
            writer.wait_for_write()
            written = writer.first_after(began)
            assert written is not None
            gaps.append(written.moment - began)
        assert done["loss"]["none"] is True
        assert cluster.primary == done["to"]
        assert writer.lost(cluster.nodes[done["to"]]) == []
        assert epoch(cluster) == 2
        assert [action for action, _ in recorded(cluster)] == ["failover"]
    with capsys.disabled():
        told = ", ".join(f"{gap:.2f}" for gap in gaps)
        sys.stderr.write(f"\nfrom the command to the first write in {FAILOVERS} failovers, in seconds: {told}\n")
    assert max(gaps) < _SECONDS


def test_under_asynchronous_replication_the_operator_has_to_accept_the_loss(site: Inside, cluster: Cluster) -> None:
    cluster.kill("a")
    refused = site.run(*FAILOVER, "-o", "json")
    _refused(refused, 7, "replication is asynchronous", "--allow-data-loss")
    assert refused.error["details"]["loss"]["none"] is False
    assert sorted(cluster.standbys()) == ["b", "c"]
    done = site.ok(*FAILOVER, "--allow-data-loss", "-o", "json")
    assert done.json["loss"]["none"] is False
    assert accepts_writes(cluster, done.json["to"])
    [change] = site.ok("replica", "history", "-o", "json").json["items"]
    assert (change["from"], change["to"], change["outcome"]) == ("a", done.json["to"], "done")
    assert "replication is asynchronous" in change["loss"]


def test_what_is_lost_is_no_more_than_was_announced(site: Inside, cluster: Cluster) -> None:
    with Writer(cluster.nodes) as writer:
        cluster.detach("b", "c")
        writer.wait_for_write()
        time.sleep(0.2)
        # By the same clock as the moments of the writes.
        began, wall = time.monotonic(), time.time()
        cluster.kill("a")
        shown = site.ok(*FAILOVER, "--allow-data-loss", "--dry-run", "-o", "json").json["loss"]
        done = site.ok(*FAILOVER, "--allow-data-loss", "-o", "json").json
    lost = writer.lost(cluster.nodes[done["to"]])
    assert lost, "the network was cut before some of the acknowledged writes"
    kept = [write for write in writer.acknowledged if write.node == "a" and write not in lost]
    for told in (shown, done["loss"]):
        since = _seconds(told["since"]) - wall + began
        # A commit's time is taken before it is acknowledged, so that all that is lost is later.
        assert min(write.moment for write in lost) >= since
        assert told["seconds"] > 0
    assert max(write.moment for write in kept) < min(write.moment for write in lost)


def _seconds(moment: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(moment).timestamp()


def test_the_best_candidate_is_the_one_that_received_most(site: Inside, cluster: Cluster) -> None:
    cluster.detach("b")
    add_customers(cluster, 20)
    cluster.wait_streaming("c")
    cluster.kill("a")
    _refused(site.run(*FAILOVER, "--to", "b"), 7, "`c` has received more than `b`", "failover --to c")
    done = site.ok(*FAILOVER, "--allow-data-loss", "-o", "json").json
    assert done["to"] == "c"
    cluster.wait_streaming("b")
    assert cluster.sql("SELECT count(*) FROM customer", node="b") == [(20,)]


def test_the_lesser_candidate_is_taken_where_the_loss_is_accepted(site: Inside, cluster: Cluster) -> None:
    cluster.detach("b")
    add_customers(cluster, 20)
    cluster.wait_streaming("c")
    cluster.kill("a")
    done = site.run(*FAILOVER, "--to", "b", "--allow-data-loss", "-o", "json")
    assert done.code in (0, 12), done.err
    assert "`c` has received more than `b`: it must rejoin" in done.err
    assert cluster.primary == "b"
    assert accepts_writes(cluster, "b")
    assert cluster.sql("SELECT count(*) FROM customer", node="c") == [(20,)]


def test_a_standby_that_has_not_replayed_yet_keeps_what_it_has_received(
    synchronous: Inside, synchronous_cluster: Cluster
) -> None:
    cluster = synchronous_cluster
    cluster.pause_replay("b", "c")
    add_customers(cluster, 50)
    cluster.kill("a")
    done = synchronous.run(*FAILOVER, "-o", "json")
    # The other one turns to it when its replay goes on; nothing waits for that.
    other = "c" if cluster.primary == "b" else "b"
    _refused(done, 12, f"`{other}` does not follow it", "its commits will be acknowledged without a standby")
    assert cluster.sql("SELECT count(*) FROM customer") == [(50,)]
    assert accepts_writes(cluster, cluster.primary)
    cluster.resume_replay(other)
    cluster.wait_streaming(other)


@pytest.mark.parametrize("names", ["ANY 1 (a, b, c)", "FIRST 1 (b, c)"])
def test_a_member_of_the_quorum_that_is_silent_may_have_the_last_write(
    names: str, synchronous: Inside, synchronous_cluster: Cluster
) -> None:
    cluster = synchronous_cluster
    for node in NODES:
        cluster.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'", node=node)
        cluster.sql("SELECT pg_reload_conf()", node=node)
    _record(synchronous, cluster)
    cluster.profile(synchronous, connect_timeout="1s")
    cluster.kill("a", "c")
    refused = synchronous.run(*FAILOVER, "-o", "json")
    _refused(refused, 7, "silent, and a commit waits for 1")
    assert cluster.standbys() == ["b"]
    done = synchronous.ok(*FAILOVER, "--allow-data-loss", "-o", "json")
    assert done.json["loss"]["none"] is False
    # Its own commits wait for nobody: there is nobody.
    assert accepts_writes(cluster, "b")


# -- the old primary may be alive ------------------------------------------------------------------


def test_the_primary_is_alive(site: Inside, cluster: Cluster) -> None:
    refused = site.run(*FAILOVER, "--allow-data-loss")
    _refused(refused, 7, "`a` answers, and is the primary", "custctl replica switchover --to")
    assert cluster.roles() == {"a": "primary", "b": "standby", "c": "standby"}


def test_the_primary_answers_and_is_fenced(site: Inside, cluster: Cluster) -> None:
    site.ok("replica", "fence", "a", "--yes")
    refused = site.run(*FAILOVER, "--allow-data-loss")
    _refused(refused, 7, "`a` answers, and is the primary", "custctl replica switchover --to")
    assert cluster.roles() == {"a": "fenced", "b": "standby", "c": "standby"}
    # What it advises does it.
    site.ok(*SWITCHOVER, "b")
    assert cluster.primary == "b"


@pytest.mark.parametrize("how", ["refused", "dropped", "frozen"])
def test_the_primary_is_cut_off_from_the_operator_alone(how: str, site: Inside, cluster: Cluster) -> None:
    with cluster.proxies("a") as fronts:
        cluster.profile(site, through=fronts, connect_timeout="1s")
        front = fronts["a"]
        if how == "refused":
            front.refuse()
        elif how == "dropped":
            front.refuse()
            front.drop()
        else:
            front.freeze_on(b"user")
        refused = site.run(*UNSAID, "--allow-data-loss")
    _refused(refused, 7, "`a` does not answer here", "still connected to it: it may still be running")
    assert cluster.roles() == {"a": "primary", "b": "standby", "c": "standby"}


def test_the_operators_word_is_not_taken_where_the_standbys_still_receive(site: Inside, cluster: Cluster) -> None:
    """He says that it is stopped, and it takes writes."""
    with cluster.proxies("a") as fronts, Writer({"a": cluster.nodes["a"]}) as writer:
        cluster.profile(site, through=fronts)
        fronts["a"].refuse()
        refused = site.run(*FAILOVER, "--allow-data-loss")
        writer.wait_for_write()
    _refused(refused, 7, "the old primary is still running", "nothing was changed")
    assert cluster.roles() == {"a": "primary", "b": "standby", "c": "standby"}
    assert accepts_writes(cluster, "a")


def test_the_operators_word_is_not_taken_where_an_idle_primary_feeds_the_standbys(
    site: Inside, cluster: Cluster
) -> None:
    with cluster.proxies("a") as fronts:
        cluster.profile(site, through=fronts)
        fronts["a"].refuse()
        refused = site.run(*FAILOVER, "--allow-data-loss")
    _refused(refused, 7, "the old primary is still running")
    assert cluster.roles() == {"a": "primary", "b": "standby", "c": "standby"}
    cluster.wait_streaming()


def test_the_primary_is_frozen(site: Inside, cluster: Cluster) -> None:
    cluster.profile(site, connect_timeout="1s")
    cluster.freeze("a")
    _refused(site.run(*UNSAID, "--allow-data-loss"), 7, "does not answer here", "it may still be running")
    cluster.thaw("a")
    assert cluster.roles() == {"a": "primary", "b": "standby", "c": "standby"}


def test_the_hook_stops_a_frozen_primary(site: Inside, cluster: Cluster) -> None:
    with Hooks(cluster) as hooks:
        cluster.profile(site, connect_timeout="1s", hooks=hooks.commands)
        cluster.freeze("a")
        refused = site.run(*UNSAID, "--allow-data-loss")
        _refused(refused, 7, "it may still be running", "`custctl replica fence a` stops it with the profile's hook")
        site.ok("replica", "fence", "a", "--yes")
        site.ok(*UNSAID, "--allow-data-loss")
    assert cluster.roles()["a"] == "down"
    assert cluster.primary in ("b", "c")


def test_a_frozen_primary_that_is_called_stopped_acknowledges_nothing_when_it_wakes(
    synchronous: Inside, synchronous_cluster: Cluster
) -> None:
    """The operator's word was wrong, and what the quorum has proven holds all the same."""
    cluster = synchronous_cluster
    cluster.profile(synchronous, connect_timeout="1s")
    with Writer(cluster.nodes) as writer:
        cluster.freeze("a")
        done = synchronous.ok(*FAILOVER, "-o", "json").json
        writer.wait_for_write()
        cluster.thaw("a")
        time.sleep(0.2)
    assert done["loss"]["none"] is True
    assert writer.lost(cluster.nodes[done["to"]]) == []
    _refused(synchronous.run("replica", "status", "--check"), 14, "accept writes")
    synchronous.ok("replica", "fence", "a", "--yes")
    assert cluster.primary == done["to"]


def test_the_operators_word_is_not_taken_where_the_primary_is_starting(site: Inside, cluster: Cluster) -> None:
    cluster.kill("a")
    server = cluster.nodes["a"]
    # Its recovery waits for a log file, and meanwhile nobody is served.
    (server.data / "recovery.signal").touch()
    cluster.workplace.hand_over(server.data / "recovery.signal")
    with (server.data / "postgresql.conf").open("a") as settings:
        settings.write("restore_command = 'sleep 60; false'\n")

    def start() -> None:
        with suppress(RuntimeError):
            server.start()

    starting = threading.Thread(target=start)
    starting.start()
    try:
        wait_until(lambda: "starting up" in site.run("replica", "status").err, "the primary to start", 30)
        refused = site.run(*FAILOVER, "--allow-data-loss", "--to", "b", "-o", "json")
    finally:
        cluster.kill("a")
        starting.join()
    _refused(refused, 7, "`a` is not stopped", "starting up")
    assert cluster.standbys() == ["b", "c"]


def test_the_primary_is_gone_and_nobody_says_so(site: Inside, cluster: Cluster) -> None:
    cluster.kill("a")
    _refused(site.run(*UNSAID, "--allow-data-loss"), 7, "does not mean that it is stopped", "--primary-is-stopped")
    assert sorted(cluster.standbys()) == ["b", "c"]


def test_a_standby_that_another_standby_feeds_is_no_sign_of_a_living_primary(site: Inside, cluster: Cluster) -> None:
    cluster.attach("c", "b")
    wait_until(
        lambda: cluster.sql("SELECT application_name FROM pg_stat_replication", node="b") == [("c",)], "a cascade"
    )
    cluster.kill("a")
    _refused(site.run(*UNSAID, "--allow-data-loss"), 7, "does not mean that it is stopped")
    site.ok(*FAILOVER, "--to", "b", "--allow-data-loss")
    cluster.wait_streaming("c")


def test_no_standby_answers(site: Inside, cluster: Cluster) -> None:
    cluster.kill(*NODES)
    assert site.run(*FAILOVER).code == 3


def test_targets_that_cannot_be(site: Inside, cluster: Cluster) -> None:
    cluster.kill("a", "b")
    _refused(site.run(*FAILOVER, "--to", "d"), 6, "no node `d`")
    _refused(site.run(*FAILOVER, "--to", "b"), 3, "`b` does not answer")


def test_production_asks_for_the_profiles_name_and_never_takes_it_for_a_loss(site: Inside, cluster: Cluster) -> None:
    cluster.kill("a")
    production = (*FAILOVER, "--env", "prod")
    _refused(site.run(*production, "--allow-data-loss"), 7, "--confirm prod")
    _refused(site.run(*production, "--confirm", "prod"), 7, "--allow-data-loss")
    assert sorted(cluster.standbys()) == ["b", "c"]
    site.ok(*production, "--confirm", "prod", "--allow-data-loss")


def test_one_that_was_planned_before_another_was_carried_out_is_refused(
    synchronous: Inside, synchronous_cluster: Cluster, tmp_path: Path
) -> None:
    cluster = synchronous_cluster
    cluster.kill("a")
    other = other_machine(synchronous, tmp_path / "elsewhere")
    with at_step.held(other, "after:begin", *FAILOVER, "--to", "c", "--allow-data-loss") as late:
        synchronous.ok(*FAILOVER, "--to", "b", "--allow-data-loss")
        refused = at_step.finish(late)
    assert refused.code == 7, refused.err
    assert cluster.roles() == {"a": "down", "b": "primary", "c": "standby"}


def test_one_that_was_killed_is_brought_to_its_end_from_elsewhere_without_naming_its_target(
    synchronous: Inside, synchronous_cluster: Cluster, tmp_path: Path
) -> None:
    cluster = synchronous_cluster
    cluster.kill("a")
    assert at_step.run(synchronous, "before:done:promote=kill", *FAILOVER).code == -9
    target = cluster.primary
    other_machine(synchronous, tmp_path / "elsewhere").ok(*FAILOVER)
    assert cluster.primary == target
    cluster.wait_streaming()
    # Another machine cannot know what was lost, and takes a number that cannot have been lost with it.
    assert epoch(cluster) > 1_000_000_000
    assert [action for action, _ in recorded(cluster)] == ["failover"]


# -- the hook that stops it ------------------------------------------------------------------------


@pytest.fixture
def hooks(cluster: Cluster) -> Iterator[Hooks]:
    """The cluster's hooks."""
    with Hooks(cluster) as made:
        yield made


def test_a_fence_hook_stops_a_primary_that_may_be_alive(hooks: Hooks, site: Inside, cluster: Cluster) -> None:
    with cluster.proxies("a") as fronts:
        cluster.profile(site, through=fronts, hooks=hooks.commands)
        fronts["a"].refuse()
        # Connected standbys say that it lives, which is what the hook is for: the operator has to say so, still.
        done = site.run(*FAILOVER, "--allow-data-loss", "-o", "json")
    assert done.code == 0, done.err
    assert hooks.calls == [("fence", "a")]
    assert done.json["steps"][0]["step"] == "hook"
    assert cluster.roles()["a"] == "down"


def test_a_fence_hook_makes_the_operators_word_needless(hooks: Hooks, site: Inside, cluster: Cluster) -> None:
    cluster.profile(site, hooks=hooks.commands)
    cluster.kill("a")
    site.ok(*UNSAID, "--allow-data-loss")
    assert hooks.calls == [("fence", "a")]


def test_a_fence_hook_that_fails_stops_everything(hooks: Hooks, site: Inside, cluster: Cluster) -> None:
    cluster.profile(site, hooks=hooks.commands)
    hooks.failing.add("fence")
    cluster.kill("a")
    _refused(
        site.run(*UNSAID, "--allow-data-loss"), 3, "the hook `fence` for `a` failed", "what the hook did to `a` stays"
    )
    assert sorted(cluster.standbys()) == ["b", "c"]
    # Unless the operator knows better.
    site.ok(*FAILOVER, "--allow-data-loss")


def test_a_fence_hook_that_is_not_there(site: Inside, cluster: Cluster) -> None:
    cluster.profile(site, hooks={"fence": ["/nowhere/to-be-found", "{node}"]})
    cluster.kill("a")
    _refused(site.run(*UNSAID, "--allow-data-loss"), 3, "cannot be run", "/nowhere/to-be-found")
    assert sorted(cluster.standbys()) == ["b", "c"]


@pytest.mark.parametrize("patient", [True, False])
def test_a_fence_hook_outlives_ctrl_c_but_not_a_second_one(
    site: Inside, cluster: Cluster, tmp_path: Path, patient: bool
) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    # In a profile `$$` is one dollar sign.
    script = f"echo $$$$ > {begun}; until [ -e {go} ]; do sleep 0.1; done; echo it is off"
    cluster.profile(site, hooks={"fence": ["sh", "-c", script]})
    cluster.kill("a")
    process = site.start(*UNSAID, "--allow-data-loss")
    assert process.stderr is not None
    wait_until(lambda: begun.exists() and begun.read_text().strip(), "the hook to begin")
    process.send_signal(2)
    while b"waiting for the hook `fence` for `a` to end" not in (line := process.stderr.readline()):
        assert line, "it ended"
    assert Path(f"/proc/{begun.read_text().strip()}").exists()
    if patient:
        go.touch()
    else:
        process.send_signal(2)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    outcome = b"ended without an error: it is off" if patient else b"was killed"
    assert b"interrupted; the hook `fence` for `a` " + outcome in told
    assert b"nothing else was changed, but what the hook did to `a` stays" in told
    wait_until(lambda: not Path(f"/proc/{begun.read_text().strip()}").exists(), "the hook to be gone")
    assert sorted(cluster.standbys()) == ["b", "c"]


def test_a_hook_gets_its_words_and_no_password(site: Inside, cluster: Cluster, tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = f'printf "%s\\n" "$@" > {told}; env >> {told}'
    words = ["{node}", "{host}:{port}", "a b", "$(id)", "*"]
    cluster.profile(site, hooks={"fence": ["sh", "-c", script, "-", *words]})
    cluster.kill("a")
    site.environ["CUSTCTL_TEST_MARK"] = "handed on"
    result = site.ok(*UNSAID, "--allow-data-loss", "-v")
    text = told.read_text()
    server = cluster.nodes["a"]
    assert text.splitlines()[: len(words)] == ["a", f"{server.host}:{server.port}", "a b", "$(id)", "*"]
    assert "CUSTCTL_TEST_MARK=handed on" in text
    assert "CUSTCTL_DB_PASSWORD" not in text
    for place in (text, result.out, result.err, journal_text(site)):
        assert site.environ["CUSTCTL_DB_PASSWORD"] not in place
        assert REPLICATION_MARK not in place


# -- afterwards ------------------------------------------------------------------------------------


def test_an_old_primary_that_comes_back_writable_is_a_split_brain_that_fence_and_rejoin_heal(
    hooks: Hooks, site: Inside, cluster: Cluster
) -> None:
    cluster.profile(site, hooks={"rejoin": hooks.commands["rejoin"]})
    cluster.kill("a")
    site.ok(*FAILOVER, "--to", "b", "--allow-data-loss")
    cluster.start("a")
    assert cluster.roles() == {"a": "primary", "b": "primary", "c": "standby"}
    shown = site.ok("replica", "status", "-o", "json")
    assert (shown.json["health"], shown.json["primary"]) == ("split_brain", None)
    assert "`a` and `b` accept writes" in shown.err
    for arguments in (
        ("replica", "status", "--check"),
        (*SWITCHOVER, "c"),
        (*SWITCHOVER, "b"),
        (*FAILOVER, "--to", "c", "--allow-data-loss"),
        ("replica", "rejoin", "a", "--yes"),
    ):
        _refused(site.run(*arguments), 14, "accept writes")
    _refused(site.run("replica", "fence", "--yes"), 7, "name a node")
    site.ok("replica", "fence", "a", "--yes")
    assert cluster.roles() == {"a": "fenced", "b": "primary", "c": "standby"}
    _refused(site.run("replica", "unfence", "a"), 7, "`b` accepts writes", "replica rejoin a")
    site.ok("replica", "rejoin", "a", "--yes")
    assert cluster.roles() == {"a": "standby", "b": "primary", "c": "standby"}
    site.ok("replica", "status", "--check")
    counted = epoch(cluster)
    site.ok(*SWITCHOVER, "a")
    assert epoch(cluster) == counted + 1
