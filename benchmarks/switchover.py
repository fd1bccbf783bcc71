"""The time without writes of a switchover, beside Patroni's own: `python -m benchmarks.switchover`.

Two clusters of three PostgreSQL 18 on this machine, made from one template, both asynchronous: one that `custctl replica
switchover` steers by SQL (`driver: streaming`), and one that Patroni keeps, with an etcd, the shortest `loop_wait` that it
takes, and its REST API asked directly. They switch over in turns, back and forth. A client a node writes without a pause,
and tries again within 5 ms where it is refused, so that what is measured is what an application meets which finds the new
primary at once.

The work differs: Patroni shuts the old primary down and starts it again as a standby, which keeps out every client;
custctl fences it by SQL and leaves its return to `rejoin`. That the old primary rejoins is not part of the time. No
acknowledged write may be lost in either: the run fails where one is.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

from benchmarks.measure import seconds, table
from tests.conftest import Project, make_project
from tests.servers.cluster import NODES, Cluster
from tests.servers.installations import installations
from tests.servers.patroni import PatroniCluster
from tests.servers.postgresql import PostgresqlServer
from tests.servers.workplace import Workplace
from tests.servers.writer import Writer

CUSTCTL, PATRONI = "custctl, streaming", "Patroni"


def by_custctl(cluster: Cluster, project: Project) -> float:
    """Switch over, let the old primary rejoin, and return the seconds without writes."""
    old = cluster.primary
    target = _next(old)
    gap = _without_writes(
        cluster.nodes, target, lambda: project.ok("replica", "switchover", "--to", target, "--yes", "--quiet")
    )
    cluster.rejoin(old, target)
    cluster.wait_streaming()
    return gap


def by_patroni(cluster: PatroniCluster) -> float:
    """Switch over, wait until the old primary is back, and return the seconds without writes."""
    old = cluster.primary
    target = _next(old)

    def ask() -> None:
        status, words = cluster.nodes[old].ask("POST", "/switchover", {"leader": old, "candidate": target})
        if status != 200:
            raise SystemExit(f"Patroni does not switch over: {status}, {words}")

    gap = _without_writes(cluster.nodes, target, ask)
    cluster.wait_whole()
    return gap


def _next(node: str) -> str:
    return NODES[(NODES.index(node) + 1) % len(NODES)]


def _without_writes(nodes: Mapping[str, PostgresqlServer], target: str, switch: Callable[[], object]) -> float:
    with Writer(nodes) as writer:
        began = writer.acknowledged[-1].moment
        switch()
        writer.wait_for_write()
        gap = writer.longest_gap(since=began)
    lost = writer.lost(nodes[target])
    if lost:
        raise SystemExit(f"{len(lost)} acknowledged writes are lost on `{target}`")
    return gap


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.switchover", description="time without writes")
    parser.add_argument("--rounds", type=int, default=10, metavar="N", help="switchovers of each (default: 10)")
    rounds = parser.parse_args().rounds
    workplace = Workplace("benchmark")
    installation = installations()["postgresql18"]
    cluster = Cluster.create(installation, workplace)
    try:
        kept = PatroniCluster.create(installation, workplace)
        try:
            with tempfile.TemporaryDirectory() as folder:
                project = make_project(Path(folder))
                cluster.profile(project)
                samples = _interleave(
                    {PATRONI: lambda: by_patroni(kept), CUSTCTL: lambda: by_custctl(cluster, project)}, rounds
                )
        finally:
            kept.close()
    finally:
        cluster.close()
        workplace.close()
    _report(samples)


def _interleave(switches: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    samples: dict[str, list[float]] = {name: [] for name in switches}
    for number in range(rounds + 1):
        for name, switch in switches.items():
            gap = switch()
            # The first round fills the caches.
            if number:
                samples[name].append(gap)
    return samples


def _report(samples: Mapping[str, list[float]]) -> None:
    base = median(samples[PATRONI])
    rows = [("", "without writes", "best", "worst", "ratio")]
    for name, gaps in samples.items():
        ratio = "" if name == PATRONI else f"{median(gaps) / base:.2f}"
        rows.append((name, seconds(median(gaps)), seconds(min(gaps)), seconds(max(gaps)), ratio))
    print(f"\nSwitchover\n(medians of {len(samples[PATRONI])} interleaved switchovers; ratios to `{PATRONI}`)\n")
    table(rows)


if __name__ == "__main__":
    main()
