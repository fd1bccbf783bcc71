"""From an owner who may not create roles to people who have theirs: each step as the message before it says."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess

import pytest

from custctl.engines.postgresql.denials import Denial
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


# -- what none of the roles may, and who may --------------------------------------------------------

OFF = "-- custctl: transaction=off\n"
_OF_A_SUPERUSER = {
    "SET session_replication_role = replica": "GRANT SET ON PARAMETER session_replication_role TO",
    f"{OFF}ALTER SYSTEM SET work_mem = '1MB'": "GRANT ALTER SYSTEM ON PARAMETER work_mem TO",
    "ALTER TABLE customer DISABLE TRIGGER ALL": "only a superuser can do this",
    "COPY branch FROM '/etc/hostname'": 'Only roles with privileges of the "pg_read_server_files" role',
    "COPY branch TO PROGRAM 'cat'": 'Only roles with privileges of the "pg_execute_server_program" role',
    "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'x', 'y'": "only a superuser can do this",
    "SELECT pg_read_file('postgresql.conf')": "a superuser can do this, or grant the right",
    "SET ROLE postgres": "a superuser can do this, or grant the right",
    f"{OFF}CREATE DATABASE another": "a superuser can do this, or grant the right",
    "CREATE ROLE another": "Only roles with the CREATEROLE attribute may create roles",
    "ALTER TABLE branch OWNER TO postgres": "a superuser can do this, or grant the right",
}


@pytest.mark.parametrize("own_postgresql", VERSIONS, indirect=True)
def test_what_a_superuser_may_is_not_said_to_be_a_role_s(
    company: EngineProject, own_postgresql: PostgresqlServer
) -> None:
    run = Inside(company.path, company.environ)
    run.ok("migrate")
    type_as_administrator(own_postgresql, in_backticks(hint_of(run, "roles of the server")))
    type_as_administrator(own_postgresql, f"GRANT {ADMIN} TO admin")
    scripts = company.path / "scripts"
    shutil.copytree(REPOSITORY / "sql", scripts)
    migrations = scripts / "postgresql" / "migrations"
    (migrations / "1001_branch.sql").write_text("CREATE TABLE branch (line text);\n")
    run.ok("migrate", "--sql-dir", scripts, "--env", "admin")
    for statement, expected in _OF_A_SUPERUSER.items():
        script = migrations / "1002_refused.sql"
        script.write_text(f"{statement};\n")
        result = run.run("migrate", "--sql-dir", scripts, "--env", "admin", "-o", "json")
        assert result.code == 4, (statement, result.err)
        assert "1002_refused.sql" in result.error["message"]
        assert expected in result.error["hint"], statement
        assert ADMIN not in result.error["hint"], statement
        assert "member" not in result.error["hint"], statement
    company.drop()


_OF_ANOTHER_S_TABLE = {
    "INSERT INTO legacy VALUES (1)": "let its owner, `postgres`, run `GRANT INSERT ON legacy TO {login}`",
    "TRUNCATE legacy": "its owner, `postgres`, can do this, or grant the right",
    "DO $$ BEGIN PERFORM * FROM legacy; END $$": "its owner, `postgres`, can do this, or grant the right",
    "CREATE TABLE child (x int REFERENCES legacy)": "its owner, `postgres`, can do this, or grant the right",
    "SELECT nextval('legacy_numbers')": "`GRANT USAGE ON SEQUENCE legacy_numbers TO {login}`",
    "SELECT * FROM elsewhere.legacy": "`GRANT USAGE ON SCHEMA elsewhere TO {login}`",
}


@pytest.mark.parametrize("person", ["dev", "support", "admin"])
def test_rights_on_another_s_table_are_not_said_to_be_a_role_s(
    company: EngineProject, own_postgresql: PostgresqlServer, person: str
) -> None:
    """Neither to a login without a role of ours, nor to one that has the least or the greatest of them."""
    run = Inside(company.path, company.environ)
    scripts = company.path / "scripts"
    shutil.copytree(REPOSITORY / "sql", scripts)
    run.ok("migrate", "--sql-dir", scripts)
    login = "custctl" if person == "dev" else person
    if person != "dev":
        type_as_administrator(own_postgresql, in_backticks(hint_of(run, "roles of the server")))
        company.sql(f"GRANT {ADMIN if person == 'admin' else SUPPORT} TO {login}")
        company.sql(f"GRANT CREATE ON SCHEMA public TO {login}; GRANT {ADMIN} TO custctl")
    company.sql(
        "CREATE TABLE legacy (x int PRIMARY KEY); CREATE SEQUENCE legacy_numbers;"
        "CREATE SCHEMA elsewhere CREATE TABLE legacy (x int)"
    )
    for statement, expected in _OF_ANOTHER_S_TABLE.items():
        (scripts / "postgresql" / "migrations" / "1001_refused.sql").write_text(f"{statement};\n")
        result = run.run("migrate", "--sql-dir", scripts, "--env", person, "-o", "json")
        assert result.code == 4, (statement, result.err)
        assert expected.format(login=login) in result.error["hint"], statement
        assert "custctl_" not in result.error["hint"], statement
    (scripts / "postgresql" / "migrations" / "1001_refused.sql").write_text("ALTER TABLE legacy ADD y int;\n")
    hint = run.run("migrate", "--sql-dir", scripts, "--env", person, "-o", "json").error["hint"]
    if person == "admin":
        # Its role can own the table, like all that migrations make.
        company.sql(in_backticks(hint))
        run.ok("migrate", "--sql-dir", scripts, "--env", person)
    else:
        assert hint == "only its owner, `postgres`, or a superuser can do this"
    company.drop()


def test_a_schema_that_a_login_may_not_look_into(company: EngineProject) -> None:
    run = Inside(company.path, company.environ)
    run.ok("migrate")
    company.sql("ALTER SCHEMA public OWNER TO postgres; REVOKE ALL ON SCHEMA public FROM PUBLIC, custctl")
    error = run.run("customer", "list", "-o", "json").error
    assert error["hint"] == "ask an administrator to run `GRANT USAGE ON SCHEMA public TO custctl`"
    company.sql(in_backticks(error["hint"]))
    run.ok("customer", "list")
    company.drop()


@pytest.mark.parametrize("own_postgresql", VERSIONS, indirect=True)
def test_each_refusal_names_the_next_step_until_there_is_none(
    company: EngineProject, own_postgresql: PostgresqlServer
) -> None:
    """Whoever follows the hints, and nothing else, comes to what was wanted."""
    run = Inside(company.path, company.environ)
    run.ok("migrate")
    scripts = company.path / "scripts"
    shutil.copytree(REPOSITORY / "sql", scripts)
    script = scripts / "postgresql" / "migrations" / "1001_add.sql"
    script.write_text("ALTER TABLE customer ADD COLUMN note INTEGER NULL;\n")
    wanted = {
        "support": ("customer", "list"),
        "operator": ("customer", "add", *ADA),
        "admin": ("migrate", "--sql-dir", scripts),
    }
    for person, command in wanted.items():
        for _ in range(6):
            result = run.run(*command, "--env", person, "-o", "json")
            if result.code == 0:
                break
            assert result.code == 4, result.err
            hint = result.error["hint"]
            told = in_backticks(hint)
            if "`custctl doctor" in hint:
                told = in_backticks(hint_of(run, "rights", "--env", person))
            type_as_administrator(own_postgresql, told)
        assert result.code == 0, (person, result.err)
    company.drop()


@pytest.mark.parametrize(
    ("text", "statement", "privilege", "name"),
    [
        ("keine Berechtigung für Tabelle customer", "SELECT 1", "SELECT", "customer"),
        (
            "Berechtigung nur für Eigentümer der Tabelle customer",
            "ALTER TABLE customer ADD x int",
            "ownership",
            "customer",
        ),
        ("droit refusé pour la table customer_password", "INSERT INTO x", "INSERT", "customer_password"),
        ("permission denied for table customer_audit", "UPDATE customer_audit", "UPDATE", "customer_audit"),
        ("テーブル customer_status へのアクセスが拒否されました", "DELETE FROM x", "DELETE", "customer_status"),
        ('must be owner of table "Branch"', "DROP TABLE x", "ownership", "Branch"),
        ("keine Berechtigung für Schema crm", "CREATE TABLE x ()", "CREATE", None),
        ("permission denied for sequence numbers", "SELECT nextval('numbers')", "USAGE", "numbers"),
        ("permission denied for table branch", "WITH x AS (SELECT 1) SELECT", None, "branch"),
    ],
)
def test_a_denial_is_read_in_whatever_language(
    text: str, statement: str, privilege: str | None, name: str | None
) -> None:
    denial = Denial.read(text, statement)
    assert (denial.privilege, denial.name) == (privilege, name)
