"""A search for a phone is answered by the index, whatever the planner thinks of the table."""

from __future__ import annotations

import pytest

from custctl.cli.context import Context
from custctl.customers import searching
from custctl.engines.sought import Sought
from tests.inside import inside
from tests.servers.installations import installations
from tests.servers.projects import EngineProject

ROWS = """
INSERT INTO customer (email, first_name, last_name, phone)
SELECT 'e' || i || '@example.com', 'F' || i, 'L' || i, '+44 20 ' || 10000000 + i FROM generate_series(1, 1000) AS i
"""


@pytest.mark.parametrize("engine_project", list(installations()), indirect=True)
def test_a_phone_is_looked_up_in_the_index_without_statistics(engine_project: EngineProject) -> None:
    inside(engine_project)
    engine_project.sql(ROWS)
    database = Context({"env": ["dev"]}, engine_project.environ, engine_project.path).database

    def plan(text: str) -> str:
        with database.reading() as connection:
            # The other way that there is: in order of the id, which needs no sort and only looks cheap.
            connection.send("SET enable_sort = off")
            hits = connection.hits(Sought(searching.read(text), None, 51))
            rows = connection.send(f"EXPLAIN {hits.text}", hits.parameters, hits.values)
            return "\n".join(rows.scalars())

    try:
        for text in ("+44 20 10000123", "100123", "f123 10000123"):
            assert plan(text).count("Bitmap Index Scan on customer_words") == 2, plan(text)
    finally:
        database.close()
