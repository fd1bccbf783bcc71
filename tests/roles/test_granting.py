"""From an owner who may not create roles to people who have theirs: each step as the message before it says."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess

import pytest

from custctl.engines.roles import ADMIN, OPERATOR, SUPPORT
from tests.conftest import ADA, REPOSITORY, Project
from tests.inside import Inside
from tests.servers.postgresql import SUPERUSER, SUPERUSER_PASSWORD, PostgresqlServer
from tests.servers.projects import EngineProject, on_engine, postgresql_place

VERSIONS = ["postgresql17", "postgresql18"]


def type_as_administrator(server: PostgresqlServer, command: str) -> None:
    """Run a command line that a hint has given, or a statement, as a superuser types it."""
    words = shlex.split(command)
    if words[0] != "psql":
        server.sql(command)
        return
    program = server.installation.programs(server.workplace) / "psql"
    environ = {**os.environ, "PGUSER": SUPERUSER, "PGPASSWORD": SUPERUSER_PASSWORD}
    done = subprocess.run(
        [program, "-v", "ON_ERROR_STOP=1", *words[1:]], check=False, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def in_backticks(text: str) -> str:
    """Return what a hint says to run."""
    return text.split("`")[1]


def hint_of(run: Inside, check: str, *arguments: str) -> str:
    """Return the hint of one of doctor's checks."""
    items = run.run("doctor", "-o", "json", *arguments).json["items"]
    [found] = [item["hint"] for item in items if item["check"] == check]
    assert found
    return found


@pytest.fixture
def company(project: Project, own_postgresql: PostgresqlServer) -> EngineProject:
    """A database whose owner may not create roles, and logins of three people."""
    made = on_engine(project, postgresql_place(own_postgresql))
    for person in ("support", "operator", "admin"):
        own_postgresql.create_role(person)
        made.names[person] = made.names["dev"]
        made.profile(person, "development", user=person)
    return made


@pytest.mark.parametrize("own_postgresql", VERSIONS, indirect=True)
def test_the_way_from_an_owner_without_createrole_to_people_with_roles(
    company: EngineProject, own_postgresql: PostgresqlServer
) -> None:
    run = Inside(company.path, company.environ)
    warned = run.ok("migrate").err
    assert "the role custctl_support is missing" in warned
    # Whoever has no role yet is sent to the administrator, with a command that ends it.
    assert "psql" in in_backticks(hint_of(run, "rights", "--env", "support"))
    type_as_administrator(own_postgresql, in_backticks(hint_of(run, "roles of the server")))
    owners = "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relname ~ '^customer' AND relkind = 'r'"
    assert company.sql(owners) == [(ADMIN,)]

    # The least role is what doctor says to give; the others are given as the README has it.
    assert in_backticks(hint_of(run, "rights", "--env", "support")) == f"GRANT {SUPPORT} TO support"
    for role, person in ((SUPPORT, "support"), (OPERATOR, "operator"), (ADMIN, "admin")):
        type_as_administrator(own_postgresql, f"GRANT {role} TO {person}")
    run.ok("customer", "add", *ADA, "--env", "operator")
    run.ok("customer", "set-password", "1", "--stdin", "--env", "operator", stdin="correct horse battery 9")
    run.ok("customer", "get", "1", "--env", "support")
    assert run.run("customer", "update", "1", "--city", "Paris", "--env", "support").code == 4
    scripts = company.path / "scripts"
    shutil.copytree(REPOSITORY / "sql", scripts)
    for number, person in ((1001, "admin"), (1002, "dev")):
        script = scripts / "postgresql" / "migrations" / f"{number}_add.sql"
        script.write_text(f"-- By {person}.\nALTER TABLE customer ADD COLUMN of_{person} INTEGER NULL;\n")
        run.ok("migrate", "--sql-dir", scripts, "--env", person)
    # The owner, a member now, does what it did before.
    run.ok("customer", "update", "1", "--city", "London")
    run.ok("seed")
    for person in ("dev", "support", "operator", "admin"):
        assert run.run("doctor", "--env", person, "--sql-dir", scripts).code == 0
    company.drop()


@pytest.mark.parametrize("own_postgresql", VERSIONS, indirect=True)
def test_roles_that_an_administrator_creates_for_a_schema_with_a_name(
    project: Project, own_postgresql: PostgresqlServer
) -> None:
    made = on_engine(project, postgresql_place(own_postgresql))
    made.sql('CREATE SCHEMA "Crm" AUTHORIZATION custctl')
    made.profile("dev", "development", schema="Crm")
    run = Inside(made.path, made.environ)
    run.ok("migrate")
    type_as_administrator(own_postgresql, in_backticks(hint_of(run, "roles of the server")))
    assert made.sql("SELECT tableowner FROM pg_tables WHERE schemaname = 'Crm' AND tablename = 'customer'") == [
        (ADMIN,)
    ]
    run.ok("customer", "add", *ADA)
    made.drop()
