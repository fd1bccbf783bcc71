"""Whatever becomes of a cluster's nodes, in whatever order: what an operator does loses nothing that he has not accepted.

A synchronous cluster, whose nodes are killed, frozen and cut off from each other between commands. The operator tells the
truth: he calls the primary stopped where it is.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.conftest import Result, make_project
from tests.inside import Inside
from tests.replicas.support import FAILOVER, SWITCHOVER, wait_until
from tests.servers.cluster import NODES, Cluster
from tests.servers.hooks import Hooks

STATES = int(os.environ.get("CUSTCTL_TEST_STATES", "3"))
STEPS = int(os.environ.get("CUSTCTL_TEST_STEPS", "8"))

# What the contract has for these commands; 1 is a bug, and so is any other.
CODES = {0, 3, 7, 12, 13, 14}
DEADLINE = 60.0  # seconds: fence, catch-up and the last look wait for ten each, and a frozen node costs a second a look
_ACKNOWLEDGED_IN = 0.5  # seconds, after which a write that waits for a standby is given up

NODE = st.sampled_from(NODES)


class ClusterStates(RuleBasedStateMachine):
    """A cluster, and what has been acknowledged."""

    cluster: ClassVar[Cluster]

    def __init__(self) -> None:
        super().__init__()
        self.acknowledged: set[str] = set()
        self.accepted_loss = False
        self._folder = tempfile.TemporaryDirectory()
        self._hooks = Hooks(self.cluster)

    @initialize()
    def begin(self) -> None:
        self.cluster.reset()
        self._hooks.__enter__()
        project = make_project(Path(self._folder.name))
        self.cluster.profile(project, connect_timeout="1s", hooks={"rejoin": self._hooks.commands["rejoin"]})
        self.site = Inside(project.path, project.environ)

    # -- what happens to the nodes -----------------------------------------------------------------

    @property
    def roles(self) -> dict[str, str]:
        return self.cluster.roles()

    @property
    def writable(self) -> list[str]:
        return [name for name, role in self.roles.items() if role == "primary"]

    @rule(node=NODE)
    def kill(self, node: str) -> None:
        self.cluster.kill(node)

    @rule(node=NODE)
    def start(self, node: str) -> None:
        if self.roles[node] == "down":
            self.cluster.start(node)

    @rule(node=NODE)
    def freeze_or_thaw(self, node: str) -> None:
        role = self.roles[node]
        if role == "frozen":
            self.cluster.thaw(node)
        elif role != "down":
            self.cluster.freeze(node)

    @rule(node=NODE)
    def detach(self, node: str) -> None:
        if self.roles[node] == "standby":
            self.cluster.detach(node)

    @rule(node=NODE)
    def attach(self, node: str) -> None:
        if self.roles[node] == "standby" and len(self.writable) == 1:
            self.cluster.attach(node, self.writable[0])

    @rule()
    @precondition(lambda self: len(self.writable) == 1)
    def write(self) -> None:
        key = f"{uuid.uuid4()}@example.com"
        warnings: list[str | None] = []
        with self.cluster.nodes[self.writable[0]].connect(dbname="customers") as connection:
            connection.add_notice_handler(lambda notice: warnings.append(notice.sqlstate))
            given_up = threading.Timer(_ACKNOWLEDGED_IN, connection.cancel_safe)
            given_up.start()
            try:
                connection.execute("INSERT INTO customer (email, first_name, last_name) VALUES (%s, 'A', 'B')", (key,))
            except psycopg.Error:
                return
            finally:
                given_up.cancel()
                given_up.join()
        if "01000" not in warnings:
            self.acknowledged.add(key)

    # -- what the operator does --------------------------------------------------------------------

    def _run(self, *arguments: str) -> Result:
        began = time.monotonic()
        result = self.site.run(*arguments)
        took = time.monotonic() - began
        told = f"{arguments}: exit {result.code} after {took:.1f} s\n{result.err}"
        assert result.code in CODES, told
        assert "Traceback" not in result.err, told
        assert took < DEADLINE, told
        return result

    def _check_done(self, result: Result) -> None:
        writable = self.writable
        if result.code == 0:
            assert len(writable) == 1, result.err
            self._check_kept(writable[0])

    def _check_kept(self, node: str) -> None:
        there = {key for (key,) in self.cluster.sql("SELECT email FROM customer", node=node)}
        if self.accepted_loss:
            self.acknowledged &= there
            self.accepted_loss = False
        assert self.acknowledged <= there, f"`{node}` lacks {len(self.acknowledged - there)} acknowledged writes"

    @rule(to=NODE)
    def switch_over(self, to: str) -> None:
        before = self.writable
        result = self._run(*SWITCHOVER, to)
        self._check_done(result)
        if result.code in (3, 7) and len(before) == 1:
            assert self.writable == before, result.err

    @rule(to=st.none() | NODE, allow_data_loss=st.booleans())
    def fail_over(self, to: str | None, *, allow_data_loss: bool) -> None:
        # The truth: no node that is a primary, by its own files, could come back by itself.
        if any(self._could_wake(name) for name in NODES):
            return
        options = [*(("--to", to) if to else ()), *(("--allow-data-loss",) if allow_data_loss else ())]
        result = self._run(*FAILOVER, *options)
        self.accepted_loss = self.accepted_loss or (allow_data_loss and result.code in (0, 12, 13))
        self._check_done(result)

    def _could_wake(self, name: str) -> bool:
        return self.roles[name] == "frozen" and not (self.cluster.nodes[name].data / "standby.signal").exists()

    @rule(node=NODE)
    def rejoin(self, node: str) -> None:
        if self.roles[node] == "frozen":
            return
        self._check_done(self._run("replica", "rejoin", node, "--yes"))

    @rule()
    def look(self) -> None:
        result = self._run("replica", "status", "--check", "-o", "json")
        if self.writable and len(self.writable) > 1:
            assert result.code == 14, result.err

    # -- the end -----------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            if hasattr(self, "site"):
                self._heal()
        finally:
            self._hooks.__exit__(None, None, None)
            self._folder.cleanup()

    def _heal(self) -> None:
        """Bring everything back by custctl, as its own words have it; what was acknowledged is there in the end."""
        self.cluster.thaw(*(name for name, role in self.roles.items() if role == "frozen"))
        self.cluster.start(*(name for name, role in self.roles.items() if role == "down"))
        newest = self._newest()
        for name in self.writable:
            if name != newest:
                assert self._run("replica", "fence", name, "--yes").code == 0
        if not self.writable:
            assert self._run("replica", "unfence", newest).code == 0
        for name in NODES:
            if name != newest:
                result = self._run("replica", "rejoin", name, "--yes")
                assert result.code == 0, f"{name}: {result.err}"
        self.cluster.wait_streaming()
        wait_until(lambda: self._run("replica", "status", "--check").code in (0, 12), "a cluster that is whole")
        self._check_kept(newest)

    def _newest(self) -> str:
        """Return the primary, fenced or not, of the latest timeline."""
        found = {
            row["node"]: row["timeline"]
            for row in self._run("replica", "status", "-o", "json").json["items"]
            if row.get("role") == "primary"
        }
        return max(found, key=lambda name: found[name])


@pytest.fixture
def states(synchronous_cluster: Cluster) -> Iterator[type[ClusterStates]]:
    """The states of a synchronous cluster."""
    ClusterStates.cluster = synchronous_cluster
    yield ClusterStates
    del ClusterStates.cluster


def test_nothing_that_happens_to_the_nodes_loses_an_acknowledged_write(states: type[ClusterStates]) -> None:
    run_state_machine_as_test(
        states,
        settings=settings(
            max_examples=STATES,
            stateful_step_count=STEPS,
            # The same in every run of the suite; as many others as one likes by the variables.
            derandomize="CUSTCTL_TEST_STATES" not in os.environ,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
