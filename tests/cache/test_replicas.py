"""A replica that serves for want of the primary leaves nothing in the cache: it may lack what the primary has when it is back."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.cache.conftest import make_shop
from tests.conftest import ADA, Project
from tests.servers.cluster import Cluster
from tests.servers.valkey import ValkeyServer


def test_a_replica_in_place_of_the_primary_fills_nothing(
    project: Project, cluster: Cluster, valkey: ValkeyServer, tmp_path: Path
) -> None:
    shop = make_shop(project, valkey, tmp_path)
    cluster.profile(shop.ada, connect_timeout="1s")
    path = project.path / "profiles" / "dev.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "cache": {"url": valkey.url}}))
    shop.bob.environ.update({name: shop.ada.environ[name] for name in shop.ada.environ if name.startswith("CUSTCTL_")})
    shop.ada.ok("customer", "add", *ADA)
    cluster.wait_streaming()
    shop.get()
    cluster.detach("b", "c")
    shop.ada.ok("customer", "update", "1", "--phone", "new")
    for key in valkey.call("KEYS", "*"):
        if b"row:" in key:
            valkey.call("DEL", key)
    cluster.kill("a")
    found = shop.get()
    assert (found["source"], found["phone"]) == ("replica", None)
    cluster.start("a")
    for _ in range(2):
        assert shop.get()["phone"] == "new"
