"""A project whose database is in an availability group of stand-ins, and what is done to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from custctl.replication import driver
from custctl.replication.availability_group import driver as group_driver
from custctl.replication.availability_group import nodes
from custctl.schema.standing import REQUIRED_SCHEMA
from tests.conftest import REPOSITORY, clean_environment
from tests.inside import Inside
from tests.replicas.availability.group_stand_in import Group, standing_in

NODES = ", ".join(f"{{name: sql{at}, host: 127.0.0.{at}}}" for at in (1, 2, 3))
PROFILE = """
environment: development
database:
  {{engine: mssql, name: shop, user: clerk, nodes: [{nodes}], connect_timeout: 10s,
   replication: {{driver: availability-group, group: {group}{more}}}, hooks: {{{hooks}}}}}
"""
Make = Callable[..., tuple[Inside, Group]]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Return what makes a project whose database is in a group of three replicas, `sql1` the primary."""
    monkeypatch.setattr(nodes, "_LOOK", 0.001)
    monkeypatch.setattr(driver, "_LOOK", 0.001)
    for module in (group_driver, nodes):
        for name in ("PROMOTING", "FOLLOWING"):
            monkeypatch.setattr(module, name, 5.0)
    monkeypatch.setattr(driver, "_VERIFYING", 5.0)
    contexts = ExitStack()

    def made(
        cluster_type: str = "NONE", *, group: str = "ag", hooks: str = "", experimental: bool = True
    ) -> tuple[Inside, Group]:
        for name in ("profiles", "home"):
            (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / "profiles" / "dev.yaml").write_text(
            PROFILE.format(nodes=NODES, group=group, hooks=hooks, more=", experimental: true" if experimental else "")
        )
        environ = {"CUSTCTL_SQL_DIR": str(REPOSITORY / "sql"), "CUSTCTL_DB_PASSWORD": "secret"}
        standing = Group(cluster_type, "sql1", "sql2", "sql3")
        # What `custctl migrate` and the sets leave there.
        standing.tables.tables |= {"schema_migration", "custctl_metadata", "customer_audit", "customer"}
        standing.tables.rows["schema_migration"] = [{"version": REQUIRED_SCHEMA, "state": "applied"}]
        for name, value in (("environment", "development"), ("epoch", "1"), ("database_id", "d")):
            standing.tables.rows["custctl_metadata"].append({"name": name, "value": value})
        contexts.enter_context(standing_in(standing))
        return Inside(tmp_path, clean_environment(tmp_path / "home", environ)), standing

    with contexts:
        yield made


@pytest.fixture
def impatient(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what never comes be waited for only a moment."""
    for module in (group_driver, nodes):
        for name in ("PROMOTING", "FOLLOWING"):
            monkeypatch.setattr(module, name, 0.3)
