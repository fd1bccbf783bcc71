"""What a member of each role may do, and what it may not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from custctl.customers import importing, statements
from custctl.engines.roles import ADMIN, AUDIT_FACTS, AUDIT_VALUES, OPERATOR, RIGHTS, SUPPORT, least_role
from custctl.schema.tables import customer_audit
from tests.conftest import ADA, REPOSITORY, Project
from tests.inside import Inside
from tests.roles.staff import Office, Staff
from tests.servers.fixtures import ENGINES, PostgresqlServers
from tests.servers.postgresql import PASSWORD, PostgresqlServer
from tests.servers.projects import on_engine, postgresql_place

SECRET = "correct horse battery staple 9"
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")
GRACE = ("--email", "grace@example.com", "--first-name", "Grace", "--last-name", "Hopper")
ROWS = "email,first_name,last_name\nkatherine@example.com,Katherine,Johnson\nada@example.com,Ada,King\n"


@pytest.fixture(scope="module", params=[name for name in ENGINES if name != "sqlite"])
def office(request: pytest.FixtureRequest, postgresql_servers: PostgresqlServers) -> Iterator[Office]:
    """A server on each engine that has roles."""
    if request.param == "mssql":
        made = Office.on_mssql(request.getfixturevalue("mssql_server"))
    else:
        made = Office.on_postgresql(postgresql_servers.own(request.param))
    yield made
    made.close()


@pytest.fixture
def staff(office: Office, project: Project) -> Iterator[Staff]:
    """A migrated database with one customer."""
    made = office.staff(project)
    made.inside.ok("customer", "add", *ADA)
    (made.path / "in.csv").write_text(ROWS)
    yield made
    made.project.drop()


def test_support_reads_customers_and_what_the_audit_tells(staff: Staff) -> None:
    assert staff.ok("support", "customer", "get", "1", "-o", "json").json["email"] == "ada@example.com"
    assert len(staff.ok("support", "customer", "list", "-o", "json").json["items"]) == 1
    assert len(staff.ok("support", "customer", "search", "lov", "-o", "json").json["items"]) == 1
    assert len(staff.ok("support", "customer", "search", "ovel", "--contains", "-o", "json").json["items"]) == 1
    assert "ada@example.com" in staff.ok("support", "customer", "export").out
    assert [entry["action"] for entry in staff.ok("support", "audit", "list", "-o", "json").json["items"]] == ["add"]
    assert len(staff.ok("support", "audit", "list", "--customer", "1", "-o", "json").json["items"]) == 1
    assert staff.ok("support", "migrate", "status", "--check").out
    staff.ok("support", "migrate", "validate")
    # With nothing pending there is nothing to be refused.
    staff.ok("support", "migrate")
    staff.ok("support", "customer", "import", "in.csv", "--dry-run", "--on-conflict", "skip")


def test_support_sees_the_history_without_the_values(staff: Staff) -> None:
    staff.ok("operator", "customer", "update", "1", "--city", "London")
    whole = staff.ok("operator", "customer", "history", "1", "-o", "json")
    assert whole.json["items"][1]["changes"] == {"city": [None, "London"]}
    assert whole.err == ""
    facts = staff.ok("support", "customer", "history", "ada@example.com", "-o", "json")
    assert facts.json["items"] == [{**event, "changes": None} for event in whole.json["items"]]
    assert "London" not in facts.out
    login = staff.office.logins["support"]
    assert f"values not shown: `{login}` lacks SELECT on `customer_audit`" in facts.err
    assert staff.run("support", "customer", "history", "99").code == 6


def test_support_writes_nothing_and_sees_no_password(staff: Staff) -> None:
    for command in (
        ("customer", "add", *GRACE),
        ("customer", "update", "1", "--city", "London"),
        ("customer", "delete", "1", "--yes"),
        ("customer", "import", "in.csv"),
        ("customer", "set-password", "1", "--stdin"),
        ("seed", "--customers", "3"),
        ("audit", "verify"),
    ):
        error = staff.denied("support", *command, stdin=SECRET)
        assert error["message"] == f"`{staff.office.logins['support']}` lacks SELECT on `customer_audit`", command
        assert error["details"] == {**error["details"], "privilege": "SELECT", "object": "customer_audit"}
        assert OPERATOR in error["hint"]
    error = staff.denied("support", "customer", "verify-password", "1", "--stdin", stdin=SECRET)
    assert "lacks SELECT on `customer_password`" in error["message"]
    assert OPERATOR in error["hint"]
    for statement in (
        "UPDATE customer SET city = 'x'",
        "DELETE FROM customer",
        "INSERT INTO customer_audit (operation_id, customer_id) VALUES ('x', 1)",
        "SELECT hash FROM customer_password",
        "SELECT held_values FROM customer_audit",
        "SELECT salt FROM customer_audit",
        "SELECT * FROM customer_import",
        "UPDATE custctl_metadata SET value = 'test' WHERE name = 'environment'",
        "DELETE FROM schema_migration",
        "CREATE TABLE mine (x INT)",
    ):
        assert staff.sql("support", statement), statement
    assert staff.sql("support", f"SELECT {', '.join(AUDIT_FACTS)} FROM customer_audit") is None


def test_an_operator_does_all_that_concerns_customers(staff: Staff) -> None:
    assert staff.ok("operator", "customer", "add", *GRACE, "-o", "json").json["first_name"] == "Grace"
    staff.ok("operator", "customer", "update", "1", "--city", "London")
    staff.ok("operator", "customer", "set-password", "1", "--stdin", stdin=SECRET)
    assert staff.ok("operator", "customer", "verify-password", "1", "--stdin", "-o", "json", stdin=SECRET).json[
        "matches"
    ]
    counted = staff.ok("operator", "customer", "import", "in.csv", "--on-conflict", "update", "-o", "json").json
    assert (counted["inserted"], counted["updated"]) == (1, 1)
    staff.ok("operator", "customer", "delete", "grace@example.com", "--yes")
    staff.ok("operator", "seed", "--customers", "3")
    assert len(staff.ok("operator", "customer", "export", "-o", "jsonl").out.splitlines()) == 5
    actions = [entry["action"] for entry in staff.ok("operator", "audit", "list", "-o", "json").json["items"]]
    assert actions == ["seed", "delete", "import", "set-password", "update", "add", "add"]
    assert staff.ok("operator", "audit", "verify", "-o", "json").json["ok"]


def test_an_operator_changes_neither_schema_nor_stamp_nor_what_the_audit_says(staff: Staff) -> None:
    before = staff.ok("admin", "audit", "verify", "-o", "json").json["checkpoint"]["blocks"]
    error = staff.denied("operator", "seed")
    assert "`customer_status`" in error["message"]
    assert ADMIN in error["hint"]
    folder = staff.scripts()
    script = folder / staff.project.engine / "migrations" / "0100_create_note.sql"
    script.write_text("-- Notes.\nCREATE TABLE note (x INT NOT NULL);\n")
    error = staff.denied("operator", "migrate", "--sql-dir", folder)
    assert "0100_create_note.sql" in error["message"]
    assert " lacks CREATE" in error["message"]
    assert ADMIN in error["hint"]
    script.unlink()
    _drift(folder / staff.project.engine)
    error = staff.denied("operator", "migrate", "repair", "--sql-dir", folder, "--yes")
    assert error["details"] == {**error["details"], "privilege": "UPDATE", "object": "schema_migration"}
    assert ADMIN in error["hint"]
    staff.project.profile("operator", "test", user=staff.office.logins["operator"])
    error = staff.denied("operator", "migrate", "repair", "--environment", "test", "--yes")
    assert error["details"] == {**error["details"], "privilege": "DELETE", "object": "custctl_metadata"}
    for statement in (
        "DELETE FROM customer_audit",
        "UPDATE customer_audit SET row_hash = 'x'",
        "UPDATE customer_audit SET actor = 'x', salt = NULL",
        "UPDATE custctl_metadata SET value = 'test' WHERE name = 'environment'",
        "DELETE FROM schema_migration",
        "DROP TABLE customer_import",
        "CREATE TABLE mine (x INT)",
    ):
        assert staff.sql("operator", statement), statement
    after = staff.ok("admin", "audit", "verify", "-o", "json").json["checkpoint"]["blocks"]
    assert after == before


def test_an_administrator_migrates_seeds_and_repairs(staff: Staff) -> None:
    assert staff.ok("admin", "seed").out
    staff.ok("admin", "customer", "update", "1", "--city", "London")
    folder = staff.scripts()
    here = folder / staff.project.engine
    (here / "migrations" / "0100_widen_status.sql").write_text(
        "ALTER TABLE customer_status ADD note INT NULL;\n" + ("GO\n" if staff.project.engine == "mssql" else "")
    )
    if _can_give_ddl(staff):
        staff.ok("admin", "migrate", "--sql-dir", folder)
        # And so does the next one, who has not made it.
        (here / "migrations" / "0101_narrow_status.sql").write_text("ALTER TABLE customer_status DROP COLUMN note;\n")
        staff.ok("dev", "migrate", "--sql-dir", folder)
    else:
        # A member already: there is no role to ask for.
        assert "as the database's owner" in staff.denied("admin", "migrate", "--sql-dir", folder)["hint"]
        (here / "migrations" / "0100_widen_status.sql").unlink()
    _drift(here)
    assert staff.run("admin", "migrate", "--sql-dir", folder).code == 11
    staff.ok("admin", "migrate", "repair", "--sql-dir", folder, "--yes")
    staff.ok("admin", "migrate", "--sql-dir", folder)
    staff.project.profile("admin", "test", user=staff.office.logins["admin"])
    staff.ok("admin", "migrate", "repair", "--sql-dir", folder, "--environment", "test", "--yes")
    assert staff.run("dev", "customer", "update", "1", "--city", "Paris").code == 7


def _can_give_ddl(staff: Staff) -> bool:
    """Tell whether the server has roles that may change tables without being their owner."""
    return staff.project.engine != "mssql" or staff.project.sql("SELECT CAST(SERVERPROPERTY('Babelfish') AS INT)") == [
        (None,)
    ]


def _drift(folder: Path) -> None:
    script = folder / "migrations" / "0004_create_customer_status.sql"
    script.write_text(script.read_text() + "-- Once more.\n")


# -- on PostgreSQL, roles belong to the server -----------------------------------------------------


@pytest.mark.parametrize("office", ["postgresql17", "postgresql18"], indirect=True)
def test_the_database_grants_what_the_table_of_rights_says(staff: Staff) -> None:
    tables = sorted({table for rights in RIGHTS.values() for table in rights} - {"customer_import_row"})
    for role, table, privilege in product(RIGHTS, tables, PRIVILEGES):
        whole, columns = staff.project.sql(
            f"SELECT has_table_privilege('{role}', '{table}', '{privilege}'),"
            f" coalesce(array_agg(a.attname::text) FILTER (WHERE"
            f" has_column_privilege('{role}', a.attrelid, a.attnum, '{privilege}')), '{{}}')"
            f" FROM pg_attribute AS a WHERE a.attrelid = '{table}'::regclass AND a.attnum > 0 AND NOT a.attisdropped"
            if privilege != "DELETE"
            else f"SELECT has_table_privilege('{role}', '{table}', 'DELETE'), '{{}}'::text[]"
        )[0]
        expected = RIGHTS[role].get(table, {}).get(privilege)
        assert whole == (expected == ()), (role, table, privilege)
        if not whole:
            assert set(columns) == set(expected or ()), (role, table, privilege)


@pytest.mark.parametrize("office", ["postgresql17", "postgresql18"], indirect=True)
def test_tables_and_functions_belong_to_the_role_that_migrates(staff: Staff) -> None:
    owners = staff.project.sql(
        "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " UNION SELECT proowner::regrole::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        " AND proname ~ 'custom|custctl'"
    )
    assert owners == [(ADMIN,)]


@pytest.mark.parametrize("own_postgresql", ["postgresql17", "postgresql18"], indirect=True)
def test_who_may_not_make_roles_migrates_nevertheless(project: Project, own_postgresql: PostgresqlServer) -> None:
    made = on_engine(project, postgresql_place(own_postgresql))
    run = Inside(made.path, made.environ)
    run.ok("migrate")
    run.ok("customer", "add", *ADA)
    assert made.sql("SELECT count(*) FROM pg_roles WHERE rolname ~ '^custctl_'") == [(0,)]
    # An administrator runs the file later.
    made.sql((REPOSITORY / "sql/postgresql/repeatable/roles.sql").read_text())
    own_postgresql.create_role("ada", in_role=SUPPORT)
    made.names["ada"] = made.names["dev"]
    made.profile("ada", "development", user="ada")
    assert run.ok("customer", "get", "1", "--env", "ada")
    assert run.run("customer", "verify-password", "1", "--stdin", "--env", "ada", stdin=PASSWORD).code == 4
    run.ok("customer", "update", "1", "--city", "London")
    made.drop()


def test_who_does_not_inherit_keeps_the_tables(project: Project, own_postgresql: PostgresqlServer) -> None:
    own_postgresql.sql("ALTER ROLE custctl NOINHERIT CREATEROLE")
    made = on_engine(project, postgresql_place(own_postgresql))
    run = Inside(made.path, made.environ)
    run.ok("migrate")
    run.ok("customer", "add", *ADA)
    assert made.sql("SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relname ~ '^customer'") == [
        ("custctl",)
    ]
    made.drop()


# -- the table of rights and the scripts -----------------------------------------------------------


def test_the_scripts_grant_what_the_table_of_rights_says() -> None:
    for engine, tables in (("postgresql", {"customer_import_row"}), ("mssql", set())):
        text = (REPOSITORY / "sql" / engine / "repeatable" / "roles.sql").read_text()
        expected = {
            (role, table, privilege, columns)
            for role, rights in RIGHTS.items()
            for table, granted in rights.items()
            if table not in tables
            for privilege, columns in granted.items()
        }
        assert set(_grants(text)) == expected, engine


def _grants(text: str) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Yield (role, table, privilege, columns) for each grant on tables, in either dialect."""
    text = re.sub(r"--.*", "", text)
    # In PostgreSQL's script each is a string, of one part or several.
    text = re.sub(r"'\s*'", "", text).replace("%1$I.", "")
    pattern = r"((?:\s*,?\s*(?:SELECT|INSERT|UPDATE|DELETE)\b\s*(?:\([^)]*\))?)+)\s+ON\s+([^;']*?)\s+TO\s+(custctl_\w+)"
    for privileges, objects, role in re.findall(pattern, text):
        named = re.fullmatch(r"(\w+)\s*\(([^)]*)\)", objects.strip())
        on_columns = _names(named[2]) if named else ()
        for table in [named[1]] if named else _names(objects):
            for privilege, columns in re.findall(r"([A-Z]+)\s*(?:\(([^)]*)\))?", privileges):
                yield role, table, privilege, _names(columns) or on_columns


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def test_the_audit_s_columns_are_facts_or_values() -> None:
    assert {*AUDIT_FACTS, *AUDIT_VALUES} == {column.name for column in customer_audit.c}
    assert not {*AUDIT_FACTS} & {*AUDIT_VALUES}
    assert statements.VALUES == AUDIT_VALUES
    assert tuple(column.name for column in statements.facts()) == AUDIT_FACTS


@pytest.mark.parametrize(
    ("privilege", "table", "role"),
    [
        ("SELECT", "customer", SUPPORT),
        ("UPDATE", "customer", OPERATOR),
        # Who is refused this has the columns that support has.
        ("SELECT", "customer_audit", OPERATOR),
        ("UPDATE", "customer_audit", OPERATOR),
        ("DELETE", "customer_audit", ADMIN),
        ("SELECT", "customer_password", OPERATOR),
        ("INSERT", "customer_status", ADMIN),
        ("CREATE", "public", ADMIN),
        ("ownership", "customer", ADMIN),
    ],
)
def test_the_least_role_that_has_a_privilege(privilege: str, table: str, role: str) -> None:
    assert least_role(privilege, table) == role


def test_a_denial_names_the_one_step_that_ends_it(staff: Staff) -> None:
    """What the hint says, an administrator runs as it stands."""
    login = staff.office.logins["support"]
    step = staff.denied("support", "customer", "update", "1", "--city", "London")["hint"].split("`")[1]
    assert OPERATOR in step
    assert login in step
    staff.project.sql(step)
    try:
        staff.ok("support", "customer", "update", "1", "--city", "London")
        step = staff.denied("support", "seed")["hint"].split("`")[1]
        assert ADMIN in step
    finally:
        if staff.project.engine == "postgresql":  # where roles belong to all databases of the server
            staff.project.sql(f"REVOKE {OPERATOR} FROM {login}")


def test_a_member_whose_role_lost_a_privilege_is_not_told_to_become_one(staff: Staff) -> None:
    if staff.project.engine == "postgresql":
        staff.project.sql(f"REVOKE UPDATE ON customer FROM {OPERATOR}")
    else:
        staff.project.sql(f"REVOKE UPDATE ON [dbo].[customer] FROM {OPERATOR}")
    hint = staff.denied("operator", "customer", "update", "1", "--city", "London")["hint"]
    assert "MEMBER" not in hint
    assert "make this login a member" not in hint
    assert OPERATOR in hint


def test_an_operator_imports_beside_the_indexes_that_only_an_admin_can_build_again(
    staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "DEFERS_FROM", 2)
    monkeypatch.setattr(importing, "_DEFERS_SHARE", 1)
    assert "secondary indexes" not in staff.ok("operator", "customer", "import", "in.csv", "--on-conflict", "skip").err
    (staff.path / "more.csv").write_text(ROWS.replace("@", "+more@"))
    told = staff.ok("admin", "customer", "import", "more.csv").err
    assert ("secondary indexes" in told) == isinstance(staff.office.server, PostgresqlServer)
    assert "dropped for an import" not in staff.inside.run("doctor").out


def test_an_import_that_may_not_make_its_temporary_table_says_what_grants_that(staff: Staff) -> None:
    if staff.project.engine != "postgresql":
        return  # elsewhere everybody may
    login, database = staff.office.logins["operator"], staff.project.names["dev"]
    staff.project.sql(f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC")
    step = staff.denied("operator", "customer", "import", "in.csv")["hint"].split("`")[1]
    assert step == f"GRANT TEMPORARY ON DATABASE {database} TO {login}"
    [fault] = [each for each in staff.run("operator", "doctor", "-o", "json").json["items"] if each["state"] == "fault"]
    assert (fault["check"], fault["value"]) == ("imports", "may not create temporary tables")
    assert step in fault["hint"]
    # Support imports nothing, and lacks nothing.
    assert "imports" not in staff.run("support", "doctor").out
    staff.project.sql(step)
    assert staff.run("operator", "customer", "import", "in.csv").code == 10  # one email is taken


def test_an_operator_says_who_can_build_indexes_that_were_left_out(staff: Staff) -> None:
    if not isinstance(staff.office.server, PostgresqlServer):
        return
    (index,) = staff.project.sql("SELECT indexdef FROM pg_indexes WHERE indexname = 'customer_by_country'")
    staff.project.sql("DROP INDEX customer_by_country")
    left_out = json.dumps([{"name": "customer_by_country", "statements": [index[0]]}])
    staff.project.sql(f"INSERT INTO custctl_metadata VALUES ('deferred_indexes', '{left_out}')")
    told = staff.ok("operator", "customer", "import", "in.csv", "--on-conflict", "skip").err
    assert "searches stay slow until the owner of the tables runs `custctl migrate" in told
    assert "building the index `customer_by_country`" in staff.ok("admin", "migrate").err
    assert staff.project.sql("SELECT indexdef FROM pg_indexes WHERE indexname = 'customer_by_country'") == [index]
