"""What the tests of replicas look at besides what a command prints."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import Project
from tests.servers.cluster import Cluster
from tests.servers.patroni import PatroniCluster

SWITCHOVER = ("replica", "switchover", "--yes", "--to")
FAILOVER = ("replica", "failover", "--yes", "--primary-is-stopped")


def epoch(cluster: Cluster | PatroniCluster, node: str | None = None) -> int:
    """Return the epoch that the database has, on the primary unless another node is named."""
    [(found,)] = cluster.sql("SELECT value FROM custctl_metadata WHERE name = 'epoch'", node=node)
    return int(found)


def recorded(cluster: Cluster | PatroniCluster) -> list[tuple[str, str]]:
    """Return kind and operation id of the changes of the primary that the audit tells of, the oldest first."""
    return cluster.sql(
        "SELECT action, operation_id::text FROM customer_audit WHERE action IN ('switchover', 'failover')"
        " ORDER BY sequence"
    )


def add_customers(cluster: Cluster, number: int = 1, *, node: str | None = None) -> None:
    """Commit customers behind custctl's back."""
    cluster.sql(
        "INSERT INTO customer (email, first_name, last_name)"
        " SELECT gen_random_uuid()::text || '@example.com', 'A', 'B' FROM generate_series(1, %s)",
        number,
        node=node,
    )


def accepts_writes(cluster: Cluster, node: str) -> bool:
    """Tell whether a node takes a customer's row now."""
    before = customers(cluster, node)
    add_customers(cluster, node=node)
    return customers(cluster, node) == before + 1


def customers(cluster: Cluster, node: str | None = None) -> int:
    """Return how many customers a node has."""
    [(count,)] = cluster.sql("SELECT count(*) FROM customer", node=node)
    return int(count)


def journal_text(project: Project) -> str:
    """Return all that is remembered of profiles on this machine, as text."""
    state = Path(project.environ["HOME"])
    return "\n".join(path.read_text(errors="replace") for path in sorted(state.rglob("*")) if path.is_file())


def other_machine(project: Project, home: Path) -> Project:
    """Return the same project with nothing remembered; its commands are processes of their own."""
    home.mkdir(parents=True)
    return Project(project.path, {**project.environ, "HOME": str(home)})


def wait_until(reached: Callable[[], Any], what: str, seconds: float = 60.0) -> None:
    """Return when something is so."""
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, f"waited {seconds:g} s for {what}"
        time.sleep(0.01)


def use_slot(cluster: Cluster, name: str) -> None:
    """Let a standby use a replication slot on the primary."""
    cluster.sql("SELECT pg_create_physical_replication_slot(%s)", f"slot_{name}")
    cluster.sql(f"ALTER SYSTEM SET primary_slot_name = 'slot_{name}'", node=name)
    cluster.sql("SELECT pg_reload_conf()", node=name)
    wait_until(lambda: cluster.sql("SELECT active FROM pg_replication_slots") == [(True,)], "the slot in use")
