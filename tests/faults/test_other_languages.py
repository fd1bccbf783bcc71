"""A server whose messages are German: what is told of a refused login goes by SQLSTATE, not by words."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import pytest

from tests.conftest import ADA, Project
from tests.inside import Inside
from tests.servers.debian import GERMAN, german_server, locales
from tests.servers.fixtures import PostgresqlServers
from tests.servers.postgresql import USER, PostgresqlServer
from tests.servers.projects import PASSWORD_VARIABLE, EngineProject, nodes, on_engine, postgresql_place


@pytest.fixture(scope="module")
def german(postgresql_servers: PostgresqlServers) -> Iterator[PostgresqlServer]:
    """A running server that speaks German."""
    workplace = postgresql_servers.workplace
    with mock.patch(
        "tests.servers.postgresql._environ", lambda: {"PATH": "/usr/bin:/bin", "LOCPATH": str(locales(workplace))}
    ):
        server = PostgresqlServer.create(german_server(workplace), workplace)
        server.start(lc_messages=GERMAN)
        yield server
        server.close()


@pytest.fixture
def project_there(project: Project, german: PostgresqlServer) -> Iterator[EngineProject]:
    """A project on it, with a customer."""
    made = on_engine(project, postgresql_place(german))
    Inside.run(made, "migrate")  # type: ignore[arg-type]
    Inside.run(made, "customer", "add", *ADA)  # type: ignore[arg-type]
    yield made
    made.drop()


def _refused(made: EngineProject, code: int) -> dict[str, str]:
    result = Inside.run(made, "customer", "get", ADA[1], "-o", "json")  # type: ignore[arg-type]
    assert result.code == code, result.err
    error: dict[str, str] = result.error
    return error


def test_it_does_speak_german(german: PostgresqlServer) -> None:
    with pytest.raises(Exception, match="existiert nicht"):
        german.sql("SELECT 1 FROM nonesuch")


def test_a_wrong_password(project_there: EngineProject) -> None:
    project_there.environ[PASSWORD_VARIABLE] = "wrong"
    error = _refused(project_there, 4)
    assert f"refuses the login of `{USER}`" in error["message"]
    assert "Passwort" in error["message"]
    assert "custctl credential check" in error["hint"]


def test_no_password_at_all(project_there: EngineProject) -> None:
    del project_there.environ[PASSWORD_VARIABLE]
    assert f"no password for user `{USER}`" in _refused(project_there, 4)["message"]


def test_a_role_that_may_not_log_in(project_there: EngineProject, german: PostgresqlServer) -> None:
    german.sql(f"ALTER ROLE {USER} NOLOGIN")
    try:
        assert f"refuses the login of `{USER}`" in _refused(project_there, 4)["message"]
    finally:
        german.sql(f"ALTER ROLE {USER} LOGIN")


def test_a_database_that_one_may_not_enter(project_there: EngineProject, german: PostgresqlServer) -> None:
    name = project_there.names["dev"]
    german.create_role("stranger")
    german.sql(f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")
    project_there.profile("dev", "development", nodes=nodes(german.host, german.port), user="stranger")
    error = _refused(project_there, 4)
    assert "administrator" in error["hint"]
    german.sql("DROP ROLE stranger")


def test_a_database_that_is_not_there(project_there: EngineProject) -> None:
    path = project_there.path / "profiles" / "dev.yaml"
    path.write_text(path.read_text().replace(project_there.names["dev"], "nonesuch"))
    error = _refused(project_there, 3)
    assert "nonesuch" in error["message"]
    assert "`database.name`" in error["hint"]


def test_too_many_sessions(project_there: EngineProject) -> None:
    project_there.sql(f"ALTER DATABASE {project_there.names['dev']} CONNECTION LIMIT 0")
    assert _refused(project_there, 3)["hint"] == "try again in a moment"


def test_a_schema_that_one_may_not_look_into(project_there: EngineProject) -> None:
    project_there.sql(f"ALTER SCHEMA public OWNER TO postgres; REVOKE ALL ON SCHEMA public FROM PUBLIC, {USER}")
    error = _refused(project_there, 4)
    assert "Schema public" in error["message"]
    assert error["hint"] == f"ask an administrator to run `GRANT USAGE ON SCHEMA public TO {USER}`"
