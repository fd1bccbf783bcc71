"""A commit that waits for standbys which are not there ends, is told for what it is, and can be read."""

from __future__ import annotations

import time

from tests.conftest import Project
from tests.servers.cluster import Cluster


def test_a_commit_that_no_standby_confirms_is_told_as_committed(synchronous_cluster: Cluster, project: Project) -> None:
    synchronous_cluster.project(project, statement_timeout="1s")
    synchronous_cluster.kill("b", "c")
    began = time.monotonic()
    done = project.run(
        "customer", "add", "--email", "a@example.com", "--first-name", "A", "--last-name", "B", "-o", "json"
    )
    assert done.code == 0, done.err
    assert time.monotonic() - began < 20
    assert "no synchronous standby confirmed it" in done.err
    made = done.json
    assert synchronous_cluster.nodes["a"].sql("SELECT id FROM customer", dbname="customers") == [(made["id"],)]
    # Done again under its operation, it is the same write.
    audit = project.run("audit", "list", "-o", "json")
    assert audit.code == 0
    assert len(audit.json["items"]) == 1
