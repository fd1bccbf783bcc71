"""A customer that is there twice, as PostgreSQL's inheritance of tables allows: nothing is written to either."""

from __future__ import annotations

from tests.conftest import Project
from tests.inside import Inside
from tests.postgresql.conftest import with_own_fields
from tests.servers.fixtures import PostgresqlServers


def test_a_write_to_a_customer_that_is_there_twice_is_undone(
    project: Project, postgresql_servers: PostgresqlServers
) -> None:
    twice = "CREATE TABLE archived () INHERITS (customer); INSERT INTO archived SELECT * FROM ONLY customer"
    with with_own_fields(project, postgresql_servers, twice) as shop:
        inside = Inside(shop.path, shop.environ)
        for command in (["update", "1", "--city", "Bonn"], ["delete", "1", "--yes"]):
            told = inside.run("customer", *command)
            assert (told.code, "2 rows were found where there can be only one" in told.err) == (8, True), told.err
        assert shop.sql("SELECT count(*), count(city) FROM customer") == [(2, 0)]
