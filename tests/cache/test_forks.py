"""A fork of the history and the cache: what the new primary never had is shown to nobody any more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.cache.conftest import make_shop
from tests.conftest import Project
from tests.servers import processes
from tests.servers.cluster import Cluster
from tests.servers.valkey import ValkeyServer

_ADD = ("customer", "add", "--email", "ada@example.com", "--first-name", "Ada", "--last-name", "L", "--phone", "first")
_PRIMARY_IS_GONE = ("--primary-is-stopped", "--allow-data-loss", "--yes")


def _with_cache(project: Project, valkey: ValkeyServer) -> None:
    # All these clusters are copies of one, and one database to the cache.
    valkey.call("FLUSHALL")
    path = project.path / "profiles" / "dev.yaml"
    made = yaml.safe_load(path.read_text())
    made["cache"] = {"url": valkey.url}
    path.write_text(yaml.safe_dump(made))


def _shown(operator: Any) -> tuple[str, str]:
    found = operator.ok("customer", "get", "1", "--with-source", "-o", "json").json
    return found["phone"], found["source"]


def test_a_row_that_a_failover_lost_is_not_shown(
    cluster: Cluster, project: Project, valkey: ValkeyServer, tmp_path: Path
) -> None:
    cluster.project(project, connect_timeout="2s")
    _with_cache(project, valkey)
    shop = make_shop(project, valkey, tmp_path)
    shop.ada.ok(*_ADD)
    _shown(shop.bob)  # his machine learns which database it is
    cluster.wait_streaming()
    cluster.detach("b", "c")
    # Acknowledged by the old primary alone, and hot.
    shop.ada.ok("customer", "update", "1", "--phone", "lost")
    assert _shown(shop.bob) == ("lost", "cache")
    cluster.kill("a")
    shop.ada.ok("replica", "failover", "--to", "b", *_PRIMARY_IS_GONE)
    assert _shown(shop.bob) == ("first", "primary")
    # The new history counts to the same version.
    shop.bob.ok("customer", "update", "1", "--phone", "kept")
    assert _shown(shop.bob)[0] == "kept"
    assert _shown(shop.ada)[0] == "kept"


def test_a_row_that_was_lost_is_not_shown_where_the_cache_did_not_hear_of_the_fork(
    cluster: Cluster, project: Project, valkey: ValkeyServer, tmp_path: Path
) -> None:
    cluster.project(project, connect_timeout="2s")
    _with_cache(project, valkey)
    shop = make_shop(project, valkey, tmp_path)
    shop.ada.ok(*_ADD)
    _shown(shop.bob)  # his machine learns which database it is
    shop.ada.ok("customer", "add", "--email", "b@example.com", "--first-name", "B", "--last-name", "B")
    cluster.wait_streaming()
    cluster.detach("b", "c")
    shop.ada.ok("customer", "update", "1", "--phone", "lost")
    assert _shown(shop.bob) == ("lost", "cache")
    cluster.kill("a")
    assert valkey.process.pid is not None
    processes.freeze(valkey.process.pid)
    try:
        shop.ada.ok("replica", "failover", "--to", "b", *_PRIMARY_IS_GONE)
    finally:
        processes.thaw(valkey.process.pid)
    # The first who puts or fills a row of the new history brings its epoch along.
    shop.ada.ok("customer", "update", "2", "--phone", "new")
    assert _shown(shop.bob)[0] == "first"


def test_a_switchover_leaves_nothing_old_in_the_cache(
    cluster: Cluster, project: Project, valkey: ValkeyServer, tmp_path: Path
) -> None:
    cluster.project(project)
    _with_cache(project, valkey)
    shop = make_shop(project, valkey, tmp_path)
    shop.ada.ok(*_ADD)
    _shown(shop.bob)  # his machine learns which database it is
    assert _shown(shop.bob) == ("first", "cache")
    before = shop.bob.ok("customer", "get", "1", "-o", "json").json["version"]
    shop.ada.ok("replica", "switchover", "--to", "b", "--yes")
    found = shop.bob.ok("customer", "get", "1", "--with-source", "-o", "json").json
    assert (found["source"], found["version"] == before) == ("primary", False)
    assert _shown(shop.bob) == ("first", "cache")
