"""What `doctor` finds before the first migration stops `migrate` and `baseline` too, before anything is written."""

from __future__ import annotations

import pytest

from tests.conftest import Project
from tests.inside import Inside
from tests.servers.postgresql import PostgresqlServer
from tests.servers.projects import EngineProject, on_engine, postgresql_place


@pytest.fixture
def empty(project: Project, own_postgresql: PostgresqlServer) -> EngineProject:
    """A project whose `dev` database has no schema of ours yet."""
    return on_engine(project, postgresql_place(own_postgresql))


def refused_alike(made: EngineProject, check: str, code: int) -> str:
    """Expect `doctor`, `migrate` and its dry run to refuse for one reason, and return the hint; nothing is written."""
    run = Inside(made.path, made.environ)
    items = run.run("doctor", "-o", "json").json["items"]
    [fault] = [item for item in items if item["check"] == check]
    assert fault["state"] == "fault"
    for command in (("migrate",), ("migrate", "--dry-run")):
        result = run.run(*command, "-o", "json")
        assert result.code == code, result.err
        assert fault["value"] in result.error["message"]
        assert result.error["hint"] == fault["hint"]
        assert "stamped" not in result.err
    return fault["hint"]


@pytest.mark.parametrize("own_postgresql", ["postgresql17", "postgresql18"], indirect=True)
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "EUC_JP"])
def test_a_database_of_another_encoding_is_refused(
    empty: EngineProject, own_postgresql: PostgresqlServer, encoding: str
) -> None:
    name = empty.names["dev"]
    empty.drop()
    own_postgresql.sql(
        f"CREATE DATABASE {name} OWNER custctl TEMPLATE template0 ENCODING '{encoding}' LOCALE_PROVIDER libc LOCALE 'C'"
    )
    hint = refused_alike(empty, "server", 11)
    assert "ENCODING 'UTF8'" in hint
    count = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    assert empty.sql(count) == [(0,)]
    # A database that has tables already is not adopted either.
    empty.sql("CREATE TABLE customer (id integer); ALTER TABLE customer OWNER TO custctl")
    result = Inside(empty.path, empty.environ).run("migrate", "baseline", "5", "--yes")
    assert result.code == 11
    assert encoding in result.err
    assert empty.sql(count) == [(1,)]


def test_a_login_that_may_not_create_tables_is_told_what_it_lacks(
    empty: EngineProject, own_postgresql: PostgresqlServer
) -> None:
    own_postgresql.create_role("Clerk")
    empty.profile("dev", "development", user="Clerk")
    hint = refused_alike(empty, "rights", 4)
    assert hint == 'ask an administrator to run `GRANT USAGE, CREATE ON SCHEMA public TO "Clerk"`'
    empty.sql(hint.split("`")[1])
    Inside(empty.path, empty.environ).ok("migrate")


def test_a_schema_that_is_missing_is_created_or_the_right_to_create_it_named(
    empty: EngineProject, own_postgresql: PostgresqlServer
) -> None:
    own_postgresql.create_role("clerk")
    empty.profile("dev", "development", user="clerk", schema="crm")
    hint = refused_alike(empty, "rights", 4)
    assert hint == f"ask an administrator to run `GRANT CREATE ON DATABASE {empty.names['dev']} TO clerk`"
    empty.sql(hint.split("`")[1])
    Inside(empty.path, empty.environ).ok("migrate")


KINDS = {
    "view": "CREATE VIEW customer AS SELECT 1 AS id",
    "materialized view": "CREATE MATERIALIZED VIEW customer AS SELECT 1 AS id",
    "foreign table": "CREATE FOREIGN DATA WRAPPER away; CREATE SERVER far FOREIGN DATA WRAPPER away;"
    " CREATE FOREIGN TABLE customer (id integer) SERVER far",
    "partitioned table": "CREATE TABLE customer (id integer) PARTITION BY RANGE (id)",
    "sequence": "CREATE SEQUENCE customer",
    "index": "CREATE TABLE people (id integer); CREATE INDEX customer ON people (id)",
    "type": "CREATE TYPE customer AS (id integer)",
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_table_but_has_the_name_of_one_is_named(empty: EngineProject, kind: str) -> None:
    everything = "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
    empty.sql(KINDS[kind])
    before = empty.sql(everything)
    assert refused_alike(empty, "tables", 11).startswith(f"rename the {kind}; ")
    run = Inside(empty.path, empty.environ)
    for command in (("8",), ("8", "--dry-run"), ("8", "--script", "gap.sql")):
        result = run.run("migrate", "baseline", *command)
        assert result.code == 11
        assert f"the {kind} `customer` is where custctl needs an ordinary table" in result.err
    assert empty.sql(everything) == before
    assert not (empty.path / "gap.sql").exists()
