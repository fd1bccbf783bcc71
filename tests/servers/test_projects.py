"""Projects on real servers: their profiles are valid, and name databases that can be reached as they say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from custctl.profiles import load_profile
from custctl.profiles.model import Database
from tests.conftest import REPOSITORY, Project
from tests.servers.installations import installations
from tests.servers.mssql import MssqlServer
from tests.servers.postgresql import PostgresqlServer
from tests.servers.projects import ENVIRONMENTS, SEEDS, EngineProject, nodes, on_engine, postgresql_place


def test_the_profiles_are_valid(engine_project: EngineProject) -> None:
    for name, environment in ENVIRONMENTS.items():
        profile = load_profile(name, profiles_dir=None, environ=engine_project.environ, cwd=engine_project.path)
        assert profile.database.engine == engine_project.engine
        assert profile.environment == environment
        assert list(profile.seed) == SEEDS[name]


def test_dev_is_an_empty_database_and_others_are_created(engine_project: EngineProject) -> None:
    engine_project.create("prod")
    for name in ("dev", "prod"):
        engine_project.sql("CREATE TABLE t (x INTEGER)", name=name)
        engine_project.sql(f"INSERT INTO t VALUES ({len(name)})", name=name)
    assert engine_project.sql("SELECT x FROM t") == [(3,)]
    assert engine_project.sql("SELECT x FROM t", name="prod") == [(4,)]


@pytest.mark.parametrize("engine_project", list(installations()), indirect=True)
def test_a_server_can_be_reached_as_the_profiles_say(engine_project: EngineProject) -> None:
    engine_project.create("prod")
    for name in ("dev", "prod"):
        profile = load_profile(name, profiles_dir=None, environ=engine_project.environ, cwd=engine_project.path)
        database = profile.database
        options: dict[str, Any] = {"sslmode": "disable"}
        if name == "prod":
            options = {"sslmode": "verify-full", "sslrootcert": str(database.tls_ca)}
        with psycopg.connect(
            host=database.nodes[0].host,
            port=database.nodes[0].port,
            dbname=database.name,
            user=database.user,
            password=engine_project.environ["CUSTCTL_DB_PASSWORD"],
            **options,
        ) as connection:
            connection.execute("CREATE TABLE public.made (x INTEGER)")
        assert engine_project.sql("SELECT count(*) FROM made", name=name) == [(0,)]


def test_a_profile_keeps_its_database_when_it_is_written_again(engine_project: EngineProject) -> None:
    def database() -> Database:
        return load_profile("dev", profiles_dir=None, environ=engine_project.environ, cwd=engine_project.path).database

    before = database()
    engine_project.profile("dev", "development", connect_timeout="2s")
    assert before.connect_timeout != 2
    assert database().connect_timeout == 2
    assert (before.name, before.path) == (database().name, database().path)


def test_a_project_on_a_server_of_its_own(project: Project, own_postgresql: PostgresqlServer) -> None:
    made = on_engine(project, postgresql_place(own_postgresql))
    made.profile("dev", "development", nodes=nodes("127.0.0.1", own_postgresql.port))
    assert made.sql("SELECT 1") == [(1,)]
    made.drop()


@pytest.mark.parametrize("url", [None, "mssql://sa:x@127.0.0.1:1/"])
def test_sql_server_is_among_the_engines_where_one_is_named(url: str | None) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("CUSTCTL_", "PYTEST_"))}
    if url:
        environ["CUSTCTL_TEST_MSSQL_URL"] = url
    chosen = f"{Path(__file__).relative_to(REPOSITORY)}::test_the_profiles_are_valid"
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "-p", "no:cacheprovider", chosen]
    done = subprocess.run(command, cwd=REPOSITORY, env=environ, capture_output=True, text=True, check=True)
    ids = [line.partition("[")[2].rstrip("]") for line in done.stdout.splitlines() if "::" in line]
    assert ids == ["sqlite", "postgresql17", "postgresql18", *(["mssql"] if url else [])]


def test_a_sql_servers_url_is_percent_decoded() -> None:
    password = "p@ss/w:o}rd;#?%"
    server = MssqlServer.of(f"mssql://a%40b:{quote(password, safe='')}@[::1]:11433/?tls=verify-full&tls_ca=/x.pem")
    assert (server.host, server.port, server.user, server.password) == ("::1", 11433, "a@b", password)
    assert (server.tls, server.tls_ca) == ("verify-full", "/x.pem")
    assert MssqlServer.of("mssql://sa:x@sql1").tls == "require"


@pytest.mark.parametrize(
    "url", ["postgresql://a:b@c/", "mssql://a@c/", "mssql://a:b@/", "mssql://a:b@c/?tls=maybe", "mssql://a:b@c/?x=1"]
)
def test_a_sql_servers_url_is_read_strictly(url: str) -> None:
    with pytest.raises(ValueError, match="CUSTCTL_TEST_MSSQL_URL"):
        MssqlServer.of(url)


def test_a_connection_string_quotes_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.servers.mssql.driver", lambda: "/lib/x.so")
    server = MssqlServer("sql1", 1433, "sa", "a}b;c", tls="strict")
    assert server.connection_string("t") == (
        "DRIVER={/lib/x.so};SERVER={tcp:sql1,1433};DATABASE={t};UID={sa};PWD={a}}b;c};Encrypt={strict}"
    )
