"""`doctor` on every engine: what it tells, and the faults that it finds."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from custctl import __version__
from custctl.api import diagnosis
from custctl.cli.commands.doctor import exit_code
from custctl.engines.model import Check
from custctl.engines.roles import ADMIN, OPERATOR, SUPPORT
from custctl.schema.standing import REQUIRED_SCHEMA
from custctl.support.errors import ExitCode
from tests.conftest import ADA, REPOSITORY, Project, Result
from tests.inside import Inside
from tests.servers import ports
from tests.servers.fixtures import ENGINES
from tests.servers.postgresql import PASSWORD, Database, PostgresqlServer
from tests.servers.projects import EngineProject, nodes, on_engine, postgresql_place

SERVERS = [name for name in ENGINES if name != "sqlite"]
POSTGRESQL = [name for name in SERVERS if name != "mssql"]
NOWHERE = {"engine": "mssql", "name": "x", "user": "x", "auth": "password", "connect_timeout": "2s"}


class Patient:
    """A project whose `doctor` is asked for."""

    def __init__(self, project: EngineProject) -> None:
        self.project = project
        self.run = Inside(project.path, project.environ)

    def checks(self, *arguments: str, code: int = 0) -> dict[str, dict[str, Any]]:
        """Return what `doctor` tells, by the name of the check."""
        result = self.run.run("doctor", "-o", "json", *arguments)
        assert result.code == code, result.out + result.err
        return self.read(result)

    def read(self, result: Result) -> dict[str, dict[str, Any]]:
        """Return the checks of a result; each fault has a hint, and no secret is told."""
        for text in (result.out, result.err):
            assert "Traceback" not in text
            assert PASSWORD not in text
            assert self.project.environ.get("CUSTCTL_DB_PASSWORD", "\0") not in text
        items = result.json["items"]
        assert all(item["hint"] for item in items if item["state"] == "fault"), items
        assert {item["state"] for item in items} <= {"ok", "fault"}
        return {item["check"]: item for item in items}

    def faults(self, *arguments: str, code: int) -> dict[str, dict[str, Any]]:
        """Return the faults that `doctor` tells."""
        found = {name: item for name, item in self.checks(*arguments, code=code).items() if item["state"] == "fault"}
        assert found
        return found


@pytest.fixture
def patient(engine_project: EngineProject) -> Patient:
    """A migrated project on each engine."""
    made = Patient(engine_project)
    made.run.ok("migrate")
    return made


@pytest.fixture
def postgresql_patient(project: Project, own_postgresql: PostgresqlServer) -> Patient:
    """A migrated project on a PostgreSQL server of its own."""
    made = Patient(on_engine(project, postgresql_place(own_postgresql)))
    made.run.ok("migrate")
    return made


# -- what is told ----------------------------------------------------------------------------------


def test_all_is_well(patient: Patient) -> None:
    checks = patient.checks()
    assert checks["custctl"]["value"].startswith(__version__)
    assert checks["profile"]["value"].startswith("dev (development), from ")
    assert checks["stamp"]["value"] == "development"
    assert checks["schema"]["value"].startswith(f"version {REQUIRED_SCHEMA}: ")
    assert "applied" in checks["schema"]["value"]
    assert {"driver", "credential", "substring search", "replicas", "cache"} <= set(checks)
    assert [item for item in checks.values() if item["state"] != "ok"] == []


@pytest.mark.parametrize("engine_project", ["sqlite"], indirect=True)
def test_a_file_has_the_clock_of_this_machine(patient: Patient) -> None:
    assert "clock" not in patient.checks()


@pytest.mark.parametrize("engine_project", SERVERS, indirect=True)
def test_a_server_is_told_with_node_login_rights_and_clock(patient: Patient) -> None:
    place = patient.project.place
    assert place is not None
    checks = patient.checks()
    assert checks["credential"]["value"] == "CUSTCTL_DB_PASSWORD"
    assert checks["node"]["value"] == f"`a` ({place.plain['nodes'][0]['host']}:{place.plain['nodes'][0]['port']})"
    assert checks["login"]["value"].startswith(f"{place.user}, ")
    assert checks["rights"]["value"] == f"all that `{ADMIN}` needs"
    assert checks["writes"]["value"] == "taken"
    assert checks["clock"]["value"].endswith(" s between this machine and the server")
    version = {"postgresql": "PostgreSQL 1", "mssql": ("SQL Server ", "Babelfish ")}[patient.project.engine]
    assert checks["server"]["value"].startswith(version)
    driver = {"postgresql": "psycopg 3", "mssql": "pyodbc "}[patient.project.engine]
    assert driver in checks["driver"]["value"]


@pytest.mark.parametrize("engine_project", POSTGRESQL, indirect=True)
def test_postgresql_tells_of_libpq_search_and_sessions(patient: Patient) -> None:
    checks = patient.checks()
    assert " libpq 1" in checks["driver"]["value"]
    assert checks["driver"]["value"].endswith((".so", ".py", ".pyd"))
    assert checks["login"]["value"].endswith(", by scram-sha-256")
    assert checks["case in search"]["value"] == "by the collation `pg_c_utf8`"
    assert checks["substring search"]["value"] == "trigram index `customer_search`"
    assert checks["pooler"]["value"] == "none"
    assert checks["sessions"]["value"].endswith(" of 197 for the server")
    assert checks["indexes"]["value"].endswith(", all valid")
    assert checks["tls"] == {
        **checks["tls"],
        "value": "none: `tls: off`",
        "hint": "set `tls: verify-full` in the profile",
    }


@pytest.mark.parametrize("engine_project", POSTGRESQL, indirect=True)
def test_tls_is_told_with_cipher_and_certificate(patient: Patient) -> None:
    patient.project.create("prod")
    patient.run.ok("migrate", "--env", "prod")
    checks = patient.checks("--env", "prod")
    assert checks["tls"]["value"].startswith("TLSv1.3, TLS_")
    assert checks["tls"]["value"].endswith("; the certificate is verified")
    assert ", for localhost, 127.0.0.1, by " in checks["certificate"]["value"]
    # The second server has no TLS; before it stands a proxy that has.
    database = patient.project.databases["prod"]
    assert isinstance(database, Database)
    assert ("proxy" in checks["tls"]["value"]) == (database.server.certificates is None)


def test_before_the_first_migration(engine_project: EngineProject) -> None:
    faults = Patient(engine_project).faults(code=8)
    assert {fault["hint"] for fault in faults.values()} == {
        f"run `custctl migrate --sql-dir {engine_project.environ['CUSTCTL_SQL_DIR']}`"
    }


def test_before_an_adoption(engine_project: EngineProject) -> None:
    engine_project.sql("CREATE TABLE customer (customer_id INTEGER)")
    code = 3 if engine_project.engine == "sqlite" else 11  # a new file is not in WAL mode yet
    schema = Patient(engine_project).faults(code=code)["schema"]
    assert "has tables (`customer`) and no journal" in schema["value"]
    assert "migrate baseline --help" in schema["hint"]


# -- faults of the schema --------------------------------------------------------------------------


def test_a_script_that_was_changed(patient: Patient) -> None:
    folder = patient.project.path / "scripts"
    shutil.copytree(REPOSITORY / "sql", folder)
    script = folder / patient.project.engine / "migrations" / "0004_create_customer_status.sql"
    script.write_text(script.read_text() + "-- More.\n")
    faults = patient.faults("--sql-dir", str(folder), code=11)
    assert list(faults) == ["schema"]
    assert "changed since: `migrations/0004_create_customer_status.sql`" in faults["schema"]["value"]


def test_a_stamp_of_another_environment(patient: Patient) -> None:
    patient.project.sql("UPDATE custctl_metadata SET value = 'staging' WHERE name = 'environment'")
    faults = patient.faults(code=7)
    assert (list(faults), faults["stamp"]["value"]) == (["stamp"], "staging")


def test_a_table_that_is_gone(patient: Patient) -> None:
    patient.project.sql("DROP TABLE customer_password")
    faults = patient.faults(code=8)
    assert faults["tables"]["value"] == "`customer_password` missing, but the journal has the script"


@pytest.mark.parametrize("engine_project", ["sqlite"], indirect=True)
def test_a_table_that_is_damaged(patient: Patient) -> None:
    path = patient.project.path / "dev.db"
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = file.execute("PRAGMA page_size").fetchone()[0]
        page = file.execute("SELECT rootpage FROM sqlite_master WHERE name = 'customer'").fetchone()[0]
    with path.open("r+b") as raw:
        raw.seek((page - 1) * size)
        raw.write(bytes(size))
    found = patient.checks(code=3)["customers"]
    assert found["state"] == "fault"
    assert "malformed" in found["value"]


@pytest.mark.parametrize(
    ("state", "in_flight", "told"),
    [("failed", "NULL", "failed after 1 of 3 statements: no such thing"), ("running", "1", "statement 2 in flight")],
)
def test_a_script_that_was_begun_and_not_ended(patient: Patient, state: str, in_flight: str, told: str) -> None:
    patient.project.sql(
        f"UPDATE schema_migration SET state = '{state}', in_flight = {in_flight}, statements_applied = 1,"
        " statements_total = 3, error = 'no such thing' WHERE version = 5"
    )
    checks = patient.checks(code=8)
    assert checks["script"]["state"] == "fault"
    assert checks["script"]["value"].startswith("`migrations/0005_create_customer_import.sql` ")
    assert told in checks["script"]["value"]
    assert f", 1 {state}" in checks["schema"]["value"]


@pytest.mark.parametrize("engine_project", POSTGRESQL, indirect=True)
def test_indexes_that_are_missing_or_invalid(patient: Patient) -> None:
    patient.project.sql("DROP INDEX customer_search; DROP INDEX customer_email_unique")
    patient.project.sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'customer_by_country'::regclass")
    result = patient.run.run("doctor", "-o", "json")
    assert result.code == 11
    faults = [(i["check"], i["value"]) for i in result.json["items"] if i["state"] == "fault"]
    assert sorted(faults) == [
        ("indexes", "INVALID: `customer_by_country`"),
        ("shape", "index `customer_by_country` on `customer`: valid is `no`, expected `yes`"),
        ("shape", "index `customer_email_unique` on `customer` is missing"),
        ("shape", "index `customer_search` on `customer` is missing"),
        ("substring search", "full scan: the index `customer_search` is missing"),
    ]
    patient.project.sql("DROP EXTENSION pg_trgm CASCADE")
    assert "pg_trgm is not installed" in patient.checks(code=11)["substring search"]["value"]


# -- faults of the server --------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [-3600, -20, -2, 2, 20, 3600])
@pytest.mark.parametrize("engine_project", ["postgresql18"], indirect=True)
def test_the_clocks_differ(patient: Patient, seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "_now", lambda: datetime.now(UTC) + timedelta(seconds=seconds))
    if abs(seconds) == 2:
        assert patient.checks()["clock"]["value"].startswith(("1.9 s", "2.0 s"))
        return
    faults = patient.faults(code=3)
    assert list(faults) == ["clock"]
    side = "behind" if seconds > 0 else "ahead of"
    assert f" s {side} this machine" in faults["clock"]["value"]
    assert "NTP" in faults["clock"]["hint"]


@pytest.mark.parametrize("engine_project", POSTGRESQL, indirect=True)
@pytest.mark.parametrize("port", [ports.refused, ports.silent, ports.closing])
def test_a_server_that_is_down(patient: Patient, port: Callable[[], Any]) -> None:
    with port() as number:
        patient.project.profile("dev", "development", nodes=nodes("127.0.0.1", number), connect_timeout="1s")
        checks = patient.checks(code=3)
    assert [name for name, item in checks.items() if item["state"] == "fault"] == ["server", "schema"]
    assert f"`a` (127.0.0.1:{number})" in checks["server"]["value"]
    assert {"custctl", "profile", "credential", "driver", "replicas", "cache"} <= set(checks)


@pytest.mark.parametrize("port", [ports.refused, ports.garbage, ports.silent])
def test_a_sql_server_that_is_down(project: Project, port: Callable[[], Any]) -> None:
    with port() as number:
        database = {**NOWHERE, "nodes": nodes("127.0.0.1", number), "tls": "require"}
        text = yaml.safe_dump({"environment": "development", "database": database})
        (project.path / "profiles" / "dev.yaml").write_text(text)
        project.environ["CUSTCTL_DB_PASSWORD"] = PASSWORD
        checks = Patient(EngineProject(project.path, project.environ)).checks(code=3)
    assert [name for name, item in checks.items() if item["state"] == "fault"] == ["server", "schema"]
    assert "msodbcsql" in checks["driver"]["value"]
    assert ", pyodbc 5" in checks["driver"]["value"]


@pytest.mark.parametrize("engine_project", SERVERS, indirect=True)
def test_a_wrong_password(patient: Patient) -> None:
    patient.project.environ["CUSTCTL_DB_PASSWORD"] = "not-this-one-9"
    checks = patient.checks(code=4)
    assert [name for name, item in checks.items() if item["state"] == "fault"] == ["server", "schema"]
    assert "credential check" in checks["server"]["hint"]
    del patient.project.environ["CUSTCTL_DB_PASSWORD"]
    patient.project.environ["CUSTCTL_DB_PASSWORD_FILE"] = str(patient.project.path / "nowhere")
    checks = patient.checks(code=4)
    assert checks["credential"]["state"] == "fault"
    assert "driver" in checks


@pytest.mark.parametrize("engine_project", ["postgresql18"], indirect=True)
def test_a_server_without_tls_where_the_profile_asks_for_it(patient: Patient) -> None:
    patient.project.profile("dev", "development", tls="require")
    faults = patient.faults(code=3)
    assert "SSL" in faults["server"]["value"]
    assert "database.tls" in faults["server"]["hint"]


@pytest.mark.parametrize("engine_project", ["postgresql17"], indirect=True)
def test_a_certificate_that_nobody_verifies_is_told_nevertheless(patient: Patient) -> None:
    patient.project.profile("dev", "development", tls="require")
    checks = patient.checks()
    assert checks["tls"]["value"].endswith("the certificate is not verified (`tls: require`)")
    assert "localhost" in checks["certificate"]["value"]


@pytest.mark.parametrize("engine_project", SERVERS, indirect=True)
def test_a_database_that_is_not_there(patient: Patient) -> None:
    patient.project.names["dev"] = "custctl_there_is_none"
    patient.project.profile("dev", "development")
    faults = patient.faults(code=3)
    assert "custctl_there_is_none" in faults["server"]["value"]
    assert "database.name" in faults["server"]["hint"]


# -- logins, on a server of their own --------------------------------------------------------------


def test_logins_are_told_with_their_roles_and_what_they_lack(
    project: Project, own_postgresql: PostgresqlServer
) -> None:
    own_postgresql.create_role("owner", createrole=True)
    made = on_engine(project, postgresql_place(own_postgresql))
    made.sql(f"GRANT CREATE ON SCHEMA public TO owner; ALTER DATABASE {made.names['dev']} OWNER TO owner")
    patient = Patient(made)
    logins = {"owner": None, "support": SUPPORT, "operator": OPERATOR, "admin": ADMIN, "nobody": None, "reader": None}
    for login in logins:
        made.names[login] = made.names["dev"]
        made.profile(login, "development", user=login)
    # Before the first migration, to be able to make tables is all that counts.
    own_postgresql.create_role("stranger")
    made.names["stranger"] = made.names["dev"]
    made.profile("stranger", "development", user="stranger")
    faults = patient.faults("--env", "stranger", code=4)
    assert faults["rights"]["value"] == "may not create tables in the schema `public`"
    assert patient.checks("--env", "owner", code=8)["rights"]["value"] == "may create tables in the schema `public`"
    patient.run.ok("migrate", "--env", "owner")
    for login, role in list(logins.items())[1:]:
        own_postgresql.create_role(login, **({"in_role": role} if role else {}))
    for login, role in logins.items():
        if role:
            checks = patient.checks("--env", login)
            assert checks["roles"]["value"] == role
            assert checks["rights"]["value"] == f"all that `{role}` needs"
            assert checks["login"]["value"] == f"{login}, by scram-sha-256"
    checks = patient.checks("--env", "owner")
    assert checks["roles"]["value"] == ADMIN
    # A right is taken from a role, and its members lack it.
    made.sql(f"REVOKE DELETE ON customer FROM {OPERATOR}; REVOKE UPDATE (salt) ON customer_audit FROM {OPERATOR}")
    faults = patient.faults("--env", "operator", code=4)
    assert faults["rights"]["value"] == "lacks DELETE on `customer`, UPDATE on `customer_audit` (salt)"
    assert "sql/postgresql/repeatable/roles.sql" in faults["rights"]["hint"]
    # Without a role, what was granted counts.
    made.sql("GRANT USAGE ON SCHEMA public TO nobody")
    faults = patient.faults("--env", "nobody", code=4)
    assert faults["rights"]["value"].startswith("lacks SELECT on `customer`")
    assert SUPPORT in faults["rights"]["hint"]
    made.sql(
        "GRANT SELECT ON customer, customer_account, customer_status, schema_migration, custctl_metadata, customer_audit TO reader"
    )
    checks = patient.checks("--env", "reader")
    assert (checks["roles"]["value"], checks["rights"]["value"]) == (
        "none of custctl's",
        f"all that `{SUPPORT}` needs",
    )
    made.drop()


def test_a_server_whose_log_holds_values(postgresql_patient: Patient, own_postgresql: PostgresqlServer) -> None:
    patient = postgresql_patient
    told = patient.checks()["server log"]
    assert (told["state"], told["value"], told["hint"]) == ("ok", "contains no values of statements", None)
    own_postgresql.sql("ALTER SYSTEM SET log_statement = mod")
    own_postgresql.sql("ALTER SYSTEM SET session_preload_libraries = auto_explain")
    with own_postgresql.connect() as connection:
        connection.execute("LOAD 'auto_explain'")
        connection.execute("ALTER SYSTEM SET auto_explain.log_min_duration = '1s'")
    own_postgresql.sql("SELECT pg_reload_conf()")
    told = patient.checks()["server log"]
    assert told["value"] == ("may hold customers' data: `log_statement = mod`, `auto_explain.log_min_duration = 1000`")
    assert told["hint"] == (
        "to keep it out, set `log_parameter_max_length = 0` and `auto_explain.log_min_duration = -1` on the server"
    )
    own_postgresql.sql("ALTER SYSTEM SET log_parameter_max_length = 0")
    own_postgresql.sql("ALTER SYSTEM RESET session_preload_libraries")
    own_postgresql.sql("SELECT pg_reload_conf()")
    assert patient.checks()["server log"]["value"] == "contains no values of statements"


def test_limits_and_fences(postgresql_patient: Patient, own_postgresql: PostgresqlServer) -> None:
    patient = postgresql_patient
    own_postgresql.sql("ALTER ROLE custctl CONNECTION LIMIT 1")
    faults = patient.faults(code=3)
    assert "1 of 1 for this login" in faults["sessions"]["value"]
    assert faults["sessions"]["hint"].endswith("raise the limit of this login")
    own_postgresql.sql("ALTER ROLE custctl CONNECTION LIMIT 0")
    assert "too many connections" in patient.faults(code=3)["server"]["value"]
    own_postgresql.sql("ALTER ROLE custctl CONNECTION LIMIT -1")
    own_postgresql.sql("ALTER ROLE custctl SET default_transaction_read_only = on")
    faults = patient.faults(code=7)
    assert faults["writes"]["value"] == "refused: `default_transaction_read_only` is on"
    assert (
        faults["writes"]["hint"] == "let an administrator run `ALTER ROLE custctl RESET default_transaction_read_only`"
    )
    own_postgresql.sql("ALTER ROLE custctl RESET default_transaction_read_only")


def test_a_read_only_standby(postgresql_patient: Patient, own_postgresql: PostgresqlServer) -> None:
    postgresql_patient.run.ok("customer", "add", *ADA)
    own_postgresql.stop()
    (own_postgresql.folder / "data" / "standby.signal").touch()
    own_postgresql.start()
    faults = postgresql_patient.faults(code=7)
    assert (list(faults), faults["writes"]["value"]) == (["writes"], "refused: a read-only standby")


# -- for a health check ----------------------------------------------------------------------------


def check(patient: Patient) -> tuple[int, list[str]]:
    """Return the exit code and the lines of `doctor --check`, which prints nothing else."""
    result = patient.run.run("doctor", "--check")
    assert result.err == ""
    return result.code, result.out.splitlines()


def test_check_is_an_exit_code_and_a_line_a_fault(patient: Patient) -> None:
    assert check(patient) == (0, [])
    patient.project.sql("UPDATE custctl_metadata SET value = 'staging' WHERE name = 'environment'")
    assert check(patient) == (8, ["stamp: staging"])
    patient.project.sql(f"DELETE FROM schema_migration WHERE version = {REQUIRED_SCHEMA}")
    code, lines = check(patient)
    assert (code, [line.partition(":")[0] for line in lines]) == (8, ["stamp", "schema"])
    result = patient.run.run("doctor", "--check", "-o", "json")
    assert [json.loads(line)["check"] for line in result.out.splitlines()] == ["stamp", "schema"]
    # What cannot be reached comes first, whatever else is wrong.
    path = patient.project.path / "profiles" / "dev.yaml"
    with ports.refused() as number:
        path.write_text(f"{path.read_text()}\ncache: {{url: 'redis://127.0.0.1:{number}/0'}}\n")
        code, lines = check(patient)
    assert (code, lines[-1].partition(":")[0]) == (3, "cache")


@pytest.mark.parametrize("engine_project", POSTGRESQL, indirect=True)
def test_check_tells_a_refused_login_from_a_server_that_is_down(patient: Patient) -> None:
    patient.project.environ["CUSTCTL_DB_PASSWORD"] = "wrong"
    assert check(patient)[0] == 4
    path = patient.project.path / "profiles" / "dev.yaml"
    with ports.refused() as number:
        document = yaml.safe_load(path.read_text())
        document["database"]["nodes"] = [{"name": "a", "host": "127.0.0.1", "port": number}]
        path.write_text(yaml.safe_dump(document))
        assert check(patient)[0] == 3


@pytest.mark.parametrize(
    ("causes", "code"),
    [
        ((), 0), ((12,), 12), ((14, 12), 12), ((8, 12), 8), ((11,), 8), ((7,), 8), ((8, 4), 4), ((4, 12, 3), 3),
        ((2,), 3), ((1, 8), 3),
    ],
)  # fmt: skip
def test_the_first_of_a_fixed_order_is_the_exit_code(causes: tuple[int, ...], code: int) -> None:
    faults = [Check("x", False, "y", None, ExitCode(cause)) for cause in causes]
    assert exit_code(faults) == code
