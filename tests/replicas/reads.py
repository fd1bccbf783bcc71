"""A project on a cluster, which reads from its replicas, and through proxies that tell who was connected to."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from custctl.engines.reads import LogPosition
from custctl.replication.positions import Positions
from tests.conftest import ADA, Project, Result
from tests.inside import Inside
from tests.servers.cluster import Cluster
from tests.servers.proxy import Proxy

GET = ("customer", "get", "1", "-v", "-o", "json")


@dataclass(frozen=True, slots=True)
class Reads:
    """A project whose `dev` reads from replicas, and holds customer 1.

    Attributes:
        cluster: where `dev` is.
        inside: its commands, in the test's own process.
        proxies: what `dev` reaches the nodes through.
    """

    cluster: Cluster
    inside: Inside
    proxies: dict[str, Proxy]

    @classmethod
    @contextmanager
    def on(cls, cluster: Cluster, project: Project) -> Iterator[Reads]:
        """Give a project the profile and the customer."""
        with cluster.proxies() as proxies:
            made = cls(cluster, Inside(project.path, project.environ), proxies)
            made.profile()
            made.inside.ok("customer", "add", *ADA)
            cluster.wait_streaming()
            made.forget()
            yield made

    def profile(self, **changes: Any) -> None:
        """Write `dev` anew, and let nothing be known of its nodes."""
        self.forget()
        self.cluster.profile(self.inside, through=self.proxies, **{"reads": "replica", **changes})

    @property
    def memory(self) -> Path:
        """The file of what is kept between two commands."""
        [found] = (self.state / "replicas").glob("dev-*.json")
        return found

    @property
    def state(self) -> Path:
        """The folder of what is kept."""
        return Path(self.inside.environ["HOME"], ".local", "state", "custctl")

    def forget(self) -> None:
        """Let it be known that nothing was written from here, and nothing of the primary."""
        for _ in (self.state / "replicas").glob("*.json"):
            self.know(epoch=0, position=0)

    def know(self, *, epoch: int, position: int) -> None:
        """Let it be known how far was written from here, and nothing of the primary."""
        path, held = self.memory, self.remembered()
        path.unlink()
        # Sealed where its commands look for the seal.
        with mock.patch.dict(os.environ, self.inside.environ):
            Positions(path).remember(LogPosition(held["database_id"], epoch, position), "")

    def know_primary(self) -> None:
        """Let it be known which node is the primary, as after any write."""
        self.inside.ok("customer", "update", "1", "--company", "Analytical")
        self.inside.ok("customer", "update", "1", "--company", "")
        self.cluster.wait_streaming()

    def get(self) -> Any:
        """Return customer 1 with where it was read."""
        return self.inside.ok(*GET).json

    def nodes(self, times: int) -> Counter[str]:
        """Return how many of some reads each node has served."""
        return Counter(self.get()["node"] for _ in range(times))

    def replicas(self, times: int) -> set[str]:
        """Return the replicas that have served some reads; on a busy machine the primary serves a few."""
        return set(self.nodes(times)) - {"a"}

    def accepted(self) -> dict[str, int]:
        """Return how many connections each node has had so far."""
        return {name: proxy.stats.accepted for name, proxy in self.proxies.items()}

    def run(self, *arguments: str) -> Result:
        """Run a command; no failure is a traceback or a bug."""
        result = self.inside.run(*arguments)
        assert "Traceback" not in result.err
        assert result.code != 1, result.err
        return result

    def remembered(self) -> dict[str, Any]:
        """Return what is kept."""
        found: dict[str, Any] = json.loads(self.memory.read_text())
        return found
