"""What is left of an erased customer in the files of a server: nothing, once the tables are written again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Project
from tests.inside import Inside
from tests.postgresql.conftest import with_own_fields
from tests.servers.fixtures import PostgresqlServers
from tests.servers.postgresql import PostgresqlServer
from tests.servers.projects import EngineProject, on_engine, postgresql_place

MARKS = ("zqxwy.vkjzq@qjxzk.example", "Zqjxwvk", "Xkqzjvw", "+998877665544", "Jwzxqkv")


def _holding(server: PostgresqlServer) -> set[str]:
    """Return the files of the database that hold a mark; the write-ahead log is kept for crashes, not for reading."""
    found = set()
    for path in Path(server.data, "base").rglob("*"):
        if path.is_file():
            data = path.read_bytes().lower()
            if any(mark.lower().encode() in data for mark in MARKS):
                found.add(path.name)
    return found


@pytest.fixture
def made(project: Project, own_postgresql: PostgresqlServer) -> EngineProject:
    return on_engine(project, postgresql_place(own_postgresql))


def test_no_byte_is_left_once_the_report_is_followed(made: EngineProject, own_postgresql: PostgresqlServer) -> None:
    inside = Inside(made.path, made.environ)
    inside.ok("migrate")
    inside.ok("seed", "--customers", "200", "--random-seed", "1")
    email, first, last, phone, company = MARKS
    inside.ok("customer", "add", "--email", email, "--first-name", first, "--last-name", last, "--phone", phone)
    inside.ok("customer", "update", email, "--company", company)
    inside.ok("customer", "set-password", email, "--stdin", stdin="correct horse battery staple\n")
    [[number]] = made.sql(f"SELECT id FROM customer WHERE email = '{email}'")
    # As after a move from another identity provider; and statistics of the company's own.
    made.sql(
        "INSERT INTO customer_account (customer_id, provider, subject, email, enabled, seen_at)"
        f" VALUES ({number}, 'scim', 's-1', '{email}', 1, now());"
        " CREATE STATISTICS own_values (mcv) ON first_name, company FROM customer;"
        " ALTER STATISTICS own_values SET STATISTICS 1000; ANALYZE customer"
    )
    report = inside.ok("customer", "erase", email, "--request", "DSR-1", "--yes", "-o", "json").json
    made.sql("CHECKPOINT")
    assert _holding(own_postgresql), "the server cleans up by itself: the test proves nothing"
    remove = {each["what"]: each["remove"] for each in report["kept"]}
    for what in ("old_rows", "statistics", "write_ahead_log"):
        for statement in remove[what].split("; "):
            own_postgresql.sql(statement, dbname=made.names["dev"])
    assert _holding(own_postgresql) == set()
    inside.ok("audit", "verify")


def test_a_row_that_the_login_does_not_see_is_not_taken_for_a_deleted_one(
    project: Project, postgresql_servers: PostgresqlServers
) -> None:
    hide = (
        "ALTER TABLE customer ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "CREATE POLICY seen ON customer USING (status = 'active')",
        "UPDATE customer SET status = 'closed'",
    )
    with with_own_fields(project, postgresql_servers, *hide) as shop:
        inside = Inside(shop.path, shop.environ)
        for command in (
            ["customer", "erase", "1", "--request", "DSR-1", "--yes"],
            ["customer", "export", "--who", "1"],
            ["migrate", "repair", "--environment", "development", "--pseudonymise", "--yes"],
        ):
            told = inside.run(*command)
            assert (told.code, "may hide customers from `custctl`" in told.err) == (4, True), told.err
        assert [entry["action"] for entry in inside.ok("audit", "list", "-o", "json").json["items"]] == ["add"]
        shop.sql("ALTER TABLE customer NO FORCE ROW LEVEL SECURITY")
        erased = inside.ok("customer", "erase", "1", "--request", "DSR-1", "--yes", "-o", "json").json["erased"]
        assert erased["customer"] == 1
