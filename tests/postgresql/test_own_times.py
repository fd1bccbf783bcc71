"""Values of a company's own columns that only PostgreSQL has: shown as it writes them, and no hindrance to an edit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Project
from tests.inside import Inside
from tests.postgresql.conftest import with_own_fields
from tests.servers.fixtures import PostgresqlServers
from tests.servers.projects import EngineProject

VALUES = {
    "born": ("date", "0044-03-15 BC"),
    "since": ("date", "infinity"),
    "seen": ("timestamptz", "0044-03-15 10:00:00+00 BC"),
    "local": ("timestamp", "-infinity"),
    "score": ("double precision", "NaN"),
}


@pytest.fixture
def shop(project: Project, postgresql_servers: PostgresqlServers) -> Iterator[EngineProject]:
    """A customer with these values, which another program has written."""
    columns = (
        f"ALTER TABLE customer ADD {name} {native} DEFAULT '{value}'" for name, (native, value) in VALUES.items()
    )
    with with_own_fields(project, postgresql_servers, *columns) as made:
        yield made


def test_they_are_shown_and_stay_when_another_field_is_edited(shop: EngineProject) -> None:
    inside = Inside(shop.path, shop.environ)
    inside.environ["EDITOR"] = "sed -i s/Lovelace/King/"
    edited = inside.ok("customer", "edit", "1", "-o", "json").json
    assert edited["last_name"] == "King"
    told = {name: value for name, (_, value) in VALUES.items()}
    assert {name: edited[name] for name in VALUES} == told
    [held] = shop.sql(f"SELECT {', '.join(f'{name}::text' for name in VALUES)} FROM customer")
    assert list(held) == list(told.values())
    history = inside.ok("customer", "history", "1", "-o", "json").json["items"]
    assert history[-1]["changes"] == {"last_name": ["Lovelace", "King"]}
