"""An epoch's number never comes again, also where the row that counted it is among what was lost."""

from __future__ import annotations

from tests.conftest import Project
from tests.servers.cluster import Cluster


def test_a_number_that_was_lost_does_not_come_again(cluster: Cluster, project: Project) -> None:
    cluster.project(project)
    add = ("customer", "add", "--first-name", "A", "--last-name", "B", "-o", "json", "--email")
    # `c` never hears of what `b` counts and acknowledges.
    cluster.detach("c")
    assert project.run("replica", "switchover", "--to", "b", "--yes").code in (0, 12)
    lost = project.run(*add, "a@example.com").json
    assert lost["version"].startswith("e2-")
    cluster.kill("a", "b")
    accepted = ("--primary-is-stopped", "--allow-data-loss", "--yes")
    done = project.run("replica", "failover", "--to", "c", *accepted)
    assert done.code == 0, done.err
    kept = project.run(*add, "b@example.com")
    assert kept.code == 0, kept.err
    epoch = int(kept.json["version"].partition("-")[0].removeprefix("e"))
    assert epoch > 2
    assert kept.json["version"] != lost["version"]
