"""Schemas that are not `public`, and logins that are more or less than the owner."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.conftest import ADA, REPOSITORY
from tests.postgresql.conftest import Workshop
from tests.servers.postgresql import PASSWORD, PostgresqlServer
from tests.servers.projects import PASSWORD_VARIABLE

TABLES = {"customer", "customer_password", "customer_audit", "customer_status", "customer_import"}


def with_own_scripts(shop: Workshop) -> Workshop:
    shutil.copytree(REPOSITORY / "sql", shop.folder.parent, dirs_exist_ok=True)
    return shop


# A driver that takes parameters by name reads `%` as the beginning of one, in a statement that has any.
@pytest.mark.parametrize("schema", ["crm", 'Über "uns"; --', "50% %(id)s %%"])
def test_a_schema_of_its_own(each_shop: Workshop, schema: str) -> None:
    shop = with_own_scripts(each_shop)
    shop.project.profile("dev", "development", schema=schema)
    shop.ok()
    assert shop.names(schema) >= TABLES
    assert shop.names() == set()
    assert shop.query("SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace") == [(0,)]
    for arguments in (
        ("customer", "add", *ADA),
        ("customer", "update", "ada@example.com", "--city", "London"),
        ("customer", "search", "lovel"),
        ("customer", "search", "velac", "--contains"),
        ("customer", "list", "--limit", "0"),
        ("customer", "list", "--sort", "-email", "--status", "active"),
        ("customer", "export", "-o", "csv"),
        ("customer", "export", "-o", "jsonl"),
        ("customer", "history", "ada@example.com"),
        ("seed",),
        ("seed", "--customers", "20"),
        ("audit", "list"),
        ("audit", "list", "--customer", "1"),
        ("audit", "verify"),
        ("customer", "delete", "1", "--yes"),
        ("doctor",),
        ("migrate", "repair"),
        ("migrate", "status", "--check"),
    ):
        result = shop.run(*arguments)
        assert result.code == 0, f"{arguments}: {result.err}"
    assert "nothing to do" in shop.ok().err
    # Another schema of the same database is another customer base, with a journal and a lock of its own.
    shop.project.names["other"] = shop.project.names["dev"]
    shop.project.profile("other", "development", schema="other")
    shop.ok(env="other")
    assert shop.names("other") >= TABLES
    assert shop.query("SELECT count(*) FROM other.customer") == [(0,)]


def as_login(shop: Workshop, name: str) -> None:
    """Let the project log in as somebody else."""
    shop.project.profile("dev", "development", user=name)
    shop.project.environ[PASSWORD_VARIABLE] = PASSWORD


def test_a_member_of_the_admins_goes_on_where_another_has_begun(each_shop: Workshop) -> None:
    shop = with_own_scripts(each_shop)
    first, second = (f"{shop.database.name}_{n}" for n in ("first", "second"))
    shop.database.create_role(first, createrole=True)
    shop.database.create_role(second)
    shop.query(f"GRANT CREATE ON DATABASE {shop.database.name} TO {first}; GRANT ALL ON SCHEMA public TO {first}")
    as_login(shop, first)
    # Whether these roles exist belongs to the whole server: other tests may have made them.
    shop.query(
        "DO $$ BEGIN IF to_regrole('custctl_admin') IS NOT NULL THEN"
        f" GRANT custctl_support, custctl_operator, custctl_admin TO {first} WITH ADMIN OPTION; END IF; END $$"
    )
    shop.query(f"GRANT ALL ON SCHEMA public TO {first} WITH GRANT OPTION")
    assert "warning" not in shop.ok().err
    owners = shop.query("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
    assert owners == [("custctl_admin",)]

    shop.query(f"GRANT custctl_admin TO {second}")
    as_login(shop, second)
    shop.write(
        "0006_more", "ALTER TABLE customer ADD COLUMN vip boolean;\nCREATE INDEX customer_vip ON customer (vip);\n"
    )
    shop.ok()
    assert shop.journal()["0006_more"] == ("applied", 2)
    assert shop.run("customer", "add", *ADA).code == 0
    shop.query(f"REASSIGN OWNED BY {first}, {second} TO custctl; DROP OWNED BY {first}, {second}")


def test_a_login_that_may_not_make_roles_is_told(postgresql_without_roles: Workshop) -> None:
    shop = with_own_scripts(postgresql_without_roles)
    told = shop.ok().err
    for role in ("custctl_support", "custctl_operator", "custctl_admin"):
        assert f"warning: repeatable/roles.sql: the role {role} is missing, and custctl may not create roles" in told
    assert "hint: let an administrator run this file" in told
    assert shop.journal()["roles"][0] == "applied"
    added = shop.run("customer", "add", *ADA)
    assert added.code == 0, added.err
    # An administrator runs the file as it is, with a client of the server's own.
    shop.query((shop.folder / "repeatable" / "roles.sql").read_text().replace("current_schema()", "'public'"))
    assert shop.query("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'custctl\\_%'") == [(3,)]


@pytest.fixture
def postgresql_without_roles(own_postgresql: PostgresqlServer, shop: Workshop) -> Iterator[Workshop]:
    """A project on a server of its own, where nobody has made custctl's roles."""
    server = own_postgresql
    database = server.create_database()
    shop.project.names["dev"] = database.name
    shop.project.profile("dev", "development", nodes=[{"name": "a", "host": server.host, "port": server.port}])
    shop.project.databases["dev"].drop()
    shop.project.databases["dev"] = database
    yield shop
    shop.project.databases.clear()
