"""A cluster that Patroni keeps: driven by its REST API, refused where Patroni or we refuse, verified by the nodes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Project, Result
from tests.replicas import at_step
from tests.replicas.support import epoch, journal_text, other_machine, recorded
from tests.servers import ports
from tests.servers.cluster import NODES, REPLICATION_MARK
from tests.servers.patroni import API_MARK, API_PASSWORD, PatroniCluster
from tests.servers.postgresql import PASSWORD, make_certificates
from tests.servers.proxy import Proxy
from tests.servers.writer import Writer

SWITCHOVER = ("replica", "switchover", "--yes", "-o", "json", "--to")
FAILOVER = ("replica", "failover", "--yes", "-o", "json")
STATUS = ("replica", "status", "--check", "-o", "json")

# What it was killed at tells more than the others, each of which takes a switchover of Patroni's.
MOMENTS = ["before:done:request"]
if "CUSTCTL_TEST_KILLS" in os.environ:
    MOMENTS += [f"{when}:{step}" for step in ("request", "record", "verify") for when in ("after:begun", "after:done")]


@pytest.fixture
def site(patroni: PatroniCluster, project: Project) -> Project:
    """The profile `dev` on a cluster all of whose nodes are well."""
    patroni.profile(project)
    return project


def a_standby(cluster: PatroniCluster) -> str:
    """Return a node that does not lead."""
    return next(name for name in NODES if name != cluster.leader)


def refused(result: Result, code: int, *words: str) -> dict[str, Any]:
    """Check how a command was refused, and return the error."""
    assert result.code == code, result.err
    for word in words:
        assert word in f"{result.error['message']} {result.error['hint']}"
    return result.error


# -- how it stands ---------------------------------------------------------------------------------


def test_status_needs_no_patroni_and_tells_what_it_says(patroni: PatroniCluster, site: Project) -> None:
    # A node that another test has stopped may still be catching up.
    patroni.wait(lambda: site.run(*STATUS).code == 0, "the cluster to be whole")
    whole = site.ok(*STATUS).json
    assert (whole["health"], whole["reasons"], whole["notes"]) == ("healthy", [], [])
    assert whole["primary"] == patroni.leader
    with ports.refused() as first, ports.refused() as second, ports.refused() as third:
        patroni.profile(site, api_ports={"c": third})
        [note] = site.ok(*STATUS).json["notes"]
        assert note.startswith("`c`: Patroni's REST API at 127.0.0.1:")
        patroni.profile(site, api_ports=dict(zip(NODES, (first, second, third), strict=True)))
        told = site.run(*STATUS)
        assert (told.code, told.json["health"], len(told.json["reasons"])) == (12, "degraded", 3)
        refused(site.run(*SWITCHOVER, a_standby(patroni)), 3, "REST API", "`api_port`")


def test_what_listens_there_and_is_not_patroni_is_told(patroni: PatroniCluster, site: Project) -> None:
    with ports.garbage() as babbling, ports.closing() as closing, ports.silent() as silent:
        patroni.profile(site, api_ports={"a": babbling, "b": closing, "c": silent}, connect_timeout="1s")
        began = time.monotonic()
        reasons = site.run(*STATUS).json["reasons"]
        assert time.monotonic() - began < 15
    assert [reason.partition("`:")[0][-2:] for reason in reasons] == ["`a", "`b", "`c"]
    assert "no answer in time" in reasons[2]


def test_tls_is_spoken_and_verified_as_patronis_variables_say(
    patroni: PatroniCluster, site: Project, tmp_path: Path
) -> None:
    node = patroni.nodes["b"]
    certificates = make_certificates(node.workplace)

    def notes(**variables: str | Path) -> list[str]:
        site.environ |= {f"PATRONI_CTL_{name}": str(value) for name, value in variables.items()}
        told = site.run(*STATUS).json
        # Where none of them is heard, that is a reason to call the cluster degraded.
        return [each for each in (*told["notes"], *told["reasons"]) if "`b`:" in each]

    assert notes() == []
    node.encrypt_api(certificates)
    try:
        # It takes that up in its own time.
        patroni.wait(lambda: len(notes()) == 1, "plain HTTP to be refused")
        assert notes(CACERT=certificates.ca, CERTFILE=certificates.client, KEYFILE=certificates.client_key) == []
        assert "certificate verify failed" in notes(CACERT=certificates.foreign_ca)[0]
        assert "no such file" in notes(CACERT=tmp_path / "missing.pem")[0].lower()
        assert notes(CACERT="", INSECURE="true") == []
        # An encrypted key without its password: nobody is asked for it.
        locked = tmp_path / "locked.key"
        locked.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n")
        assert "cannot be used" in notes(KEYFILE=locked)[0]
    finally:
        node.encrypt_api(None)
        for name in ("CACERT", "CERTFILE", "KEYFILE", "INSECURE"):
            site.environ.pop(f"PATRONI_CTL_{name}", None)
    patroni.wait(lambda: notes() == [], "plain HTTP to be spoken again")


# -- switchover ------------------------------------------------------------------------------------


def test_a_switchover_loses_nothing_and_ends_when_all_nodes_follow_though_patronis_answer_is_lost(
    patroni: PatroniCluster, site: Project
) -> None:
    old, target, before = patroni.leader, a_standby(patroni), epoch(patroni)
    node = patroni.nodes[target]
    with Proxy(node.host, node.api_port) as front, Writer(patroni.nodes) as writer:
        patroni.profile(site, api_ports={target: front.port})
        front.cut_answer(b"POST /switchover")
        done = site.ok(*SWITCHOVER, target)
        # Patroni's own look at the history of timelines is a connection without a name.
        names = "SELECT application_name FROM pg_stat_replication WHERE application_name <> ''"
        following = patroni.sql(names, node=target)
        writer.wait_for_write()
        assert front.stats.cut == 1
    patroni.profile(site)
    assert {name for (name,) in following} == set(NODES) - {target}
    assert (done.json["from"], done.json["to"], done.json["loss"]["none"]) == (old, target, True)
    assert [step["step"] for step in done.json["steps"]] == ["check", "request", "record", "verify", "follow"]
    assert writer.lost(patroni.nodes[target]) == []
    assert site.ok(*STATUS).json["primary"] == target == patroni.primary
    assert epoch(patroni) == before + 1
    assert recorded(patroni)[-1] == ("switchover", done.json["operation_id"])
    # Patroni has the old primary follow by itself.
    assert "rejoin" not in done.err
    for secret in (API_MARK, PASSWORD, REPLICATION_MARK):
        assert secret not in done.out + done.err + journal_text(site)
    again = site.ok(*SWITCHOVER, target)
    assert again.json["steps"] == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_a_step_and_run_again_it_converges(patroni: PatroniCluster, site: Project, moment: str) -> None:
    target, before, told = a_standby(patroni), epoch(patroni), len(recorded(patroni))
    at_step.run(site, f"{moment}=kill", *SWITCHOVER, target)
    done = site.ok(*SWITCHOVER, target)
    assert patroni.primary == target
    assert epoch(patroni) == before + 1
    assert len(recorded(patroni)) == told + 1
    assert "is not finished" in done.err
    assert "is not finished" not in site.ok(*SWITCHOVER, target).err


def test_a_switchover_that_somebody_else_overtakes(patroni: PatroniCluster, site: Project, tmp_path: Path) -> None:
    leader, before = patroni.leader, epoch(patroni)
    target, third = (name for name in NODES if name != leader)
    elsewhere = other_machine(site, tmp_path / "elsewhere")
    with (
        at_step.held(site, "before:begun:check", *SWITCHOVER, target) as planned,
        at_step.held(elsewhere, "after:begun:request", *SWITCHOVER, target) as asking,
    ):
        assert leader is not None
        assert patroni.nodes[leader].ask("POST", "/switchover", {"leader": leader, "candidate": third})[0] == 200
        refused(at_step.finish(planned), 7, f"`{third}` is the primary now", "nothing was changed")
        refused(at_step.finish(asking), 12, f"Patroni has made `{third}` the primary", f"failover --to {third}")
    assert patroni.primary == third
    assert elsewhere.ok("replica", "history", "-o", "json").json["items"][-1]["outcome"] == "aborted"
    assert elsewhere.ok(*FAILOVER, "--to", third).json["loss"]["none"] is False
    assert epoch(patroni) > before


def test_what_patroni_refuses_is_told_in_its_words(patroni: PatroniCluster, site: Project) -> None:
    target, leader = a_standby(patroni), patroni.leader
    patroni.profile(site, connect_timeout="1s")
    # PostgreSQL runs on, and Patroni asks its own member in vain.
    patroni.nodes[target].freeze()
    began = time.monotonic()
    error = refused(
        site.run(*SWITCHOVER, target), 7, "412", "no good candidates have been found", "nothing was changed"
    )
    assert time.monotonic() - began < 15
    assert API_MARK not in str(error)
    patroni.nodes[target].thaw()
    assert patroni.primary == leader
    assert site.ok("replica", "history", "-o", "json").json["items"][-1]["outcome"] == "aborted"


def test_a_login_that_patroni_refuses_is_no_switchover(patroni: PatroniCluster, site: Project) -> None:
    target = a_standby(patroni)
    for password, code in ((f"{API_PASSWORD}x", 4), ("", 4)):
        site.environ["PATRONI_RESTAPI_PASSWORD"] = password
        result = site.run(*SWITCHOVER, target)
        refused(result, code, "PATRONI_RESTAPI_PASSWORD")
        assert API_MARK not in result.out + result.err + journal_text(site)
    del site.environ["PATRONI_RESTAPI_PASSWORD"], site.environ["PATRONI_RESTAPI_USERNAME"]
    refused(site.run(*SWITCHOVER, target), 4, "401")
    assert patroni.leader != target


def test_another_cluster_than_the_profiles_is_refused(patroni: PatroniCluster, site: Project) -> None:
    patroni.profile(site, group="another")
    target = a_standby(patroni)
    for command in (SWITCHOVER, (*FAILOVER, "--to")):
        refused(site.run(*command, target), 7, "keeps the cluster `customers-cluster`", "`another`")
    assert site.run(*STATUS).code == 12
    refused(site.run(*SWITCHOVER, "nobody"), 6, "no node `nobody`")
    patroni.profile(site, environment="test")
    refused(site.run(*SWITCHOVER, target), 7, "stamped `development`")


def test_in_maintenance_mode_it_is_refused(patroni: PatroniCluster, site: Project) -> None:
    patroni.configure(pause=True)
    refused(site.run(*SWITCHOVER, a_standby(patroni)), 7, "paused", "patronictl resume")
    told = site.ok(*STATUS).json
    assert (told["health"], len(told["notes"])) == ("healthy", 1)


def test_in_synchronous_mode_a_synchronous_standby_alone_is_known_to_lose_nothing(
    patroni: PatroniCluster, site: Project
) -> None:
    patroni.configure(synchronous_mode=True)
    standbys = [name for name in NODES if name != patroni.leader]
    patroni.wait(lambda: "sync_standby" in map(patroni.role, standbys), "a synchronous standby")
    [synchronous] = [name for name in standbys if patroni.role(name) == "sync_standby"]
    [other] = [name for name in standbys if name != synchronous]
    refused(site.run(*SWITCHOVER, other), 7, f"`{other}` is not a synchronous standby", f"`{synchronous}`")
    # In maintenance mode Patroni promotes nobody by itself.
    patroni.configure(pause=True)
    leader = patroni.leader
    assert leader is not None
    patroni.nodes[leader].kill_postgresql()
    patroni.wait(lambda: "leader" not in map(patroni.role, NODES), "the leader's key to be gone")
    refused(site.run(*FAILOVER), 7, f"`{leader}` does not answer", "--primary-is-stopped")
    refused(site.run(*FAILOVER, "--primary-is-stopped", "--to", other), 7, "may be lost", "--allow-data-loss")
    planned = site.ok(*FAILOVER, "--primary-is-stopped", "--dry-run").json
    assert (planned["from"], planned["to"], planned["loss"]["none"]) == (leader, synchronous, True)
    # The other one takes both flags, and is what Patroni would never choose.
    before = epoch(patroni, other)
    refused(site.run(*FAILOVER, "--to", other, "--allow-data-loss"), 7, "--primary-is-stopped")
    done = site.ok(*FAILOVER, "--to", other, "--primary-is-stopped", "--allow-data-loss").json
    assert (done["from"], done["to"], done["loss"]["none"]) == (leader, other, False)
    assert patroni.primary == other
    assert epoch(patroni) > before


# -- failover --------------------------------------------------------------------------------------


def test_a_failover_by_patroni_itself_is_counted(patroni: PatroniCluster, site: Project) -> None:
    leader, target, before = patroni.leader, a_standby(patroni), epoch(patroni)
    refused(site.run(*FAILOVER, "--to", target), 7, "is the primary", "switchover")
    assert leader is not None
    patroni.nodes[leader].kill_postgresql()
    patroni.wait(lambda: patroni.leader not in (None, leader), "another leader")
    done = site.ok(*FAILOVER).json
    assert (done["to"], done["loss"]["none"]) == (patroni.leader, False)
    assert [step["step"] for step in done["steps"]] == ["record", "verify"]
    counted = epoch(patroni)
    assert counted > before
    assert site.ok(*FAILOVER).json["steps"] == []
    assert epoch(patroni) == counted


# -- single nodes ----------------------------------------------------------------------------------


def test_fences_are_patronis(patroni: PatroniCluster, site: Project) -> None:
    refused(site.run("replica", "fence", "--yes", "-o", "json"), 7, "Patroni decides", "patronictl pause")
    refused(site.run("replica", "unfence", "a", "--yes", "-o", "json"), 7, "Patroni decides")


def test_a_broken_node_is_copied_anew(patroni: PatroniCluster, site: Project) -> None:
    broken = a_standby(patroni)
    node = patroni.nodes[broken]
    (node.data / "global" / "pg_control").unlink()
    node.kill_postgresql()
    patroni.wait(lambda: node.postmaster is None, "it to be down")
    refused(site.run("replica", "rejoin", broken, "--no-input", "-o", "json"), 7, "--yes")
    assert site.ok("replica", "rejoin", broken, "--yes", "-o", "json").json["follows"]
    patroni.wait_whole()
    assert site.ok("replica", "rejoin", broken, "--yes", "-o", "json").json["follows"]
    refused(site.run("replica", "rejoin", patroni.primary, "--yes", "-o", "json"), 7, "is the primary")


def test_what_patroni_keeps_is_not_steered_by_sql(patroni: PatroniCluster, site: Project) -> None:
    patroni.profile(site, driver="streaming", group=None)
    leader, standby = patroni.leader, a_standby(patroni)
    for command in (
        (*SWITCHOVER, standby),
        (*FAILOVER, "--to", standby, "--primary-is-stopped", "--allow-data-loss"),
        ("replica", "fence", "--yes", "-o", "json"),
        ("replica", "fence", standby, "--yes", "-o", "json"),
        ("replica", "unfence", leader, "--yes", "-o", "json"),
        ("replica", "rejoin", standby, "--yes", "-o", "json"),
    ):
        refused(site.run(*command), 7, "Patroni owns", "`driver: patroni`")
    assert patroni.primary == leader
