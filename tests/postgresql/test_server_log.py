"""What the server logs of passwords: neither hash nor salt, however much it logs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import ADA, Project
from tests.inside import Inside
from tests.servers.postgresql import PostgresqlServer
from tests.servers.projects import on_engine, postgresql_place

FIRST, SECOND = "Sesame opens a mountain 7\n", "Another mountain opens 8\n"


@pytest.fixture
def talkative(project: Project, own_postgresql: PostgresqlServer) -> Iterator[Inside]:
    """A project on a server that logs every statement with all of its parameters."""
    made = on_engine(project, postgresql_place(own_postgresql))
    inside = Inside(made.path, made.environ)
    inside.ok("migrate")
    inside.ok("customer", "add", *ADA)
    for name, value in (
        ("log_statement", "all"),
        ("log_min_duration_statement", "0"),
        ("log_parameter_max_length", "-1"),
        ("log_parameter_max_length_on_error", "-1"),
        ("log_error_verbosity", "verbose"),
    ):
        own_postgresql.sql(f"ALTER SYSTEM SET {name} = '{value}'")
    own_postgresql.sql("SELECT pg_reload_conf()")
    yield inside
    made.drop()


def test_no_hash_and_no_salt_of_a_password_is_in_the_servers_log(
    talkative: Inside, own_postgresql: PostgresqlServer
) -> None:
    set_password, verify = ("customer", "set-password", ADA[1], "--stdin"), ("customer", "verify-password", ADA[1])
    talkative.ok(*set_password, stdin=FIRST)
    talkative.ok(*set_password, stdin=SECOND)
    talkative.ok(*verify, "--stdin", stdin=SECOND)
    assert talkative.run(*verify, "--stdin", stdin=FIRST).code == 9
    log = own_postgresql.log
    assert "customer_password" in log
    assert ADA[1] in log, "parameters are not logged: the test proves nothing"
    assert "$argon2" not in log
    assert "m=65536" not in log


def test_a_trigger_that_quotes_the_hash_brings_it_into_no_output(
    talkative: Inside, own_postgresql: PostgresqlServer
) -> None:
    database = _database(own_postgresql)
    body = "BEGIN RAISE NOTICE 'no %', NEW.hash; RAISE EXCEPTION 'not % either', NEW.hash; END"
    own_postgresql.sql(
        f"""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $${body}$$;
        CREATE TRIGGER refuse BEFORE INSERT ON customer_password FOR EACH ROW EXECUTE FUNCTION refuse()""",
        dbname=database,
    )
    for options in ((), ("-o", "json"), ("--debug",), ("-o", "json", "--debug")):
        result = talkative.run("customer", "set-password", ADA[1], "--stdin", *options, stdin=FIRST)
        assert result.code == 9
        assert "not $argon2… either" in result.err
        assert "$argon2id" not in result.err


def test_a_row_that_is_refused_is_not_quoted_in_the_log(talkative: Inside, own_postgresql: PostgresqlServer) -> None:
    own_postgresql.sql(
        """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'never'; END$$;
        CREATE TRIGGER refuse BEFORE INSERT ON customer_password FOR EACH ROW EXECUTE FUNCTION refuse()""",
        dbname=_database(own_postgresql),
    )
    assert talkative.run("customer", "set-password", ADA[1], "--stdin", stdin=FIRST).code == 9
    assert "never" in own_postgresql.log
    assert "$argon2" not in own_postgresql.log


def _database(server: PostgresqlServer) -> str:
    return next(
        name
        for (name,) in server.sql(
            "SELECT datname FROM pg_database WHERE datname NOT LIKE 'template%' AND datname <> 'postgres'"
        )
    )


def test_a_hash_with_other_parameters_is_replaced_without_a_word_in_the_log(
    talkative: Inside, own_postgresql: PostgresqlServer
) -> None:
    from argon2 import PasswordHasher

    old = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1).hash(FIRST.strip())
    talkative.ok("customer", "set-password", ADA[1], "--stdin", stdin=FIRST)
    before = len(own_postgresql.log)
    with own_postgresql.connect(dbname=_database(own_postgresql)) as connection:
        connection.execute("SET log_statement = none; SET log_min_duration_statement = -1")
        connection.execute("UPDATE customer_password SET hash = %s", (old,))
        talkative.ok("customer", "verify-password", ADA[1], "--stdin", stdin=FIRST)
        row = connection.execute("SELECT hash FROM customer_password").fetchone()
    assert row is not None
    assert row[0] != old
    assert "$argon2" not in own_postgresql.log[before:]
