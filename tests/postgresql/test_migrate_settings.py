"""What a script sets for its session: it reaches the script's own statements, a rerun's too, and nothing of ours."""

from __future__ import annotations

import json

import pytest

from tests.postgresql.conftest import GATE, OFF, Workshop, end

SETTINGS = {
    "client_encoding": "SET client_encoding = 'SQL_ASCII'",
    "client_encoding-latin": "SET NAMES 'LATIN1'",
    "client_encoding-unknown-to-the-driver": "SET client_encoding = 'EUC_TW'",
    "date": "SET DateStyle = 'German'",
    "interval": "SET IntervalStyle = 'sql_standard'",
    "zone": "SET TIME ZONE 'Pacific/Auckland'",
    "strings": "SET standard_conforming_strings = off",
    "warning": "SET escape_string_warning = off",
    "bytea": "SET bytea_output = 'escape'",
    "path": "SELECT pg_catalog.set_config('search_path', '', false)",
    "role": "SET ROLE {role}",
    "session": "SET SESSION ROLE {role}",
    "read-only": "SET default_transaction_read_only = on",
    "characteristics": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY, ISOLATION LEVEL SERIALIZABLE",
    "isolation": "SET default_transaction_isolation = 'serializable'",
    "statements": "SET statement_timeout = '4s'",
    "locks": "SET lock_timeout = '1ms'",
    "idle": "SET idle_in_transaction_session_timeout = '1min'",
    "rows": "SET row_security = off",
    "xml": "SET xmloption = content",
    "heap": "SET default_table_access_method = heap",
    "digits": "SET extra_float_digits = -15",
    "numbers": "SET lc_numeric = 'C'",
    "nulls": "SET transform_null_equals = on",
    "plans": "SET plan_cache_mode = force_generic_plan; SET jit = off",
}
SUPERUSERS = {
    "authorization": "SET SESSION AUTHORIZATION {role}",
    "replica": "SET session_replication_role = replica",
    "messages": "SET lc_messages = 'C'",
}
KEPT = """
CREATE TABLE public.kept AS
SELECT (SELECT string_agg(name || '=' || setting, ';' ORDER BY name) FROM pg_catalog.pg_settings
         WHERE source = 'session' AND name NOT IN ('statement_timeout', 'lock_timeout', 'search_path')
           AND name NOT LIKE 'transaction%') AS settings,
       current_user::text AS who, session_user::text AS login, pg_catalog.current_setting('search_path') AS path
"""


@pytest.fixture
def role(shop: Workshop) -> str:
    """A role that the login may take on, and that may nothing but make tables."""
    name = f"{shop.database.name}_app"
    shop.database.create_role(name)
    shop.query(f"GRANT {name} TO custctl; GRANT USAGE, CREATE ON SCHEMA public TO {name}")
    return name


def outcome(shop: Workshop) -> tuple[object, ...]:
    """Return what the script has seen of its own settings."""
    (row,) = shop.query("SELECT * FROM kept")
    return row


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_reaches_the_script_alone_and_a_rerun_has_it_again(shop: Workshop, role: str, name: str) -> None:
    setting = SETTINGS[name].format(role=role)
    check(shop, setting, can_write=name not in ("read-only", "characteristics"))


@pytest.mark.parametrize("name", SUPERUSERS)
def test_a_setting_of_superusers(shop: Workshop, role: str, name: str) -> None:
    shop.query("ALTER ROLE custctl SUPERUSER")
    try:
        check(shop, SUPERUSERS[name].format(role=role), can_write=True)
    finally:
        shop.query("ALTER ROLE custctl NOSUPERUSER")


def check(shop: Workshop, setting: str, *, can_write: bool) -> None:
    """Run a script with a setting as one transaction, and statement by statement with a failure in its midst."""
    shop.write("0001_whole", f"{setting};\n{KEPT};\n")
    shop.write("0002_other", "CREATE TABLE other (x integer);\n")
    shop.ok()
    expected = outcome(shop)
    assert shop.journal() == {"0001_whole": ("applied", 2 + setting.count(";")), "0002_other": ("applied", 1)}
    shop.query("DROP TABLE kept")
    writable = "" if can_write else "BEGIN READ WRITE;\n"
    end = "" if can_write else "COMMIT;\n"
    shop.write("0003_parts", f"{OFF}{setting};\nSELECT 1;\nSELECT nothing;\n{writable}{KEPT};\n{end}")
    shop.write("0004_other", "CREATE TABLE another (x integer);\n")
    for _ in range(2):
        told = shop.refused()
        assert "migrations/0003_parts.sql:4: statement " in told
        assert 'failed: column "nothing" does not exist' in told
        assert shop.journal()["0003_parts"] == ("failed", 2 + setting.count(";"))
    shop.write("0003_parts", f"{OFF}{setting};\nSELECT 1;\nSELECT 2;\n{writable}{KEPT};\n{end}")
    shop.ok()
    assert outcome(shop) == expected
    assert [state for state, _ in shop.journal().values()] == ["applied"] * 4
    assert shop.names() == {"kept", "other", "another"}


WRITES = {
    "CREATE TABLE a (x integer)": "CREATE TABLE",
    "CREATE INDEX CONCURRENTLY i ON public.schema_migration (script)": "CREATE INDEX",
    "DO $$ BEGIN CREATE TABLE a (x integer); COMMIT; END $$": "CREATE TABLE",
}


@pytest.mark.parametrize("write", WRITES)
def test_a_script_that_is_read_only_by_its_own_setting_may_not_write(shop: Workshop, write: str) -> None:
    shop.write("0001_a", f"{OFF}SET default_transaction_read_only = on;\n{write};\n")
    assert f"migrations/0001_a.sql:3: statement 2 of 2 failed: cannot execute {WRITES[write]}" in shop.refused()
    assert shop.names() == set()


def test_a_fence_during_a_script_is_not_the_script_s_fault(shop: Workshop) -> None:
    shop.write("0001_a", f"{OFF}CREATE TABLE a (x integer);\n{GATE}CREATE INDEX CONCURRENTLY i ON a (x);\n")
    try:
        with shop.gate():
            process = shop.start()
            shop.wait_for(shop.at_gate, process)
            shop.query("ALTER SYSTEM SET default_transaction_read_only = on")
            shop.query("SELECT pg_reload_conf()")
        result = end(process)
    finally:
        shop.query("ALTER SYSTEM RESET default_transaction_read_only")
        shop.query("SELECT pg_reload_conf()")
    assert result.code == 7, result.err
    assert "does not accept writes" in result.err


@pytest.mark.parametrize("header", ["", OFF])
def test_a_limit_on_transactions_is_not_for_scripts(shop: Workshop, header: str) -> None:
    shop.query(f"ALTER DATABASE {shop.database.name} SET transaction_timeout = '1s'")
    shop.write("0001_a", f"{header}CREATE TABLE a (x integer);\nSELECT pg_sleep(1.5);\n")
    shop.ok()
    assert shop.names() == {"a"}


def test_what_a_script_hides_behind_temporary_tables_is_not_what_the_journal_needs(shop: Workshop) -> None:
    names = ("text", "timestamptz", "oid", "name", "schema_migration", "custctl_metadata", "pg_class")
    shop.write("0001_a", "".join(f"CREATE TEMPORARY TABLE {name} (x integer);\n" for name in names))
    shop.write("0002_b", f"{OFF}CREATE TEMPORARY TABLE text (x integer);\nCREATE TABLE b (x integer);\n")
    shop.ok()
    assert [state for state, _ in shop.journal().values()] == ["applied"] * 2


def test_what_no_transaction_can_help_is_not_said_to_need_none(shop: Workshop) -> None:
    commits = "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;\nSELECT f();\n"
    shop.write("0001_a", commits)
    assert "hint: put `-- custctl: transaction=off`" in shop.refused()
    shop.write("0001_a", OFF + commits)
    assert "hint: fix the script and run it again" in shop.refused()


@pytest.mark.parametrize("header", ["", OFF])
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "UTF8"])
def test_characters_are_stored_as_psql_stores_them(each_shop: Workshop, header: str, encoding: str) -> None:
    shop = each_shop
    shop.write(
        "0001_dump",
        f"{header}SET client_encoding = '{encoding}';\nCREATE TABLE branch (name text);\n"
        "INSERT INTO branch VALUES ('Zürich €');\nCOPY branch FROM stdin;\nMünchen\n\\.\n"
        "CREATE TABLE straße (x integer);\nCREATE INDEX ünde ON straße (x);\n"
        + ("CREATE INDEX CONCURRENTLY größe ON straße (x);\nREINDEX TABLE CONCURRENTLY straße;\n" if header else ""),
    )
    shop.ok()
    assert shop.query("SELECT name FROM branch") == [("Zürich €",), ("München",)]
    assert "straße" in shop.names()
    shop.write("0002_error", f"SET client_encoding = '{encoding}';\nSELECT 'ß', größer;\n")
    assert 'migrations/0002_error.sql:2: statement 2 of 2 failed: column "größer" does not exist' in shop.refused()


@pytest.mark.parametrize("header", ["", OFF])
@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO branch VALUES ('10 €')", "COPY branch FROM stdin;\nZürich\n\\.\n", "CREATE TABLE straße (x integer)"],
)
@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1252", "EUC_JP", "EUC_TW"])
def test_characters_that_the_server_would_misread(shop: Workshop, header: str, statement: str, encoding: str) -> None:
    before = f"{header}CREATE TABLE branch (name text);\nSET client_encoding = '{encoding}';\n"
    shop.write("0001_dump", f"{before}{statement};\n")
    told = shop.refused()
    assert f"migrations/0001_dump.sql:{4 if header else 3}: statement 3 of 3 failed: " in told
    assert f"`client_encoding` is `{encoding}`, and the script is UTF-8" in told
    assert shop.names() == ({"branch"} if header else set())
    shop.write("0001_dump", f"{before}SET client_encoding = 'UTF8';\n{statement};\n")
    shop.ok()


def test_a_role_that_cannot_be_taken_on_again(shop: Workshop, role: str) -> None:
    shop.write("0001_a", f"{OFF}SET ROLE {role};\nSELECT nothing;\nCREATE TABLE a (x integer);\n")
    shop.refused()
    shop.write("0001_a", f"{OFF}SET ROLE {role};\nSELECT 1;\nCREATE TABLE a (x integer);\n")
    shop.query(f"REVOKE {role} FROM custctl")
    told = shop.refused("-o", "json", code=4)
    error = json.loads(told.splitlines()[-1])["error"]
    assert error["message"].startswith("migrations/0001_a.sql:2: statement 1 of 3 failed: ")
    assert (error["details"]["line"], error["details"]["statement"]) == (2, 1)
    assert shop.names() == set()
    shop.query(f"GRANT {role} TO custctl")
    shop.ok()
    assert shop.query("SELECT tableowner FROM pg_tables WHERE tablename = 'a'") == [(role,)]


def test_a_role_that_was_left_again_is_not_missed(shop: Workshop, role: str) -> None:
    script = f"{OFF}SET ROLE {role};\nSELECT 1;\nRESET ROLE;\nSELECT nothing;\n"
    shop.write("0001_a", script)
    shop.refused()
    shop.query(f"REVOKE {role} FROM custctl")
    shop.write("0001_a", script.replace("nothing", "2"))
    shop.ok()


def test_a_schema_whose_name_is_not_ascii(shop: Workshop) -> None:
    shop.project.profile("dev", "development", schema="größe")
    shop.write("0001_a", "SET client_encoding = 'SQL_ASCII';\nCREATE TABLE a (x integer);\n")
    shop.write("0002_b", f"{OFF}SET client_encoding = 'LATIN1';\nCREATE TABLE b (x integer);\nVACUUM b;\n")
    shop.ok()
    assert {"a", "b"} <= shop.names("größe")


def test_what_is_deferred_is_checked_with_the_settings_of_the_script(shop: Workshop, role: str) -> None:
    shop.write(
        "0001_a",
        "CREATE TABLE seen (who text);\nCREATE TABLE a (x integer);\n"
        f"GRANT ALL ON a, seen TO {role};\n"
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO public.seen VALUES (current_user); RETURN NULL; END $$;\n"
        "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON a DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION see();\n"
        f"SET ROLE {role};\nINSERT INTO a VALUES (1);\n",
    )
    shop.write("0002_b", f"{OFF}SET ROLE {role};\nINSERT INTO a VALUES (2);\n")
    shop.ok()
    assert shop.query("SELECT who FROM seen") == [(role,), (role,)]


def test_a_constraint_that_is_checked_at_the_end_names_the_place(shop: Workshop) -> None:
    shop.write(
        "0001_a",
        "CREATE TABLE a (x integer PRIMARY KEY, y integer REFERENCES a DEFERRABLE INITIALLY DEFERRED);\n"
        "INSERT INTO a VALUES (1, 2);\n\nSELECT 1;\n",
    )
    told = shop.refused()
    assert "migrations/0001_a.sql:4: after statement 3 of 3: " in told
    assert "violates foreign key constraint" in told
