"""A change of the primary whose output cannot be written is told as what it is."""

from __future__ import annotations

from tests.cli.test_endings import end
from tests.conftest import Project
from tests.replicas.support import SWITCHOVER
from tests.servers.cluster import Cluster


def test_outputs_that_cannot_be_written(cluster: Cluster, project: Project) -> None:
    made = cluster.project(project)
    status = ("replica", "status", "--check")
    for sink in ("full", "both-full"):
        assert end(made, status, sink).code == 3
    result = end(made, (*SWITCHOVER, "b"), "full")
    assert result.code == 3, result.err
    assert "error: `b` is the primary, but cannot write the output: " in result.err
    assert "hint: do not run it again: `custctl replica history" in result.err
    # One node is fenced now, and that counts more than the output.
    for sink in ("pipe", "full", "both-full"):
        assert end(made, status, sink).code == 12
    assert end(made, (*SWITCHOVER, "nowhere"), "full").code in (2, 6)
    result = end(made, ("replica", "fence", "b", "--no-input"), "both-full")
    assert result.code == 7


def test_a_failover_whose_output_cannot_be_written(cluster: Cluster, project: Project) -> None:
    made = cluster.project(project)
    cluster.kill("a")
    command = ("replica", "failover", "--yes", "--primary-is-stopped", "--allow-data-loss", "--to", "b")
    result = end(made, command, "full")
    assert result.code == 3, result.err
    assert "error: `b` is the primary, but cannot write the output: " in result.err
    assert "failover" in made.ok("replica", "history").out
